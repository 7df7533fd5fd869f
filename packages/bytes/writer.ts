import { MisuseError } from './misuse.ts';
import { writeU16, writeU32 } from './reader.ts';

/**
 * Writes big-endian numbers and bytes into memory that grows up to a limit.
 *
 * What is written is ours, so a number that does not fit its field is a fault of ours.
 * @throws MisuseError `writer-range` for such a number, `writer-full` beyond the limit.
 */
export class Writer {
  #bytes: Uint8Array;
  #length = 0;
  readonly #limit: number;

  /** `limit` in octets, default 65,535: the largest datagram. */
  constructor(capacity = 256, limit = 65_535) {
    this.#bytes = new Uint8Array(Math.min(capacity, limit));
    this.#limit = limit;
  }

  get length(): number {
    return this.#length;
  }

  u8(value: number): this {
    check(value, 0xff);
    const at = this.#grow(1);
    this.#bytes[at] = value;
    return this;
  }

  u16(value: number): this {
    check(value, 0xffff);
    const at = this.#grow(2);
    writeU16(this.#bytes, at, value);
    return this;
  }

  u24(value: number): this {
    check(value, 0xff_ffff);
    const at = this.#grow(3);
    this.#bytes[at] = value >>> 16;
    writeU16(this.#bytes, at + 1, value & 0xffff);
    return this;
  }

  u32(value: number): this {
    check(value, 0xffff_ffff);
    const at = this.#grow(4);
    writeU32(this.#bytes, at, value);
    return this;
  }

  u48(value: number): this {
    check(value, 2 ** 48 - 1);
    const at = this.#grow(6);
    writeU16(this.#bytes, at, Math.floor(value / 2 ** 32));
    writeU32(this.#bytes, at + 2, value % 2 ** 32);
    return this;
  }

  u64(value: bigint): this {
    if (value < 0n || value >= 1n << 64n) throw new MisuseError('writer-range', 'does not fit 64 bits');
    const at = this.#grow(8);
    writeU32(this.#bytes, at, Number(value >> 32n));
    writeU32(this.#bytes, at + 4, Number(value & 0xffff_ffffn));
    return this;
  }

  bytes(value: Uint8Array): this {
    const at = this.#grow(value.length);
    this.#bytes.set(value, at);
    return this;
  }

  zeros(count: number): this {
    check(count, this.#limit);
    this.#grow(count);
    return this;
  }

  /** Writes over a length that was not known when its place was passed. */
  u16At(at: number, value: number): this {
    check(value, 0xffff);
    if (!(Number.isInteger(at) && at >= 0 && at + 2 <= this.#length))
      throw new MisuseError('writer-range', 'no such place');
    writeU16(this.#bytes, at, value);
    return this;
  }

  /** A copy of what was written. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #grow(by: number): number {
    const at = this.#length;
    const wanted = at + by;
    if (wanted > this.#limit) throw new MisuseError('writer-full', 'more than the limit');
    if (wanted > this.#bytes.length) {
      const larger = new Uint8Array(Math.min(this.#limit, Math.max(wanted, this.#bytes.length * 2)));
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
    }
    this.#length = wanted;
    return at;
  }
}

function check(value: number, most: number): void {
  if (!(Number.isInteger(value) && value >= 0 && value <= most))
    throw new MisuseError('writer-range', 'does not fit its field');
}
