import { Reader } from '@ringfence/bytes/reader.ts';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';

/** RTCP packet types, RFC 3550 §12.1, RFC 4585 §6.1, RFC 3611 §2. */
export const rtcpType = {
  senderReport: 200,
  receiverReport: 201,
  sourceDescription: 202,
  bye: 203,
  application: 204,
  transportFeedback: 205,
  payloadFeedback: 206,
  extendedReport: 207,
} as const;

/** RFC 3550 §6.4.1. */
export interface ReportBlock {
  readonly ssrc: number;
  /** Of 256. */
  readonly fractionLost: number;
  /** 24 bits, signed: duplicates make it negative. */
  readonly cumulativeLost: number;
  readonly highestSequence: number;
  /** In units of the codec's clock. */
  readonly jitter: number;
  /** Middle 32 bits of the NTP timestamp of the last sender report; 0 where none came. */
  readonly lastSenderReport: number;
  /** In 1/65,536 seconds. */
  readonly delaySinceLastSenderReport: number;
}

/** RFC 3550 §6.4.1. */
export interface SenderReport {
  readonly type: 'sender-report';
  readonly ssrc: number;
  /** 64 bits of NTP. */
  readonly ntpTimestamp: bigint;
  readonly rtpTimestamp: number;
  readonly packets: number;
  readonly octets: number;
  readonly reports: readonly ReportBlock[];
  readonly extension: Uint8Array;
}

/** RFC 3550 §6.4.2. */
export interface ReceiverReport {
  readonly type: 'receiver-report';
  readonly ssrc: number;
  readonly reports: readonly ReportBlock[];
  readonly extension: Uint8Array;
}

/** RFC 3550 §6.5; item 1 is CNAME. Texts stay bytes: they are the peer's. */
export interface SourceDescription {
  readonly type: 'source-description';
  readonly chunks: readonly {
    readonly ssrc: number;
    readonly items: readonly { readonly type: number; readonly text: Uint8Array }[];
  }[];
}

/** RFC 3550 §6.6. */
export interface Bye {
  readonly type: 'bye';
  readonly ssrcs: readonly number[];
  readonly reason?: Uint8Array;
}

/** RFC 3550 §6.7. */
export interface Application {
  readonly type: 'application';
  readonly subtype: number;
  readonly ssrc: number;
  /** Four octets. */
  readonly name: Uint8Array;
  readonly data: Uint8Array;
}

/** Any other type: kept as it came. */
export interface OtherRtcp {
  readonly type: 'other';
  readonly packetType: number;
  /** The five bits behind version and padding. */
  readonly count: number;
  readonly body: Uint8Array;
}

export type RtcpPacket = SenderReport | ReceiverReport | SourceDescription | Bye | Application | OtherRtcp;

export type RtcpErrorCode =
  /** Fewer octets than a header, or than the length field says. */
  | 'short'
  | 'version'
  /** A type outside 192 to 223, RFC 5761 §4. */
  | 'type'
  /** Padding in other than the last packet, of 0 octets, or of more than there are, RFC 3550 §6.4.1. */
  | 'padding'
  /** The first packet is no report, RFC 3550 §6.1. */
  | 'compound'
  /** The counts of a packet do not fit its length. */
  | 'body'
  /** More packets than the bound. */
  | 'limit';

export interface RtcpOptions {
  /** Takes packets that do not begin with a report, RFC 5506. Default false. */
  readonly reducedSize?: boolean;
  /** Default 16. */
  readonly packets?: number;
}

/** Reads a compound RTCP packet, RFC 3550 §6.1 and A.2: all of it or nothing. */
export function parseRtcp(bytes: Uint8Array, options: RtcpOptions = {}): Result<RtcpPacket[], RtcpErrorCode> {
  const reader = new Reader(bytes);
  const packets: RtcpPacket[] = [];
  const most = options.packets ?? 16;
  if (reader.left === 0) return err('short');
  while (reader.left > 0) {
    if (packets.length === most) return err('limit');
    const first = reader.u8()!;
    const packetType = reader.u8();
    const words = reader.u16();
    if (packetType === undefined || words === undefined) return err('short');
    if (first >>> 6 !== 2) return err('version');
    if (packetType < 192 || packetType > 223) return err('type');
    if (packets.length === 0 && options.reducedSize !== true) {
      if (packetType !== rtcpType.senderReport && packetType !== rtcpType.receiverReport)
        return err('compound');
    }
    let length = words * 4;
    if (length > reader.left) return err('short');
    if ((first & 0x20) !== 0) {
      const padding = bytes[reader.offset + length - 1]!;
      // Only the last packet of a compound is padded, in whole words.
      if (length === 0 || length !== reader.left || padding === 0 || padding % 4 !== 0 || padding > length)
        return err('padding');
      length -= padding;
    }
    const body = reader.section(length)!;
    const packet = parseBody(packetType, first & 0x1f, body);
    if (packet === undefined) return err('body');
    packets.push(packet);
    if ((first & 0x20) !== 0) break;
  }
  return ok(packets);
}

