import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { Reader } from '@ringfence/bytes/reader.ts';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { Writer } from '@ringfence/bytes/writer.ts';

/**
 * An RTP packet, RFC 3550 §5.1.
 *
 * ```
 *  0                   1                   2                   3
 *  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 * |V=2|P|X|  CC   |M|     PT      |       sequence number         |
 * |                           timestamp                           |
 * |                             SSRC                              |
 * |                        CSRC, 0 to 15                          |
 * |      defined by profile       |      length in 32 bits        |
 * ```
 */
export interface RtpPacket {
  readonly marker: boolean;
  /** 0 to 127. */
  readonly payloadType: number;
  readonly sequence: number;
  /** In units of the codec's clock. */
  readonly timestamp: number;
  readonly ssrc: number;
  readonly csrcs: readonly number[];
  readonly extension?: HeaderExtension;
  /** Without padding; a view of the packet that was parsed. */
  readonly payload: Uint8Array;
  /** Octets of padding, 0 to 255, the count itself among them. */
  readonly padding: number;
}

/** RFC 3550 §5.3.1. */
export interface HeaderExtension {
  /** 0xBEDE for one-octet elements, 0x1000 to 0x100F for two-octet ones (RFC 8285 §4), or a profile's own. */
  readonly profile: number;
  /** A multiple of four octets. */
  readonly data: Uint8Array;
}

export type RtpErrorCode =
  /** Fewer octets than the header has. */
  | 'short'
  /** Version other than 2. */
  | 'version'
  /** More CSRCs than octets. */
  | 'csrc'
  /** An extension longer than the packet. */
  | 'extension'
  /** Padding of 0 octets, or of more than there are. */
  | 'padding';

/** Reads an RTP packet, whatever the bytes; copies nothing. */
export function parseRtp(bytes: Uint8Array): Result<RtpPacket, RtpErrorCode> {
  if (bytes.length < 12) return err('short');
  const reader = new Reader(bytes);
  const first = reader.u8()!;
  if (first >>> 6 !== 2) return err('version');
  const second = reader.u8()!;
  const sequence = reader.u16()!;
  const timestamp = reader.u32()!;
  const ssrc = reader.u32()!;
  const csrcs: number[] = [];
  for (let i = 0; i < (first & 0x0f); i += 1) {
    const csrc = reader.u32();
    if (csrc === undefined) return err('csrc');
    csrcs.push(csrc);
  }
  let extension: HeaderExtension | undefined;
  if ((first & 0x10) !== 0) {
    const profile = reader.u16();
    const words = reader.u16();
    const data = words === undefined ? undefined : reader.bytes(words * 4);
    if (profile === undefined || data === undefined) return err('extension');
    extension = { profile, data };
  }
  let padding = 0;
  if ((first & 0x20) !== 0) {
    padding = reader.left === 0 ? 0 : bytes[bytes.length - 1]!;
    if (padding === 0 || padding > reader.left) return err('padding');
  }
  const packet = {
    marker: (second & 0x80) !== 0,
    payloadType: second & 0x7f,
    sequence,
    timestamp,
    ssrc,
    csrcs,
    payload: reader.bytes(reader.left - padding)!,
    padding,
  };
  return ok(extension === undefined ? packet : { ...packet, extension });
}

/**
 * Writes an RTP packet.
 * @throws MisuseError `rtp-encode` or `writer-range` where a field does not fit.
 */
export function encodeRtp(packet: RtpPacket): Uint8Array {
  const { csrcs, extension, payload, padding } = packet;
  if (csrcs.length > 15) throw new MisuseError('rtp-encode', 'more than 15 CSRCs');
  if (packet.payloadType > 127) throw new MisuseError('rtp-encode', 'a payload type has 7 bits');
  if (padding < 0 || padding > 255) throw new MisuseError('rtp-encode', 'padding is 0 to 255 octets');
  const flags = (padding > 0 ? 0x20 : 0) | (extension === undefined ? 0 : 0x10);
  const writer = new Writer(12 + payload.length + padding)
    .u8(0x80 | flags | csrcs.length)
    .u8((packet.marker ? 0x80 : 0) | packet.payloadType)
    .u16(packet.sequence)
    .u32(packet.timestamp)
    .u32(packet.ssrc);
  for (const csrc of csrcs) writer.u32(csrc);
  if (extension !== undefined) {
    if (extension.data.length % 4 !== 0) throw new MisuseError('rtp-encode', 'an extension has whole words');
    writer
      .u16(extension.profile)
      .u16(extension.data.length / 4)
      .bytes(extension.data);
  }
  writer.bytes(payload);
  if (padding > 0) writer.zeros(padding - 1).u8(padding);
  return writer.finish();
}
