import { equal, hash, mac } from './hash.ts';

/** MACs of Hello, Commit and DHPart, RFC 6189 §8.1.1: 64 bits at the end. */
const macLength = 8;

/** The implicit hash, RFC 6189 §5.1.2.2: SHA-256 whatever is negotiated. */
export const image = (preimage: Uint8Array): Uint8Array => hash('S256', preimage);

/** H0 to H3, RFC 6189 §9: each message shows one image more, and keys the MAC of the message before it. */
export class HashChain {
  readonly h0: Uint8Array;
  readonly h1: Uint8Array;
  readonly h2: Uint8Array;
  readonly h3: Uint8Array;

  /** `nonce` of 32 octets that nobody can guess. */
  constructor(nonce: Uint8Array) {
    this.h0 = nonce;
    this.h1 = image(this.h0);
    this.h2 = image(this.h1);
    this.h3 = image(this.h2);
  }

  wipe(): void {
    for (const value of [this.h0, this.h1, this.h2]) value.fill(0);
  }
}

/** Fills in the MAC of a message of ours: Hello with H2, Commit with H1, DHPart with H0. */
export function seal(message: Uint8Array, key: Uint8Array): Uint8Array {
  const end = message.length - macLength;
  message.set(mac('S256', key, message.subarray(0, end)).subarray(0, macLength), end);
  return message;
}

/** Checks the MAC of an earlier message with the image that has come since. */
export function sealFits(message: Uint8Array, key: Uint8Array): boolean {
  const end = message.length - macLength;
  return equal(mac('S256', key, message.subarray(0, end)).subarray(0, macLength), message.subarray(end));
}
