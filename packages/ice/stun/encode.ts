import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { Writer } from '@ringfence/bytes/writer.ts';
import { fingerprintOf, type IntegrityHash, integrityLength, integrityOf } from './integrity.ts';
import {
  headerLength,
  longestMessage,
  magicCookie,
  type StunMessage,
  stunClasses,
  attributeTypes as types,
} from './message.ts';
import { writeXorAddress } from './xor-address.ts';

export interface EncodeOptions {
  /** Adds integrity under this key. */
  readonly key?: Uint8Array;
  /** Default `sha1` (MESSAGE-INTEGRITY), which is what peers of ICE know, RFC 8445 §7.1.2. */
  readonly integrity?: IntegrityHash;
  /** Default true: ICE demands it, RFC 8445 §7.1.3. */
  readonly fingerprint?: boolean;
}

/**
 * Writes a message, RFC 8489 §5 and §14; attributes in one fixed order, padding of zeros.
 * @throws MisuseError `stun-encode` where a value does not fit its field.
 */
export function encodeStun(message: StunMessage, options: EncodeOptions = {}): Uint8Array {
  const { key, integrity = 'sha1', fingerprint = true } = options;
  const { method, transactionId } = message;
  if (transactionId.length !== 12 || !Number.isInteger(method) || method < 0 || method > 0xfff)
    throw new MisuseError('stun-encode', 'a transaction id has 12 octets, a method 12 bits');
  const kind = stunClasses.indexOf(message.class);
  const type =
    (method & 0x000f) |
    ((method & 0x0070) << 1) |
    ((method & 0x0f80) << 2) |
    ((kind & 2) << 7) |
    ((kind & 1) << 4);
  const writer = new Writer(160, longestMessage);
  writer.u16(type).u16(0).u32(magicCookie).bytes(transactionId);
  writeAttributes(writer, message);
  if (key !== undefined) {
    const at = writer.length;
    attribute(
      writer,
      integrity === 'sha1' ? types.messageIntegrity : types.messageIntegritySha256,
      integrityOf(writer.finish(), at, integrity, key).subarray(0, integrityLength[integrity]),
    );
  }
  const at = writer.length;
  writer.u16At(2, at - headerLength + (fingerprint ? 8 : 0));
  if (fingerprint) writer.u16(types.fingerprint).u16(4).u32(fingerprintOf(writer.finish(), at));
  return writer.finish();
}

function writeAttributes(writer: Writer, { attributes, transactionId }: StunMessage): void {
  const { username, priority, iceControlled, iceControlling, mapped, error, unknownAttributes } = attributes;
  if (username !== undefined) attribute(writer, types.username, utf8(username, 508));
  if (priority !== undefined) writer.u16(types.priority).u16(4).u32(priority);
  if (attributes.useCandidate === true) writer.u16(types.useCandidate).u16(0);
  if (iceControlled !== undefined) writer.u16(types.iceControlled).u16(8).u64(iceControlled);
  if (iceControlling !== undefined) writer.u16(types.iceControlling).u16(8).u64(iceControlling);
  if (mapped !== undefined) attribute(writer, types.xorMappedAddress, writeXorAddress(mapped, transactionId));
  if (error !== undefined) {
    if (!Number.isInteger(error.code) || error.code < 300 || error.code > 699)
      throw new MisuseError('stun-encode', 'an error code is 300 to 699');
    const value = new Writer(32)
      .u16(0)
      .u8(Math.trunc(error.code / 100))
      .u8(error.code % 100)
      .bytes(utf8(error.reason, 509));
    attribute(writer, types.errorCode, value.finish());
  }
  if (unknownAttributes !== undefined) {
    const value = new Writer(32);
    for (const type of unknownAttributes) value.u16(type);
    attribute(writer, types.unknownAttributes, value.finish());
  }
}

function attribute(writer: Writer, type: number, value: Uint8Array): void {
  writer
    .u16(type)
    .u16(value.length)
    .bytes(value)
    .zeros((4 - (value.length % 4)) % 4);
}

function utf8(value: string, most: number): Uint8Array {
  const octets = new TextEncoder().encode(value);
  if (octets.length > most)
    throw new MisuseError('stun-encode', 'a text is longer than its attribute may be');
  return octets;
}
