import { hash } from 'node:crypto';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';

/** What an entry is about; `ledger` are the ledger's own acts: retention, erasure, holds, gaps. The order is stable. */
export const entryClasses = [
  'ledger',
  'call',
  'login',
  'administration',
  'decision',
  'configuration',
  'security',
] as const;
export type EntryClass = (typeof entryClasses)[number];

/**
 * The part of an entry that stays for ever, also when retention has taken its content.
 *
 * Version, class, sequence and time in 48 bits each, tenant, hash of the entry before, hash of the content.
 */
export interface EntryHeader {
  /** Counted from 0; also the index of its leaf in the tree. */
  readonly sequence: number;
  /** Unix milliseconds. */
  readonly time: number;
  readonly class: EntryClass;
  /** Lower case; empty for what concerns the node as a whole. At most 255 octets. */
  readonly tenant: string;
  /** Leaf hash of the entry before; zeros for the first. */
  readonly previous: Uint8Array;
  /** `contentHash` of body and sealed parts. */
  readonly content: Uint8Array;
}

export const hashLength = 32;
const formatVersion = 1;
const fixedLength = 15 + 2 * hashLength;
const decoder = new TextDecoder('utf-8', { fatal: true });

/** The hash as a text of one-octet characters; to compare it as such makes no further object. */
export const sha256Text = (bytes: Uint8Array): string => hash('sha256', bytes, 'binary');

/** By way of a text of one-octet characters: Node's own buffer around every hash costs more than the hash. */
export function sha256(bytes: Uint8Array): Uint8Array {
  const made = Buffer.allocUnsafe(hashLength);
  made.write(sha256Text(bytes), 'binary');
  return made;
}

/** What stands before the first entry. */
export const beforeFirst: Uint8Array = new Uint8Array(hashLength);

export const encodeHeader = (header: EntryHeader): Uint8Array => encodeLeaf(header).subarray(1);

/** The header with the 0x00 before it that the hash of a leaf is over (RFC 9162 §2.1.1). */
export function encodeLeaf(header: EntryHeader): Uint8Array {
  const length = Buffer.byteLength(header.tenant, 'utf8');
  if (length > 255) throw new MisuseError('ledger-tenant', 'a tenant has at most 255 octets');
  const bytes = Buffer.allocUnsafe(1 + fixedLength + length);
  bytes[0] = 0;
  bytes[1] = formatVersion;
  bytes[2] = entryClasses.indexOf(header.class);
  bytes.writeUIntBE(header.sequence, 3, 6);
  bytes.writeUIntBE(header.time, 9, 6);
  bytes[15] = length;
  bytes.write(header.tenant, 16, 'utf8');
  bytes.set(header.previous, 16 + length);
  bytes.set(header.content, 16 + length + hashLength);
  return bytes;
}

/** Takes nothing but what `encodeHeader` writes, to the octet. */
export function decodeHeader(bytes: Uint8Array): Result<EntryHeader> {
  if (bytes.length < fixedLength || bytes[0] !== formatVersion) return err('no header of an entry');
  const length = bytes[14] ?? 0;
  if (bytes.length !== fixedLength + length) return err('a header of the wrong length');
  const entryClass = entryClasses[bytes[1] ?? 255];
  if (entryClass === undefined) return err('a class that there is not');
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let tenant = '';
  try {
    if (length > 0) tenant = decoder.decode(bytes.subarray(15, 15 + length));
  } catch {
    return err('a tenant that is no text');
  }
  return ok({
    sequence: view.readUIntBE(2, 6),
    time: view.readUIntBE(8, 6),
    class: entryClass,
    tenant,
    previous: bytes.subarray(15 + length, 15 + length + hashLength),
    content: bytes.subarray(15 + length + hashLength),
  });
}

/**
 * Whether a header with this number stands there that `decodeHeader` would take and whose tenant is ASCII. Makes no
 * objects: whoever verifies millions asks this first.
 */
export function isPlainHeader(bytes: Buffer, begin: number, end: number, sequence: number): boolean {
  if (end - begin < fixedLength || bytes[begin] !== formatVersion) return false;
  const length = bytes[begin + 14] as number;
  if (end - begin !== fixedLength + length || (bytes[begin + 1] as number) >= entryClasses.length)
    return false;
  if (bytes.readUInt16BE(begin + 2) * 2 ** 32 + bytes.readUInt32BE(begin + 4) !== sequence) return false;
  for (let i = begin + 15; i < begin + 15 + length; i++) if ((bytes[i] as number) >= 0x80) return false;
  return true;
}

/** SHA-256 over the length of the body (32 bits), the body, and the sealed parts. */
export function contentHash(body: Uint8Array, sealed: Uint8Array): Uint8Array {
  const length = 4 + body.length + sealed.length;
  const bytes = length <= joined.length ? joined.subarray(0, length) : Buffer.allocUnsafe(length);
  bytes.writeUInt32BE(body.length, 0);
  bytes.set(body, 4);
  bytes.set(sealed, 4 + body.length);
  return sha256(bytes);
}

/** Where the parts of one content are put side by side to be hashed. */
const joined = Buffer.alloc(16_384);
