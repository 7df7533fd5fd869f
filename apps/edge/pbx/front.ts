import type { SipRequest } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import { Refusals } from '../admission/refusals.ts';
import type { CallServices } from '../call/services.ts';
import type { TargetSources } from '../call/targets.ts';
import type { Identifier, KnownSender } from '../identity/identify.ts';
import type { Pbx } from '../objects/types.ts';
import type { RegisterParts } from '../registrar/accept-register.ts';
import type { LiveBinding } from '../registrar/registrar.ts';
import { type DomainDirectory, isNodeTrunk } from '../routing/directory.ts';
import { Subscriptions } from '../subscription/subscriptions.ts';
import { userOf } from './passed.ts';
import { PbxRegistrations, sameWay, tokenLength } from './register.ts';
import { type RelayParts, relayToPbx, relayToPhone } from './relay.ts';
import { responder } from './respond.ts';
import { Strangers } from './strangers.ts';

export interface PbxFrontParts {
  readonly services: CallServices;
  readonly sources: TargetSources;
  readonly registering: RegisterParts;
  readonly identifier: Identifier;
  /** For the meters of strangers; unpredictable to them. */
  readonly seed: number;
  trust(address: string): void;
}

/** Why a request of a PBX's domain goes no further. */
export interface Turned {
  readonly kind: 'turned';
  readonly status: number;
  /** For an administrator who reads the phone's log. */
  readonly warning: string;
  readonly retryAfter?: number;
}

/**
 * The edge in front of the PBXs: who of their domains may come through, and what becomes of it.
 *
 * The PBX proves its phones, so that the edge only tells two apart: whoever is registered over this very flow, and
 * strangers, who may only try to register, at a bounded rate.
 */
export class PbxFront {
  readonly #parts: PbxFrontParts;
  readonly #strangers: Strangers;
  readonly #refusals: Refusals;
  readonly #registrations: PbxRegistrations;
  readonly #subscriptions: Subscriptions;
  readonly #relay: RelayParts;

  constructor(parts: PbxFrontParts) {
    this.#parts = parts;
    this.#strangers = new Strangers(parts.seed);
    this.#refusals = new Refusals((event) => parts.services.bus.emit(event));
    this.#registrations = new PbxRegistrations({ ...parts, strangers: this.#strangers });
    this.#relay = { services: parts.services, sources: parts.sources, names: parts.sources.names };
    this.#subscriptions = new Subscriptions(this.#relay);
  }

  /** The PBXs that there are from now on. */
  retain(pbxs: readonly Pbx[]): void {
    this.#parts.sources.nodes.retain(pbxs);
    this.#subscriptions.retain(new Set(pbxs.map(({ domain }) => domain)));
  }

  stop(): void {
    this.#refusals.flush();
  }

  lapsed(bindings: readonly LiveBinding[]): void {
    for (const binding of bindings) this.#registrations.lapsed(binding);
  }

  /** Who sends a request of this domain that began no dialog yet; counts it against what the PBX may be shown. */
  identify(
    request: SipRequest,
    flow: Flow,
    domain: DomainDirectory,
    pbx: Pbx,
    emergency: boolean,
    now: number,
  ): KnownSender | Turned {
    const { sources, identifier } = this.#parts;
    const { address } = flow.remote;
    const user = userOf(request.from.uri);
    const registered = sources.registrar.lookup(domain.name, user, now);
    const near = registered.filter((binding) => addressOf(binding) === address);
    if (request.method === 'REGISTER') {
      const verdict = this.#strangers.admit(pbx, address, user, near.length > 0, now);
      if (verdict.ok) return identifier.stranger(domain);
      this.#refusals.note(address, flow.listener, verdict.rule, verdict.threshold, now);
      return verdict.rule === 'pbx.failures' ? tooManyRefusals : tooManyRequests;
    }
    const own =
      registered.find((binding) => sameWay(binding, flow)) ??
      // A phone that has just connected anew may call for help before it has registered again.
      (emergency && request.method === 'INVITE' && flow.reliable ? near[0] : undefined);
    const known = own === undefined ? undefined : identifier.phone(domain.name, own.user);
    if (known !== undefined && request.method === 'INVITE') return known;
    if (known !== undefined) {
      const verdict = this.#strangers.admit(pbx, address, user, true, now);
      if (verdict.ok) return known;
      this.#refusals.note(address, flow.listener, verdict.rule, verdict.threshold, now);
      return tooManyRequests;
    }
    this.#refusals.note(address, flow.listener, 'pbx.unregistered', 0, now);
    return unregistered;
  }

  register(transaction: ServerTransaction, request: SipRequest, domain: DomainDirectory, pbx: Pbx): void {
    this.#registrations.register(transaction, request, domain, pbx);
  }

  /** A request of a phone or of the PBX that is neither INVITE nor REGISTER. False: the edge answers it as any other. */
  request(
    transaction: ServerTransaction,
    request: SipRequest,
    { principal, domain }: KnownSender,
    pbx: Pbx,
  ): boolean {
    const { sources, services } = this.#parts;
    const respond = responder(services, transaction, request, () => true);
    const { method } = request;
    if (principal.kind === 'device') {
      if (method === 'SUBSCRIBE') this.#subscriptions.subscribe(transaction, request, principal, domain, pbx);
      else if (method === 'MESSAGE' || method === 'PUBLISH')
        relayToPbx(this.#relay, request, principal, domain, pbx, respond);
      else return false;
      return true;
    }
    const user = userOf(request.uri);
    if (principal.kind !== 'trunk' || !isNodeTrunk(principal.trunk) || user.length !== tokenLength)
      return false;
    const binding = sources.registrar.byToken(user, services.now());
    const known = binding?.domain === domain.name ? binding : undefined;
    // A PBX asks whether its phone is there; the way to it is held open from here.
    if (method === 'OPTIONS' && known !== undefined) return false;
    if (method !== 'OPTIONS' && method !== 'MESSAGE' && method !== 'NOTIFY') return false;
    if (known === undefined) respond(404);
    else relayToPhone(this.#relay, request, principal, domain, known, respond);
    return true;
  }

  /** Relayed subscriptions; each has two dialogs. */
  get subscriptions(): number {
    return this.#subscriptions.size;
  }

  /** Ends subscriptions whose time is up. */
  sweep(now: number): void {
    this.#subscriptions.sweep(now);
  }
}

const unregistered: Turned = { kind: 'turned', status: 403, warning: 'Register over this connection first' };
const tooManyRefusals: Turned = {
  kind: 'turned',
  status: 403,
  warning: 'Refused too often, wait five minutes',
};
const tooManyRequests: Turned = { kind: 'turned', status: 503, warning: 'Too many requests', retryAfter: 5 };

function addressOf({ source }: LiveBinding): string {
  const space = source.indexOf(' ');
  return space === -1 ? source : source.slice(0, space);
}
