import { createCipheriv, createDecipheriv } from 'node:crypto';
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
 * The nonce is drawn anew for each (NIST SP 800-38D §8.2.2); a person's key seals far fewer than 2^32 parts.
 */
export function sealPart(
  key: Uint8Array,
  place: { readonly ledger: string; readonly sequence: number; readonly person: Uint8Array },
  nonce: Uint8Array,
  data: Uint8Array,
): SealedPart {
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(associated(place));
  const body = cipher.update(data);
  cipher.final();
  return { person: place.person, box: Buffer.concat([nonce, body, cipher.getAuthTag()]) };
}

export function openPart(
  key: Uint8Array,
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
}): Buffer =>
  Buffer.concat([Buffer.from(`ringfence ledger\0${place.ledger}\0${place.sequence}\0`), place.person]);

/** Person, length in 32 bits, box; one after the other. */
export function encodeParts(parts: readonly SealedPart[]): Uint8Array {
  if (parts.length === 0) return new Uint8Array(0);
  return Buffer.concat(
    parts.flatMap(({ person, box }) => {
      const length = Buffer.allocUnsafe(4);
      length.writeUInt32BE(box.length, 0);
      return [person, length, box];
    }),
  );
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
