import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { bareHost, destinationOf, type Export } from '../config/exports.ts';
import { type EventBus, severityRank } from '../events/bus.ts';
import type { Subscriber } from '../events/types.ts';
import type { MessageTap } from '../transport/message-tap.ts';
import { cef } from './format/cef.ts';
import { ecs } from './format/ecs.ts';
import { json } from './format/json.ts';
import { ocsf } from './format/ocsf.ts';
import { counted, syslogMessage } from './format/syslog.ts';
import type { Teller, Told } from './format/told.ts';
import { HepCapture } from './hep/capture.ts';
import { Outbox, type Sender } from './outbox.ts';
import { DatagramSender } from './send/datagram.ts';
import { FileSender } from './send/file.ts';
import { HttpSender } from './send/http.ts';
import { StreamSender } from './send/stream.ts';
import { CallSpans, tracesBody } from './trace/spans.ts';

export interface ExportsParts {
  readonly bus: EventBus;
  readonly version: string;
  readonly now: () => number;
  readonly callIds: (call: string) => readonly string[];
}

type Line = (told: Told, teller: Teller) => string;

/** All exports of one configuration. */
export class Exports {
  readonly #running: Running[] = [];
  /** Present where somebody captures SIP. */
  readonly tap: MessageTap | undefined;

  /** @throws MisuseError where a file of an export cannot be read */
  constructor(exports: readonly Export[], parts: ExportsParts) {
    const teller: Teller = { node: hostname(), version: parts.version, pid: process.pid };
    for (const one of exports) this.#running.push(begin(one, parts, teller));
    const taps = this.#running.flatMap(({ tap }) => (tap === undefined ? [] : [tap]));
    const [first] = taps;
    this.tap =
      taps.length < 2
        ? first
        : {
            received: (flow, bytes) => {
              for (const tap of taps) tap.received(flow, bytes);
            },
            sent: (flow, bytes) => {
              for (const tap of taps) tap.sent(flow, bytes);
            },
          };
  }

  /** What waits is handed over, for two seconds at most. */
  async stop(): Promise<void> {
    for (const { unsubscribe } of this.#running) unsubscribe();
    await Promise.all(this.#running.map(({ outbox }) => outbox.stop()));
  }
}

interface Running {
  readonly outbox: Outbox;
  readonly unsubscribe: () => void;
  readonly tap?: MessageTap;
}

function begin(one: Export, { bus, now, callIds, version }: ExportsParts, teller: Teller): Running {
  const { name, to, level } = one;
  const secret = one.secretFile === undefined ? undefined : read(one, one.secretFile).trim();
  const outbox = new Outbox({
    sender: senderOf(one, secret, teller),
    most: one.queue,
    gatherMs: to.startsWith('udp:') ? 0 : 100,
    onFailing: (reason) => bus.emit({ type: 'export.failing', export: name, to, reason }),
    onRecovered: (lost) => bus.emit({ type: 'export.recovered', export: name, to, lost }),
  });
  const wants = choiceOf(one.events);
  if (one.format === 'otlp') {
    const spans = new CallSpans((item) => outbox.push(item));
    return { outbox, unsubscribe: bus.subscribe(spans.subscriber) };
  }
  if (one.format === 'hep3') {
    const capture = new HepCapture({
      captureId: one.captureId,
      ...(secret === undefined ? {} : { key: Buffer.from(secret) }),
      unmasked: one.dangerousUnmasked === true,
      sip: one.captures.includes('sip'),
      rtcp: one.captures.includes('rtcp'),
      logs: one.captures.includes('logs'),
      now,
      callIds,
      push: (packet) => outbox.push(packet),
    });
    const subscriber: Subscriber = (event, time, severity) =>
      capture.event(
        event,
        time,
        severity,
        severityRank[severity] <= severityRank[level] && wants(event.type),
      );
    // The end of a call brings the reports of its media.
    const least = level === 'debug' ? 'debug' : 'info';
    return { outbox, tap: capture, unsubscribe: bus.subscribe(subscriber, least) };
  }
  const line = lineOf(one);
  const frame = frameOf(one);
  let sequence = 0;
  const subscriber: Subscriber = (event, time, severity) => {
    if (!wants(event.type)) return;
    sequence += 1;
    outbox.push(frame(Buffer.from(line({ event, time, severity, sequence }, { ...teller, version }))));
  };
  return { outbox, unsubscribe: bus.subscribe(subscriber, level) };
}

function lineOf({ format, facility, to }: Export): Line {
  if (format === 'ecs') return ecs;
  if (format === 'ocsf') return ocsf;
  if (format === 'json') return json;
  const message: Line = format === 'cef' ? cef : json;
  // CEF goes by syslog; in a file of its own it stands alone.
  if (format === 'cef' && to.startsWith('file:')) return cef;
  return (told, teller) => syslogMessage(told, teller, facility, message(told, teller));
}

/** Where one event ends and the next begins. */
function frameOf({ format, to }: Export): (bytes: Buffer) => Uint8Array {
  if (to.startsWith('udp:')) return (bytes) => bytes;
  if ((format === 'syslog' || format === 'cef') && !to.startsWith('file:')) return counted;
  return (bytes) => Buffer.concat([bytes, newline]);
}

const newline = Buffer.from('\n');

function senderOf(one: Export, secret: string | undefined, { node, version }: Teller): Sender {
  const url = destinationOf(one.to);
  if (url === undefined) throw new MisuseError('export', `export ${one.name}: ${one.to}`);
  if (!('hostname' in url)) return new FileSender(url.path);
  const authority = one.authorityFile === undefined ? {} : { authority: read(one, one.authorityFile) };
  const host = bareHost(url.hostname);
  switch (url.protocol) {
    case 'udp:':
      return new DatagramSender(host, Number(url.port));
    case 'tcp:':
    case 'tls:':
      return new StreamSender({ host, port: Number(url.port), tls: url.protocol === 'tls:', ...authority });
    default:
      return new HttpSender({
        url,
        ...authority,
        ...(secret === undefined ? {} : { bearer: secret }),
        ...(one.format === 'otlp'
          ? { contentType: 'application/json', body: (batch) => tracesBody(batch, node, version) }
          : { contentType: 'application/x-ndjson', body: (batch) => Buffer.concat(batch) }),
      });
  }
}

/** Exact types in a set, families by their first word. */
function choiceOf(patterns: readonly string[]): (type: string) => boolean {
  if (patterns.length === 0) return () => true;
  const exact = new Set(patterns.filter((pattern) => !pattern.endsWith('.*')));
  const families = new Set(
    patterns.filter((pattern) => pattern.endsWith('.*')).map((pattern) => pattern.slice(0, -2)),
  );
  return (type) => exact.has(type) || families.has(type.split('.', 1)[0] ?? '');
}

function read({ name }: Export, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new MisuseError('export', `export ${name}: ${error instanceof Error ? error.message : file}`);
  }
}
