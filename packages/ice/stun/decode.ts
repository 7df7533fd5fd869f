import { Reader, readU16, readU32 } from '@ringfence/bytes/reader.ts';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { integrityLength, isFingerprint } from './integrity.ts';
import {
  headerLength,
  longestMessage,
  magicCookie,
  type ReadStun,
  type StunAttributes,
  stunClasses,
  attributeTypes as types,
} from './message.ts';
import { readXorAddress } from './xor-address.ts';

export type StunErrorCode =
  /** Two bits, cookie or length are not those of STUN, RFC 8489 §5. */
  | 'not-stun'
  /** Longer than 1,500 octets, or more than 32 attributes. */
  | 'limit'
  /** An attribute that runs over the end, or whose length is not that of its type. */
  | 'malformed'
  /** Its FINGERPRINT is not that of its octets, §14.7. */
  | 'fingerprint';

const mostAttributes = 32;
const mostUnknown = 16;

/** Attributes of RFC 8489 that need no answer of 420, but say nothing to ICE: MAPPED-ADDRESS, REALM, NONCE ... */
const understood: ReadonlySet<number> = new Set([0x0001, 0x0014, 0x0015, 0x001d, 0x001e]);

/** Made once: a hostile datagram costs no allocation. */
const errors = {
  'not-stun': err<StunErrorCode>('not-stun'),
  limit: err<StunErrorCode>('limit'),
  malformed: err<StunErrorCode>('malformed'),
  fingerprint: err<StunErrorCode>('fingerprint'),
};

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/**
 * Reads a message, RFC 8489 §5 and §14. Linear in its length; never throws.
 *
 * FINGERPRINT is checked here; integrity is not, because it needs a key: see `verifyIntegrity`. What follows an
 * integrity attribute and is not covered by it is left out (§14.5).
 */
export function decodeStun(bytes: Uint8Array): Result<ReadStun, StunErrorCode> {
  if (bytes.length < headerLength || bytes[0]! > 0x3f) return errors['not-stun'];
  if (bytes.length > longestMessage) return errors.limit;
  const type = readU16(bytes, 0);
  const length = readU16(bytes, 2);
  if (length !== bytes.length - headerLength || length % 4 !== 0 || readU32(bytes, 4) !== magicCookie)
    return errors['not-stun'];
  const transactionId = bytes.subarray(8, headerLength);
  const attributes: Mutable<StunAttributes> = {};
  const unknown: number[] = [];
  let sha1At: number | undefined;
  let sha256At: number | undefined;
  const reader = new Reader(bytes, headerLength);
  for (let count = 0; reader.left > 0; count += 1) {
    if (count === mostAttributes) return errors.limit;
    const at = reader.offset;
    const kind = reader.u16()!;
    const size = reader.u16()!;
    const value = reader.bytes(size);
    if (value === undefined || !reader.skip((4 - (size % 4)) % 4)) return errors.malformed;
    if (kind === types.fingerprint) {
      // The last one, §14.7.
      if (size !== 4 || reader.left > 0) return errors.malformed;
      if (!isFingerprint(bytes, at)) return errors.fingerprint;
      return ok(made(true));
    }
    if (kind === types.messageIntegritySha256) {
      // Truncation (§14.6) is for usages that ask for it; ICE does not.
      if (size !== integrityLength.sha256) return errors.malformed;
      sha256At ??= at;
    } else if (sha256At !== undefined) {
      // Behind it nothing but FINGERPRINT counts, §14.6.
    } else if (kind === types.messageIntegrity) {
      if (size !== integrityLength.sha1) return errors.malformed;
      sha1At ??= at;
    } else if (sha1At === undefined) {
      const read = readAttribute(attributes, kind, value, transactionId);
      if (read === 'malformed') return errors.malformed;
      if (read === 'unknown' && kind < 0x8000 && unknown.length < mostUnknown) unknown.push(kind);
    }
  }
  return ok(made(false));

  function made(fingerprint: boolean): ReadStun {
    return {
      // The class is two bits apart within the type, the method the other twelve, figure 3.
      class: stunClasses[((type >>> 7) & 2) | ((type >>> 4) & 1)]!,
      method: (type & 0x000f) | ((type >>> 1) & 0x0070) | ((type >>> 2) & 0x0f80),
      transactionId,
      attributes,
      bytes,
      unknown,
      sha1At,
      sha256At,
      fingerprint,
    };
  }
}

function readAttribute(
  into: Mutable<StunAttributes>,
  kind: number,
  value: Uint8Array,
  transactionId: Uint8Array,
): 'read' | 'unknown' | 'malformed' {
  switch (kind) {
    case types.username:
      if (value.length > 508) return 'malformed';
      into.username ??= text(value);
      return 'read';
    case types.priority: {
      if (value.length !== 4) return 'malformed';
      const priority = readU32(value, 0);
      if (priority === 0) return 'malformed';
      into.priority ??= priority;
      return 'read';
    }
    case types.useCandidate:
      if (value.length !== 0) return 'malformed';
      into.useCandidate = true;
      return 'read';
    case types.iceControlling:
      if (value.length !== 8) return 'malformed';
      into.iceControlling ??= new Reader(value).u64()!;
      return 'read';
    case types.iceControlled:
      if (value.length !== 8) return 'malformed';
      into.iceControlled ??= new Reader(value).u64()!;
      return 'read';
    case types.xorMappedAddress: {
      const mapped = readXorAddress(value, transactionId);
      if (mapped === undefined) return 'malformed';
      into.mapped ??= mapped;
      return 'read';
    }
    case types.errorCode: {
      // Figure 7: 21 reserved bits, class, number, reason of at most 509 octets.
      if (value.length < 4 || value.length > 4 + 509) return 'malformed';
      const group = value[2]! & 7;
      const number = value[3]!;
      if (group < 3 || group > 6 || number > 99) return 'malformed';
      into.error ??= { code: group * 100 + number, reason: text(value.subarray(4)) };
      return 'read';
    }
    case types.unknownAttributes: {
      if (value.length % 2 !== 0) return 'malformed';
      const listed = Math.min(value.length / 2, mostUnknown);
      into.unknownAttributes ??= Array.from({ length: listed }, (_, i) => readU16(value, 2 * i));
      return 'read';
    }
  }
  return understood.has(kind) ? 'read' : 'unknown';
}

/** What is no UTF-8 reads as replacement characters, which no credential of ours has. */
const text = (value: Uint8Array): string =>
  Buffer.from(value.buffer, value.byteOffset, value.length).toString('utf8');
