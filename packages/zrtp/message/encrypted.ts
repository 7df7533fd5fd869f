import { createCipheriv, createDecipheriv } from 'node:crypto';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { equal, type HashType, mac } from '../hash.ts';
import { beginMessage, bodyOf, frameLength } from './frame.ts';

/** Keys of one direction for what travels encrypted after the key agreement: mackey and zrtpkey, RFC 6189 §4.5.3. */
export interface MessageKeys {
  readonly hash: HashType;
  readonly mac: Uint8Array;
  readonly cipher: Uint8Array;
}

/** MAC and initialization vector stand before what is encrypted. */
const encryptedAt = frameLength + 8 + 16;

/** Confirm1, Confirm2 and SASrelay: MAC, vector, then CFB with whole blocks, RFC 6189 §5.7 and §5.13. */
export function encodeEncrypted(
  type: 'Confirm1' | 'Confirm2' | 'SASrelay',
  keys: MessageKeys,
  vector: Uint8Array,
  plain: Uint8Array,
): Uint8Array {
  const cipher = createCipheriv(`aes-${keys.cipher.length * 8}-cfb`, keys.cipher, vector);
  const encrypted = cipher.update(plain);
  return beginMessage(type, (encryptedAt + plain.length) / 4)
    .bytes(mac(keys.hash, keys.mac, encrypted).subarray(0, 8))
    .bytes(vector)
    .bytes(encrypted)
    .finish();
}

/** The MAC is checked before anything is decrypted; the plain octets are a copy, to be overwritten by the caller. */
export function decodeEncrypted(
  message: Uint8Array,
  keys: MessageKeys,
): Result<Uint8Array, 'malformed' | 'mac'> {
  const body = bodyOf(message);
  if (body === undefined || message.length < 19 * 4) return err('malformed');
  const sent = body.bytes(8)!;
  const vector = body.bytes(16)!;
  const encrypted = body.rest();
  if (!equal(mac(keys.hash, keys.mac, encrypted).subarray(0, 8), sent)) return err('mac');
  const cipher = createDecipheriv(`aes-${keys.cipher.length * 8}-cfb`, keys.cipher, vector);
  return ok(Uint8Array.from(cipher.update(encrypted)));
}
