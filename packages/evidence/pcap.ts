import { type Endpoint, udpPacket } from './ip-packet.ts';

/** A SIP message with where it went. */
export interface Captured {
  /** Unix milliseconds. */
  readonly time: number;
  readonly from: Endpoint;
  readonly to: Endpoint;
  /** How it travelled: `udp`, `tcp`, `tls`, `ws`, `wss`. */
  readonly transport: string;
  /** True: the edge has sent it. */
  readonly sent: boolean;
  readonly bytes: Uint8Array;
}

/** LINKTYPE_RAW of the list that tcpdump.org keeps: packets begin with an IP header, of version 4 or 6. */
const linkTypeRaw = 101;
const snapLength = 65_535;

/**
 * A capture file (libpcap 2.4, microseconds) that every analyser reads.
 *
 * Each message is one UDP datagram between the addresses that it went between, also where it travelled over TCP, TLS or
 * a WebSocket: what came in pieces or encrypted on the wire stands here as the edge has read it.
 */
export function writePcap(messages: readonly Captured[]): Uint8Array {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2_c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(snapLength, 16);
  head.writeUInt32LE(linkTypeRaw, 20);
  const chunks: Uint8Array[] = [head];
  for (const { time, from, to, bytes } of messages) {
    const packet = udpPacket(from, to, bytes);
    const record = Buffer.alloc(16);
    const microseconds = Math.max(0, Math.round(time * 1000));
    record.writeUInt32LE(Math.floor(microseconds / 1_000_000) % 0x1_0000_0000, 0);
    record.writeUInt32LE(microseconds % 1_000_000, 4);
    record.writeUInt32LE(packet.length, 8);
    record.writeUInt32LE(packet.length, 12);
    chunks.push(record, packet);
  }
  return Buffer.concat(chunks);
}
