import type { Suite } from '@ringfence/srtp/suite.ts';
import { suiteParameters, suites } from '@ringfence/srtp/suite.ts';
import type {
  EndpointConfig,
  EndpointOpened,
  EndpointSpec,
  EndpointStats,
  LocalKey,
  RelayErrorCode,
  RelayEvent,
  RemoteReport,
} from './contract.ts';

/**
 * The control socket. A frame is u32 length of what follows, u8 type, u32 request id, body; integers in network
 * order. Requests are decoded in `addon/relay.cc`, replies and events here. Keys are plain bytes in these buffers,
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

const flags = {
  remote: 1,
  signalling: 2,
  receive: 4,
  send: 8,
  accept: 16,
  emit: 32,
  endRtcp: 64,
  telephoneEvent: 128,
} as const;
const portModes = { mux: 0, pair: 1, single: 2 } as const;
const mediaKinds = { rtp: 0, srtp: 1, opaque: 2 } as const;
const mostClockRates = 16;

const suiteOfId: readonly (Suite | undefined)[] = suites.reduce<(Suite | undefined)[]>((byId, suite) => {
  byId[suiteParameters[suite].id] = suite;
  return byId;
}, []);

/** 4 or 16 octets of an IP address in text; undefined where it is none. */
export function parseHost(text: string): Uint8Array | undefined {
  return text.includes(':') ? parseHost6(text) : parseHost4(text);
}

function parseHost4(text: string): Uint8Array | undefined {
  const out = new Uint8Array(4);
  let field = 0;
  let value = -1;
  for (let i = 0; i <= text.length; i++) {
    const code = i < text.length ? text.charCodeAt(i) : 46;
    if (code === 46) {
      if (value < 0 || field > 3) return undefined;
      out[field++] = value;
      value = -1;
    } else {
      if (code < 48 || code > 57 || value === 0) return undefined;
      value = Math.max(value, 0) * 10 + code - 48;
      if (value > 255) return undefined;
    }
  }
  return field === 4 ? out : undefined;
}

function parseHost6(text: string): Uint8Array | undefined {
  let hex = text;
  const lastColon = text.lastIndexOf(':');
  if (text.includes('.')) {
    const tail = parseHost4(text.slice(lastColon + 1));
    if (!tail) return undefined;
    const group = (i: number) => (((tail[i] ?? 0) << 8) | (tail[i + 1] ?? 0)).toString(16);
    hex = `${text.slice(0, lastColon + 1)}${group(0)}:${group(2)}`;
  }
  const halves = hex.split('::');
  if (halves.length > 2) return undefined;
  const head = halves[0] ? halves[0].split(':') : [];
  const tail = halves[1] ? halves[1].split(':') : [];
  const missing = 8 - head.length - tail.length;
  if (halves.length === 2 ? missing < 1 : missing !== 0) return undefined;
  const out = new Uint8Array(16);
  const groups = halves.length === 2 ? [...head, ...Array<string>(missing).fill('0'), ...tail] : head;
  for (let i = 0; i < 8; i++) {
    const group = groups[i] ?? '';
    if (group.length < 1 || group.length > 4) return undefined;
    let value = 0;
    for (let j = 0; j < group.length; j++) {
      const digit = Number.parseInt(group[j] ?? '', 16);
      if (Number.isNaN(digit)) return undefined;
      value = value * 16 + digit;
    }
    out[2 * i] = value >> 8;
    out[2 * i + 1] = value & 0xff;
  }
  return out;
}

/** Text of an address of 4 or 16 octets, RFC 5952 for IPv6. */
export function formatHost(host: Uint8Array): string {
  if (host.length === 4) return `${host[0]}.${host[1]}.${host[2]}.${host[3]}`;
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((host[i] ?? 0) << 8) | (host[i + 1] ?? 0));
  let best = -1;
  let bestLength = 1;
  for (let i = 0; i < 8; i++) {
    let length = 0;
    while (i + length < 8 && groups[i + length] === 0) length++;
    if (length > bestLength) [best, bestLength] = [i, length];
  }
  const text = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return best < 0 ? text(0, 8) : `${text(0, best)}::${text(best + bestLength, 8)}`;
}

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

/** Why a spec or config cannot be sent; nothing was written then. */
export type EncodingProblem = 'bad-address' | 'bad-config';

