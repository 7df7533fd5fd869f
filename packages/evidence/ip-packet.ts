/** An IP address in text form, and a port. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

/** An IP packet carries no more; what is longer is cut. */
export const mostPayload = 65_535 - 40 - 8;

/** A datagram as it would have gone: IPv4 (RFC 791) or IPv6 (RFC 8200) header, UDP header (RFC 768), payload. */
export function udpPacket(from: Endpoint, to: Endpoint, given: Uint8Array): Uint8Array {
  const payload = given.subarray(0, mostPayload);
  const source = addressOctets(from.address);
  const destination = addressOctets(to.address);
  const is6 = source.length === 16 || destination.length === 16;
  const [src, dst] = is6 ? [widened(source), widened(destination)] : [source, destination];
  const udp = Buffer.alloc(8 + payload.length);
  udp.writeUInt16BE(port(from.port), 0);
  udp.writeUInt16BE(port(to.port), 2);
  udp.writeUInt16BE(udp.length, 4);
  udp.set(payload, 8);
  // The pseudo header counts with the addresses, the length and the protocol.
  const sum = checksum(udp, sumOf(src) + sumOf(dst) + udp.length + 17);
  udp.writeUInt16BE(sum === 0 ? 0xffff : sum, 6);
  if (is6) {
    const head = Buffer.alloc(40);
    head.writeUInt32BE(0x6000_0000, 0);
    head.writeUInt16BE(udp.length, 4);
    head[6] = 17;
    head[7] = 64;
    head.set(src, 8);
    head.set(dst, 24);
    return Buffer.concat([head, udp]);
  }
  const head = Buffer.alloc(20);
  head[0] = 0x45;
  head.writeUInt16BE(head.length + udp.length, 2);
  head[8] = 64;
  head[9] = 17;
  head.set(src, 12);
  head.set(dst, 16);
  head.writeUInt16BE(checksum(head, 0), 10);
  return Buffer.concat([head, udp]);
}

const port = (value: number): number =>
  Number.isInteger(value) && value >= 0 && value <= 65_535 ? value : 0;

/** RFC 1071. */
function checksum(bytes: Uint8Array, start: number): number {
  let sum = start + sumOf(bytes);
  while (sum > 0xffff) sum = (sum % 0x1_0000) + Math.floor(sum / 0x1_0000);
  return 0xffff - sum;
}

function sumOf(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) sum += bytes[i]! * 256 + (bytes[i + 1] ?? 0);
  return sum;
}

const widened = (octets: Uint8Array): Uint8Array =>
  octets.length === 16 ? octets : Buffer.concat([Buffer.alloc(10), Buffer.from([255, 255]), octets]);

/** Four or sixteen octets; of what is no address, zeros. */
export function addressOctets(text: string): Uint8Array {
  const [bare = ''] = text.split('%', 1);
  if (!bare.includes(':')) return quad(bare) ?? new Uint8Array(4);
  const dotted = bare.lastIndexOf(':') + 1;
  const tail = quad(bare.slice(dotted));
  const plain =
    tail === undefined
      ? bare
      : `${bare.slice(0, dotted)}${(tail[0]! * 256 + tail[1]!).toString(16)}:${(tail[2]! * 256 + tail[3]!).toString(16)}`;
  const halves = plain.split('::');
  if (halves.length > 2) return new Uint8Array(16);
  const groups = (half: string | undefined): number[] =>
    half === undefined || half === '' ? [] : half.split(':').map((one) => Number.parseInt(one, 16));
  const [left, right] = [groups(halves[0]), groups(halves[1])];
  const gap = 8 - left.length - right.length;
  if (halves.length === 2 ? gap < 1 : gap !== 0) return new Uint8Array(16);
  const out = Buffer.alloc(16);
  const all = [...left, ...Array<number>(gap).fill(0), ...right];
  for (const [i, group] of all.entries()) out.writeUInt16BE(group >= 0 && group <= 0xffff ? group : 0, 2 * i);
  return out;
}

function quad(text: string): Uint8Array | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((one) => /^\d{1,3}$/.test(one) && Number(one) < 256))
    return undefined;
  return Uint8Array.from(parts.map(Number));
}
