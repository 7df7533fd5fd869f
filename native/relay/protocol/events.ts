import type { RelayEvent } from '../contract.ts';
import { BodyReader, type FrameWriter, frameTypes } from './frames.ts';
import { handshakeEventKinds, readHandshakeEvent, writeHandshakeEvent } from './handshake-events.ts';
import { parseHost } from './host.ts';
import { source } from './replies.ts';

/** By event code, RFC 4733 §3.2. */
export const digits = '0123456789*#ABCD';

const eventKinds = { learned: 1, refused: 2, oneWay: 3, keyExhausted: 4, digit: 5, played: 16 } as const;
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
    case 'played':
      writer.u8(eventKinds.played);
      writer.u32(event.endpoint);
      break;
    default:
      writeHandshakeEvent(writer, event);
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
  } else if (kind === eventKinds.played) {
    event = { kind: 'played', endpoint };
  } else if (kind >= handshakeEventKinds.secured) {
    event = readHandshakeEvent(reader, kind, endpoint);
  }
  return reader.failed ? undefined : event;
}
