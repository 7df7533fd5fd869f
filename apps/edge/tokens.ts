import { randomFillSync } from 'node:crypto';

const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

/** Unguessable names for branches, tags and Call-IDs: 6 bits a character, drawn from a pool so that it costs little. */
export class Tokens {
  readonly #pool = new Uint8Array(8192);
  #next = 8192;

  token(length: number): string {
    if (this.#next + length > this.#pool.length) {
      randomFillSync(this.#pool);
      this.#next = 0;
    }
    let text = '';
    const end = this.#next + length;
    for (let i = this.#next; i < end; i += 1) text += alphabet[(this.#pool[i] as number) & 63];
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
