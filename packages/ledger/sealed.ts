import { type CipherKey, createCipheriv, createDecipheriv } from 'node:crypto';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';

/** Octets that name a person's key; drawn at random, so that they say nothing once the key is gone. */
export const personLength = 16;
const nonceLength = 12;
const tagLength = 16;
const overhead = nonceLength + tagLength;

/** Data of one person in an entry, under that person's key. Without the key nobody can read it any more. */
export interface SealedPart {
  readonly person: Uint8Array;
  /** Nonce, ciphertext, tag. */
  readonly box: Uint8Array;
}

/**
 * AES-256-GCM, bound to ledger, entry and person, so that a part opens nowhere else.
 *
 * The nonce is drawn anew for each (NIST SP 800-38D §8.2.2); a person's key seals far fewer than 2^32 parts. A key as
 * `KeyObject` costs a quarter of one in octets, which Node wraps anew each time.
 */
export function sealPart(
  key: CipherKey,
  place: { readonly ledger: string; readonly sequence: number; readonly person: Uint8Array },
  nonce: Uint8Array,
  data: Uint8Array,
): SealedPart {
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(associated(place));
  const body = cipher.update(data);
  cipher.final();
  const box = Buffer.allocUnsafe(overhead + body.length);
  box.set(nonce, 0);
  box.set(body, nonceLength);
  box.set(cipher.getAuthTag(), nonceLength + body.length);
  return { person: place.person, box };
}

export function openPart(
  key: CipherKey,
  place: { readonly ledger: string; readonly sequence: number },
  part: SealedPart,
): Result<Uint8Array> {
  const { person, box } = part;
  if (box.length < overhead) return err('too short');
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, box.subarray(0, nonceLength), {
      authTagLength: tagLength,
    });
    decipher.setAAD(associated({ ...place, person }));
    decipher.setAuthTag(box.subarray(box.length - tagLength));
    const data = decipher.update(box.subarray(nonceLength, box.length - tagLength));
    return ok(Buffer.concat([data, decipher.final()]));
  } catch {
    return err('another key, or changed');
  }
}

const associated = (place: {
  readonly ledger: string;
  readonly sequence: number;
  readonly person: Uint8Array;
}): Uint8Array => {
  const name = `ringfence ledger\0${place.ledger}\0${place.sequence}\0`;
  const bytes = Buffer.allocUnsafe(name.length + place.person.length);
  bytes.write(name, 'latin1');
  bytes.set(place.person, name.length);
  return bytes;
};

/** Person, length in 32 bits, box; one after the other. */
export function encodeParts(parts: readonly SealedPart[]): Uint8Array {
  let length = 0;
  for (const { box } of parts) length += personLength + 4 + box.length;
  const bytes = Buffer.allocUnsafe(length);
  let at = 0;
  for (const { person, box } of parts) {
    bytes.set(person, at);
    bytes.writeUInt32BE(box.length, at + personLength);
    bytes.set(box, at + personLength + 4);
    at += personLength + 4 + box.length;
  }
  return bytes;
}

export function decodeParts(bytes: Uint8Array): Result<SealedPart[]> {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const parts: SealedPart[] = [];
  for (let at = 0; at < bytes.length; ) {
    const begin = at + personLength + 4;
    if (begin > bytes.length) return err('cut off');
    const end = begin + view.readUInt32BE(at + personLength);
    if (end > bytes.length) return err('cut off');
    parts.push({ person: bytes.subarray(at, at + personLength), box: bytes.subarray(begin, end) });
    at = end;
  }
  return ok(parts);
}
