import type { SourceKey } from './source.ts';

const rows = 4;
/** Milliseconds; sums of intervals such as 1000 / 3 are not exact. */
const rounding = 0.01;
/** No virtual clock runs further ahead than a second; one that does was set before the clock was put back. */
const furthestAhead = 1_000 + 1;

/**
 * Rates of any number of sources in a fixed number of bytes: a count-min sketch whose cells are virtual clocks.
 *
 * Each cell holds the time at which its sources' traffic so far would end if it came at exactly the allowed rate
 * (the generic cell rate algorithm, ITU-T I.371). A source is over its rate only if all of its four cells say so.
 * Nothing is ever evicted, so a source cannot clear its record by making others appear; and cells only err towards
 * counting a source too high, by what other sources in all four of its cells sent. The seed keeps peers from
 * choosing whom they share cells with.
 *
 * Memory: 4 rows of `width` cells of 8 bytes; 1 MB by default. Cost: four reads and four writes a message.
 */
export class SourceMeter {
  readonly #cells: Float64Array;
  readonly #mask: number;
  readonly #width: number;
  readonly #seed: number;
  readonly #interval: number;
  readonly #tolerance: number;

  /** `perSecond` messages may come at once, and as many each second after. `width` is a power of two. */
  constructor(perSecond: number, seed: number, width = 32_768) {
    this.#cells = new Float64Array(rows * width);
    this.#mask = width - 1;
    this.#width = width;
    this.#seed = seed | 0;
    this.#interval = 1000 / perSecond;
    this.#tolerance = 1000 - this.#interval + rounding;
  }

  get bytes(): number {
    return this.#cells.byteLength;
  }

  /** Counts one message; false when the source is over its rate, and then nothing is counted. `now` in ms. */
  take(source: SourceKey, now: number): boolean {
    // Two independent mixes give four cells (Kirsch and Mitzenmacher, "Less Hashing, Same Performance").
    const first = mix(source.low ^ this.#seed, source.high);
    const step = mix(source.high ^ 0x5bd1e995, source.low ^ first) | 1;
    const cells = this.#cells;
    let least = Number.POSITIVE_INFINITY;
    for (let row = 0, hash = first; row < rows; row++, hash = (hash + step) | 0) {
      let at = cells[row * this.#width + (hash & this.#mask)]!;
      if (at > now + furthestAhead) at = now;
      if (at < least) least = at;
    }
    const from = Math.max(least, now);
    if (from - now > this.#tolerance) return false;
    const next = from + this.#interval;
    for (let row = 0, hash = first; row < rows; row++, hash = (hash + step) | 0) {
      const cell = row * this.#width + (hash & this.#mask);
      const at = cells[cell]!;
      if (at < next || at > now + furthestAhead) cells[cell] = next;
    }
    return true;
  }
}

/** The rate of one thing alone. */
export class Meter {
  readonly perSecond: number;
  #until = 0;
  readonly #interval: number;
  readonly #tolerance: number;

  constructor(perSecond: number) {
    this.perSecond = perSecond;
    this.#interval = 1000 / perSecond;
    this.#tolerance = 1000 - this.#interval + rounding;
  }

  /** Counts one message; false when over the rate. `now` in ms. */
  take(now: number): boolean {
    const from = this.#until > now + furthestAhead ? now : Math.max(this.#until, now);
    if (from - now > this.#tolerance) return false;
    this.#until = from + this.#interval;
    return true;
  }
}

/** Two words into one with every bit depending on all (the finishing steps of MurmurHash3, public domain). */
const mix = (a: number, b: number): number => {
  let h = Math.imul(a, 0xcc9e2d51 | 0);
  h = Math.imul((h << 15) | (h >>> 17), 0x1b873593) ^ b;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b | 0);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35 | 0);
  return h ^ (h >>> 16);
};
