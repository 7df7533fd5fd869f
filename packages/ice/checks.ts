import { type Component, candidatePriority, type IceCredentials } from './candidate.ts';
import type { Checklist, Pair } from './checklist.ts';
import { encodeStun } from './stun/encode.ts';
import type { VerifiedStun } from './stun/integrity.ts';
import { binding, type TransportAddress } from './stun/message.ts';
import { type Check, idOf, leastRto, Transactions } from './transactions.ts';

/** Pause between new checks, ms, RFC 8445 §14.2. */
export const ta = 50;
/** How long better pairs are waited for once a worse one is valid, ms: two checks of theirs. */
const nominateAfter = 2 * ta;

export interface ChecksOptions {
  readonly checklist: Checklist;
  readonly local: IceCredentials;
  readonly remote: IceCredentials;
  readonly tieBreaker: bigint;
  readonly random: (octets: number) => Uint8Array;
}

export interface ChecksOutput {
  send(component: Component, to: TransportAddress, bytes: Uint8Array): void;
  /** The peer has answered from there. */
  valid(pair: Pair): void;
  /** The pair is valid and nominated. */
  nominated(pair: Pair, now: number): void;
  isSelected(component: Component): boolean;
}

/** Checks of one's own, RFC 8445 §6.1.4 and §7.2, and regular nomination, §8.1.1. */
export class Checks {
  controlling: boolean;
  readonly #options: ChecksOptions;
  readonly #output: ChecksOutput;
  readonly #remoteKey: Uint8Array;
  readonly #transactions = new Transactions();
  /** First in, first out, §6.1.4.1; a pair stands in it once. */
  readonly #triggered: Pair[] = [];
  /** Pairs that are being nominated, one for each component. */
  readonly #nominating = new Map<Component, Pair>();
  /** Components whose one pair has been checked anew after its nomination came to nothing. */
  readonly #renominated = new Set<Component>();
  /** When the first pair of a component became valid. */
  readonly #validAt = new Map<Component, number>();
  #nextCheckAt = Number.NEGATIVE_INFINITY;

  constructor(controlling: boolean, options: ChecksOptions, output: ChecksOutput) {
    this.controlling = controlling;
    options.checklist.controlling = controlling;
    this.#options = options;
    this.#output = output;
    this.#remoteKey = new TextEncoder().encode(options.remote.password);
  }

  /** RFC 8445 §6.1.2.6: of one foundation one pair goes first, and the others follow once it has succeeded. */
  thaw(pair: Pair): void {
    let state: 'frozen' | 'waiting' = 'waiting';
    for (const other of this.#options.checklist.pairs) {
      if (other === pair || other.remote.foundation !== pair.remote.foundation) continue;
      if (other.state === 'succeeded') {
        state = 'waiting';
        break;
      }
      if (other.state === 'waiting' || other.state === 'in-progress') state = 'frozen';
    }
    pair.state = state;
  }