function parseBody(packetType: number, count: number, body: Reader): RtcpPacket | undefined {
  switch (packetType) {
    case rtcpType.senderReport:
      return senderReport(count, body);
    case rtcpType.receiverReport:
      return receiverReport(count, body);
    case rtcpType.sourceDescription:
      return sourceDescription(count, body);
    case rtcpType.bye:
      return bye(count, body);
    case rtcpType.application:
      return application(count, body);
    case rtcpType.transportFeedback:
    case rtcpType.payloadFeedback:
      // Sender and media SSRC come first, RFC 4585 §6.1.
      if (body.left < 8) return undefined;
  }
  return { type: 'other', packetType, count, body: body.rest() };
}

function senderReport(count: number, body: Reader): SenderReport | undefined {
  if (body.left < 24 + count * 24) return undefined;
  return {
    type: 'sender-report',
    ssrc: body.u32()!,
    ntpTimestamp: body.u64()!,
    rtpTimestamp: body.u32()!,
    packets: body.u32()!,
    octets: body.u32()!,
    reports: reportBlocks(count, body),
    extension: body.rest(),
  };
}

function receiverReport(count: number, body: Reader): ReceiverReport | undefined {
  if (body.left < 4 + count * 24) return undefined;
  return {
    type: 'receiver-report',
    ssrc: body.u32()!,
    reports: reportBlocks(count, body),
    extension: body.rest(),
  };
}

/** The caller has checked that they are all there. */
function reportBlocks(count: number, body: Reader): ReportBlock[] {
  const blocks: ReportBlock[] = [];
  for (let i = 0; i < count; i += 1)
    blocks.push({
      ssrc: body.u32()!,
      fractionLost: body.u8()!,
      cumulativeLost: (body.u24()! << 8) >> 8,
      highestSequence: body.u32()!,
      jitter: body.u32()!,
      lastSenderReport: body.u32()!,
      delaySinceLastSenderReport: body.u32()!,
    });
  return blocks;
}

function sourceDescription(count: number, body: Reader): SourceDescription | undefined {
  const chunks: { ssrc: number; items: { type: number; text: Uint8Array }[] }[] = [];
  for (let i = 0; i < count; i += 1) {
    const start = body.offset;
    const ssrc = body.u32();
    if (ssrc === undefined) return undefined;
    const items: { type: number; text: Uint8Array }[] = [];
    for (;;) {
      const type = body.u8();
      if (type === undefined) return undefined;
      if (type === 0) break;
      const length = body.u8();
      const text = length === undefined ? undefined : body.bytes(length);
      if (text === undefined) return undefined;
      items.push({ type, text });
    }
    // The list ends in zeros up to the next word.
    if (!body.skip((4 - ((body.offset - start) % 4)) % 4)) return undefined;
    chunks.push({ ssrc, items });
  }
  return { type: 'source-description', chunks };
}

function bye(count: number, body: Reader): Bye | undefined {
  const ssrcs: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const ssrc = body.u32();
    if (ssrc === undefined) return undefined;
    ssrcs.push(ssrc);
  }
  const length = body.u8();
  if (length === undefined) return { type: 'bye', ssrcs };
  const reason = body.bytes(length);
  return reason === undefined ? undefined : { type: 'bye', ssrcs, reason };
}

function application(subtype: number, body: Reader): Application | undefined {
  const ssrc = body.u32();
  const name = body.bytes(4);
  if (ssrc === undefined || name === undefined) return undefined;
  return { type: 'application', subtype, ssrc, name, data: body.rest() };
}
