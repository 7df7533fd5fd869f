import type {
  EndpointOpened,
  EndpointSpec,
  EndpointStats,
  LocalKey,
  RelayErrorCode,
  RemoteReport,
} from '../contract.ts';
import type { IceCredentials } from '../handshake.ts';
import { BodyReader, type FrameWriter, frameTypes, mostListed } from './frames.ts';
import { readFingerprint, readOctets, readText, writeOctets, writeText } from './handshakes.ts';
import { formatHost } from './host.ts';
import { suiteOfId } from './suites.ts';

const openedParts = { ice: 1, dtls: 2 } as const;
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
    const parts = reader.u8();
    const ice = (parts & openedParts.ice) === 0 ? undefined : credentials(reader);
    const dtls = (parts & openedParts.dtls) === 0 ? undefined : readFingerprint(reader);
    value.push({
      id,
      address: specs[i]?.local ?? '',
      rtpPort,
      rtcpPort,
      keys,
      ...(ice ? { ice } : {}),
      ...(dtls ? { dtls } : {}),
    });
  }
  addHellos(reader, value);
  return reader.failed || value.length !== specs.length
    ? { ok: false, error: 'relay-down' }
    : { ok: true, value };
}

function credentials(reader: BodyReader): IceCredentials {
  const ufrag = readText(reader);
  return { ufrag, password: readText(reader) };
}

/** Our ZRTP Hello of an endpoint, behind the reply to `open`. */
export function writeHello(
  writer: FrameWriter,
  id: number,
  hello: { readonly version: string; readonly helloHash: Uint8Array },
): void {
  writer.u32(id);
  writeText(writer, hello.version);
  writeOctets(writer, hello.helloHash);
}

function addHellos(reader: BodyReader, opened: EndpointOpened[]): void {
  while (!reader.atEnd) {
    const id = reader.u32();
    const zrtp = { version: readText(reader), helloHash: readOctets(reader) };
    const at = opened.findIndex((endpoint) => endpoint.id === id);
    const endpoint = opened[at];
    if (!reader.failed && endpoint) opened[at] = { ...endpoint, zrtp };
  }
}

export function readSource(body: Uint8Array): { address: string; port: number } | undefined {
  return source(new BodyReader(body));
}

/** u8 family (0: there is none), the address, u16 port. */
export function source(reader: BodyReader): { address: string; port: number } | undefined {
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
