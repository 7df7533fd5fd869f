import type { HeaderList } from '@ringfence/sip/message/header-list.ts';
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
import type { DomainDirectory } from '../routing/directory.ts';
import { userOf } from './passed.ts';
import type { NodeSources } from './reach.ts';
import { PbxRegistrations, sameWay, tokenLength } from './register.ts';
import { Strangers } from './strangers.ts';

export interface PbxFrontParts {
  readonly services: CallServices;
  readonly sources: NodeSources & Pick<TargetSources, 'registrar'>;
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

  constructor(parts: PbxFrontParts) {
    this.#parts = parts;
    this.#strangers = new Strangers(parts.seed);
    this.#refusals = new Refusals((event) => parts.services.bus.emit(event));
    this.#registrations = new PbxRegistrations({ ...parts, strangers: this.#strangers });
  }

  /** The PBXs that there are from now on. */
  retain(pbxs: readonly Pbx[]): void {
    this.#parts.sources.nodes.retain(pbxs);
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
      return verdict.rule === 'pbx.failures' ? forbidden : { kind: 'turned', status: 503, retryAfter: 5 };
    }
    const own =
      registered.find((binding) => sameWay(binding, flow)) ??
      // A phone that has just connected anew may call for help before it has registered again.
      (emergency && request.method === 'INVITE' ? near[0] : undefined);
    const known = own === undefined ? undefined : identifier.phone(domain.name, own.user);
    if (known !== undefined) return known;
    this.#refusals.note(address, flow.listener, 'pbx.unregistered', 0, now);
    return forbidden;
  }

  register(transaction: ServerTransaction, request: SipRequest, domain: DomainDirectory, pbx: Pbx): void {
    this.#registrations.register(transaction, request, domain, pbx);
  }

  /** A request of a phone or of the PBX that is neither INVITE nor REGISTER. False: it is nothing of the PBX's. */
  request(
    _transaction: ServerTransaction,
    request: SipRequest,
    { principal, domain }: KnownSender,
    answer: (status: number, headers?: HeaderList) => void,
  ): boolean {
    const { sources, services } = this.#parts;
    if (request.method !== 'OPTIONS' || principal.kind !== 'trunk') return false;
    const user = userOf(request.uri);
    if (user.length !== tokenLength) return false;
    // A PBX asks whether its phone is there; the way to it is held open from here.
    const binding = sources.registrar.byToken(user, services.now());
    if (binding !== undefined && binding.domain === domain.name) return false;
    answer(404);
    return true;
  }
}

const forbidden: Turned = { kind: 'turned', status: 403 };

function addressOf({ source }: LiveBinding): string {
  const space = source.indexOf(' ');
  return space === -1 ? source : source.slice(0, space);
}
