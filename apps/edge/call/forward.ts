import type { Forwarding } from '@ringfence/sip/headers/diversion.ts';
import type { NameAddr, Uri } from '@ringfence/sip/message/types.ts';
import { timesForwarded } from '../headers/forwardings.ts';
import { type CallerIdentity, present } from '../headers/identity.ts';
import { noMedia } from '../media/read-offer.ts';
import { decideForward } from '../policy/forward.ts';
import type { Decision } from '../policy/types.ts';
import type { DomainDirectory } from '../routing/directory.ts';
import { type Dialled, localUser, readDialled } from '../routing/find-route.ts';
import { claimsOf } from '../trunks/limits/judge.ts';
import type { Doorway } from './accept.ts';
import { type JudgedWay, judgeWay } from './judge-way.ts';
import type { CallLeg } from './leg.ts';
import { party, userUri } from './messages.ts';
import { ownerOf } from './named-leg.ts';
import { partyOf } from './party.ts';

/** A way that a called phone has sent the call, and that it may go. */
export interface ForwardedWay extends JudgedWay {
  readonly decision: Extract<Decision, { verdict: 'accept' }>;
}

/** Judges where called phones send a call. */
export interface Forwarder {
  /** The ways that the call may go on; empty where it may go none of them. What is refused is told as an event. */
  ways(by: CallLeg, contacts: readonly Uri[]): readonly ForwardedWay[];
}

/** The call that may be forwarded. */
export interface Forwardable {
  readonly id: string;
  readonly directory: DomainDirectory;
  readonly dialled: Dialled;
  readonly identity: CallerIdentity;
  /** The caller as phones shall see it; default: by `identity`. */
  readonly shown?: NameAddr;
  /** What a trusted side has told of earlier forwardings. */
  readonly forwardings: readonly Forwarding[];
}

/**
 * Who sends a call on pays for it: where to is judged by that user's rights and limits, however the call came here, and
 * never leaves its tenant's routes.
 */
export class CallForwarder implements Forwarder {
  readonly #door: Doorway;
  readonly #call: Forwardable;
  readonly #visited = new Set<string>();
  #forwardings: readonly Forwarding[];

  constructor(door: Doorway, call: Forwardable) {
    this.#door = door;
    this.#call = call;
    this.#forwardings = call.forwardings;
    this.#visited.add(placeOf(call.directory, call.dialled));
  }

  ways(by: CallLeg, contacts: readonly Uri[]): readonly ForwardedWay[] {
    const found: ForwardedWay[] = [];
    const before = this.#forwardings;
    this.#forwardings = [...before, forwardingBy(by, this.#call.directory)];
    for (const contact of contacts) {
      const { sources, services } = this.#door;
      const uri = sources.registrar.behind(contact, this.#call.directory.name, services.now());
      const way = this.#judge(by, uri, timesForwarded(before));
      if (way !== undefined) found.push(way);
    }
    return found;
  }

  #judge(by: CallLeg, uri: Uri, times: number): ForwardedWay | undefined {
    const door = this.#door;
    const { id, directory, identity, shown } = this.#call;
    const { calls } = door.services.config();
    const dialled = readDialled(uri, door.numbers());
    const to = placeOf(directory, dialled);
    // What the directory says now: a user that was deleted meanwhile sends nobody anywhere.
    const current = door.directory(directory.name) ?? directory;
    const principal = partyOf(current, by.party)?.principal;
    const allowed = decideForward(principal, {
      mode: calls.forwarding,
      call: id,
      by: by.party,
      to: dialled.text,
      visited: this.#visited.has(to),
      times,
      most: calls.maximumForwards,
    });
    this.#visited.add(to);
    if (allowed.verdict !== 'accept' || principal === undefined) return this.#refused(by, dialled, allowed);
    const way = judgeWay(door, {
      id,
      by: 'forwarding',
      directory: current,
      principal,
      flow: by.flow,
      uri,
      dialled,
      // The phone that sends the call on has no part in its media.
      media: noMedia,
      identity,
      shown: shown ?? present(identity, 'phone', false).from,
      forwardings: this.#forwardings,
    });
    if (way.decision.verdict !== 'accept') return this.#refused(by, dialled, way.decision);
    const own = claimsOf(principal, current).filter(({ key }) => key.startsWith('user:'));
    door.limits.take(id, own);
    if (way.consulted !== undefined) door.services.toll?.begin(way.consulted);
    const decision = { ...way.decision, reasons: [...allowed.reasons, ...way.decision.reasons] };
    door.services.bus.emit({ type: 'call.forwarded', call: id, by: by.party, to: dialled.text, decision });
    return { ...way, decision };
  }

  #refused(by: CallLeg, { text }: Dialled, decision: Decision): undefined {
    const { bus } = this.#door.services;
    bus.emit({ type: 'call.forwarded', call: this.#call.id, by: by.party, to: text, decision });
  }
}

/** What a call cannot come back to, whatever it is called by. */
const placeOf = (directory: DomainDirectory, dialled: Dialled): string => {
  const user = localUser(directory, dialled);
  return user === undefined ? (dialled.e164 ?? dialled.text).toLowerCase() : `user:${user.name}`;
};

/** RFC 5806 §4: sent on before it rang, or by the person it rang for. */
function forwardingBy(by: CallLeg, directory: DomainDirectory): Forwarding {
  const owner = ownerOf(by);
  const user = owner.slice(owner.indexOf(':') + 1, owner.lastIndexOf('@'));
  const number = directory.users.get(user.toLowerCase())?.number;
  return {
    from: party(userUri(number ?? user, directory.name), undefined),
    reason: by.dialog === undefined ? 'unconditional' : 'deflection',
    count: 1,
    hidden: false,
  };
}
