import { hash, timingSafeEqual } from 'node:crypto';

/** Octets of a nonce: time in milliseconds (6), counter (4), authenticator (16). */
const plainLength = 10;
const macLength = 16;
/** Of SHA-256. */
const blockLength = 64;
const hashLength = 32;
/** Realm and source together; what is longer gets a buffer of its own. */
const scratchLength = 512;

export interface Nonce {
  /** When it was given out, in the clock of whoever runs the server. */
  readonly at: number;
}

/**
 * Makes and recognizes nonces that say by themselves when and for whom they were made.
 *
 * The authenticator is HMAC-SHA-256 (RFC 2104) over time, counter, realm and source, cut to 16 octets. It is put
 * together from two one-shot hashes: `createHmac` costs ten times as much, and strangers make us do this.
 */
export class NonceMint {
  readonly #inner: Buffer;
  readonly #outer: Buffer;
  readonly #plain = Buffer.alloc(plainLength + macLength);
  readonly #mac = Buffer.alloc(macLength);

  constructor(key: Uint8Array) {
    const block = Buffer.alloc(blockLength);
    block.set(key.length > blockLength ? hash('sha256', key, 'buffer') : key);
    this.#inner = Buffer.alloc(blockLength + plainLength + scratchLength);
    this.#outer = Buffer.alloc(blockLength + hashLength);
    for (let i = 0; i < blockLength; i++) {
      this.#inner[i] = (block[i] as number) ^ 0x36;
      this.#outer[i] = (block[i] as number) ^ 0x5c;
    }
    block.fill(0);
  }

  /** A nonce; `counter` tells apart those of one millisecond. */
  make(realm: string, source: string, now: number, counter: number): string {
    const bytes = this.#plain;
    bytes.writeUIntBE(Math.floor(now), 0, 6);
    bytes.writeUInt32BE(counter >>> 0, 6);
    this.#authenticate(bytes, realm, source).copy(bytes, plainLength);
    return bytes.toString('base64url');
  }

  /** What the nonce says, undefined where we did not make it for this realm and source. */
  open(realm: string, source: string, nonce: string): Nonce | undefined {
    if (nonce.length !== 35) return undefined;
    const bytes = Buffer.from(nonce, 'base64url');
    // The last character has spare bits: only the form that we wrote is ours.
    if (bytes.length !== plainLength + macLength || bytes.toString('base64url') !== nonce) return undefined;
    const expected = this.#authenticate(bytes, realm, source);
    if (!timingSafeEqual(expected, bytes.subarray(plainLength))) return undefined;
    return { at: bytes.readUIntBE(0, 6) };
  }

  #authenticate(plain: Buffer, realm: string, source: string): Buffer {
    // The separator is a character that neither a realm nor an address can hold.
    const text = `${realm}\n${source}`;
    const from = blockLength + plainLength;
    let inner = this.#inner;
    if (text.length * 3 > scratchLength) {
      inner = Buffer.alloc(from + Buffer.byteLength(text));
      this.#inner.copy(inner, 0, 0, blockLength);
    }
    plain.copy(inner, blockLength, 0, plainLength);
    const end = from + inner.write(text, from, 'utf8');
    this.#outer.write(hash('sha256', inner.subarray(0, end), 'hex'), blockLength, 'hex');
    this.#mac.write(hash('sha256', this.#outer, 'hex'), 0, macLength, 'hex');
    return this.#mac;
  }
}
