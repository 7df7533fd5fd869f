import { isIPv6 } from 'node:net';

/** What a packet carries: HEP3 §4.1 of the specification, chunk 0x000b. */
export const hepType = { sip: 1, rtcpJson: 5, log: 100 } as const;

export interface HepPacket {
  readonly type: (typeof hepType)[keyof typeof hepType];
  readonly protocol: 'udp' | 'tcp';
  readonly source: { readonly address: string; readonly port: number };
  readonly destination: { readonly address: string; readonly port: number };
  /** Unix ms. */
  readonly time: number;
  readonly captureId: number;
  /** Chunk 0x000e. */
  readonly key?: Uint8Array;
  /** Joins what belongs to one dialog, chunk 0x0011. */
  readonly correlation?: string;
  readonly payload: Uint8Array;
}

const ip = { udp: 17, tcp: 6 } as const;
const most = 65_535;

/** One packet of HEP3 (EEP): `HEP3`, its length, and chunks of vendor, type, length and value. */
export function encodeHep(packet: HepPacket): Uint8Array {
  const { source, destination, time, key, correlation } = packet;
  const is6 = isIPv6(source.address) || isIPv6(destination.address);
  const chunks: Buffer[] = [];
  const put = (type: number, value: Uint8Array): void => {
    const head = Buffer.alloc(6);
    head.writeUInt16BE(type, 2);
    head.writeUInt16BE(6 + value.length, 4);
    chunks.push(head, Buffer.from(value));
  };
  const u8 = (type: number, value: number): void => put(type, Uint8Array.of(value));
  const u16 = (type: number, value: number): void => {
    const bytes = Buffer.alloc(2);
    bytes.writeUInt16BE(value);
    put(type, bytes);
  };
  const u32 = (type: number, value: number): void => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    put(type, bytes);
  };
  u8(0x01, is6 ? 10 : 2);
  u8(0x02, ip[packet.protocol]);
  put(is6 ? 0x05 : 0x03, addressBytes(source.address, is6));
  put(is6 ? 0x06 : 0x04, addressBytes(destination.address, is6));
  u16(0x07, source.port);
  u16(0x08, destination.port);
  u32(0x09, Math.floor(time / 1000));
  u32(0x0a, Math.floor((time % 1000) * 1000));
  u8(0x0b, packet.type);
  u32(0x0c, packet.captureId);
  if (key !== undefined) put(0x0e, key);
  if (correlation !== undefined && correlation !== '') put(0x11, Buffer.from(correlation.slice(0, 512)));
  const before = 6 + chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  put(0x0f, packet.payload.subarray(0, most - before - 6));
  const body = Buffer.concat(chunks);
  const head = Buffer.from('HEP3\0\0');
  head.writeUInt16BE(head.length + body.length, 4);
  return Buffer.concat([head, body]);
}

function addressBytes(address: string, is6: boolean): Uint8Array {
  const bare = address.split('%', 1)[0] ?? '';
  if (!bare.includes(':')) {
    const four = Buffer.from(bare.split('.').map(Number));
    return is6 ? Buffer.concat([Buffer.alloc(10), Buffer.from([255, 255]), four]) : four;
  }
  const out = Buffer.alloc(16);
  const dotted = bare.lastIndexOf('.') < 0 ? bare : tailInHexadecimal(bare);
  const [left = '', right] = dotted.split('::');
  const groups = (text: string): number[] =>
    text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16));
  const tail = groups(right ?? '');
  for (const [i, group] of groups(left).entries()) out.writeUInt16BE(group, 2 * i);
  for (const [i, group] of tail.entries()) out.writeUInt16BE(group, 16 - 2 * (tail.length - i));
  return out;
}

/** `::ffff:192.0.2.1` to `::ffff:c000:201`. */
function tailInHexadecimal(address: string): string {
  const at = address.lastIndexOf(':') + 1;
  const [a = 0, b = 0, c = 0, d = 0] = address.slice(at).split('.').map(Number);
  return `${address.slice(0, at)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}
