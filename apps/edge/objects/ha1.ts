import { createHash } from 'node:crypto';
import type { DigestAlgorithm } from './types.ts';

const openssl: Readonly<Record<DigestAlgorithm, string>> = {
  'SHA-512-256': 'sha512-256',
  'SHA-256': 'sha256',
  MD5: 'md5',
};

/** Algorithms that a password is kept for; MD5 only where the device or trunk asks for it. */
export const algorithmsFor = (allowMd5: boolean): readonly DigestAlgorithm[] =>
  allowMd5 ? ['SHA-512-256', 'SHA-256', 'MD5'] : ['SHA-512-256', 'SHA-256'];

/**
 * H(username ":" realm ":" password), RFC 7616 §3.4.2, as lower-case hexadecimal text in ASCII bytes.
 *
 * That text, not the hash's bytes, is what goes into the response's hash, so nothing is converted per request.
 */
export function computeHa1(
  algorithm: DigestAlgorithm,
  username: string,
  realm: string,
  password: string,
): Uint8Array {
  const hex = createHash(openssl[algorithm]).update(`${username}:${realm}:${password}`, 'utf8').digest('hex');
  return Buffer.from(hex, 'latin1');
}
