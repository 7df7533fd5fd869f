const redacted = '[redacted]';
const inspect = Symbol.for('nodejs.util.inspect.custom');

/**
 * Bytes that must not be printed: every way of turning it into text gives `[redacted]`.
 *
 * `reveal` is the only way out; `wipe` overwrites the bytes in place.
 */
export class Secret {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  static fromText(text: string): Secret {
    return new Secret(new TextEncoder().encode(text));
  }

  reveal(): Uint8Array {
    return this.#bytes;
  }

  revealText(): string {
    return new TextDecoder().decode(this.#bytes);
  }

  wipe(): void {
    this.#bytes.fill(0);
  }

  toString(): string {
    return redacted;
  }

  toJSON(): string {
    return redacted;
  }

  [inspect](): string {
    return redacted;
  }
}
