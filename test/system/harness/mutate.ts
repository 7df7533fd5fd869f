/** Breaks messages at random, the same way for the same seed. */

/** mulberry32: small, and good enough for choosing what to break. */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to `below` - 1. */
  next(below: number): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let x = this.#state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) % below;
  }

  pick<T>(list: readonly T[]): T {
    const found = list[this.next(list.length)];
    if (found === undefined) throw new Error('nothing to pick from');
    return found;
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.alloc(length);
    for (let i = 0; i < length; i += 1) bytes[i] = this.next(256);
    return bytes;
  }
}

/** What parsers trip over. */
const words = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  '\r\n\r\n',
  '\r\n ',
  ':',
  ';',
  ',',
  '"',
  '\\',
  '<',
  '>',
  '@',
  '%00',
  '%',
  '=',
  '[',
  ']',
  '[::1]',
  '::',
  '-1',
  '0',
  '65536',
  '2147483648',
  '4294967296',
  '99999999999999999999',
  'sip:',
  'sips:',
  'tel:',
  'urn:service:sos',
  'SIP/2.0',
  'Via: ',
  'v:',
  'Content-Length: 0',
  'l: 5',
  'Route: <sip:x;lr>',
  'Contact: *',
  'tag=',
  ';tag=x',
  ';branch=z9hG4bK',
  ';received=127.0.0.1',
  ';rport',
  ';maddr=127.0.0.1',
  'Authorization: Digest ',
  'Require: 100rel',
  'Content-Type: multipart/mixed;boundary=x',
  'm=audio 9 RTP/SAVP 0',
  'a=crypto:1 ',
  'c=IN IP4 ',
  'm=audio 0 RTP/AVP 0',
  'a=rtpmap:',
  'b=',
  'INVITE',
  'ACK',
  'BYE',
  'CANCEL',
  'REGISTER',
  'ÿ',
  '\x80\x80',
].map((word) => Buffer.from(word));

const change: readonly ((bytes: Buffer, chance: Chance, other: Buffer) => Buffer)[] = [
  (bytes, chance) => {
    const copy = Buffer.from(bytes);
    for (let i = 0; i <= chance.next(4); i += 1) {
      const at = chance.next(copy.length);
      copy[at] = (copy[at] ?? 0) ^ (1 << chance.next(8));
    }
    return copy;
  },
  (bytes, chance) => {
    const copy = Buffer.from(bytes);
    copy[chance.next(copy.length)] = chance.next(256);
    return copy;
  },
  (bytes, chance) => bytes.subarray(0, 1 + chance.next(bytes.length)),
  (bytes, chance) => {
    const at = chance.next(bytes.length);
    return Buffer.concat([bytes.subarray(0, at), chance.pick(words), bytes.subarray(at)]);
  },
  (bytes, chance) => {
    const at = chance.next(bytes.length);
    return Buffer.concat([
      bytes.subarray(0, at),
      bytes.subarray(Math.min(bytes.length, at + 1 + chance.next(30))),
    ]);
  },
  (bytes, chance) => {
    const from = chance.next(bytes.length);
    const part = bytes.subarray(from, from + 1 + chance.next(80));
    const times = 1 + chance.next(20);
    return Buffer.concat([bytes.subarray(0, from), ...Array<Buffer>(times).fill(part), bytes.subarray(from)]);
  },
  (bytes, chance, other) =>
    Buffer.concat([bytes.subarray(0, chance.next(bytes.length)), other.subarray(chance.next(other.length))]),
  (bytes, chance) => {
    // A whole line twice, or gone.
    const lines = bytes.toString('latin1').split('\r\n');
    const at = chance.next(lines.length);
    if (chance.next(2) === 0) lines.splice(at, 1);
    else lines.splice(at, 0, lines[chance.next(lines.length)] ?? '');
    return Buffer.from(lines.join('\r\n'), 'latin1');
  },
];

/** One to three changes. Never empty, at most 32,000 octets. */
export function mutate(bytes: Buffer, chance: Chance, other: Buffer): Buffer {
  let result = bytes;
  for (let i = 0; i <= chance.next(3); i += 1)
    if (result.length > 0) result = chance.pick(change)(result, chance, other);
  return result.length === 0 ? Buffer.from('x') : result.subarray(0, 32_000);
}
