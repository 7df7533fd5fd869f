import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import { allowedMethods, dialogMethods } from '../call/messages.ts';
import { socketText } from '../call/services.ts';
import type { Configuration } from '../config/schema.ts';
import type { EventBus } from '../events/bus.ts';
import type { Objects } from '../objects/types.ts';
import { decideMethod } from '../policy/methods.ts';
import { reasonOfRefusal } from '../policy/reject-reasons.ts';
import type { Decision, Principal } from '../policy/types.ts';
import { type DomainDirectory, isNodeTrunk } from '../routing/directory.ts';
import { OnceInAWhile } from './once.ts';
import { sipMethods } from './sip-methods.ts';

export interface MethodGateParts {
  readonly bus: Pick<EventBus, 'emit'>;
  now(): number;
  directory(domain: string): DomainDirectory | undefined;
  isEmergency(request: SipRequest): boolean;
}

type Methods = readonly string[];
type Refusal = Extract<Decision, { verdict: 'refuse' }>;

/** A provider or another company neither registers here nor publishes anything. */
const ofTrunks: Methods = sipMethods.filter((method) => method !== 'REGISTER' && method !== 'PUBLISH');
/** What a call is changed and ended with. */
const within = new Set(['INVITE', 'ACK', 'BYE', 'CANCEL', 'PRACK']);
/** They begin nothing, and without a call they find none. */
const withoutCall = new Set(['ACK', 'BYE', 'CANCEL', 'PRACK']);
const devicePrefix = 'device:';
const trunkPrefix = 'trunk:';
const longestTarget = 128;

/**
 * Which methods are taken from whom: the list of the listener and that of the peer must both have it.
 *
 * Without lists all are taken of phones and of the nodes of a PBX, and all but REGISTER and PUBLISH of trunks. An
 * INVITE for help always passes, and so does what changes or ends a call that was let in.
 */
export class MethodGate {
  readonly #parts: MethodGateParts;
  readonly #told = new OnceInAWhile();
  #listeners = new Map<string, Methods>();
  #peers = false;

  constructor(parts: MethodGateParts, config: Configuration, objects: Objects) {
    this.#parts = parts;
    this.configure(config);
    this.retain(objects);
  }

  configure({ listeners }: Configuration): void {
    this.#listeners = new Map(
      listeners.flatMap(({ name, methods }) => (methods === undefined ? [] : [[name, methods]])),
    );
  }

  /** The objects that there are from now on. */
  retain({ users, trunks, pbx = [] }: Objects): void {
    this.#peers =
      users.some(({ devices }) => devices.some(({ methods }) => methods !== undefined)) ||
      [...trunks, ...pbx].some(({ methods }) => methods !== undefined);
  }

  /** Of a request that belongs to no dialog. `principal` undefined: nobody knows yet who sends it. */
  refuse(
    request: SipRequest,
    flow: Flow,
    principal: Principal | undefined,
    domain: DomainDirectory | undefined,
  ): Refusal | undefined {
    const { method } = request;
    const listener = this.#listeners.get(flow.listener);
    const peer = principal === undefined ? undefined : methodsOf(principal, domain);
    if (takes(listener, method) && takes(peer, method)) return undefined;
    if (withoutCall.has(method) || (method === 'INVITE' && this.#parts.isEmergency(request)))
      return undefined;
    return this.#decide(method, flow, listener, peer, allowedMethods);
  }

  /** Of a request within a dialog with that party; `party` as a leg has it. */
  refuseWithin(request: SipRequest, flow: Flow, party: string): Refusal | undefined {
    const { method } = request;
    if (within.has(method) || (!this.#peers && this.#listeners.size === 0)) return undefined;
    const listener = this.#listeners.get(flow.listener);
    const peer = this.#ofParty(party);
    if (takes(listener, method) && takes(peer, method)) return undefined;
    return this.#decide(method, flow, listener, peer, dialogMethods);
  }

  /** Value of Allow towards that party: `served` without what is not taken of it. */
  allow(served: string, listener: string, party: string): string {
    if (!this.#peers && this.#listeners.size === 0) return served;
    return shown(served, this.#listeners.get(listener), this.#ofParty(party));
  }

  /** For requests that leave no record; of each sender and method once in ten seconds. */
  tell(request: SipRequest, flow: Flow, who: string, decision: Refusal): void {
    const { method } = request;
    if (!this.#told.take(`${flow.remote.address} ${method}`, this.#parts.now())) return;
    const { uri } = request;
    const target = 'host' in uri ? `${uri.user ?? ''}@${uri.host}` : uri.scheme;
    this.#parts.bus.emit({
      type: 'request.refused',
      source: socketText(flow.remote),
      method: method.slice(0, 32),
      caller: who,
      target: target.slice(0, longestTarget),
      decision,
    });
  }

  #decide(
    method: string,
    flow: Flow,
    listener: Methods | undefined,
    peer: Methods | undefined,
    served: string,
  ): Refusal {
    const list = takes(listener, method) ? 'of the peer' : `of listener ${flow.listener}`;
    return decideMethod(method, list, shown(served, listener, peer)) as Refusal;
  }

  #ofParty(party: string): Methods | undefined {
    const isDevice = party.startsWith(devicePrefix);
    if (!isDevice && !party.startsWith(trunkPrefix)) return undefined;
    const slash = isDevice ? party.lastIndexOf('/') : party.length;
    const at = party.lastIndexOf('@', slash);
    if (at < 0 || slash < 0) return undefined;
    const domain = this.#parts.directory(party.slice(at + 1, slash));
    if (domain === undefined) return undefined;
    return isDevice
      ? ofDevice(party.slice(slash + 1), domain)
      : ofTrunk(party.slice(trunkPrefix.length, at), domain);
  }
}

/** Allow and Reason of a 405. */
export const refusalHeaders = ({ cause, allow = '' }: Refusal): HeaderList =>
  new HeaderList().add('Allow', allow).add('Reason', reasonOfRefusal(cause));

const takes = (list: Methods | undefined, method: string): boolean =>
  list === undefined || list.includes(method);

function methodsOf(principal: Principal, domain: DomainDirectory | undefined): Methods | undefined {
  if (domain === undefined) return undefined;
  if (principal.kind === 'trunk') return ofTrunk(principal.trunk, domain);
  if (principal.kind === 'device') return ofDevice(principal.device, domain);
  return domain.pbx?.methods;
}

const ofDevice = (device: string, domain: DomainDirectory): Methods | undefined =>
  domain.pbx === undefined ? domain.devices.get(device)?.device.methods : domain.pbx.methods;

const ofTrunk = (trunk: string, domain: DomainDirectory): Methods | undefined =>
  isNodeTrunk(trunk) ? undefined : (domain.trunks.get(trunk)?.methods ?? ofTrunks);

function shown(served: string, listener: Methods | undefined, peer: Methods | undefined): string {
  const always = served === dialogMethods ? within : withoutCall;
  return served
    .split(', ')
    .filter((one) => always.has(one) || (takes(listener, one) && takes(peer, one)))
    .join(', ');
}
