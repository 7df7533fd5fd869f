import { type DigestAlgorithm, digestHex } from './algorithm.ts';

/**
 * H(username:realm:password), all that a server has to keep of a password (RFC 7616 §3.4.2).
 *
 * It opens the account in this realm as the password does: keep it encrypted.
 */
export function ha1(
  algorithm: DigestAlgorithm,
  username: string,
  realm: string,
  password: string,
): Uint8Array {
  return Buffer.from(digestHex(algorithm, `${username}:${realm}:${password}`), 'hex');
}
