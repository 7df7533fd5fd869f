/**
 * Reads big-endian numbers and bytes from hostile input.
 *
 * What is not there reads as `undefined`, and the place stays where it was; nothing throws and nothing is copied.
 */
export class Reader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  /** Reads `bytes[from, to)`; bounds outside the array are drawn in to it. */
  constructor(bytes: Uint8Array, from = 0, to = bytes.length) {
    this.#bytes = bytes;
    this.#end = Math.max(0, Math.min(to, bytes.length));
    this.#at = Math.max(0, Math.min(from, this.#end));
  }

  /** Octets not read yet. */
  get left(): number {
    return this.#end - this.#at;
  }

  /** Index of the next octet in the array that was handed in. */
  get offset(): number {
    return this.#at;
  }

  u8(): number | undefined {
    if (this.left < 1) return undefined;
    const value = this.#bytes[this.#at]!;
    this.#at += 1;
    return value;
  }

  u16(): number | undefined {
    if (this.left < 2) return undefined;
    const value = readU16(this.#bytes, this.#at);
    this.#at += 2;
    return value;
  }

  u24(): number | undefined {
    if (this.left < 3) return undefined;
    const value = (this.#bytes[this.#at]! << 16) | readU16(this.#bytes, this.#at + 1);
    this.#at += 3;
    return value;
  }

  u32(): number | undefined {
    if (this.left < 4) return undefined;
    const value = readU32(this.#bytes, this.#at);
    this.#at += 4;
    return value;
  }

  /** 48 bits fit a number exactly. */
  u48(): number | undefined {
    if (this.left < 6) return undefined;
    const value = readU16(this.#bytes, this.#at) * 2 ** 32 + readU32(this.#bytes, this.#at + 2);
    this.#at += 6;
    return value;
  }

  u64(): bigint | undefined {
    if (this.left < 8) return undefined;
    const high = BigInt(readU32(this.#bytes, this.#at));
    const value = (high << 32n) | BigInt(readU32(this.#bytes, this.#at + 4));
    this.#at += 8;
    return value;
  }

  /** A view of the next `length` octets: it changes when the input does. */
  bytes(length: number): Uint8Array | undefined {
    if (!(length >= 0 && length <= this.left)) return undefined;
    const view = this.#bytes.subarray(this.#at, this.#at + length);
    this.#at += length;
    return view;
  }

  /** A reader of the next `length` octets, which cannot see beyond them. */
  section(length: number): Reader | undefined {
    if (!(length >= 0 && length <= this.left)) return undefined;
    const section = new Reader(this.#bytes, this.#at, this.#at + length);
    this.#at += length;
    return section;
  }

  /** Whether there was as much to skip. */
  skip(length: number): boolean {
    if (!(length >= 0 && length <= this.left)) return false;
    this.#at += length;
    return true;
  }

  /** A view of all that is left. */
  rest(): Uint8Array {
    const view = this.#bytes.subarray(this.#at, this.#end);
    this.#at = this.#end;
    return view;
  }
}

/** Two octets at `at`, which the caller has checked to be there. */
export const readU16 = (bytes: Uint8Array, at: number): number => (bytes[at]! << 8) | bytes[at + 1]!;

/** Four octets at `at`, unsigned; the caller has checked that they are there. */
export const readU32 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;

export function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 8;
  bytes[at + 1] = value;
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}
