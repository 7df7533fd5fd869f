import { err, ok, type Result } from '@ringfence/bytes/result.ts';

/** What can be written: whole numbers, text, lists and dictionaries. */
export type Writable = number | string | readonly Writable[] | { readonly [key: string]: Writable };

/** What was read. Dictionaries are maps: their keys are the peer's and must not reach a prototype. */
export type Bencoded = number | string | readonly Bencoded[] | ReadonlyMap<string, Bencoded>;

export type BencodeErrorCode =
  /** Ends before what was begun is whole. */
  | 'short'
  /** Something that cannot stand there, or a number with a leading zero. */
  | 'syntax'
  /** Deeper, or more values, than the bounds allow. */
  | 'limit'
  /** Octets behind the value. */
  | 'trailing';

export interface BencodeLimits {
  /** Lists and dictionaries within each other. Default 16. */
  readonly depth?: number;
  /** Values in all. Default 20,000. */
  readonly values?: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();
const code = { zero: 48, nine: 57, colon: 58, minus: 45, d: 100, e: 101, i: 105, l: 108 } as const;
/** Digits of 2^53. */
const mostDigits = 16;

/** Writes a value. Keys stand in the order in which they were given: rtpengine asks for no other. */
export function encodeBencode(value: Writable): Uint8Array {
  const parts: string[] = [];
  write(value, parts);
  return encoder.encode(parts.join(''));
}

function write(value: Writable, out: string[]): void {
  if (typeof value === 'number') out.push(`i${Math.trunc(value)}e`);
  else if (typeof value === 'string') out.push(`${encoder.encode(value).length}:${value}`);
  else if (isList(value)) {
    out.push('l');
    for (const item of value) write(item, out);
    out.push('e');
  } else {
    out.push('d');
    for (const [key, item] of Object.entries(value)) {
      write(key, out);
      write(item, out);
    }
    out.push('e');
  }
}

const isList = (value: Writable): value is readonly Writable[] => Array.isArray(value);

/** Reads one value that fills `bytes` from `from` on. Never throws; linear in the input; bounded in depth and number. */
export function decodeBencode(
  bytes: Uint8Array,
  from = 0,
  limits: BencodeLimits = {},
): Result<Bencoded, BencodeErrorCode> {
  const reader = new BencodeReader(bytes, from, limits);
  const value = reader.value(0);
  if (value === undefined) return err(reader.problem);
  return reader.atEnd ? ok(value) : err('trailing');
}

class BencodeReader {
  problem: BencodeErrorCode = 'syntax';
  readonly #bytes: Uint8Array;
  readonly #depth: number;
  #left: number;
  #at: number;

  constructor(bytes: Uint8Array, from: number, limits: BencodeLimits) {
    this.#bytes = bytes;
    this.#at = from;
    this.#depth = limits.depth ?? 16;
    this.#left = limits.values ?? 20_000;
  }

  get atEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  value(depth: number): Bencoded | undefined {
    if (depth > this.#depth || this.#left === 0) return this.#fail('limit');
    this.#left -= 1;
    const first = this.#bytes[this.#at];
    if (first === undefined) return this.#fail('short');
    if (first >= code.zero && first <= code.nine) return this.#text();
    this.#at += 1;
    if (first === code.i) return this.#number(code.e);
    if (first === code.l) return this.#list(depth);
    if (first === code.d) return this.#dictionary(depth);
    return this.#fail('syntax');
  }

  #list(depth: number): Bencoded[] | undefined {
    const list: Bencoded[] = [];
    while (!this.#ends()) {
      const item = this.value(depth + 1);
      if (item === undefined) return undefined;
      list.push(item);
    }
    return list;
  }

  /** Of a key that comes twice, the first one counts. */
  #dictionary(depth: number): Map<string, Bencoded> | undefined {
    const dictionary = new Map<string, Bencoded>();
    while (!this.#ends()) {
      const key = this.#text();
      if (key === undefined) return undefined;
      const item = this.value(depth + 1);
      if (item === undefined) return undefined;
      if (!dictionary.has(key)) dictionary.set(key, item);
    }
    return dictionary;
  }

  #ends(): boolean {
    if (this.#bytes[this.#at] !== code.e) return false;
    this.#at += 1;
    return true;
  }

  #text(): string | undefined {
    const length = this.#number(code.colon);
    if (length === undefined) return undefined;
    if (length < 0) return this.#fail('syntax');
    if (length > this.#bytes.length - this.#at) return this.#fail('short');
    this.#at += length;
    return decoder.decode(this.#bytes.subarray(this.#at - length, this.#at));
  }

  /** Decimal digits up to `end`, at most 2^53 - 1, no leading zeros, no `-0`. */
  #number(end: number): number | undefined {
    const negative = end === code.e && this.#bytes[this.#at] === code.minus;
    if (negative) this.#at += 1;
    const from = this.#at;
    let value = 0;
    for (;;) {
      const octet = this.#bytes[this.#at];
      if (octet === undefined) return this.#fail('short');
      if (octet === end) break;
      if (octet < code.zero || octet > code.nine || this.#at - from >= mostDigits)
        return this.#fail('syntax');
      value = value * 10 + (octet - code.zero);
      this.#at += 1;
    }
    const digits = this.#at - from;
    const leading = this.#bytes[from] === code.zero && (digits > 1 || negative);
    if (digits === 0 || leading || !Number.isSafeInteger(value)) return this.#fail('syntax');
    this.#at += 1;
    return negative ? -value : value;
  }

  #fail(problem: BencodeErrorCode): undefined {
    this.problem = problem;
    return undefined;
  }
}
