import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { HashType } from './algorithm.ts';

export type { HashType } from './algorithm.ts';

const names: Readonly<Record<HashType, string>> = { S256: 'sha256', S384: 'sha384' };

/** The same octets as a plain array: `slice` of a Buffer would not copy, and secrets are overwritten. */
export const plain = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);

/** The negotiated hash, RFC 6189 §5.1.2.1. */
export function hash(type: HashType, ...parts: readonly Uint8Array[]): Uint8Array {
  const state = createHash(names[type]);
  for (const part of parts) state.update(part);
  return plain(state.digest());
}

/** The MAC that belongs to the hash. */
export function mac(type: HashType, key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const state = createHmac(names[type], key);
  for (const part of parts) state.update(part);
  return plain(state.digest());
}

/** In constant time; octets of different number are not equal. */
export const equal = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && timingSafeEqual(a, b);
