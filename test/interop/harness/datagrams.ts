/** UDP datagrams over IPv4 out of a capture in pcap's classic format (`dumpcap -P`) of an Ethernet-like interface. */
import { readFileSync } from 'node:fs';

export interface Datagram {
  /** Unix ms. */
  readonly time: number;
  /** `address:port` */
  readonly from: string;
  readonly to: string;
  readonly text: string;
}

const FILE_HEADER = 24;
const PACKET_HEADER = 16;
const ETHERNET = 14;
const IPV4 = 0x0800;
const UDP = 17;

export function readDatagrams(file: string): Datagram[] {
  const bytes = readFileSync(file);
  const magic = bytes.readUInt32LE(0);
  // Microseconds or nanoseconds, as written by this machine.
  const perMs = magic === 0xa1b2c3d4 ? 1e3 : magic === 0xa1b23c4d ? 1e6 : undefined;
  if (perMs === undefined) throw new Error(`${file} is no capture in pcap's format`);
  const found: Datagram[] = [];
  for (let at = FILE_HEADER; at + PACKET_HEADER <= bytes.length; ) {
    const time = bytes.readUInt32LE(at) * 1_000 + bytes.readUInt32LE(at + 4) / perMs;
    const length = bytes.readUInt32LE(at + 8);
    const frame = bytes.subarray(at + PACKET_HEADER, at + PACKET_HEADER + length);
    at += PACKET_HEADER + length;
    if (frame.length < ETHERNET + 28 || frame.readUInt16BE(12) !== IPV4) continue;
    const packet = frame.subarray(ETHERNET);
    const header = (packet[0]! & 15) * 4;
    // Later fragments have no ports.
    if (packet[9] !== UDP || (packet.readUInt16BE(6) & 0x1fff) !== 0) continue;
    const address = (offset: number): string => packet.subarray(offset, offset + 4).join('.');
    found.push({
      time,
      from: `${address(12)}:${packet.readUInt16BE(header)}`,
      to: `${address(16)}:${packet.readUInt16BE(header + 2)}`,
      text: packet.toString('latin1', header + 8, header + packet.readUInt16BE(header + 4)),
    });
  }
  return found;
}
