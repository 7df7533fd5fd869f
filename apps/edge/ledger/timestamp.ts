import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { sha256 } from '@ringfence/ledger/entry.ts';
import { headText, type SignedHead } from '@ringfence/ledger/head.ts';
import { readElement, writeElement } from './der.ts';

/** DER of the object identifier of SHA-256, 2.16.840.1.101.3.4.2.1. */
const sha256Oid = Buffer.from('0609608648016503040201', 'hex');

/** What is stamped: the hash of what the head's signature is over. */
export const imprintOf = (head: SignedHead): Uint8Array => sha256(Buffer.from(headText(head)));

/** TimeStampReq of RFC 3161 §2.4.1, with a nonce, and asking for the certificate of the authority. */
export function timestampRequest(head: SignedHead, nonce: Uint8Array): Uint8Array {
  const algorithm = writeElement(0x30, sha256Oid, Buffer.from('0500', 'hex'));
  const imprint = writeElement(0x30, algorithm, writeElement(0x04, imprintOf(head)));
  // a positive INTEGER: its first bit is 0
  const number = writeElement(0x02, Buffer.concat([Buffer.of(0x01), nonce]));
  return writeElement(
    0x30,
    writeElement(0x02, Buffer.of(1)),
    imprint,
    number,
    writeElement(0x01, Buffer.of(0xff)),
  );
}

/**
 * The token of a TimeStampResp (RFC 3161 §2.4.2) that was granted for this head and this nonce.
 *
 * Here it is made sure that it is an answer to our question; `checkStamp` verifies its signature.
 */
export function timestampToken(
  response: Uint8Array,
  head: SignedHead,
  nonce: Uint8Array,
): Result<Uint8Array> {
  const bytes = Buffer.from(response);
  const outer = readElement(bytes, 0);
  if (outer === undefined || outer.tag !== 0x30) return err('answers with no time stamp');
  const status = readElement(bytes, outer.begin);
  if (status === undefined || status.tag !== 0x30) return err('answers with no status');
  const granted = readElement(bytes, status.begin);
  if (granted === undefined || granted.tag !== 0x02) return err('answers with no status');
  const value = bytes.subarray(granted.begin, granted.end);
  // 0: granted, 1: granted with modifications
  if (value.length !== 1 || (value[0] ?? 2) > 1) return err(`refuses (status ${value.toString('hex')})`);
  const token = bytes.subarray(status.end, outer.end);
  if (token.length === 0) return err('grants, but sends no token');
  if (!token.includes(Buffer.from(imprintOf(head)))) return err('has stamped something else');
  if (!token.includes(Buffer.concat([Buffer.of(0x01), nonce]))) return err('has answered another question');
  return ok(token);
}
