import { UnusableFile } from '../unusable-file.ts';
import type { Packet } from './packets.ts';

/** Octets before the IP header, by LINKTYPE; where the type of what follows stands, if it is told. */
const links: ReadonlyMap<number, { readonly head: number; readonly type: number | undefined }> = new Map([
  [1, { head: 14, type: 12 }], // Ethernet
  [0, { head: 4, type: undefined }], // loopback of BSD
  [108, { head: 4, type: undefined }],
  [12, { head: 0, type: undefined }], // raw IP, by three numbers
  [14, { head: 0, type: undefined }],
  [101, { head: 0, type: undefined }],
  [228, { head: 0, type: undefined }],
  [229, { head: 0, type: undefined }],
  [113, { head: 16, type: 14 }], // Linux, "any"
  [276, { head: 20, type: 0 }],
]);
const vlanTypes: ReadonlySet<number> = new Set([0x8100, 0x88a8, 0x9100]);
const ipTypes: ReadonlySet<number> = new Set([0x0800, 0x86dd]);
const mostTags = 3;

export interface Datagram {
  readonly payload: Buffer;
  /** The rest of it travelled in further packets. */
  readonly fragment: boolean;
}

/**
 * What a packet carries over UDP; undefined where it carries something else. Fragments but the first are passed over.
 *
 * @throws UnusableFile where nobody knows what captures of this kind of link look like
 */
export function datagramOf({ link, bytes, number }: Packet): Datagram | undefined {
  const known = links.get(link);
  if (known === undefined)
    throw new UnusableFile(`packet ${number} is of a link of type ${link}, which is not known`);
  let at = known.head;
  if (known.type !== undefined) {
    if (bytes.length < at) return undefined;
    let type = bytes.readUInt16BE(known.type);
    for (let tags = 0; vlanTypes.has(type) && tags < mostTags && bytes.length >= at + 4; tags += 1) {
      type = bytes.readUInt16BE(at + 2);
      at += 4;
    }
    if (!ipTypes.has(type)) return undefined;
  }
  const version = (bytes[at] ?? 0) >> 4;
  if (version === 4) return over4(bytes.subarray(at));
  return version === 6 ? over6(bytes.subarray(at)) : undefined;
}

/** RFC 791 §3.1. */
function over4(packet: Buffer): Datagram | undefined {
  if (packet.length < 20 || packet[9] !== 17) return undefined;
  const fragment = packet.readUInt16BE(6);
  if ((fragment & 0x1fff) !== 0) return undefined;
  // What stands behind the packet is padding of the link.
  const end = Math.min(packet.length, Math.max(20, packet.readUInt16BE(2)));
  return overUdp(packet.subarray((packet[0]! & 15) * 4, end), (fragment & 0x2000) !== 0);
}

/** RFC 8200 §4; extension headers but that of fragments are for others than phones. */
function over6(packet: Buffer): Datagram | undefined {
  if (packet.length < 48) return undefined;
  const end = Math.min(packet.length, 40 + packet.readUInt16BE(4));
  if (packet[6] === 17) return overUdp(packet.subarray(40, end), false);
  if (packet[6] !== 44 || packet[40] !== 17) return undefined;
  const fragment = packet.readUInt16BE(42);
  return fragment >> 3 === 0 ? overUdp(packet.subarray(48, end), (fragment & 1) !== 0) : undefined;
}

/** RFC 768. */
const overUdp = (datagram: Buffer, fragment: boolean): Datagram | undefined =>
  datagram.length < 8
    ? undefined
    : { payload: datagram.subarray(8, Math.max(8, datagram.readUInt16BE(4))), fragment };
