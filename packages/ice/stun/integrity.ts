import { createHmac, timingSafeEqual } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { readU32 } from '@ringfence/bytes/reader.ts';
import type { ReadStun } from './message.ts';

export type IntegrityHash = 'sha1' | 'sha256';
export const integrityLength = { sha1: 20, sha256: 32 } as const;

declare const verified: unique symbol;
/** A message whose integrity was checked: there is no other way to one than through this file. */
export type VerifiedStun = ReadStun & { readonly [verified]: true };

/**
 * HMAC over the message up to the attribute at `at`, with the length that ends behind that attribute (RFC 8489 §14.5).
 */
export function integrityOf(bytes: Uint8Array, at: number, hash: IntegrityHash, key: Uint8Array): Uint8Array {
  const length = at - 20 + 4 + integrityLength[hash];
  return createHmac(hash, key)
    .update(bytes.subarray(0, 2))
    .update(Uint8Array.of(length >>> 8, length & 0xff))
    .update(bytes.subarray(4, at))
    .digest();
}

/** CRC-32 of what stands before the attribute at `at`, mixed with "STUN", RFC 8489 §14.7. */
export const fingerprintOf = (bytes: Uint8Array, at: number): number =>
  (crc32(bytes.subarray(0, at)) ^ 0x5354_554e) >>> 0;

export const isFingerprint = (bytes: Uint8Array, at: number): boolean =>
  readU32(bytes, at + 4) === fingerprintOf(bytes, at);

/**
 * Checks MESSAGE-INTEGRITY and MESSAGE-INTEGRITY-SHA256 against the key; in constant time.
 *
 * One at least has to be there, and each that is there has to be right (RFC 8489 §9.1.3). The key of a short-term
 * credential is the password itself (§9.1.1).
 */
export function verifyIntegrity(message: ReadStun, key: Uint8Array): VerifiedStun | undefined {
  const { bytes, sha1At, sha256At } = message;
  if (sha1At === undefined && sha256At === undefined) return undefined;
  if (sha1At !== undefined && !fits(bytes, sha1At, 'sha1', key)) return undefined;
  if (sha256At !== undefined && !fits(bytes, sha256At, 'sha256', key)) return undefined;
  return message as VerifiedStun;
}

function fits(bytes: Uint8Array, at: number, hash: IntegrityHash, key: Uint8Array): boolean {
  const from = at + 4;
  return timingSafeEqual(
    bytes.subarray(from, from + integrityLength[hash]),
    integrityOf(bytes, at, hash, key),
  );
}

/** For a message that whoever handed it in has verified already, elsewhere in the same system. */
export const dangerouslyVerifiedBefore = (message: ReadStun): VerifiedStun => message as VerifiedStun;
