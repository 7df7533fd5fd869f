import { createHmac, timingSafeEqual } from 'node:crypto';

/** Octets of a nonce: time in milliseconds (6), counter (4), authenticator (16). */
const plainLength = 10;
const macLength = 16;

export interface Nonce {
  /** When it was given out, in the clock of whoever runs the server. */
  readonly at: number;
}

function authenticator(key: Uint8Array, plain: Uint8Array, realm: string, source: string): Buffer {
  // The separator is a character that neither a realm nor an address can hold.
  return createHmac('sha256', key)
    .update(plain)
    .update(`${realm}\n${source}`)
    .digest()
    .subarray(0, macLength);
}

/** A nonce that says by itself when and for whom it was made; `counter` tells apart those of one millisecond. */
export function makeNonce(
  key: Uint8Array,
  realm: string,
  source: string,
  now: number,
  counter: number,
): string {
  const bytes = Buffer.alloc(plainLength + macLength);
  bytes.writeUIntBE(Math.floor(now), 0, 6);
  bytes.writeUInt32BE(counter >>> 0, 6);
  authenticator(key, bytes.subarray(0, plainLength), realm, source).copy(bytes, plainLength);
  return bytes.toString('base64url');
}

/** What the nonce says, undefined where we did not make it for this realm and source. */
export function openNonce(key: Uint8Array, realm: string, source: string, nonce: string): Nonce | undefined {
  if (nonce.length !== 35) return undefined;
  const bytes = Buffer.from(nonce, 'base64url');
  // The last character has spare bits: only the form that we wrote is ours.
  if (bytes.length !== plainLength + macLength || bytes.toString('base64url') !== nonce) return undefined;
  const expected = authenticator(key, bytes.subarray(0, plainLength), realm, source);
  if (!timingSafeEqual(expected, bytes.subarray(plainLength))) return undefined;
  return { at: bytes.readUIntBE(0, 6) };
}
