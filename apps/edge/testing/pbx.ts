import { randomBytes } from 'node:crypto';
import { ha1 } from '@ringfence/sip/digest/ha1.ts';
import { DigestServer } from '@ringfence/sip/digest/server.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { parseNameAddr } from '@ringfence/sip/message/name-addr.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import { serializeUri } from '@ringfence/sip/message/uri.ts';
import type { Pbx } from '../objects/types.ts';
import { domain } from './objects.ts';
import { Phone, type PhoneOptions } from './phone.ts';
import type { World } from './world.ts';

/** A domain's PBX with one node at each address, the first of them preferred. */
export const pbxObject = (addresses: readonly string[], fields: Partial<Pbx> = {}): Pbx => ({
  domain,
  name: 'pbx',
  nodes: addresses.map((address, i) => ({
    name: `node${i + 1}`,
    target: `sip:${address}:5060;transport=udp`,
    priority: 10 + i,
    weight: 10,
    addresses: [],
    certificateNames: [],
  })),
  encryption: 'none',
  phones: 'required',
  expires: 3600,
  phoneExpires: 60,
  strangersPerSecond: 50,
  allowedHeaders: ['Alert-Info'],
  ...fields,
});

/** A PBX of the tests: checks the digest of REGISTER and INVITE itself, and remembers where its phones are. */
export class TestPbx extends Phone {
  /** Contact of each user as it was registered. */
  readonly contacts = new Map<string, string>();
  readonly registers: SipRequest[] = [];
  /** Says that every nonce has grown old. */
  stale = false;
  /** Seconds granted. */
  grants = 600;
  #digest = new DigestServer({ key: randomBytes(32), nonceLifetimeMs: 3_600_000, maxNonces: 10_000 });

  constructor(world: World, address: string, options: Partial<PhoneOptions> = {}) {
    super(world, { name: 'pbx', address, ...options });
    this.listen();
    this.refuse = (request) => this.judge(request);
  }

  /** Passwords are the names with `-secret`. */
  proven(request: SipRequest): boolean {
    const verified = this.#digest.verify({
      authorization: [...request.headers.all('Authorization'), ...request.headers.all('Proxy-Authorization')],
      method: request.method,
      uri: serializeUri(request.uri),
      source: 'any',
      now: this.world.time.now,
      realms: ['the-pbx'],
      lookup: (username, realm, algorithm) =>
        username.startsWith('no')
          ? undefined
          : ha1(algorithm as 'SHA-256', username, realm, `${username}-secret`),
      body: request.body,
    });
    return verified.ok;
  }

  challenge(request: SipRequest, status = 401): SipResponse {
    const headers = new HeaderList();
    for (const value of this.#digest.challenge({
      realm: 'the-pbx',
      algorithms: ['SHA-256'],
      source: 'any',
      stale: this.stale,
      now: this.world.time.now,
    }))
      headers.add(status === 407 ? 'Proxy-Authenticate' : 'WWW-Authenticate', value);
    return makeResponse(request, status, undefined, { toTag: 'c', headers });
  }

  judge(request: SipRequest): SipResponse | undefined {
    if (request.to.params.has('tag') || request.method === 'OPTIONS') return undefined;
    if (request.method === 'REGISTER') this.registers.push(request);
    if (!this.proven(request)) return this.challenge(request);
    return request.method === 'REGISTER' ? this.#register(request) : undefined;
  }

  #register(request: SipRequest): SipResponse {
    const user = 'user' in request.to.uri ? (request.to.uri.user ?? '') : '';
    const contact = parseNameAddr(request.headers.get('Contact') ?? '');
    if (!contact.ok) return makeResponse(request, 400, undefined, { toTag: 'r' });
    const headers = new HeaderList();
    if (contact.value.params.get('expires') === '0') this.contacts.delete(user);
    else {
      this.contacts.set(user, serializeUri(contact.value.uri));
      headers.add('Contact', `<sip:10.99.0.1:5099>;expires=9999`);
      headers.add('Contact', `<${serializeUri(contact.value.uri)}>;expires=${this.grants}`);
    }
    return makeResponse(request, 200, undefined, { toTag: 'r', headers });
  }
}
