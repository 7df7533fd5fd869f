import { MisuseError } from '@ringfence/bytes/misuse.ts';

/** The least that RFC 3711 §3.3.2 allows. */
export const smallestWindow = 64;

/** @throws MisuseError `srtp-window` unless the size is a multiple of 32, from 64 to 32,768. */
export function checkWindow(size: number): void {
  if (!Number.isInteger(size) || size < smallestWindow || size > 32_768 || size % 32 !== 0)
    throw new MisuseError('srtp-window', 'a replay window is a multiple of 32 from 64 to 32,768');
}

/**
 * Sliding window of the indexes seen, RFC 3711 §3.3.2.
 *
 * `check` moves nothing: what it lets pass must be authenticated before `accept` is called for it.
 */
export class ReplayWindow {
  readonly #size: number;
  /** One bit for each index modulo the size; those above `#highest` are never read. */
  readonly #seen: Uint32Array;
  #highest = -1;

  /**
   * `size` in packets, a multiple of 32, from 64 to 32,768. Default 128.
   * @throws MisuseError `srtp-window` for any other.
   */
  constructor(size = 128) {
    checkWindow(size);
    this.#size = size;
    this.#seen = new Uint32Array(size / 32);
  }

  /** Highest index accepted, -1 before the first. */
  get highest(): number {
    return this.#highest;
  }

  /** Whether an index is neither seen nor too old to tell. */
  check(index: number): boolean {
    if (index > this.#highest) return true;
    if (this.#highest - index >= this.#size) return false;
    const bit = index % this.#size;
    return (this.#seen[bit >>> 5]! & (1 << (bit & 31))) === 0;
  }

  /** Marks an authenticated index as seen. */
  accept(index: number): void {
    if (index > this.#highest) {
      if (this.#highest === -1 || index - this.#highest >= this.#size) this.#seen.fill(0);
      else for (let i = this.#highest + 1; i < index; i += 1) this.#clear(i % this.#size);
      this.#highest = index;
    } else if (this.#highest - index >= this.#size) return;
    const bit = index % this.#size;
    this.#seen[bit >>> 5]! |= 1 << (bit & 31);
  }

  #clear(bit: number): void {
    this.#seen[bit >>> 5]! &= ~(1 << (bit & 31));
  }
}
