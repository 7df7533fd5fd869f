import { canonicalAddress } from './address.ts';
import type { Component, IceCandidate, IceCredentials } from './candidate.ts';
import { Checklist, type ChecklistLimits, type Pair } from './checklist.ts';
import { Checks } from './checks.ts';
import { Consent, consentLasts } from './consent.ts';
import { RecentRequests } from './recent-requests.ts';
import { Replies } from './replies.ts';
import { dangerouslyVerifiedBefore, type VerifiedStun, verifyIntegrity } from './stun/integrity.ts';
import { binding, type ReadStun, type StunAttributes, type TransportAddress } from './stun/message.ts';
import { idOf } from './transactions.ts';

/** What signalling says of the peer. */
export interface IceRemote extends IceCredentials {
  /** `a=ice-lite`: it only answers, so checks are ours to make, whatever our mode. */
  readonly lite: boolean;
  /** We choose the pair, RFC 8445 §6.1.1: the offerer does, and whoever talks to a lite peer. */
  readonly controlling: boolean;
  readonly candidates: readonly IceCandidate[];
  /** More candidates may come (RFC 8838): twice as long is waited before the stream fails, unless it is told of their end. */
  readonly trickle?: boolean;
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
  /** A check of ours has succeeded: whoever is there has answered. */
  valid(component: Component, pair: Pair): void;
  /** Another pair is selected. */
  selected(component: Component, pair: Pair): void;
}

export interface SessionOptions {
  /** Makes checks of its own, also towards peers that do. */
  readonly full: boolean;
  readonly random: (octets: number) => Uint8Array;
  readonly families: ReadonlyMap<Component, number>;
  readonly limits: ChecklistLimits;
  readonly tieBreaker: bigint;
  readonly verifiedBefore: boolean;
}

/** Silence after which a selected pair gives way to another that the peer nominates: more than one consent check (RFC 7675 §5.1). */
const silentAfter = 7_500;

/** Nobody is declared unreachable sooner, however few candidates were signalled, RFC 8863 §4. */
export const patience = 39_500;

/** Two agents agree on their roles after one conflict; whoever has more of them does not want to. */
const mostRoleChanges = 8;

/** One generation of credentials of one stream: it answers checks, makes its own where it is full, and selects. */
export class Session {
  readonly local: IceCredentials;
  readonly checklist: Checklist;
  readonly selected = new Map<Component, Pair>();
  remote: IceRemote | undefined;
  /** When checks began, ms; undefined before the peer's credentials are known. */
  startedAt: number | undefined;
  readonly #options: SessionOptions;
  readonly #output: SessionOutput;
  readonly #replies: Replies;
  /** Undefined as long as the peer is not known, and for who only answers. */
  #checks: Checks | undefined;
  readonly #consents = new Map<Component, Consent>();
  #remoteKey = new Uint8Array();
  #roleChanges = 0;
  #ended = true;
  readonly #recent = new RecentRequests();

