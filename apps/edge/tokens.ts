import { randomFillSync } from 'node:crypto';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/**
 * Unguessable names for branches, tags, Call-IDs and calls: 6 bits a character, drawn from a pool so that it costs little.
 * The first is one of 32 letters: a name that began with `-` would be an option where somebody types it.
 */
export class Tokens {
  readonly #pool = new Uint8Array(8192);
  #next = 8192;

  token(length: number): string {
    if (this.#next + length > this.#pool.length) {
      randomFillSync(this.#pool);
      this.#next = 0;
    }
    let text: string = alphabet[(this.#pool[this.#next] as number) & 31] ?? '';
    const end = this.#next + length;
    for (let i = this.#next + 1; i < end; i += 1) text += alphabet[(this.#pool[i] as number) & 63];
    this.#next = end;
    return text;
  }

  /** Up to 15 digits that do not begin with 0, for SDP session ids. */
  digits(): string {
    if (this.#next + 6 > this.#pool.length) {
      randomFillSync(this.#pool);
      this.#next = 0;
    }
    let value = 1;
    for (let i = 0; i < 6; i += 1) value = value * 256 + (this.#pool[this.#next + i] as number);
    this.#next += 6;
    return String(value);
  }
}
