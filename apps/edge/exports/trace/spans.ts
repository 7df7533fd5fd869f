import { createHash } from 'node:crypto';
import type { EdgeEvent, Subscriber } from '../../events/types.ts';

/** OTLP/JSON: https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding */
interface Attribute {
  readonly key: string;
  readonly value:
    | { readonly stringValue: string }
    | { readonly doubleValue: number }
    | { readonly intValue: string };
}

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly Attribute[];
  readonly events?: readonly { timeUnixNano: string; name: string; attributes: readonly Attribute[] }[];
  readonly status: { readonly code: number; readonly message?: string };
}

interface OpenCall {
  readonly startedAt: number;
  ringingAt?: number;
  answeredAt?: number;
  readonly events: { timeUnixNano: string; name: string; attributes: readonly Attribute[] }[];
}

/** Calls that are followed at once, and events of one that are kept. */
const mostCalls = 20_000;
const mostEvents = 64;
const kindServer = 2;
const kindInternal = 1;
const statusOk = 1;
const statusError = 2;

/** Makes spans of calls: one for the call, one for its set-up, one for the conversation. */
export class CallSpans {
  readonly #calls = new Map<string, OpenCall>();
  readonly #push: (spans: Uint8Array) => void;

  /** `push` gets the spans of one call, as JSON without the brackets of their list. */
  constructor(push: (spans: Uint8Array) => void) {
    this.#push = push;
  }

  readonly subscriber: Subscriber = (event, time) => {
    if (!('call' in event)) return;
    if (event.type === 'call.started') return this.#begin(event.call, time);
    const call = this.#calls.get(event.call);
    if (call === undefined) return;
    if (event.type === 'call.ended') {
      this.#calls.delete(event.call);
      this.#push(
        Buffer.from(
          spansOf(event, call, time)
            .map((span) => JSON.stringify(span))
            .join(','),
        ),
      );
      return;
    }
    if (event.type === 'call.ringing') call.ringingAt ??= time;
    if (event.type === 'call.answered') call.answeredAt ??= time;
    if (call.events.length < mostEvents)
      call.events.push({ timeUnixNano: nano(time), name: event.type, attributes: plainFields(event) });
  };

  #begin(id: string, time: number): void {
    if (this.#calls.size >= mostCalls) {
      const [oldest] = this.#calls.keys();
      if (oldest !== undefined) this.#calls.delete(oldest);
    }
    this.#calls.set(id, { startedAt: time, events: [] });
  }
}

function spansOf(event: Extract<EdgeEvent, { type: 'call.ended' }>, call: OpenCall, endedAt: number): Span[] {
  const digest = createHash('sha256').update(event.call).digest('hex');
  const traceId = digest.slice(0, 32);
  const root = digest.slice(32, 48);
  const isGood = event.disposition === 'answered' && event.cause === 'normal';
  const spans: Span[] = [
    {
      traceId,
      spanId: root,
      name: 'sip.call',
      kind: kindServer,
      startTimeUnixNano: nano(call.startedAt),
      endTimeUnixNano: nano(endedAt),
      attributes: plainFields(event),
      events: call.events,
      status: isGood
        ? { code: statusOk }
        : event.status >= 500 || event.disposition === 'failed' || event.disposition === 'answered'
          ? { code: statusError, message: `${event.disposition}: ${event.cause}` }
          : { code: 0 },
    },
    part('sip.setup', 48, call.startedAt, call.answeredAt ?? endedAt),
  ];
  if (call.answeredAt !== undefined) spans.push(part('sip.conversation', 52, call.answeredAt, endedAt));
  return spans;

  function part(name: string, at: number, from: number, to: number): Span {
    return {
      traceId,
      spanId: `${digest.slice(at, at + 12)}${name === 'sip.setup' ? '5e70' : 'c0de'}`,
      parentSpanId: root,
      name,
      kind: kindInternal,
      startTimeUnixNano: nano(from),
      endTimeUnixNano: nano(to),
      attributes: [],
      status: { code: 0 },
    };
  }
}

/** Texts and numbers of an event; lists and groups stay behind. */
function plainFields({ type: _, ...fields }: EdgeEvent): Attribute[] {
  return Object.entries(fields).flatMap(([name, value]): Attribute[] => {
    const key = `ringfence.${name}`;
    if (typeof value === 'string') return [{ key, value: { stringValue: value } }];
    if (typeof value !== 'number') return [];
    return [{ key, value: Number.isInteger(value) ? { intValue: String(value) } : { doubleValue: value } }];
  });
}

const nano = (milliseconds: number): string => `${Math.round(milliseconds * 1000)}000`;

/** The body that carries the spans of several calls. */
export function tracesBody(batch: readonly Uint8Array[], node: string, version: string): Uint8Array {
  const text = (key: string, value: string) => ({ key, value: { stringValue: value } });
  const resource = {
    attributes: [
      text('service.name', 'ringfence'),
      text('service.version', version),
      text('host.name', node),
    ],
  };
  const scope = { name: 'ringfence', version };
  const spans = batch.map((item) => Buffer.from(item).toString()).join(',');
  return Buffer.from(
    `{"resourceSpans":[{"resource":${JSON.stringify(resource)},"scopeSpans":[{"scope":${JSON.stringify(scope)},"spans":[${spans}]}]}]}`,
  );
}
