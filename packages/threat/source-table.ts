import { MisuseError } from '@ringfence/bytes/misuse.ts';

/** Slots that one key may stand in: their keys share a cache line. */
const ways = 8;
/** Room above what is asked for, so that few sets overflow before the table is full: by then 7 in 100 keys had to make room. */
const headroom = 1.25;

/**
 * Which slot belongs to which source; what is known of it lies in arrays that the owner indexes by slot.
 *
 * Keys are two 32-bit words; every operation looks at eight slots, whatever was sent, and none allocates. Where all
 * eight are taken the one that matters least goes: the lowest `until`, which its owner moves on as evidence comes in.
 * 12 octets a slot, 1.25 slots for each source asked for.
 */
export class SourceTable {
  readonly slots: number;
  readonly #sets: number;
  readonly #keys: Uint32Array;
  readonly #until: Uint32Array;
  readonly #seed: number;
  #evicted = 0;
  #used = 0;
  /** The slot that `claim` gave was not this source's before. */
  fresh = false;

  /** @param seed keeps peers from choosing whose place they take. */
  constructor(sources: number, seed: number) {
    if (!Number.isSafeInteger(sources) || sources < 1)
      throw new MisuseError('source-table-size', 'a number of sources is an integer above 0');
    this.#sets = Math.ceil((sources * headroom) / ways);
    this.slots = this.#sets * ways;
    this.#keys = new Uint32Array(this.slots * 2);
    this.#until = new Uint32Array(this.slots);
    this.#seed = seed >>> 0;
  }

  /** Sources that had to make room for others. */
  get evicted(): number {
    return this.#evicted;
  }

  get used(): number {
    return this.#used;
  }

  /** The slot of a source, or -1. */
  find(high: number, low: number): number {
    const first = this.#set(high, low) * ways;
    const h = high >>> 0;
    const l = low >>> 0;
    for (let slot = first; slot < first + ways; slot += 1)
      if (this.#until[slot] !== 0 && this.#keys[slot * 2] === h && this.#keys[slot * 2 + 1] === l)
        return slot;
    return -1;
  }

  /** The slot of a source, its own or one that it takes; kept at least as long as `until` is not the least. */
  claim(high: number, low: number, until: number): number {
    const first = this.#set(high, low) * ways;
    const h = high >>> 0;
    const l = low >>> 0;
    let least = first;
    for (let slot = first; slot < first + ways; slot += 1) {
      if (this.#until[slot] !== 0 && this.#keys[slot * 2] === h && this.#keys[slot * 2 + 1] === l) {
        this.fresh = false;
        if (this.#until[slot]! < until) this.#until[slot] = until;
        return slot;
      }
      if (this.#until[slot]! < this.#until[least]!) least = slot;
    }
    if (this.#until[least] === 0) this.#used += 1;
    else this.#evicted += 1;
    this.#keys[least * 2] = h;
    this.#keys[least * 2 + 1] = l;
    this.#until[least] = Math.max(1, until);
    this.fresh = true;
    return least;
  }

  /** Of two that want one slot, who has the later `until` keeps it. */
  keep(slot: number, until: number): void {
    if (this.#until[slot]! < until) this.#until[slot] = until;
  }

  #set(high: number, low: number): number {
    const mixed = mix(mix(high ^ this.#seed) + low);
    // The high half of the product is even over all sets, whatever their number.
    return Math.floor(((mixed >>> 0) / 0x1_0000_0000) * this.#sets);
  }
}

/** Murmur3's finish: every bit of a word moves half of the others. */
export const mix = (word: number): number => {
  let x = word | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return x ^ (x >>> 16);
};

/** A word for a text, at most its first 64 characters. */
export const hashText = (text: string, seed = 0): number => {
  let hash = 0x811c9dc5 ^ seed;
  const end = Math.min(text.length, 64);
  for (let i = 0; i < end; i += 1) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return mix(hash);
};
