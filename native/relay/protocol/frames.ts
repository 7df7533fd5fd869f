/**
 * The control socket. A frame is u32 length of what follows, u8 type, u32 request id, body; integers in network
 * order. Requests are decoded in `addon/requests.cc`, replies and events in this folder. Keys are plain bytes in these buffers,
 * and both ends overwrite a buffer once it was handled or written.
 */
export const frameTypes = {
  open: 1,
  configure: 2,
  link: 3,
  unlink: 4,
  close: 5,
  stats: 6,
  /** u32 row: the ids of endpoints from that row on; answered by u32 next row (0: no more), then u32 ids. */
  list: 7,
  /** u32 id, u8 event, u16 milliseconds: a digit for the peer. */
  press: 9,
  /** u32 id, then candidates of the peer that came later. */
  trickle: 10,
  /** u32 id: a person has compared the short authentication string. */
  confirmSas: 11,
  /** u32 clip, u16 clock ticks a frame, u8 1 where it begins, then frames as u16 length and octets. */
  clip: 12,
  /** u32 id, u32 clip, u8 payload type, u8 1: again and again. */
  play: 13,
  /** u32 id: nothing is played any more. */
  hush: 14,
  /** u32 id, u32 id: what the first receives the second sends too. */
  tap: 15,
  /** u32 id: the second of a `tap` sends nothing of it any more. */
  untap: 16,
  /** How handshakes stand is told again. */
  retell: 17,
  /** u32 id, u32 id: the peer of the first is relayed the short authentication string of the second. */
  relaySas: 18,
  /** The media process ends at once, whatever it holds. Without it the closing of the socket leaves it waiting for another edge. */
  end: 8,
  reply: 0x80,
  event: 0xc0,
  refused: 0xff,
} as const;

export const headerLength = 9;
/** A frame that is longer ends the connection. */
export const longestFrame = 65536;
/** Endpoints in one `open`. */
export const mostSpecs = 64;
/** Rows that one `list` looks at. */
export const mostListed = 8192;
/** Ids in one `close` or `stats`; more are asked for in several frames. */
export const mostIds = 128;

/** Collects frames for one write. Grows up to what is asked of it in one tick; `take` hands the bytes over. */
export class FrameWriter {
  #bytes: Buffer;
  #length = 0;
  #frameStart = 0;
  readonly #initial: number;

  constructor(initial = 4096) {
    this.#initial = initial;
    this.#bytes = Buffer.alloc(initial);
  }

  get length(): number {
    return this.#length;
  }

  /** The frames so far, in a buffer that is the caller's to wipe. */
  take(): Buffer {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#bytes = Buffer.alloc(this.#initial);
    this.#length = 0;
    return taken;
  }

  begin(type: number, request: number): void {
    this.#frameStart = this.#length;
    this.u32(0);
    this.u8(type);
    this.u32(request);
  }

  end(): void {
    this.#bytes.writeUInt32BE(this.#length - this.#frameStart - 4, this.#frameStart);
  }

  /** Takes back the frame that was begun last. */
  abandon(): void {
    this.#bytes.fill(0, this.#frameStart, this.#length);
    this.#length = this.#frameStart;
  }

  u8(value: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = value;
  }

  u16(value: number): void {
    this.#room(2);
    this.#length = this.#bytes.writeUInt16BE(value, this.#length);
  }

  u32(value: number): void {
    this.#room(4);
    this.#length = this.#bytes.writeUInt32BE(value, this.#length);
  }

  f64(value: number): void {
    this.#room(8);
    this.#length = this.#bytes.writeDoubleBE(value, this.#length);
  }

  bytes(value: Uint8Array): void {
    this.#room(value.length);
    this.#bytes.set(value, this.#length);
    this.#length += value.length;
  }

  /** What `fill` writes, behind its length in u16. */
  section(fill: () => void): void {
    const at = this.#length;
    this.u16(0);
    fill();
    this.#bytes.writeUInt16BE(this.#length - at - 2, at);
  }

  host(value: Uint8Array): void {
    this.u8(value.length === 4 ? 4 : 6);
    this.bytes(value);
  }

  #room(length: number): void {
    if (this.#length + length <= this.#bytes.length) return;
    const larger = Buffer.alloc(Math.max(2 * this.#bytes.length, this.#length + length));
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes.fill(0);
    this.#bytes = larger;
  }
}

/** Cuts a byte stream into frames and overwrites what it has handed out. */
export class FrameReader {
  /** The socket reads into this buffer and into no other. */
  readonly buffer: Buffer = Buffer.alloc(longestFrame);
  #kept: Buffer | undefined;
  #keptLength = 0;

  /** Takes `length` octets of `buffer`. False: a frame that cannot be, so the connection has to end. */
  feed(length: number, onFrame: (type: number, request: number, body: Uint8Array) => void): boolean {
    let bytes = this.buffer.subarray(0, length);
    if (this.#kept) {
      bytes.copy(this.#kept, this.#keptLength);
      bytes.fill(0);
      bytes = this.#kept.subarray(0, this.#keptLength + length);
    }
    let offset = 0;
    let good = true;
    while (bytes.length - offset >= 4) {
      const frame = bytes.readUInt32BE(offset);
      if (frame < headerLength - 4 || frame > longestFrame) {
        good = false;
        offset = bytes.length;
        break;
      }
      if (bytes.length - offset < 4 + frame) break;
      onFrame(
        bytes[offset + 4] ?? 0,
        bytes.readUInt32BE(offset + 5),
        bytes.subarray(offset + headerLength, offset + 4 + frame),
      );
      offset += 4 + frame;
    }
    const rest = bytes.length - offset;
    if (rest > 0) {
      this.#kept ??= Buffer.alloc(2 * longestFrame + 4);
      if (bytes.buffer === this.#kept.buffer) this.#kept.copyWithin(0, offset, bytes.length);
      else bytes.copy(this.#kept, 0, offset);
      this.#kept.fill(0, rest, Math.max(rest, bytes.length));
      this.#keptLength = rest;
    } else {
      this.#kept = undefined;
      this.#keptLength = 0;
    }
    if (this.#kept === undefined || bytes.buffer !== this.#kept.buffer) bytes.fill(0);
    return good;
  }
}

/** Reads what the media process wrote; a short body gives a reader that has failed. */
export class BodyReader {
  readonly #body: Buffer;
  #offset = 0;
  failed = false;

  constructor(body: Uint8Array) {
    this.#body = Buffer.from(body.buffer, body.byteOffset, body.length);
  }

  get atEnd(): boolean {
    return this.failed || this.#offset === this.#body.length;
  }

  u8(): number {
    return this.#take(1) ? (this.#body[this.#offset - 1] ?? 0) : 0;
  }

  u16(): number {
    return this.#take(2) ? this.#body.readUInt16BE(this.#offset - 2) : 0;
  }

  u32(): number {
    return this.#take(4) ? this.#body.readUInt32BE(this.#offset - 4) : 0;
  }

  f64(): number {
    return this.#take(8) ? this.#body.readDoubleBE(this.#offset - 8) : 0;
  }

  /** A copy: the frame's buffer is wiped after it was handled. */
  bytes(length: number): Uint8Array {
    return this.#take(length)
      ? Uint8Array.from(this.#body.subarray(this.#offset - length, this.#offset))
      : new Uint8Array(0);
  }

  #take(length: number): boolean {
    if (this.failed || this.#body.length - this.#offset < length) {
      this.failed = true;
      return false;
    }
    this.#offset += length;
    return true;
  }
}
