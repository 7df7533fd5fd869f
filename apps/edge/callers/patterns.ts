/**
 * A set of number patterns, looked up in one step per digit: `+49301234xx`, `+4930*`, `+493012345`.
 *
 * `x` stands for one digit, `*` at the end for any rest. Costs the same whether ten or ten thousand are in it.
 */
export class NumberPatterns {
  readonly #exact = new Set<string>();
  readonly #open = new Set<string>();
  readonly #lengths = new Map<string, Set<number>>();
  readonly #longest: number;

  constructor(patterns: readonly string[]) {
    let longest = 0;
    for (const pattern of patterns) {
      const text = pattern.toLowerCase();
      if (text.endsWith('*') && !text.includes('x')) this.#open.add(text.slice(0, -1));
      else if (!text.includes('x')) this.#exact.add(text);
      else {
        const head = text.slice(0, text.indexOf('x'));
        const open = text.endsWith('*');
        const length = text.length - (open ? 1 : 0);
        const lengths = this.#lengths.get(head) ?? new Set<number>();
        // An open end: any length from there on, written as its negative.
        lengths.add(open ? -length : length);
        this.#lengths.set(head, lengths);
      }
      longest = Math.max(longest, text.length);
    }
    this.#longest = longest;
  }

  get size(): number {
    return this.#exact.size + this.#open.size + this.#lengths.size;
  }

  /** `number` is `+` and digits. */
  has(number: string): boolean {
    if (this.#exact.has(number)) return true;
    if (this.#open.size === 0 && this.#lengths.size === 0) return false;
    for (let i = 1; i <= Math.min(number.length, this.#longest); i++) {
      const head = number.slice(0, i);
      if (this.#open.has(head)) return true;
      const lengths = this.#lengths.get(head);
      if (lengths === undefined) continue;
      for (const length of lengths)
        if (length > 0 ? number.length === length : number.length >= -length) return true;
    }
    return false;
  }
}
