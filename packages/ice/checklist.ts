import { addressOctets, addressText } from './address.ts';
import {
  type Component,
  candidatePriority,
  type IceCandidate,
  isUnicast,
  pairPriority,
} from './candidate.ts';
import type { TransportAddress } from './stun/message.ts';

/** RFC 8445 §6.1.2.6, figure 6. */
export type PairState = 'frozen' | 'waiting' | 'in-progress' | 'succeeded' | 'failed';

/**
 * A base of ours with a candidate of the peer. There is one base for each component, so a pair is named by the
 * component and the remote address.
 */
export interface Pair {
  readonly component: Component;
  readonly address: string;
  readonly port: number;
  /** Changes where a peer-reflexive candidate is signalled later, RFC 8838 §11.4. */
  remote: IceCandidate;
  priority: bigint;
  state: PairState;
  /** A check has succeeded, §7.2.5.3.2; in lite mode: a nominated check has come, §7.3.2. */
  valid: boolean;
  /** It has been told that the peer is there. */
  told: boolean;
  nominated: boolean;
  /** Media goes by it: it makes room for no other. */
  inUse: boolean;
  /** The peer has asked for it with USE-CANDIDATE before our own check succeeded, §7.3.1.5. */
  wanted: boolean;
  /** When something verified last came from there, ms; -Infinity before. */
  heardAt: number;
  /** The ufrag that the peer called itself, where its request came before its signalling. */
  readonly early?: string;
}

/** Bounds on what a peer can make grow. */
export interface ChecklistLimits {
  /** Pairs in all, RFC 8445 §6.1.2.5. Default 100. */
  readonly pairs: number;
  /** Pairs with peer-reflexive candidates among them. Default 16; a new one takes the place of the one silent for longest. */
  readonly reflexive: number;
}

export const defaultLimits: ChecklistLimits = { pairs: 100, reflexive: 16 };

/** The pairs of one stream, highest priority first, RFC 8445 §6.1.2. */
export class Checklist {
  pairs: Pair[] = [];
  readonly #limits: ChecklistLimits;
  /** Octets of an address of each component's base. */
  readonly #families: ReadonlyMap<Component, number>;
  #controlling = false;
  #reflexive = 0;

  readonly #onRemove: (pair: Pair) => void;

  constructor(
    families: ReadonlyMap<Component, number>,
    limits: ChecklistLimits,
    onRemove: (pair: Pair) => void,
  ) {
    this.#onRemove = onRemove;
    this.#families = families;
    this.#limits = limits;
  }

  find(component: Component, { address, port }: TransportAddress): Pair | undefined {
    for (const pair of this.pairs)
      if (pair.port === port && pair.component === component && pair.address === address) return pair;
    return undefined;
  }

  /** A change of role changes every priority, RFC 8445 §7.3.1.1. */
  set controlling(controlling: boolean) {
    this.#controlling = controlling;
    for (const pair of this.pairs) pair.priority = this.#priority(pair.remote);
    this.#sort();
  }

  /**
   * A pair for a signalled candidate; `undefined` where there is one, or none can be: another family, an address that
   * is none or that nobody alone has, port 0, or the list is full of better ones.
   */
  add(candidate: IceCandidate): Pair | undefined {
    const { component, port } = candidate;
    const octets = addressOctets(candidate.address);
    if (octets?.length !== this.#families.get(component)) return undefined;
    if (octets === undefined || !isUnicast(octets) || !isPort(port) || !(candidate.priority > 0))
      return undefined;
    const address = addressText(octets);
    const known = this.find(component, { address, port });
    if (known !== undefined) {
      // Signalling says more of a peer-reflexive candidate than its check did, RFC 8838 §11.4.
      if (known.remote.kind === 'prflx') {
        known.remote = candidate;
        this.#reflexive -= 1;
        known.priority = this.#priority(candidate);
        this.#sort();
      }
      return undefined;
    }
    return this.#place(made(component, { address, port }, candidate, this.#priority(candidate)));
  }

  /** A pair for an address that a verified request came from, RFC 8445 §7.3.1.3 and §7.3.1.4. */
  learn(component: Component, from: TransportAddress, priority: number, early?: string): Pair | undefined {
    if (this.#reflexive >= this.#limits.reflexive) {
      const silent = this.#longestSilent();
      if (silent === undefined) return undefined;
      this.remove(silent);
    }
    const candidate: IceCandidate = {
      // A foundation that no other candidate has, §7.3.1.3.
      foundation: `~${from.address}:${from.port}`,
      component,
      priority,
      ...from,
      kind: 'prflx',
    };
    const pair = made(component, from, candidate, this.#priority(candidate), early);
    return this.#place(pair);
  }

  remove(pair: Pair): void {
    const at = this.pairs.indexOf(pair);
    if (at === -1) return;
    this.pairs.splice(at, 1);
    if (pair.remote.kind === 'prflx') this.#reflexive -= 1;
    this.#onRemove(pair);
  }

  #place(pair: Pair): Pair | undefined {
    if (this.pairs.length >= this.#limits.pairs) {
      const last = this.pairs.findLast(({ state, inUse }) => isIdle(state) && !inUse);
      // What a check came from is of more use than what was only said.
      if (last === undefined || (pair.remote.kind !== 'prflx' && last.priority >= pair.priority))
        return undefined;
      this.remove(last);
    }
    this.pairs.push(pair);
    if (pair.remote.kind === 'prflx') this.#reflexive += 1;
    this.#sort();
    return pair;
  }

  #longestSilent(): Pair | undefined {
    let found: Pair | undefined;
    for (const pair of this.pairs)
      if (
        pair.remote.kind === 'prflx' &&
        !pair.inUse &&
        (found === undefined || pair.heardAt < found.heardAt)
      )
        found = pair;
    return found;
  }

  #priority(remote: IceCandidate): bigint {
    const ours = candidatePriority('host', remote.component);
    // RFC 8445 §5.1.2 ends at 2^31 - 1; what claims more is no better than that.
    const theirs = Math.min(Math.trunc(remote.priority), 2 ** 31 - 1);
    return this.#controlling ? pairPriority(ours, theirs) : pairPriority(theirs, ours);
  }

  /** Of equal priority the lower component goes first, §6.1.4.2. */
  #sort(): void {
    this.pairs.sort((a, b) =>
      a.priority === b.priority ? a.component - b.component : a.priority > b.priority ? -1 : 1,
    );
  }
}

const isIdle = (state: PairState): boolean => state === 'frozen' || state === 'waiting' || state === 'failed';
const isPort = (port: number): boolean => Number.isInteger(port) && port > 0 && port <= 65_535;

const made = (
  component: Component,
  { address, port }: TransportAddress,
  remote: IceCandidate,
  priority: bigint,
  early?: string,
): Pair => ({
  component,
  address,
  port,
  remote,
  priority,
  state: 'frozen',
  valid: false,
  told: false,
  nominated: false,
  inUse: false,
  wanted: false,
  heardAt: Number.NEGATIVE_INFINITY,
  ...(early === undefined ? {} : { early }),
});
