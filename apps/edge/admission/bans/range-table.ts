import { type AddressRange, readRange } from '../../objects/address-range.ts';
import { SourceKey } from '../source.ts';

/** IPv6 is told apart by /64, as one host commonly holds all of one; narrower blocks count as their /64. */
const narrowestSix = 64;

const key = new SourceKey();
const isFour = (address: string): boolean => address.indexOf(':') < 0 || address.indexOf('.') > 0;
const maskOf = (prefix: number): number => (prefix === 0 ? 0 : -1 << (32 - prefix));

/**
 * Values of address blocks, found by any address inside, the narrowest block first.
 *
 * A look-up costs one map access for each different length of prefix that is in use. Text that is not an address is
 * never found.
 */
export class RangeTable<V> {
  readonly #four = new Map<number, Map<number, V>>();
  readonly #six = new Map<number, Map<string, V>>();
  /** In use, longest first. */
  #fourPrefixes: readonly number[] = [];
  #sixPrefixes: readonly number[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  find(address: string): V | undefined {
    if (this.#size === 0) return undefined;
    if (isFour(address)) {
      if (this.#fourPrefixes.length === 0) return undefined;
      const { low } = key.read(address);
      for (const prefix of this.#fourPrefixes) {
        const value = this.#four.get(prefix)?.get(low & maskOf(prefix));
        if (value !== undefined) return value;
      }
      return undefined;
    }
    if (this.#sixPrefixes.length === 0) return undefined;
    const { high, low } = key.read(address);
    for (const prefix of this.#sixPrefixes) {
      const value = this.#six.get(prefix)?.get(sixKey(high, low, prefix));
      if (value !== undefined) return value;
    }
    return undefined;
  }

  get(range: AddressRange): V | undefined {
    const { family, prefix, first } = range;
    if (family === 4) return this.#four.get(prefix)?.get(Number(first) | 0);
    const six = Math.min(prefix, narrowestSix);
    return this.#six.get(six)?.get(sixKeyOf(first, six));
  }

  set(range: AddressRange, value: V): void {
    if (this.get(range) === undefined) this.#size += 1;
    const { family, prefix, first } = range;
    if (family === 4) {
      const table = this.#four.get(prefix) ?? new Map<number, V>();
      table.set(Number(first) | 0, value);
      this.#four.set(prefix, table);
      this.#fourPrefixes = longestFirst(this.#four);
    } else {
      const six = Math.min(prefix, narrowestSix);
      const table = this.#six.get(six) ?? new Map<string, V>();
      table.set(sixKeyOf(first, six), value);
      this.#six.set(six, table);
      this.#sixPrefixes = longestFirst(this.#six);
    }
  }

  delete(range: AddressRange): boolean {
    const { family, prefix, first } = range;
    const six = Math.min(prefix, narrowestSix);
    const gone =
      family === 4
        ? this.#four.get(prefix)?.delete(Number(first) | 0) === true
        : this.#six.get(six)?.delete(sixKeyOf(first, six)) === true;
    if (!gone) return false;
    this.#size -= 1;
    if (this.#four.get(prefix)?.size === 0 && this.#four.delete(prefix))
      this.#fourPrefixes = longestFirst(this.#four);
    if (this.#six.get(six)?.size === 0 && this.#six.delete(six)) this.#sixPrefixes = longestFirst(this.#six);
    return true;
  }
}

const longestFirst = (tables: ReadonlyMap<number, { readonly size: number }>): number[] =>
  [...tables.keys()].sort((a, b) => b - a);

const sixKey = (high: number, low: number, prefix: number): string =>
  prefix > 32 ? `${high}:${low & maskOf(prefix - 32)}` : `${high & maskOf(prefix)}`;

const sixKeyOf = (first: bigint, prefix: number): string =>
  sixKey(Number(first >> 96n) | 0, Number((first >> 64n) & 0xffffffffn) | 0, prefix);

/** A set of blocks. */
export const rangesOf = (texts: Iterable<string>): RangeTable<true> => {
  const table = new RangeTable<true>();
  for (const text of texts) {
    const range = readRange(text);
    if (range !== undefined) table.set(range, true);
  }
  return table;
};
