import { MisuseError } from '@ringfence/bytes/misuse.ts';

/** Slots that one key may stand in: what tells them apart shares a cache line. */
const ways = 8;
/** Words before the records of a set: a tag for each slot, and until when it matters. */
const header = 2 * ways;
/** Room above what is asked for, so that few sets overflow before the table is full: by then 7 in 100 keys had to make room. */
const headroom = 1.25;
/** Large buffers begin 16 octets behind a page on the platforms that Node runs on; records are to begin with a cache line. */
const alignment = 48;
/** Gives zeroed memory of so many octets. */
export type Memory = (octets: number) => ArrayBuffer;

/** Words of a record that hold its key. */
export const keyWords = 2;

/**
 * What is known of each source, in records of a fixed number of words.
 *
 * Most sources stand in the slot that their key names, so that one look finds them; the others in one of seven more,
 * which one cache line tells apart. It is the same few steps whatever was sent and however many sources there are, and none
 * allocates. Where all eight slots of a set are taken the one that matters least goes: the
 * lowest `until`, which its owner moves on as evidence comes in. 8 octets a slot beside its record, 1.25 slots for each
 * source asked for.
 */
export class SourceTable {
  readonly slots: number;
  /** Of all slots, with what finds them. */
  readonly octets: number;
  /** The records; that of a slot begins at `at(slot)` with the two words of its key, which are the table's. */
  readonly words: Uint32Array;
  /** The same memory. */
  readonly floats: Float32Array;
  readonly #sets: number;
  readonly #record: number;
  readonly #stride: number;
  readonly #seed: number;
  /** Of the key whose set was asked for last. */
  #tag = 0;
  #home = 0;
  #evicted = 0;
  #used = 0;
  /** The slot that `claim` gave was not this source's before. */
  fresh = false;

  /**
   * @param record words of a record, with those of its key.
   * @param seed keeps peers from choosing whose place they take.
   * @param memory gives zeroed memory of so many octets. Default: the engine's.
   */
  constructor(
    sources: number,
    record: number,
    seed: number,
    memory: Memory = (octets) => new ArrayBuffer(octets),
  ) {
    if (!Number.isSafeInteger(sources) || sources < 1)
      throw new MisuseError('source-table-size', 'a number of sources is an integer above 0');
    if (!Number.isSafeInteger(record) || record < keyWords)
      throw new MisuseError('source-table-record', 'a record holds at least its key');
    this.#sets = Math.ceil((sources * headroom) / ways);
    this.slots = this.#sets * ways;
    this.#record = record;
    this.#stride = header + ways * record;
    const words = this.#sets * this.#stride;
    this.octets = alignment + 4 * words;
    const buffer = memory(this.octets);
    this.words = new Uint32Array(buffer, alignment, words);
    this.floats = new Float32Array(buffer, alignment, words);
    this.#seed = seed >>> 0;
  }

  /** Sources that had to make room for others. */
  get evicted(): number {
    return this.#evicted;
  }

  get used(): number {
    return this.#used;
  }

  /** Where the record of a slot begins. */
  at(slot: number): number {
    return (slot >>> 3) * this.#stride + header + (slot & (ways - 1)) * this.#record;
  }

  /** The slot of a source, or -1. */
  find(high: number, low: number): number {
    const set = this.#set(high, low);
    const from = set * this.#stride;
    const home = this.#home;
    const words = this.words;
    const at = from + header + home * this.#record;
    if (words[at] === high >>> 0 && words[at + 1] === low >>> 0 && words[from + ways + home] !== 0)
      return set * ways + home;
    for (let way = 0; way < ways; way += 1) if (this.#is(from, way, high, low)) return set * ways + way;
    return -1;
  }

  /** The slot of a source, its own or one that it takes; kept at least as long as `until` is not the least. */
  claim(high: number, low: number, until: number): number {
    const words = this.words;
    const set = this.#set(high, low);
    const from = set * this.#stride;
    const home = this.#home;
    const own = from + header + home * this.#record;
    // The slot is looked at before the line that says whose it is: both come from memory at once.
    if (words[own] === high >>> 0 && words[own + 1] === low >>> 0 && words[from + ways + home] !== 0) {
      this.fresh = false;
      if (words[from + ways + home]! < until) words[from + ways + home] = until;
      return set * ways + home;
    }
    let least = home;
    for (let way = 0; way < ways; way += 1) {
      if (this.#is(from, way, high, low)) {
        this.fresh = false;
        if (words[from + ways + way]! < until) words[from + ways + way] = until;
        return set * ways + way;
      }
      if (words[from + ways + way]! < words[from + ways + least]!) least = way;
    }
    if (words[from + ways + least] === 0) this.#used += 1;
    else this.#evicted += 1;
    // Who has another slot for his own gives this one back, so that most are found at the first look.
    if (least !== home && (words[from + home]! & (ways - 1)) !== home) {
      words[from + least] = words[from + home]!;
      words[from + ways + least] = words[from + ways + home]!;
      words.copyWithin(from + header + least * this.#record, own, own + this.#record);
      least = home;
    }
    words[from + least] = this.#tag;
    words[from + ways + least] = Math.max(1, until);
    const at = from + header + least * this.#record;
    words.fill(0, at + keyWords, at + this.#record);
    words[at] = high;
    words[at + 1] = low;
    this.fresh = true;
    return set * ways + least;
  }

  /** Of two that want one slot, who has the later `until` keeps it. */
  keep(slot: number, until: number): void {
    const index = (slot >>> 3) * this.#stride + ways + (slot & (ways - 1));
    if (this.words[index]! < until) this.words[index] = until;
  }

  /** Whether that slot is the source's, whose set was asked for last. */
  #is(from: number, way: number, high: number, low: number): boolean {
    const words = this.words;
    if (words[from + way] !== this.#tag || words[from + ways + way] === 0) return false;
    const at = from + header + way * this.#record;
    return words[at] === high >>> 0 && words[at + 1] === low >>> 0;
  }

  #set(high: number, low: number): number {
    const mixed = mix(mix(high ^ this.#seed) + low);
    this.#tag = mix(mixed ^ low) >>> 0;
    this.#home = this.#tag & (ways - 1);
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