  constructor(local: IceCredentials, options: SessionOptions, output: SessionOutput) {
    this.local = local;
    this.#options = options;
    this.#output = output;
    this.#replies = new Replies(local.password, (component, to, bytes) => output.send(component, to, bytes));
    this.checklist = new Checklist(options.families, options.limits, (pair) => this.#checks?.drop(pair));
  }

  /** The peer's credentials; of one session they never change. Candidates that are known already stay as they are. */
  start(remote: IceRemote, now: number): void {
    const first = this.remote === undefined;
    this.remote = remote;
    this.startedAt ??= now;
    this.#ended = remote.trickle !== true;
    if (first) this.#open(remote);
    this.addCandidates(remote.candidates);
    if (!first) return;
    for (const pair of this.checklist.pairs) {
      if (pair.heardAt === Number.NEGATIVE_INFINITY) continue;
      if (this.#checks !== undefined) this.#checks.trigger(pair);
      else this.#answered(pair, now);
    }
  }

  #open(remote: IceRemote): void {
    for (const pair of [...this.checklist.pairs])
      if (pair.early !== undefined && pair.early !== remote.ufrag) this.checklist.remove(pair);
    // §6.1.1: a lite peer is controlled, and so is who only answers; a lite peer makes checks ours to make.
    if (!this.#options.full && !remote.lite) return;
    const controlling = remote.controlling || remote.lite;
    const { tieBreaker, random } = this.#options;
    this.#remoteKey = new TextEncoder().encode(remote.password);
    if (controlling) for (const pair of this.checklist.pairs) pair.wanted = false;
    this.#checks = new Checks(
      controlling,
      { checklist: this.checklist, local: this.local, remote, tieBreaker, random },
      {
        send: (component, to, bytes) => this.#output.send(component, to, bytes),
        valid: (pair) => this.#tell(pair),
        nominated: (pair, now) => this.#nominated(pair, now),
        isSelected: (component) => this.selected.has(component),
      },
    );
  }

  /** More of the peer's candidates, RFC 8838 §11. */
  addCandidates(candidates: readonly IceCandidate[]): void {
    if (this.remote === undefined) return;
    const added: Pair[] = [];
    for (const candidate of candidates) {
      const pair = this.checklist.add(candidate);
      if (pair !== undefined) added.push(pair);
    }
    if (this.#checks === undefined) return;
    // §6.1.2.6: of one foundation the lowest component goes first, then the highest priority.
    added.sort((a, b) => a.component - b.component || (a.priority > b.priority ? -1 : 1));
    for (const pair of added) this.#checks.thaw(pair);
  }

  /** The peer has no more candidates, RFC 8838 §14. */
  end(): void {
    this.#ended = true;
  }

  /** Every component that the peer has candidates for has its pair. */
  get isComplete(): boolean {
    return (
      this.selected.has(1) && this.checklist.pairs.every(({ component }) => this.selected.has(component))
    );
  }

  /** When hope is given up, ms; not as long as something is under way that may come to something. */
  get failsAt(): number {
    if (this.#checks?.isBusy === true) return Number.POSITIVE_INFINITY;
    return (this.startedAt ?? Number.POSITIVE_INFINITY) + (this.#ended ? patience : 2 * patience);
  }

  /** Until when media may be sent there. For who only answers the peer's checks are its consent, RFC 7675 §5. */
  consentUntil(pair: Pair): number {
    return this.#consents.get(pair.component)?.until ?? pair.heardAt + consentLasts;
  }

  /** Its consent has run out. */
  forget(pair: Pair): void {
    if (this.selected.get(pair.component) === pair) this.selected.delete(pair.component);
    this.#consents.delete(pair.component);
    this.checklist.remove(pair);
  }

  tick(now: number): void {
    const checks = this.#checks;
    if (checks === undefined) return;
    checks.tick(now);
    for (const consent of this.#consents.values())
      consent.tick(now, (pair) => {
        // A controlling agent says again which pair it is: a NAT between may have moved it.
        const { id, bytes } = checks.request(pair, checks.controlling);
        this.#output.send(pair.component, pair, bytes);
        return id;
      });
  }

  get nextAt(): number {
    let at = this.#checks?.nextAt ?? Number.POSITIVE_INFINITY;
    for (const consent of this.#consents.values()) at = Math.min(at, consent.nextAt);
    return at;
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
    return this.#response(message, { address, port: from.port }, component, now);
  }

  /**
   * RFC 8445 §7.2.5. From where the request went, or it says nothing: a true response that somebody sends on from
   * elsewhere is dropped rather than made the pair's failure (§7.2.5.2.1), so that it cannot outrun the one that counts.
   */
  #response(read: ReadStun, from: TransportAddress, component: Component, now: number): IceVerdict {
    const checks = this.#checks;
    if (checks === undefined) return 'unexpected';
    const check = checks.find(read.transactionId);
    const id = idOf(read.transactionId);
    const consent = this.#consents.get(component);
    const pair = check?.pair ?? (consent?.hasAsked(id) === true ? consent.pair : undefined);
    if (pair?.address !== from.address || pair.port !== from.port || pair.component !== component)
      return 'unexpected';
    const message = this.#verified(read, this.#remoteKey);
    if (message === undefined) return 'integrity';
    pair.heardAt = now;
    if (check === undefined) {
      // An error is no consent; it leaves the others that were asked for.
      if (message.class === 'success') consent?.given(id, now);
      return 'response';
    }
    if (checks.respond(message, check, now) === 'role-conflict') {
      // Of several checks that were refused so the first changes the role, the others only the pair's turn.
      if (checks.controlling !== check.controlling || this.#changeRole(!check.controlling))
        checks.trigger(pair);
    } else if (consent?.pair === pair && message.class === 'success') consent.givenAt = now;
    return 'response';
  }

  #changeRole(controlling: boolean): boolean {
    if (this.#roleChanges >= mostRoleChanges) return false;
    this.#roleChanges += 1;
    this.#checks?.takeRole(controlling);
    return true;
  }

  /** RFC 8445 §7.3. What does not verify gets no answer: nobody is told that somebody listens here. */
  #request(read: ReadStun, from: TransportAddress, component: Component, now: number): IceVerdict {
    const name = read.attributes.username;
    const ours = `${this.local.ufrag}:`;
    if (name === undefined || !name.startsWith(ours)) return 'username';
    if (this.remote !== undefined && name !== ours + this.remote.ufrag) return 'username';
    const message = this.#verified(read, this.#replies.key);
    if (message === undefined) return 'integrity';
    const known = this.checklist.find(component, from);
    const before = this.#recent.find(message.transactionId);
    if (before !== undefined && before === known) {
      // Sent again because our answer was lost: what it asked for is done.
      this.#replies.success(message, from, component);
      return 'answered';
    }
    // It came from elsewhere first. Where signalling has said that the peer is, it is the peer, and the other was not.
    if (before !== undefined && (known === undefined || known.remote.kind === 'prflx')) return 'replay';
    const { priority, useCandidate } = message.attributes;
    if (message.unknown.length > 0) this.#replies.unknownAttributes(message, from, component);
    else if (priority === undefined) this.#replies.badRequest(message, from, component);
    else if (this.#isRoleConflict(message.attributes)) this.#replies.roleConflict(message, from, component);
    else {
      this.#replies.success(message, from, component);
      this.#heard(message, priority, useCandidate === true, from, component, now);
    }
    return 'answered';
  }

  /** A request that is in order, RFC 8445 §7.3.1.3 to §7.3.2. */
  #heard(
    { transactionId, attributes }: VerifiedStun,
    priority: number,
    useCandidate: boolean,
    from: TransportAddress,
    component: Component,
    now: number,
  ): void {
    // Before signalling says who the peer is, it is remembered whom it claims to be.
    const early =
      this.remote === undefined ? attributes.username?.slice(this.local.ufrag.length + 1) : undefined;
    const pair =
      this.checklist.find(component, from) ?? this.checklist.learn(component, from, priority, early);
    if (pair === undefined) return;
    this.#recent.remember(transactionId, pair);
    pair.heardAt = now;
    if (useCandidate && this.#checks?.controlling !== true) pair.wanted = true;
    if (this.#checks !== undefined) this.#checkBack(pair, this.#checks, now);
    else if (this.remote !== undefined) this.#answered(pair, now);
  }

  /**
   * We only answer: whoever has had an answer may begin a handshake from there, as RFC 8445 §12.2 has it, without waiting
   * for the check that nominates the pair.
   */
  #answered(pair: Pair, now: number): void {
    this.#tell(pair);
    if (pair.wanted) this.#nominated(pair, now);
  }

  #tell(pair: Pair): void {
    if (pair.told) return;
    pair.told = true;
    this.#output.valid(pair.component, pair);
  }

  /** RFC 8445 §7.3.1.4 and §7.3.1.5. */
  #checkBack(pair: Pair, checks: Checks, now: number): void {
    if (pair.valid) {
      if (pair.wanted && !checks.controlling) this.#nominated(pair, now);
    } else if (pair.wanted || !this.selected.has(pair.component)) checks.trigger(pair);
  }

  /**
   * RFC 8445 §7.3.1.1: the greater tie-breaker keeps its role. Who only answers is controlled, and one who thinks so too
   * has to take the other role. True where the peer is to change its own.
   */
  #isRoleConflict({ iceControlled, iceControlling }: StunAttributes): boolean {
    const checks = this.#checks;
    if (checks === undefined) return !this.#options.full && iceControlled !== undefined;
    const theirs = checks.controlling ? iceControlling : iceControlled;
    if (theirs === undefined) return false;
    const greater = this.#options.tieBreaker >= theirs;
    return checks.controlling === greater || !this.#changeRole(!checks.controlling);
  }

  /** Both ends agree on the pair; for who only answers a nominated check makes it valid, RFC 8445 §7.3.2. */
  #nominated(pair: Pair, now: number): void {
    this.#tell(pair);
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
    if (this.#checks !== undefined) {
      this.#checks.conclude(pair);
      this.#consents.set(pair.component, new Consent(pair, now, this.#options.random));
    }
    this.#output.selected(pair.component, pair);
  }

  #verified(message: ReadStun, key: Uint8Array): VerifiedStun | undefined {
    return this.#options.verifiedBefore ? dangerouslyVerifiedBefore(message) : verifyIntegrity(message, key);
  }
}
