import { tailOf } from '@ringfence/threat/shape.ts';

/** Of a number these many digits at the end are compared, whatever prefix stands before it. */
const leastDigits = 7;

/** Names and numbers that nobody has, found whatever prefix a number is dialled with. */
export class Honeypots {
  readonly #names: ReadonlySet<string>;
  /** Whole numbers by their last seven digits. */
  readonly #numbers = new Map<number, string[]>();

  constructor(entries: readonly string[]) {
    this.#names = new Set(entries.map((entry) => entry.toLowerCase()));
    for (const entry of entries) {
      const digits = entry.startsWith('+') ? entry.slice(1) : entry;
      const tail = digits.length >= leastDigits && /^[0-9]+$/.test(digits) ? tailOf(digits) : -1;
      if (tail < 0) continue;
      const others = this.#numbers.get(tail);
      if (others === undefined) this.#numbers.set(tail, [digits]);
      else others.push(digits);
    }
  }

  get none(): boolean {
    return this.#names.size === 0;
  }

  /** The entry that this is, as dialled or named. */
  find(text: string): string | undefined {
    const lower = text.toLowerCase();
    if (this.#names.has(lower)) return lower;
    if (this.#numbers.size === 0) return undefined;
    const tail = tailOf(text);
    return tail < 0 ? undefined : this.#numbers.get(tail)?.find((digits) => text.endsWith(digits));
  }
}
