import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { Writer } from '@ringfence/bytes/writer.ts';
import { type ReportBlock, type RtcpPacket, rtcpType } from './rtcp.ts';

/**
 * Writes a compound RTCP packet, RFC 3550 §6.1, without padding.
 * @throws MisuseError `rtcp-encode` or `writer-range` where a field does not fit.
 */
export function encodeRtcp(packets: readonly RtcpPacket[]): Uint8Array {
  const writer = new Writer(128);
  for (const packet of packets) {
    const start = writer.length;
    const [packetType, count] = head(packet);
    if (count > 31) throw new MisuseError('rtcp-encode', 'a count has 5 bits');
    writer
      .u8(0x80 | count)
      .u8(packetType)
      .u16(0);
    writeBody(writer, packet);
    if ((writer.length - start) % 4 !== 0) throw new MisuseError('rtcp-encode', 'a packet has whole words');
    writer.u16At(start + 2, (writer.length - start) / 4 - 1);
  }
  return writer.finish();
}

function head(packet: RtcpPacket): readonly [packetType: number, count: number] {
  switch (packet.type) {
    case 'sender-report':
      return [rtcpType.senderReport, packet.reports.length];
    case 'receiver-report':
      return [rtcpType.receiverReport, packet.reports.length];
    case 'source-description':
      return [rtcpType.sourceDescription, packet.chunks.length];
    case 'bye':
      return [rtcpType.bye, packet.ssrcs.length];
    case 'application':
      return [rtcpType.application, packet.subtype];
    case 'other':
      return [packet.packetType, packet.count];
  }
}

function writeBody(writer: Writer, packet: RtcpPacket): void {
  switch (packet.type) {
    case 'sender-report':
      writer.u32(packet.ssrc).u64(packet.ntpTimestamp).u32(packet.rtpTimestamp);
      writer.u32(packet.packets).u32(packet.octets);
      writeReports(writer, packet.reports);
      writer.bytes(packet.extension);
      return;
    case 'receiver-report':
      writer.u32(packet.ssrc);
      writeReports(writer, packet.reports);
      writer.bytes(packet.extension);
      return;
    case 'source-description':
      for (const chunk of packet.chunks) {
        writer.u32(chunk.ssrc);
        for (const { type, text } of chunk.items) {
          if (type === 0) throw new MisuseError('rtcp-encode', 'item 0 ends the list');
          writer.u8(type).u8(text.length).bytes(text);
        }
        // At least one zero ends the list, then up to the next word.
        writer.zeros(4 - (writer.length % 4));
      }
      return;
    case 'bye':
      for (const ssrc of packet.ssrcs) writer.u32(ssrc);
      if (packet.reason !== undefined) {
        writer.u8(packet.reason.length).bytes(packet.reason);
        writer.zeros((4 - (writer.length % 4)) % 4);
      }
      return;
    case 'application':
      if (packet.name.length !== 4) throw new MisuseError('rtcp-encode', 'a name has four octets');
      writer.u32(packet.ssrc).bytes(packet.name).bytes(packet.data);
      return;
    case 'other':
      writer.bytes(packet.body);
  }
}

function writeReports(writer: Writer, reports: readonly ReportBlock[]): void {
  for (const report of reports)
    writer
      .u32(report.ssrc)
      .u8(report.fractionLost)
      .u24(report.cumulativeLost & 0xff_ffff)
      .u32(report.highestSequence)
      .u32(report.jitter)
      .u32(report.lastSenderReport)
      .u32(report.delaySinceLastSenderReport);
}
