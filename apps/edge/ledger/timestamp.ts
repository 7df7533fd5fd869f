import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { sha256 } from '@ringfence/ledger/entry.ts';
import { headText, type SignedHead } from '@ringfence/ledger/head.ts';

/** DER of the object identifier of SHA-256, 2.16.840.1.101.3.4.2.1. */
const sha256Oid = Buffer.from('0609608648016503040201', 'hex');

/** What is stamped: the hash of what the head's signature is over. */
export const imprintOf = (head: SignedHead): Uint8Array => sha256(Buffer.from(headText(head)));

/** TimeStampReq of RFC 3161 §2.4.1, with a nonce, and asking for the certificate of the authority. */
export function timestampRequest(head: SignedHead, nonce: Uint8Array): Uint8Array {
  const algorithm = der(0x30, sha256Oid, Buffer.from('0500', 'hex'));
  const imprint = der(0x30, algorithm, der(0x04, imprintOf(head)));
  // a positive INTEGER: its first bit is 0
  const number = der(0x02, Buffer.concat([Buffer.of(0x01), nonce]));
  return der(0x30, der(0x02, Buffer.of(1)), imprint, number, der(0x01, Buffer.of(0xff)));
}

/**
 * The token of a TimeStampResp (RFC 3161 §2.4.2) that was granted for this head and this nonce.
 *
 * Its signature is for `openssl ts -verify` and for courts; here it is made sure that it is an answer to our question.
 */
export function timestampToken(
  response: Uint8Array,
  head: SignedHead,
  nonce: Uint8Array,
): Result<Uint8Array> {
  const bytes = Buffer.from(response);
  const outer = read(bytes, 0);
  if (outer === undefined || outer.tag !== 0x30) return err('answers with no time stamp');
  const status = read(bytes, outer.begin);
  if (status === undefined || status.tag !== 0x30) return err('answers with no status');
  const granted = read(bytes, status.begin);
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

function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts);
  const { length } = content;
  const size =
    length < 0x80
      ? Buffer.of(length)
      : length < 0x100
        ? Buffer.of(0x81, length)
        : Buffer.of(0x82, length >> 8, length & 0xff);
  return Buffer.concat([Buffer.of(tag), size, content]);
}

/** One element in definite form; undefined where it does not fit. */
function read(bytes: Buffer, at: number): { tag: number; begin: number; end: number } | undefined {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined) return undefined;
  let begin = at + 2;
  let length = first;
  if (first >= 0x80) {
    const octets = first - 0x80;
    if (octets < 1 || octets > 4 || begin + octets > bytes.length) return undefined;
    length = bytes.readUIntBE(begin, octets);
    begin += octets;
  }
  return begin + length <= bytes.length ? { tag, begin, end: begin + length } : undefined;
}
