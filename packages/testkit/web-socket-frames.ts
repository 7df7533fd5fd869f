/** The client's side of RFC 6455 as octets: for tests that need a peer of its own making. */

/** What a server sent. */
export interface Frame {
  /** 1 text, 2 binary, 8 close, 9 ping, 10 pong. */
  readonly opcode: number;
  readonly final: boolean;
  readonly payload: Uint8Array;
}

/** A masked frame, §5.2; `final` false begins or continues a fragmented message. */
export const clientFrame = (payload: Uint8Array | string, opcode = 1, final = true): Uint8Array => {
  const bytes = Buffer.from(payload);
  const { length } = bytes;
  const head = length < 126 ? 2 : length < 65536 ? 4 : 10;
  const frame = Buffer.alloc(head + 4 + length);
  frame[0] = (final ? 0x80 : 0) | opcode;
  frame[1] = 0x80 | (length < 126 ? length : length < 65536 ? 126 : 127);
  if (head === 4) frame.writeUInt16BE(length, 2);
  if (head === 10) frame.writeBigUInt64BE(BigInt(length), 2);
  const mask = [0x37, 0xfa, 0x21, 0x3d];
  frame.set(mask, head);
  for (let i = 0; i < length; i++) frame[head + 4 + i] = bytes[i]! ^ mask[i % 4]!;
  return frame;
};

/** A handshake as a phone sends it, §4.1; lines of `more` are added, an empty `protocol` leaves the field out. */
export const clientHandshake = (host: string, more: readonly string[] = [], protocol = 'sip'): string =>
  [
    'GET / HTTP/1.1',
    `Host: ${host}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    ...(protocol === '' ? [] : [`Sec-WebSocket-Protocol: ${protocol}`]),
    ...more,
    '\r\n',
  ].join('\r\n');

/** Takes octets as they come: first the answer to the handshake, then frames. */
export class ServerFrames {
  /** Status line and header fields, once they are whole. */
  handshake: string | undefined;
  #rest = Buffer.alloc(0);

  push(chunk: Uint8Array): Frame[] {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    if (this.handshake === undefined) {
      const end = this.#rest.indexOf('\r\n\r\n');
      if (end < 0) return [];
      this.handshake = this.#rest.toString('latin1', 0, end + 2);
      this.#rest = this.#rest.subarray(end + 4);
    }
    const frames: Frame[] = [];
    for (let frame = this.#next(); frame !== undefined; frame = this.#next()) frames.push(frame);
    return frames;
  }

  #next(): Frame | undefined {
    const bytes = this.#rest;
    if (bytes.length < 2) return undefined;
    const short = bytes[1]! & 0x7f;
    const head = short < 126 ? 2 : short === 126 ? 4 : 10;
    if (bytes.length < head) return undefined;
    const length =
      short < 126 ? short : short === 126 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
    if (bytes.length < head + length) return undefined;
    this.#rest = bytes.subarray(head + length);
    return {
      opcode: bytes[0]! & 0x0f,
      final: (bytes[0]! & 0x80) !== 0,
      payload: bytes.subarray(head, head + length),
    };
  }
}
