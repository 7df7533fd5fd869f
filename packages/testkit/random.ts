/**
 * Numbers that look random and are the same for the same seed: for tests only, never for secrets.
 *
 * The generator is Marsaglia's xorshift with 128 bits of state (Journal of Statistical Software 8/14, 2003).
 */
export class SeededRandom {
  #x: number;
  #y = 362_436_069;
  #z = 521_288_629;
  #w = 88_675_123;

  constructor(seed: number) {
    this.#x = Math.imul(seed | 0, 0x9e3779b1) ^ 123_456_789;
    for (let i = 0; i < 16; i++) this.#word();
  }

  /** In [0, 1). */
  next(): number {
    return this.#word() / 0x1_0000_0000;
  }

  /** An integer from `low` to `high`, both included. */
  integer(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }

  /** True with that probability. */
  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(values: readonly [T, ...T[]]): T {
    return values[this.integer(0, values.length - 1)] as T;
  }

  /** Lower-case letters and digits. */
  token(length = 12): string {
    let text = '';
    while (text.length < length) text += this.#word().toString(36);
    return text.slice(0, length);
  }

  bytes(length: number): Uint8Array {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = this.#word() & 0xff;
    return bytes;
  }

  #word(): number {
    const t = this.#x ^ (this.#x << 11);
    this.#x = this.#y;
    this.#y = this.#z;
    this.#z = this.#w;
    this.#w = this.#w ^ (this.#w >>> 19) ^ (t ^ (t >>> 8));
    return this.#w >>> 0;
  }
}
