import { randomBytes } from 'node:crypto';

const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255]);
const sized = (bytes: Buffer): Buffer => Buffer.concat([u16(bytes.length), bytes]);
const extension = (type: number, body: Buffer): Buffer => Buffer.concat([u16(type), sized(body)]);

/** A whole ClientHello of DTLS 1.2 with use_srtp (RFC 6347 §4.2.1, RFC 5764 §4.1.1), as somebody sends it who wants to be first. */
export function clientHello(sequence = 0): Buffer {
  const extensions = Buffer.concat([
    extension(14, Buffer.concat([sized(Buffer.concat([u16(7), u16(1)])), Buffer.from([0])])),
    extension(10, sized(Buffer.concat([u16(29), u16(23)]))),
    extension(11, Buffer.from([1, 0])),
    extension(13, sized(Buffer.concat([u16(0x0403), u16(0x0401)]))),
    extension(23, Buffer.alloc(0)),
  ]);
  const body = Buffer.concat([
    u16(0xfefd),
    randomBytes(32),
    Buffer.from([0, 0]),
    sized(Buffer.concat([u16(0xc02b), u16(0xc02f)])),
    Buffer.from([1, 0]),
    sized(extensions),
  ]);
  const length = Buffer.from([0, body.length >> 8, body.length & 255]);
  const handshake = Buffer.concat([Buffer.from([1]), length, u16(0), Buffer.alloc(3), length, body]);
  const record = Buffer.concat([Buffer.from([22]), u16(0xfeff), Buffer.alloc(8), u16(handshake.length)]);
  record.writeUIntBE(sequence, 5, 6);
  return Buffer.concat([record, handshake]);
}
