import { hashLength, sha256 } from './entry.ts';

/** RFC 9162 §2.1.1: the hash of a leaf has 0x00 before its data. */
export function leafHash(data: Uint8Array): Uint8Array {
  const bytes = Buffer.allocUnsafe(1 + data.length);
  bytes[0] = 0;
  bytes.set(data, 1);
  return sha256(bytes);
}

const joined = Buffer.allocUnsafe(1 + 2 * hashLength);
joined[0] = 1;

/** RFC 9162 §2.1.1: the hash of a node has 0x01 before the hashes of its two sides. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  joined.set(left, 1);
  joined.set(right, 1 + hashLength);
  return sha256(joined);
}

/** Root of a tree without leaves: the hash of nothing. */
export const emptyRoot: Uint8Array = sha256(new Uint8Array(0));

/** A whole subtree of 2^level leaves. */
export interface Subtree {
  readonly level: number;
  readonly hash: Uint8Array;
}

/**
 * A tree that grows at its right end and keeps only the roots of its whole subtrees: some 50 hashes for any size.
 *
 * One may begin at any multiple of 2^n and take 2^n leaves; its subtrees are then those of the whole tree.
 */
export class TreeEnd {
  readonly #subtrees: Subtree[];
  #size: number;

  constructor(size = 0, subtrees: readonly Subtree[] = []) {
    this.#size = size;
    this.#subtrees = [...subtrees];
  }

  /** Leaves up to here. */
  get size(): number {
    return this.#size;
  }

  /** Largest first. */
  get subtrees(): readonly Subtree[] {
    return this.#subtrees;
  }

  /** `whole` hears of every node that becomes whole by it: its level, and its place among those of its level. */
  append(leaf: Uint8Array, whole?: (level: number, index: number, hash: Uint8Array) => void): void {
    this.join({ level: 0, hash: leaf }, whole);
  }

  /** Takes a whole subtree whose size is no larger than that of the last one here. */
  join(subtree: Subtree, whole?: (level: number, index: number, hash: Uint8Array) => void): void {
    let { level, hash: made } = subtree;
    const begin = this.#size;
    this.#size += 2 ** level;
    for (let last = this.#subtrees.at(-1); last !== undefined && last.level === level; ) {
      this.#subtrees.pop();
      made = nodeHash(last.hash, made);
      level += 1;
      whole?.(level, Math.floor(begin / 2 ** level), made);
      last = this.#subtrees.at(-1);
    }
    this.#subtrees.push({ level, hash: made });
  }

  root(): Uint8Array {
    let root: Uint8Array | undefined;
    for (let i = this.#subtrees.length - 1; i >= 0; i--) {
      const { hash: side } = this.#subtrees[i] as Subtree;
      root = root === undefined ? side : nodeHash(side, root);
    }
    return root ?? emptyRoot;
  }
}

/** Gives the hash of a whole subtree of 2^level leaves, the `index`th of its level. */
export type NodeSource = (level: number, index: number) => Promise<Uint8Array>;

/** Hash of the leaves from `begin` up to, and without, `end` (RFC 9162 §2.1.1). */
export async function rangeHash(source: NodeSource, begin: number, end: number): Promise<Uint8Array> {
  const length = end - begin;
  if (length === 0) return emptyRoot;
  const half = halfOf(length);
  if (length === 1 || half * 2 === length) {
    const level = Math.log2(length);
    return source(level, begin / length);
  }
  return nodeHash(await rangeHash(source, begin, begin + half), await rangeHash(source, begin + half, end));
}

/** The largest power of two below `n`; 1 for 1. */
function halfOf(n: number): number {
  let half = 1;
  while (half * 2 < n) half *= 2;
  return half;
}

/** Proof that leaf `index` is in the tree of the first `size` leaves (RFC 9162 §2.1.3.1). */
export async function inclusionProof(source: NodeSource, index: number, size: number): Promise<Uint8Array[]> {
  const path: Uint8Array[] = [];
  let begin = 0;
  let end = size;
  while (end - begin > 1) {
    const middle = begin + halfOf(end - begin);
    if (index < middle) {
      path.push(await rangeHash(source, middle, end));
      end = middle;
    } else {
      path.push(await rangeHash(source, begin, middle));
      begin = middle;
    }
  }
  return path.reverse();
}

/** Proof that the tree of `second` leaves goes on from that of `first` leaves (RFC 9162 §2.1.4.1). */
export async function consistencyProof(
  source: NodeSource,
  first: number,
  second: number,
): Promise<Uint8Array[]> {
  const path: Uint8Array[] = [];
  if (first === 0 || first === second) return path;
  let begin = 0;
  let end = second;
  // The first tree as a whole is known to whoever checks, and need not be in the proof.
  let known = true;
  while (end !== first) {
    const middle = begin + halfOf(end - begin);
    if (first <= middle) {
      path.push(await rangeHash(source, middle, end));
      end = middle;
    } else {
      path.push(await rangeHash(source, begin, middle));
      begin = middle;
      known = false;
    }
  }
  if (!known) path.push(await rangeHash(source, begin, end));
  return path.reverse();
}
