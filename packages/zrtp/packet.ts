import { readU16, readU32, writeU16, writeU32 } from '@ringfence/bytes/reader.ts';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { packetChecksum } from './crc.ts';

/** `ZRTP`, the second word of each packet. */
export const magicCookie = 0x5a52_5450;
/** First half word of each message. */
export const preamble = 0x505a;

const headerLength = 12;
const checksumLength = 4;
/** A Confirm with the longest signature (511 words, RFC 6189 §5.7) is the longest message there is. */
const longestMessage = (19 + 511) * 4;
/** Octets; what is longer is not looked at. */
export const longestPacket = headerLength + longestMessage + checksumLength;
const shortestPacket = headerLength + 12 + checksumLength;

export interface Packet {
  readonly sequence: number;
  /** Source Identifier: the SSRC of the stream that the packet belongs to. */
  readonly ssrc: number;
  /** From its preamble to its end, a copy: hashes and MACs cover exactly this. */
  readonly message: Uint8Array;
}

export type PacketError = 'length' | 'not-zrtp' | 'checksum';

/** Whether a datagram bears the marks of ZRTP: first nibble 1 and the magic cookie, RFC 6189 §5. */
export const isZrtp = (datagram: Uint8Array): boolean =>
  datagram.length >= shortestPacket && datagram[0]! >> 4 === 1 && readU32(datagram, 4) === magicCookie;

/** Reads a packet, RFC 6189 §5. The 12 unused bits are not looked at, as it asks. */
export function decodePacket(datagram: Uint8Array): Result<Packet, PacketError> {
  if (datagram.length > longestPacket) return err('length');
  if (!isZrtp(datagram)) return err('not-zrtp');
  const end = datagram.length - checksumLength;
  const length = readU16(datagram, headerLength + 2) * 4;
  if (readU16(datagram, headerLength) !== preamble || headerLength + length !== end) return err('length');
  if (packetChecksum(datagram.subarray(0, end)) !== readU32(datagram, end)) return err('checksum');
  return ok({
    sequence: readU16(datagram, 2),
    ssrc: readU32(datagram, 8),
    message: new Uint8Array(datagram.subarray(headerLength, end)),
  });
}

/** Writes a packet around a message that is whole. */
export function encodePacket(packet: Packet): Uint8Array {
  const end = headerLength + packet.message.length;
  const datagram = new Uint8Array(end + checksumLength);
  datagram[0] = 0x10;
  writeU16(datagram, 2, packet.sequence);
  writeU32(datagram, 4, magicCookie);
  writeU32(datagram, 8, packet.ssrc);
  datagram.set(packet.message, headerLength);
  writeU32(datagram, end, packetChecksum(datagram.subarray(0, end)));
  return datagram;
}
