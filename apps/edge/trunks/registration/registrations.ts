import { createHmac } from 'node:crypto';
import { parseNameAddr } from '@ringfence/sip/message/name-addr.ts';
import type { SipRequest, SipUri, Uri } from '@ringfence/sip/message/types.ts';
import { parseUri, serializeUri } from '@ringfence/sip/message/uri.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { Trunk } from '../../objects/types.ts';
import type { Directory } from '../../routing/directory.ts';
import { ownerOf } from '../owner.ts';
import {
  RegistrationClient,
  type RegistrationPlan,
  type RegistrationServices,
  type RegistrationState,
} from './client.ts';

/** A registration as the command line shows it. */
export interface RegistrationReport {
  readonly owner: string;
  readonly registrar: string;
  readonly state: RegistrationState;
  /** Unix ms. */
  readonly since: number;
  readonly until: number;
  readonly failure: string;
  readonly serviceRoute: readonly string[];
  readonly path: readonly string[];
}

/** All registrations of the edge at providers, by the tokens that it registered. */
export class Registrations {
  readonly #services: RegistrationServices;
  readonly #key: Uint8Array;
  readonly #clients = new Map<string, RegistrationClient>();
  /** By the user part of the contact. */
  readonly #contacts = new Map<string, RegistrationClient>();

  /** @param key makes contacts that stay the same after a restart, and that nobody can guess. */
  constructor(services: RegistrationServices, key: Uint8Array) {
    this.#services = services;
    this.#key = key;
  }

  /** From now on these trunks and no others; what has not changed goes on as it is. */
  update(directory: Directory): void {
    const wanted = new Map<string, RegistrationPlan>();
    for (const { trunks } of directory.domains())
      for (const trunk of trunks.values()) {
        const plan = this.#plan(trunk);
        if (plan !== undefined) wanted.set(ownerOf(trunk), plan);
      }
    for (const [owner, client] of this.#clients) {
      const plan = wanted.get(owner);
      if (plan !== undefined && sameRegistration(plan, client.plan)) {
        wanted.delete(owner);
        continue;
      }
      this.#forget(owner, client);
      void client.stop();
    }
    for (const [owner, plan] of wanted) {
      const client = new RegistrationClient(this.#services, plan);
      this.#clients.set(owner, client);
      this.#contacts.set(plan.contact, client);
      client.start();
    }
  }

  /** Takes all of them back. */
  async stop(): Promise<void> {
    await Promise.all(
      [...this.#clients].map(([owner, client]) => {
        this.#clients.delete(owner);
        return client.stop();
      }),
    );
  }

  /** Does nothing more, and says so to nobody: another process goes on with the same contacts. */
  halt(): void {
    for (const client of this.#clients.values()) client.halt();
    this.#clients.clear();
    this.#contacts.clear();
  }

  flowClosed(flow: number): void {
    for (const client of this.#clients.values()) client.flowClosed(flow);
  }

  /**
   * The trunk whose registered contact a request is addressed to.
   *
   * The token alone does not prove it, since over UDP others may have read it: it counts over the connection that has
   * registered, or from an address of the registrar.
   */
  match(request: SipRequest, flow: Flow): { readonly trunk: Trunk; readonly called: Uri } | undefined {
    if (this.#contacts.size === 0) return undefined;
    const { uri } = request;
    const token = 'user' in uri ? uri.user : undefined;
    const client = token === undefined ? undefined : this.#contacts.get(token);
    if (client === undefined) return undefined;
    const { trunk } = client.plan;
    if (trunk.encryption === 'required' && flow.transport !== 'tls') return undefined;
    if (flow.id !== client.flow?.id && !client.addresses.has(flow.remote.address)) return undefined;
    return { trunk, called: calledOf(request) };
  }

  /** Where a call out by this trunk goes through (RFC 3608), and whether it may go at all. */
  of(trunk: Trunk): Pick<RegistrationClient, 'state' | 'until' | 'serviceRoute'> | undefined {
    return trunk.registration === undefined ? undefined : this.#clients.get(ownerOf(trunk));
  }

  reports(): RegistrationReport[] {
    return [...this.#clients].map(([owner, client]) => ({
      owner,
      registrar: serializeUri(client.registrar),
      state: client.state,
      since: client.since,
      until: client.until,
      failure: client.failure,
      serviceRoute: client.serviceRoute,
      path: client.path,
    }));
  }

  #forget(owner: string, { plan }: RegistrationClient): void {
    this.#clients.delete(owner);
    this.#contacts.delete(plan.contact);
  }

  #plan(trunk: Trunk): RegistrationPlan | undefined {
    const { registration } = trunk;
    if (registration === undefined) return undefined;
    const parsed = parseUri(registration.registrar ?? trunk.target);
    if (!parsed.ok || (parsed.value.scheme !== 'sip' && parsed.value.scheme !== 'sips')) return undefined;
    const registrar: SipUri = parsed.value;
    return {
      trunk,
      registrar,
      user: registration.user ?? trunk.outbound?.username ?? trunk.name,
      host: registration.domain ?? registrar.host,
      expires: registration.expiresSeconds,
      contact: createHmac('sha256', this.#key)
        .update(`contact ${ownerOf(trunk)}`)
        .digest('base64url')
        .slice(0, 24),
    };
  }
}

/** Whom the caller wants: RFC 7315 §4.2 where the provider says it, else To; the Request-URI is our own contact. */
function calledOf(request: SipRequest): Uri {
  const said = parseNameAddr(request.headers.get('P-Called-Party-ID') ?? '');
  return said.ok ? said.value.uri : request.to.uri;
}

/** Nothing has changed that the registrar would have to know, or that calls in are judged by. */
const sameRegistration = (a: RegistrationPlan, b: RegistrationPlan): boolean =>
  JSON.stringify(comparable(a)) === JSON.stringify(comparable(b)) &&
  Buffer.compare(
    a.trunk.outbound?.password.reveal() ?? empty,
    b.trunk.outbound?.password.reveal() ?? empty,
  ) === 0;

const empty = new Uint8Array(0);

const comparable = ({ trunk, registrar, ...rest }: RegistrationPlan): unknown => ({
  ...rest,
  registrar: serializeUri(registrar),
  encryption: trunk.encryption,
  username: trunk.outbound?.username,
});
