import { createPublicKey, verify } from 'node:crypto';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import type { PatchSet } from './schema.ts';

/** Text of a set of patches, and the signature over its octets. */
export interface SignedText {
  readonly text: Uint8Array;
  /** Ed25519 (RFC 8032), base64. */
  readonly signature: string;
}

const longestText = 2 * 1024 * 1024;

/**
 * The set, where one of the keys has signed exactly these octets; nothing of it is read before that.
 *
 * @param keys PEM, SubjectPublicKeyInfo
 */
export function openPatchSet(
  { text, signature }: SignedText,
  keys: readonly string[],
): Result<PatchSet, string> {
  if (text.length > longestText) return err(`is larger than ${longestText} octets`);
  const own = Buffer.from(signature.trim(), 'base64');
  if (own.length !== 64) return err('has no Ed25519 signature beside it');
  const signed = keys.some((key) => {
    const opened = createPublicKey(key);
    return opened.asymmetricKeyType === 'ed25519' && verify(null, text, opened, own);
  });
  if (!signed) return err('is not signed by a key that is known here');
  return ok(JSON.parse(Buffer.from(text).toString('utf8')) as PatchSet);
}
