import { canonicalAddress } from './address.ts';
import type { Component, IceBase, IceCandidate, IceCredentials } from './candidate.ts';
import { Checklist, type ChecklistLimits, type Pair } from './checklist.ts';
import { RecentRequests } from './recent-requests.ts';
import { encodeStun } from './stun/encode.ts';
import { dangerouslyVerifiedBefore, type VerifiedStun, verifyIntegrity } from './stun/integrity.ts';
import { binding, type ReadStun, type StunAttributes, type TransportAddress } from './stun/message.ts';

/** What signalling says of the peer. */
export interface IceRemote extends IceCredentials {
  /** `a=ice-lite`: it only answers, so checks are ours to make, whatever our mode. */
  readonly lite: boolean;
  /** We choose the pair, RFC 8445 §6.1.1: the offerer does, and whoever talks to a lite peer. */
  readonly controlling: boolean;
  readonly candidates: readonly IceCandidate[];
}

/** What came of a datagram. All but the first two left no trace. */
export type IceVerdict =
  | 'answered'
  | 'response'
  /** No STUN message of method Binding with a right FINGERPRINT. */
  | 'malformed'
  /** Another user name than the one that was signalled. */
  | 'username'
  | 'integrity'
  /** A transaction that came from elsewhere before. */
  | 'replay'
  /** A response to nothing that was asked, or from where nothing was asked. */
  | 'unexpected'
  /** An indication: it keeps bindings of a NAT alive and says nothing. */
  | 'indication';

/** What one stream is to do. */
export interface SessionOutput {
  send(component: Component, to: TransportAddress, bytes: Uint8Array): void;
  /** Another pair is selected. */
  selected(component: Component, pair: Pair): void;
}

export interface SessionOptions {
  readonly bases: readonly IceBase[];
  readonly families: ReadonlyMap<Component, number>;
  readonly limits: ChecklistLimits;
  readonly tieBreaker: bigint;
  readonly verifiedBefore: boolean;
}

/** Silence after which a selected pair gives way to another that the peer nominates: more than one consent check (RFC 7675 §5.1). */
const silentAfter = 7_500;

/** How long the peer may be silent before nothing is sent to it any more, RFC 7675 §5.1. */
export const consentLasts = 30_000;

/** Nobody is declared unreachable sooner, however few candidates were signalled, RFC 8863 §4. */
export const patience = 39_500;

/** One generation of credentials of one stream: it answers checks and knows what the peer has nominated. */
export class Session {
  readonly local: IceCredentials;
  readonly checklist: Checklist;
  readonly selected = new Map<Component, Pair>();
  remote: IceRemote | undefined;
  /** When checks began, ms; undefined before the peer's credentials are known. */
  startedAt: number | undefined;
  readonly #options: SessionOptions;
  readonly #output: SessionOutput;
  readonly #localKey: Uint8Array;
  readonly #recent = new RecentRequests();

  constructor(local: IceCredentials, options: SessionOptions, output: SessionOutput) {
    this.local = local;
    this.#options = options;
    this.#output = output;
    this.#localKey = new TextEncoder().encode(local.password);
    this.checklist = new Checklist(options.families, options.limits);
  }

  /** The peer's credentials; of one session they never change. Candidates that are known already stay as they are. */
  start(remote: IceRemote, now: number): void {
    const first = this.remote === undefined;
    this.remote = remote;
    this.startedAt ??= now;
    if (first) {
      for (const pair of [...this.checklist.pairs])
        if (pair.early !== undefined && pair.early !== remote.ufrag) this.checklist.remove(pair);
    }
    for (const candidate of remote.candidates) this.checklist.add(candidate);
    for (const pair of this.checklist.pairs) if (pair.wanted) this.#nominatedByPeer(pair, now);
  }

  addCandidates(candidates: readonly IceCandidate[]): void {
    if (this.remote !== undefined) for (const candidate of candidates) this.checklist.add(candidate);
  }

  /** Every component that the peer has candidates for has its pair. */
  get isComplete(): boolean {
    return (
      this.selected.has(1) && this.checklist.pairs.every(({ component }) => this.selected.has(component))
    );
  }

  /** When hope is given up, ms. */
  get failsAt(): number {
    return (this.startedAt ?? Number.POSITIVE_INFINITY) + patience;
  }

  /** The peer's checks are its consent: whoever only answers makes none of its own, RFC 7675 §5. */
  consentUntil(pair: Pair): number {
    return pair.heardAt + consentLasts;
  }