export function writeConfig(writer: FrameWriter, config: EndpointConfig): EncodingProblem | undefined {
  const { remote, receive, send } = config;
  const host = remote && parseHost(remote.address);
  const signalling = remote?.signalling === undefined ? undefined : parseHost(remote.signalling);
  if (remote && (!host || (remote.signalling !== undefined && !signalling))) return 'bad-address';
  if (receive) {
    const { masterKeyLength, masterSaltLength } = suiteParameters[receive.suite];
    if (receive.material.length !== masterKeyLength + masterSaltLength) return 'bad-config';
    if ((receive.mki?.length ?? 0) > 128) return 'bad-config';
  }
  writer.u8(
    (remote ? flags.remote : 0) |
      (signalling ? flags.signalling : 0) |
      (receive ? flags.receive : 0) |
      (send ? flags.send : 0) |
      (config.accept === false ? 0 : flags.accept) |
      (config.emit === false ? 0 : flags.emit) |
      (config.rtcp === 'end' ? flags.endRtcp : 0) |
      (config.telephoneEvent === undefined ? 0 : flags.telephoneEvent),
  );
  writer.u8(mediaKinds[config.media]);
  if (remote && host) {
    writer.host(host);
    writer.u16(remote.rtpPort);
    writer.u16(remote.rtcpPort);
  }
  if (signalling) writer.host(signalling);
  if (receive) {
    writer.u8(suiteParameters[receive.suite].id);
    writer.u8(receive.material.length);
    writer.bytes(receive.material);
    writer.u8(receive.mki?.length ?? 0);
    if (receive.mki) writer.bytes(receive.mki);
  }
  if (send) writer.u8(suiteParameters[send.suite].id);
  const rates = Object.entries(config.clockRates ?? {}).slice(0, mostClockRates);
  writer.u8(rates.length);
  for (const [payloadType, rate] of rates) {
    writer.u8(Number(payloadType) & 0x7f);
    writer.u32(rate >>> 0);
  }
  if (config.telephoneEvent !== undefined) writer.u8(config.telephoneEvent & 0x7f);
  return undefined;
}

export function writeSpec(writer: FrameWriter, spec: EndpointSpec): EncodingProblem | undefined {
  const host = parseHost(spec.local);
  if (!host) return 'bad-address';
  writer.u8(portModes[spec.ports]);
  writer.u8(spec.dscp & 0x3f);
  writer.host(host);
  writer.u8(spec.suites.length);
  for (const suite of spec.suites) writer.u8(suiteParameters[suite].id);
  writer.u8(spec.config ? 1 : 0);
  return spec.config ? writeConfig(writer, spec.config) : undefined;
}

