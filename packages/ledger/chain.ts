import type { KeyObject } from 'node:crypto';
import { beforeFirst, contentHash, type EntryClass, encodeLeaf, sha256 } from './entry.ts';
import { type SignedHead, signHead } from './head.ts';
import { type Subtree, TreeEnd } from './merkle.ts';

/** What is to be appended, with the data of persons already sealed. */
export interface NewEntry {
  /** Unix milliseconds. */
  readonly time: number;
  readonly class: EntryClass;
  readonly tenant: string;
  /** Canonical JSON. */
  readonly body: Uint8Array;
  readonly sealed: Uint8Array;
}

export interface ChainedEntry extends NewEntry {
  readonly sequence: number;
  readonly header: Uint8Array;
}

/** Everything that the next entry depends on. */
export interface ChainState {
  readonly size: number;
  readonly previous: Uint8Array;
  readonly subtrees: readonly Subtree[];
}

export const emptyChain: ChainState = { size: 0, previous: beforeFirst, subtrees: [] };

/** The growing end of a ledger. What an append has changed can be taken back by making another from an older state. */
export class Chain {
  readonly #tree: TreeEnd;
  #previous: Uint8Array;

  constructor({ size, previous, subtrees }: ChainState = emptyChain) {
    this.#tree = new TreeEnd(size, subtrees);
    this.#previous = previous;
  }

  get size(): number {
    return this.#tree.size;
  }

  get state(): ChainState {
    return { size: this.size, previous: this.#previous, subtrees: [...this.#tree.subtrees] };
  }

  /** `whole`: hears of nodes of the tree that became whole. */
  append(entry: NewEntry, whole?: (level: number, index: number, hash: Uint8Array) => void): ChainedEntry {
    const sequence = this.#tree.size;
    const leaf = encodeLeaf({
      sequence,
      time: entry.time,
      class: entry.class,
      tenant: entry.tenant,
      previous: this.#previous,
      content: contentHash(entry.body, entry.sealed),
    });
    this.#previous = sha256(leaf);
    this.#tree.append(this.#previous, whole);
    const { time, class: entryClass, tenant, body, sealed } = entry;
    return { time, class: entryClass, tenant, body, sealed, sequence, header: leaf.subarray(1) };
  }

  head(ledger: string, time: number, key: KeyObject): SignedHead {
    return signHead({ ledger, size: this.size, root: this.#tree.root(), time }, key);
  }
}
