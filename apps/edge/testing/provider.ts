import { DigestServer } from '@ringfence/sip/digest/server.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import { serializeUri } from '@ringfence/sip/message/uri.ts';
import { ha1Set } from './objects.ts';
import { Phone, type PhoneOptions } from './phone.ts';
import type { World } from './world.ts';

export const realm = 'provider.example';

/** A provider that its customers register at: user `us`, password `our-secret`. */
export class Provider {
  readonly phone: Phone;
  /** Seconds granted; least that is taken (423 below). */
  granted = 3600;
  least = 0;
  serviceRoute: readonly string[] = [];
  /** Answers this in place of registering. */
  instead: ((request: SipRequest) => SipResponse | undefined) | undefined = undefined;
  /** Contacts as last registered; empty after an unregistration. */
  contact = '';
  readonly registers: SipRequest[] = [];
  readonly #digest: DigestServer;
  readonly #keys = ha1Set('us', realm, 'our-secret');

  constructor(world: World, options: Partial<PhoneOptions> & { readonly address: string }, nonceMs = 60_000) {
    this.phone = new Phone(world, { name: '+4989555', ...options }).listen();
    this.#digest = new DigestServer({ key: new Uint8Array(16), nonceLifetimeMs: nonceMs, maxNonces: 100 });
    this.phone.refuse = (request) =>
      request.method === 'REGISTER' ? this.#register(request, world.time.now) : undefined;
  }

  #register(request: SipRequest, now: number): SipResponse {
    this.registers.push(request);
    const other = this.instead?.(request);
    if (other !== undefined) return other;
    const verified = this.#digest.verify({
      authorization: request.headers.all('Authorization'),
      method: 'REGISTER',
      uri: serializeUri(request.uri),
      source: 'edge',
      now,
      realms: [realm],
      lookup: (username, _, algorithm) =>
        username === 'us' ? this.#keys.get(algorithm as 'SHA-256')?.reveal() : undefined,
      body: request.body,
    });
    if (!verified.ok) {
      const challenges = this.#digest.challenge({
        realm,
        algorithms: ['SHA-256'],
        source: 'edge',
        stale: verified.error.reason === 'stale',
        now,
      });
      const headers = challenges.map((value) => ['WWW-Authenticate', value] as const);
      return makeResponse(request, 401, undefined, { toTag: 't', headers });
    }
    const asked = Number(request.headers.get('Expires'));
    if (asked > 0 && asked < this.least)
      return makeResponse(request, 423, undefined, {
        toTag: 't',
        headers: [['Min-Expires', String(this.least)]],
      });
    const contact = (request.headers.get('Contact') ?? '').replace(/;expires=.*/, '');
    this.contact = asked === 0 ? '' : contact;
    const seconds = Math.min(asked, Math.max(this.granted, this.least));
    return makeResponse(request, 200, undefined, {
      toTag: 't',
      headers: [
        ['Contact', '<sip:another@192.0.2.200>;expires=7'],
        ...(asked === 0 ? [] : [['Contact', `${contact};expires=${seconds}`] as const]),
        ...this.serviceRoute.map((route) => ['Service-Route', route] as const),
      ],
    });
  }
}