  /** RFC 8445 §7.3.1.4: a request of the peer is a reason to check that pair next. */
  trigger(pair: Pair): void {
    if (pair.state === 'succeeded') return;
    this.#transactions.cancel(pair);
    pair.state = 'waiting';
    if (!this.#triggered.includes(pair)) this.#triggered.push(pair);
  }

  /** RFC 8445 §7.3.1.1 and §7.2.5.1. */
  takeRole(controlling: boolean): void {
    this.controlling = controlling;
    this.#options.checklist.controlling = controlling;
    this.#nominating.clear();
    if (controlling) for (const pair of this.#options.checklist.pairs) pair.wanted = false;
  }

  /** Nothing of this pair counts any more. */
  drop(pair: Pair): void {
    this.#transactions.drop(pair);
    const at = this.#triggered.indexOf(pair);
    if (at !== -1) this.#triggered.splice(at, 1);
    if (this.#nominating.get(pair.component) === pair) this.#nominating.delete(pair.component);
  }

  /**
   * RFC 8445 §8.1.2: what is not better than the nominated pair is not looked for any longer. Better ones that are under
   * way go on: a peer that nominates whatever it checks (RFC 5245 §8.1.1.2) may come to them.
   */
  conclude(nominated: Pair): void {
    const { component } = nominated;
    this.#nominating.delete(component);
    for (const pair of this.#options.checklist.pairs) {
      if (pair.component !== component || pair === nominated || pair.state === 'succeeded') continue;
      if (pair.wanted || (pair.state === 'in-progress' && pair.priority > nominated.priority)) continue;
      this.#transactions.cancel(pair);
      pair.state = 'failed';
      const at = this.#triggered.indexOf(pair);
      if (at !== -1) this.#triggered.splice(at, 1);
    }
  }

  find(transactionId: Uint8Array): Check | undefined {
    return this.#transactions.find(idOf(transactionId));
  }

  /** A verified response to one of our checks, from where it was sent, RFC 8445 §7.2.5. */
  respond(message: VerifiedStun, check: Check, now: number): 'role-conflict' | 'done' {
    this.#transactions.end(idOf(message.transactionId));
    const { pair } = check;
    if (message.class === 'error') {
      if (message.attributes.error?.code === 487) return 'role-conflict';
      this.#failed(check);
      return 'done';
    }
    // §7.2.5.3.1: without it there is no valid pair; RFC 8489 §6.3.3: nor with what is not understood.
    if (message.attributes.mapped === undefined || message.unknown.length > 0) {
      this.#failed(check);
      return 'done';
    }
    pair.state = 'succeeded';
    if (!pair.valid) this.#output.valid(pair);
    pair.valid = true;
    if (!this.#validAt.has(pair.component)) this.#validAt.set(pair.component, now);
    if (this.#nominating.get(pair.component) !== pair) {
      this.#transactions.cancel(pair);
      const waiting = this.#triggered.indexOf(pair);
      if (waiting !== -1) this.#triggered.splice(waiting, 1);
    }
    for (const other of this.#options.checklist.pairs)
      if (other.state === 'frozen' && other.remote.foundation === pair.remote.foundation)
        other.state = 'waiting';
    const agreed = this.controlling ? check.useCandidate && check.controlling : pair.wanted;
    if (agreed) this.#output.nominated(pair, now);
    return 'done';
  }

  tick(now: number): void {
    this.#transactions.tick(
      now,
      ({ pair, bytes }) => this.#output.send(pair.component, pair, bytes),
      (check) => this.#failed(check),
    );
    if (this.controlling) this.#nominate(now);
    if (now < this.#nextCheckAt) return;
    const pair = this.#next();
    if (pair === undefined) return;
    this.#nextCheckAt = now + ta;
    this.#check(pair, now);
  }

  get nextAt(): number {
    let at = this.#transactions.nextAt;
    if (this.#hasNext()) at = Math.min(at, this.#nextCheckAt);
    if (this.controlling)
      for (const [component, validAt] of this.#validAt)
        if (this.#isOpen(component) && this.#bestValid(component) !== undefined)
          at = Math.min(at, validAt + nominateAfter);
    return at;
  }

  /** Some pair may still come to something. */
  get isBusy(): boolean {
    return this.#openPairs().some(
      ({ state }) => state === 'frozen' || state === 'waiting' || state === 'in-progress',
    );
  }

  /** A request as all our checks are, RFC 8445 §7.1; gives its id. */
  request(pair: Pair, useCandidate: boolean): { readonly id: Uint8Array; readonly bytes: Uint8Array } {
    const { local, remote, tieBreaker, random } = this.#options;
    const id = random(12);
    const bytes = encodeStun(
      {
        class: 'request',
        method: binding,
        transactionId: id,
        attributes: {
          username: `${remote.ufrag}:${local.ufrag}`,
          // What the pair is worth should the peer see us under an address that it does not know, §7.1.1.
          priority: candidatePriority('prflx', pair.component),
          ...(useCandidate ? { useCandidate } : {}),
          ...(this.controlling ? { iceControlling: tieBreaker } : { iceControlled: tieBreaker }),
        },
      },
      { key: this.#remoteKey },
    );
    return { id, bytes };
  }

  #check(pair: Pair, now: number): void {
    const useCandidate = this.controlling && this.#nominating.get(pair.component) === pair;
    const { id, bytes } = this.request(pair, useCandidate);
    if (pair.state !== 'succeeded') pair.state = 'in-progress';
    const { pairs } = this.#options.checklist;
    const running = pairs.filter(({ state }) => state === 'waiting' || state === 'in-progress').length;
    const rto = Math.max(leastRto, ta * running);
    this.#transactions.start(
      idOf(id),
      { pair, useCandidate, controlling: this.controlling, bytes, rto },
      now,
    );
    this.#output.send(pair.component, pair, bytes);
  }

  /** RFC 8445 §6.1.4.2. Ordinary checks end where a pair is selected; triggered ones do not. */
  #next(): Pair | undefined {
    const triggered = this.#triggered.shift();
    if (triggered !== undefined) return triggered;
    const open = this.#openPairs();
    const waiting = open.find(({ state }) => state === 'waiting');
    if (waiting !== undefined) return waiting;
    return open.find((pair) => this.#mayThaw(pair));
  }

  #hasNext(): boolean {
    if (this.#triggered.length > 0) return true;
    return this.#openPairs().some((pair) => pair.state === 'waiting' || this.#mayThaw(pair));
  }

  #openPairs(): Pair[] {
    return this.#options.checklist.pairs.filter(({ component }) => !this.#output.isSelected(component));
  }

  /** No pair of its foundation is waited for, step 2. */
  #mayThaw({ state, remote }: Pair): boolean {
    if (state !== 'frozen') return false;
    return !this.#options.checklist.pairs.some(
      (other) =>
        other.remote.foundation === remote.foundation &&
        (other.state === 'waiting' || other.state === 'in-progress'),
    );
  }

  #failed({ pair, useCandidate, cancelled }: Check): void {
    // A cancelled check says nothing about the one that took its place.
    if (cancelled) return;
    if (pair.state === 'in-progress') pair.state = 'failed';
    if (!useCandidate || this.#nominating.get(pair.component) !== pair) return;
    // It was valid and is not any more: another has its turn, §8.1.1; where there is none, it has a second one.
    this.#nominating.delete(pair.component);
    pair.state = 'failed';
    pair.valid = false;
    if (this.#bestValid(pair.component) !== undefined || this.#renominated.has(pair.component)) return;
    this.#renominated.add(pair.component);
    this.trigger(pair);
  }

  /** RFC 8445 §8.1.1: the best pair, once nothing better is to be expected soon. */
  #nominate(now: number): void {
    for (const [component, validAt] of this.#validAt) {
      if (!this.#isOpen(component)) continue;
      const best = this.#bestValid(component);
      if (best === undefined) continue;
      if (now < validAt + nominateAfter && this.#isBetterLikely(best)) continue;
      this.#nominating.set(component, best);
      // The next of all: setup waits for it.
      this.#triggered.unshift(best);
    }
  }

  #isOpen(component: Component): boolean {
    return !this.#nominating.has(component) && !this.#output.isSelected(component);
  }

  #bestValid(component: Component): Pair | undefined {
    return this.#options.checklist.pairs.find((pair) => pair.component === component && pair.valid);
  }

  #isBetterLikely({ component, priority }: Pair): boolean {
    return this.#options.checklist.pairs.some(
      (pair) =>
        pair.component === component &&
        pair.priority > priority &&
        (pair.state === 'frozen' || pair.state === 'waiting' || pair.state === 'in-progress'),
    );
  }
}