/** Reads what the media process wrote; a short body gives a reader that has failed. */
class BodyReader {
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

const statuses: readonly RelayErrorCode[] = ['relay-down', 'no-ports', 'no-descriptors', 'bad-address'];

export type OpenReply =
  | { readonly ok: true; readonly value: readonly EndpointOpened[] }
  | { readonly ok: false; readonly error: RelayErrorCode };

/** `specs` are those of the request: the address is not sent back. */
export function readOpened(body: Uint8Array, specs: readonly EndpointSpec[]): OpenReply {
  const reader = new BodyReader(body);
  const status = reader.u8();
  if (status !== 0) return { ok: false, error: statuses[status] ?? 'relay-down' };
  const count = reader.u8();
  const value: EndpointOpened[] = [];
  for (let i = 0; i < count && !reader.failed; i++) {
    const id = reader.u32();
    const rtpPort = reader.u16();
    const rtcpPort = reader.u16();
    const keys: LocalKey[] = [];
    for (let left = reader.u8(); left > 0 && !reader.failed; left--) {
      const suite = suiteOfId[reader.u8()];
      const material = reader.bytes(reader.u8());
      if (suite) keys.push({ suite, material });
    }
    value.push({ id, address: specs[i]?.local ?? '', rtpPort, rtcpPort, keys });
  }
  return reader.failed || value.length !== specs.length
    ? { ok: false, error: 'relay-down' }
    : { ok: true, value };
}

export function readSource(body: Uint8Array): { address: string; port: number } | undefined {
  return source(new BodyReader(body));
}

function source(reader: BodyReader): { address: string; port: number } | undefined {
  const family = reader.u8();
  if (family !== 4 && family !== 6) return undefined;
  const address = formatHost(reader.bytes(family === 4 ? 4 : 16));
  return { address, port: reader.u16() };
}

export function readStats(body: Uint8Array): EndpointStats[] {
  const reader = new BodyReader(body);
  const all: EndpointStats[] = [];
  while (!reader.atEnd) {
    const id = reader.u32();
    const received = {
      packets: reader.f64(),
      octets: reader.f64(),
      rtcpPackets: reader.f64(),
      lost: reader.f64(),
      reordered: reader.f64(),
      duplicates: reader.f64(),
      jitterMs: reader.f64(),
      idleMs: reader.f64(),
    };
    const sent = { packets: reader.f64(), octets: reader.f64() };
    const dropped = {
      source: reader.f64(),
      authentication: reader.f64(),
      replay: reader.f64(),
      malformed: reader.f64(),
      unlinked: reader.f64(),
    };
    const from = source(reader);
    const reported = reader.u8() === 1 ? remoteReport(reader) : undefined;
    const voipMetrics = reader.bytes(reader.u8());
    const history = stretches(reader);
    if (reader.failed) break;
    all.push({
      id,
      received,
      sent,
      dropped,
      ...(from ? { source: from } : {}),
      ...(reported ? { reported } : {}),
      ...(voipMetrics.length > 0 ? { voipMetrics } : {}),
      ...(history.length > 0 ? { history } : {}),
    });
  }
  return all;
}

/** What the media process says of itself to whoever begins to control it. */
export interface Greeting {
  /** Names this run of the process. */
  readonly instance: string;
  readonly pid: number;
}

export function writeGreeting(writer: FrameWriter, { instance, pid }: Greeting): void {
  writer.begin(frameTypes.reply, 0);
  writer.u32(pid);
  writer.bytes(Buffer.from(instance, 'latin1'));
  writer.end();
}

export function readGreeting(body: Uint8Array): Greeting {
  const reader = new BodyReader(body);
  const pid = reader.u32();
  return { pid, instance: Buffer.from(reader.bytes(Math.max(0, body.length - 4))).toString('latin1') };
}

/** `idAt` says which endpoint a row holds, 0 for none; at most `mostListed` of `rows` from `first` on. */
export function writeList(
  writer: FrameWriter,
  request: number,
  first: number,
  rows: number,
  idAt: (row: number) => number,
): void {
  const last = Math.min(rows, first + mostListed);
  writer.begin(frameTypes.reply, request);
  writer.u32(last < rows ? last : 0);
  for (let row = first; row < last; row++) {
    const id = idAt(row);
    if (id !== 0) writer.u32(id);
  }
  writer.end();
}

export function readList(body: Uint8Array): { readonly next: number; readonly ids: number[] } {
  const reader = new BodyReader(body);
  const next = reader.u32();
  const ids: number[] = [];
  while (!reader.atEnd) ids.push(reader.u32());
  return reader.failed ? { next: 0, ids: [] } : { next, ids };
}

function remoteReport(reader: BodyReader): RemoteReport {
  const lossPercent = (reader.u8() * 100) / 256;
  const [lost, jitterMs, roundTripMs] = [reader.f64(), reader.f64(), reader.f64()];
  return { lossPercent, lost, jitterMs, ...(roundTripMs < 0 ? {} : { roundTripMs }) };
}

function stretches(reader: BodyReader): NonNullable<EndpointStats['history']> {
  const history: { atMs: number; lossPercent: number; jitterMs: number }[] = [];
  for (let left = reader.u8(); left > 0 && !reader.failed; left -= 1)
    history.push({ atMs: reader.u32(), lossPercent: reader.u16() / 10, jitterMs: reader.u16() / 10 });
  return history;
}

/** By event code, RFC 4733 §3.2. */
export const digits = '0123456789*#ABCD';

const eventKinds = { learned: 1, refused: 2, oneWay: 3, keyExhausted: 4, digit: 5 } as const;
const reasons = ['source', 'authentication', 'replay'] as const;

/** `down` is never on the wire: it is what the edge concludes when the wire is gone. */
export type WireEvent = Exclude<RelayEvent, { readonly kind: 'down' | 'lost' }>;

export function writeEvent(writer: FrameWriter, event: WireEvent): void {
  writer.begin(frameTypes.event, 0);
  switch (event.kind) {
    case 'learned': {
      writer.u8(eventKinds.learned);
      writer.u32(event.endpoint);
      writer.host(parseHost(event.address) ?? new Uint8Array(4));
      writer.u16(event.port);
      break;
    }
    case 'refused':
      writer.u8(eventKinds.refused);
      writer.u32(event.endpoint);
      writer.u8(reasons.indexOf(event.reason));
      writer.f64(event.count);
      break;
    case 'one-way':
      writer.u8(eventKinds.oneWay);
      writer.u32(event.endpoint);
      writer.f64(event.silentMs);
      break;
    case 'key-exhausted':
      writer.u8(eventKinds.keyExhausted);
      writer.u32(event.endpoint);
      break;
    case 'digit':
      writer.u8(eventKinds.digit);
      writer.u32(event.endpoint);
      writer.u8(digits.indexOf(event.digit));
      writer.f64(event.durationMs);
      break;
  }
  writer.end();
}

export function readEvent(body: Uint8Array): WireEvent | undefined {
  const reader = new BodyReader(body);
  const kind = reader.u8();
  const endpoint = reader.u32();
  let event: WireEvent | undefined;
  if (kind === eventKinds.learned) {
    const from = source(reader);
    if (from) event = { kind: 'learned', endpoint, ...from };
  } else if (kind === eventKinds.refused) {
    const reason = reasons[reader.u8()];
    const count = reader.f64();
    if (reason) event = { kind: 'refused', endpoint, reason, count };
  } else if (kind === eventKinds.oneWay) {
    event = { kind: 'one-way', endpoint, silentMs: reader.f64() };
  } else if (kind === eventKinds.keyExhausted) {
    event = { kind: 'key-exhausted', endpoint };
  } else if (kind === eventKinds.digit) {
    const digit = digits[reader.u8()];
    const durationMs = reader.f64();
    if (digit !== undefined) event = { kind: 'digit', endpoint, digit, durationMs };
  }
  return reader.failed ? undefined : event;
}
