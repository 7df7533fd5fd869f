import type { Rate } from './rate.ts';

const mostDigits = 15;

/**
 * Rates by prefix for lookups by the longest one: sorted prefixes in typed arrays, each with the one that encloses it.
 *
 * 21 octets a prefix beside the rates, of which most sheets have a few thousand different ones. A lookup is one binary
 * search.
 */
export class RateTable {
  readonly size: number;
  readonly #keys: Float64Array;
  readonly #lengths: Uint8Array;
  readonly #parents: Int32Array;
  readonly #rates: Uint32Array;
  readonly #different: readonly Omit<Rate, 'prefix'>[];

  private constructor(builder: RateTableBuilder, size: number) {
    this.size = size;
    this.#keys = builder.keys.subarray(0, size);
    this.#lengths = builder.lengths.subarray(0, size);
    this.#parents = builder.parents.subarray(0, size);
    this.#rates = builder.rates.subarray(0, size);
    this.#different = builder.different;
  }

  static of(rates: readonly Rate[]): RateTable {
    const builder = new RateTableBuilder(rates.length);
    for (const rate of [...rates].sort((a, b) => (a.prefix < b.prefix ? -1 : 1))) builder.add(rate);
    return RateTable.built(builder);
  }

  static built(builder: RateTableBuilder): RateTable {
    return new RateTable(builder, builder.size);
  }

  /** @param number digits, with or without a leading +. */
  find(number: string): Rate | undefined {
    const from = number.charCodeAt(0) === 0x2b ? 1 : 0;
    const digits = Math.min(number.length - from, mostDigits);
    const wanted = keyOf(number, from, digits);
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const key = this.#keys[middle] as number;
      if (key < wanted || (key === wanted && (this.#lengths[middle] as number) <= digits)) low = middle + 1;
      else high = middle;
    }
    for (let at = low - 1; at >= 0; at = this.#parents[at] as number) {
      const length = this.#lengths[at] as number;
      if (length > digits || keyOf(number, from, length) !== this.#keys[at]) continue;
      const rate = this.#different[this.#rates[at] as number];
      if (rate !== undefined) return { prefix: number.slice(from, from + length), ...rate };
    }
    return undefined;
  }
}

/** The first digits as a number of 15, filled up with zeros: sorts as the text does. */
function keyOf(text: string, from: number, length: number): number {
  let key = 0;
  for (let i = 0; i < length; i += 1) key = key * 10 + (text.charCodeAt(from + i) - 0x30);
  return key * 10 ** (mostDigits - length);
}

/** Takes the rates of a sheet in the order of their prefixes as text, once each. */
export class RateTableBuilder {
  keys: Float64Array;
  lengths: Uint8Array;
  parents: Int32Array;
  rates: Uint32Array;
  readonly different: Omit<Rate, 'prefix'>[] = [];
  readonly #seen = new Map<string, number>();
  readonly #open: { readonly prefix: string; readonly at: number }[] = [];
  size = 0;

  constructor(capacity: number) {
    this.keys = new Float64Array(capacity);
    this.lengths = new Uint8Array(capacity);
    this.parents = new Int32Array(capacity);
    this.rates = new Uint32Array(capacity);
  }

  /** What is beyond the capacity is left out and gives false. */
  add({ prefix, ...rate }: Rate): boolean {
    const at = this.size;
    if (at >= this.keys.length || prefix.length > mostDigits) return false;
    while (this.#open.length > 0 && !prefix.startsWith(this.#open.at(-1)!.prefix)) this.#open.pop();
    this.parents[at] = this.#open.at(-1)?.at ?? -1;
    this.keys[at] = keyOf(prefix, 0, prefix.length);
    this.lengths[at] = prefix.length;
    this.rates[at] = this.#index(rate);
    this.#open.push({ prefix, at });
    this.size += 1;
    return true;
  }

  #index(rate: Omit<Rate, 'prefix'>): number {
    const key = `${rate.perMinute} ${rate.connection} ${rate.initial} ${rate.next}`;
    const seen = this.#seen.get(key);
    if (seen !== undefined) return seen;
    const index = this.different.push(rate) - 1;
    this.#seen.set(key, index);
    return index;
  }
}
