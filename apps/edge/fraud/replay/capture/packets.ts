import { UnusableFile } from '../unusable-file.ts';
import { Octets } from './octets.ts';

export interface Packet {
  /** From 1, as analysers number them. */
  readonly number: number;
  /** Unix milliseconds. */
  readonly at: number;
  /** LINKTYPE of the list that tcpdump.org keeps. */
  readonly link: number;
  readonly bytes: Buffer;
}

export interface PacketOptions {
  problem(packet: number, problem: string): void;
  progress?(read: number, of: number): void;
}

/** More than any link carries; what says so is no capture. */
const mostBytes = 512 * 1024;
const mostInterfaces = 64;
const sectionType = 0x0a0d_0d0a;
const cutOff = 'the file ends in the middle of it';

/** Which captures can be read, by their first four octets. */
export const isCapture = (first: Buffer): boolean =>
  first.length >= 4 && (first.readUInt32BE(0) === sectionType || classicOf(first) !== undefined);

/** libpcap 2.4, of either byte order, in micro- or nanoseconds. */
function classicOf(first: Buffer): { little: boolean; perSecond: number } | undefined {
  for (const little of [true, false])
    for (const [magic, perSecond] of [
      [0xa1b2_c3d4, 1_000_000],
      [0xa1b2_3c4d, 1_000_000_000],
    ] as const)
      if ((little ? first.readUInt32LE(0) : first.readUInt32BE(0)) === magic) return { little, perSecond };
  return undefined;
}

/**
 * Packets of a capture, pcap or pcapng (draft-ietf-opsawg-pcap, draft-ietf-opsawg-pcapng), in memory of one packet.
 * What is wrong with one is told by its number.
 *
 * @throws UnusableFile where nothing more can be read
 */
export async function* packetsOf(file: string, options: PacketOptions): AsyncGenerator<Packet> {
  const octets = await Octets.of(file, options.progress);
  try {
    const first = Buffer.from(await octets.take(4));
    const classic = first.length < 4 ? undefined : classicOf(first);
    if (classic === undefined) yield* blocksOf(octets, options);
    else yield* recordsOf(octets, classic, options);
  } finally {
    await octets.close();
  }
}

async function* recordsOf(
  octets: Octets,
  { little, perSecond }: { little: boolean; perSecond: number },
  { problem }: PacketOptions,
): AsyncGenerator<Packet> {
  const u32 = (bytes: Buffer, at: number): number =>
    little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
  const head = await octets.take(20);
  if (head.length < 20) throw new UnusableFile('the file ends in its header');
  // The upper bits say how long frame check sequences are.
  const link = u32(head, 16) & 0xffff;
  for (let number = 1; ; number += 1) {
    const record = await octets.take(16);
    if (record.length === 0) return;
    if (record.length < 16) return problem(number, cutOff);
    const at = Math.floor(u32(record, 0) * 1_000 + (u32(record, 4) / perSecond) * 1_000);
    const size = u32(record, 8);
    if (size > mostBytes)
      throw new UnusableFile(`packet ${number} claims ${size} octets; no link carries that`);
    const bytes = await octets.take(size);
    if (bytes.length < size) return problem(number, cutOff);
    yield { number, at, link, bytes };
  }
}

interface Interface {
  readonly link: number;
  readonly perSecond: number;
}

/** After the type of the first block. */
async function* blocksOf(octets: Octets, { problem }: PacketOptions): AsyncGenerator<Packet> {
  let little = true;
  let interfaces: Interface[] = [];
  let number = 0;
  let type = sectionType;
  for (let isFirst = true; ; isFirst = false) {
    if (!isFirst) {
      const head = await octets.take(4);
      if (head.length === 0) return;
      if (head.length < 4) return problem(number + 1, cutOff);
      type = head.readUInt32BE(0) === sectionType || !little ? head.readUInt32BE(0) : head.readUInt32LE(0);
    }
    let lengthOctets = Buffer.from(await octets.take(4));
    let read = 8;
    if (type === sectionType) {
      const order = await octets.take(4);
      read = 12;
      if (order.length < 4) throw new UnusableFile('the file ends in its header');
      little = order.readUInt32LE(0) === 0x1a2b_3c4d;
      if (!little && order.readUInt32BE(0) !== 0x1a2b_3c4d)
        throw new UnusableFile(`behind packet ${number} a section begins whose byte order is none`);
      interfaces = [];
    }
    if (lengthOctets.length < 4) return problem(number + 1, cutOff);
    const length = little ? lengthOctets.readUInt32LE(0) : lengthOctets.readUInt32BE(0);
    lengthOctets = Buffer.alloc(0);
    if (length < read + 4 || length % 4 !== 0 || length > mostBytes)
      throw new UnusableFile(`behind packet ${number} a block claims ${length} octets, which cannot be`);
    const body = await octets.take(length - read);
    const isPacket = type === 6 || type === 3;
    if (isPacket) number += 1;
    if (body.length < length - read) return problem(isPacket ? number : number + 1, cutOff);
    if (type === 1) {
      const described = interfaceOf(body, little);
      if (described === undefined || interfaces.length >= mostInterfaces)
        throw new UnusableFile(`behind packet ${number} an interface is described that cannot be read`);
      interfaces.push(described);
    } else if (type === 3) problem(number, 'says no time');
    else if (type === 6) {
      const packet = enhanced(body, little, interfaces, number);
      if (typeof packet === 'string') problem(number, packet);
      else yield packet;
    }
  }
}

function interfaceOf(body: Buffer, little: boolean): Interface | undefined {
  if (body.length < 12) return undefined;
  const u16 = (at: number): number => (little ? body.readUInt16LE(at) : body.readUInt16BE(at));
  let perSecond = 1_000_000;
  // Options: code, length, value to 32 bits; the block's length stands behind them.
  for (let at = 8; at + 4 <= body.length - 4; ) {
    const code = u16(at);
    const size = u16(at + 2);
    if (code === 0) break;
    if (code === 9 && size === 1) {
      const resolution = body[at + 4]!;
      perSecond = (resolution & 0x80) === 0 ? 10 ** resolution : 2 ** (resolution & 0x7f);
    }
    at += 4 + size + ((4 - (size % 4)) % 4);
  }
  return { link: u16(0), perSecond };
}

function enhanced(
  body: Buffer,
  little: boolean,
  interfaces: readonly Interface[],
  number: number,
): Packet | string {
  if (body.length < 24) return 'its block is too short';
  const u32 = (at: number): number => (little ? body.readUInt32LE(at) : body.readUInt32BE(at));
  const from = interfaces[u32(0)];
  if (from === undefined) return 'is of an interface that is not described';
  const size = u32(12);
  if (size > body.length - 24) return 'is longer than its block';
  const ticks = u32(4) * 0x1_0000_0000 + u32(8);
  return {
    number,
    at: Math.floor((ticks / from.perSecond) * 1_000),
    link: from.link,
    bytes: body.subarray(20, 20 + size),
  };
}