  /** Its consent has run out. */
  forget(pair: Pair): void {
    if (this.selected.get(pair.component) === pair) this.selected.delete(pair.component);
    this.checklist.remove(pair);
  }

  receive(message: ReadStun, from: TransportAddress, component: Component, now: number): IceVerdict {
    if (message.method !== binding || !message.fingerprint) return 'malformed';
    const address = canonicalAddress(from.address);
    if (address === undefined || !this.#options.families.has(component)) return 'malformed';
    switch (message.class) {
      case 'request':
        return this.#request(message, { address, port: from.port }, component, now);
      case 'indication':
        return 'indication';
    }
    return 'unexpected';
  }

  /** RFC 8445 §7.3. What does not verify gets no answer: nobody is told that somebody listens here. */
  #request(read: ReadStun, from: TransportAddress, component: Component, now: number): IceVerdict {
    const name = read.attributes.username;
    const ours = `${this.local.ufrag}:`;
    if (name === undefined || !name.startsWith(ours)) return 'username';
    const ufrag = name.slice(ours.length);
    if (this.remote !== undefined && ufrag !== this.remote.ufrag) return 'username';
    const message = this.#verified(read, this.#localKey);
    if (message === undefined) return 'integrity';
    const known = this.checklist.find(component, from);
    if (this.#recent.isReplayed(message.transactionId, known)) return 'replay';
    if (message.unknown.length > 0) {
      const unknownAttributes = message.unknown;
      this.#refuse(message, from, component, {
        error: { code: 420, reason: 'Unknown Attribute' },
        unknownAttributes,
      });
      return 'answered';
    }
    const { priority, iceControlled, useCandidate } = message.attributes;
    if (priority === undefined) {
      this.#refuse(message, from, component, { error: { code: 400, reason: 'Bad Request' } });
      return 'answered';
    }
    // Who only answers is controlled, §6.1.1: one who thinks so too has to take the other role, §7.3.1.1.
    if (iceControlled !== undefined) {
      this.#refuse(message, from, component, { error: { code: 487, reason: 'Role Conflict' } });
      return 'answered';
    }
    this.#answer(message, from, component);
    const early = this.remote === undefined ? ufrag : undefined;
    const pair = known ?? this.checklist.learn(component, from, priority, early);
    if (pair === undefined) return 'answered';
    this.#recent.remember(message.transactionId, pair);
    pair.heardAt = now;
    if (useCandidate === true) pair.wanted = true;
    if (pair.wanted && this.remote !== undefined) this.#nominatedByPeer(pair, now);
    return 'answered';
  }

  /** RFC 8445 §7.3.2: for who only answers, a nominated check makes a valid pair. */
  #nominatedByPeer(pair: Pair, now: number): void {
    pair.valid = true;
    pair.nominated = true;
    pair.state = 'succeeded';
    this.#select(pair, now);
  }

  /**
   * Of several nominated pairs the one of highest priority is used (RFC 5245 §8.1.1.2, which peers still do), and a
   * lower one only once the peer has fallen silent on the higher.
   */
  #select(pair: Pair, now: number): void {
    const current = this.selected.get(pair.component);
    if (current === pair) return;
    if (current !== undefined && current.priority >= pair.priority && now - current.heardAt <= silentAfter)
      return;
    if (current !== undefined) current.inUse = false;
    pair.inUse = true;
    this.selected.set(pair.component, pair);
    this.#output.selected(pair.component, pair);
  }

  #verified(message: ReadStun, key: Uint8Array): VerifiedStun | undefined {
    return this.#options.verifiedBefore ? dangerouslyVerifiedBefore(message) : verifyIntegrity(message, key);
  }

  #answer(request: VerifiedStun, from: TransportAddress, component: Component): void {
    this.#reply(request, from, component, 'success', { mapped: from });
  }

  #refuse(
    request: VerifiedStun,
    from: TransportAddress,
    component: Component,
    attributes: StunAttributes,
  ): void {
    this.#reply(request, from, component, 'error', attributes);
  }

  /** With the hash that the request had, RFC 8489 §9.1.3; never longer than a check (RFC 8445 §7.1). */
  #reply(
    request: VerifiedStun,
    to: TransportAddress,
    component: Component,
    kind: 'success' | 'error',
    attributes: StunAttributes,
  ): void {
    const { transactionId, method } = request;
    const integrity = request.sha256At === undefined ? 'sha1' : 'sha256';
    const bytes = encodeStun(
      { class: kind, method, transactionId, attributes },
      { key: this.#localKey, integrity },
    );
    this.#output.send(component, to, bytes);
  }
}
