import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Export } from '../config/exports.ts';
import { EventBus } from '../events/bus.ts';
import type { EdgeEvent } from '../events/types.ts';
import { TestAuthority } from '../transport/test-bed.ts';
import { Exports } from './exports.ts';
import { eventually, httpReceiver, streamReceiver, udpReceiver } from './testing/receivers.ts';

const folder = mkdtempSync(join(tmpdir(), 'ringfence-exports-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const usual: Omit<Export, 'format' | 'to'> = {
  name: 'one',
  level: 'debug',
  events: [],
  queue: 1_000,
  facility: 'local0',
  captureId: 2001,
  captures: ['sip', 'rtcp', 'logs'],
};

const run = (...exports: (Pick<Export, 'format' | 'to'> & Partial<Export>)[]) => {
  const bus = new EventBus(() => Date.UTC(2026, 0, 1));
  const heard: EdgeEvent[] = [];
  bus.subscribe((event) => heard.push(event), 'notice');
  const running = new Exports(
    exports.map((one, i) => ({ ...usual, name: `export-${i}`, ...one })),
    { bus, version: '1.2.3', now: () => Date.UTC(2026, 0, 1), callIds: () => ['a@1', 'b@2'] },
  );
  return { bus, heard, running };
};
const ringing = (call: string): EdgeEvent => ({ type: 'call.ringing', call, party: 'bob' });
const objects = (text: string) =>
  text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>);

test('JSON lines over TCP; what came while the receiver was away follows, and sequence has no gap', async () => {
  const first = await streamReceiver();
  const { bus, heard, running } = run({ format: 'json', to: `tcp://127.0.0.1:${first.port}` });
  bus.emit(ringing('c1'));
  await eventually(() => first.got.join('').includes('c1'), 'the first event');
  await first.close();
  await eventually(() => {
    bus.emit(ringing('away'));
    return heard.some(({ type }) => type === 'export.failing');
  }, 'the outage to be told');
  bus.emit(ringing('last'));
  const second = await streamReceiver({ port: first.port });
  await eventually(() => second.got.join('').includes('"last"'), 'what waited');
  await eventually(() => heard.some(({ type }) => type === 'export.recovered'), 'the end of the outage');
  const numbers = objects(second.got.join('')).map(({ sequence }) => Number(sequence));
  for (const [i, number] of numbers.entries()) assert.equal(number, (numbers[0] ?? 0) + i);
  await running.stop();
  await second.close();
});

test('RFC 6587 §3.4.1: syslog over TCP counts octets; CEF goes the same way', async () => {
  const receiver = await streamReceiver();
  const { bus, running } = run({ format: 'cef', to: `tcp://127.0.0.1:${receiver.port}` });
  bus.emit(ringing('c1'));
  bus.emit(ringing('c2'));
  await running.stop();
  await eventually(() => receiver.got.join('').includes('c2'), 'two messages');
  let rest = receiver.got.join('');
  let messages = 0;
  while (rest !== '') {
    const space = rest.indexOf(' ');
    const length = Number(rest.slice(0, space));
    const message = rest.slice(space + 1, space + 1 + length);
    assert.match(message, /^<\d+>1 .* ringfence \d+ call\.ringing \[meta sequenceId="\d"\] CEF:0\|/);
    rest = rest.slice(space + 1 + length);
    messages += 1;
  }
  assert.equal(messages, 2);
  await receiver.close();
});

test('RFC 5425 §5.2: over TLS only to who proves to be the receiver', async () => {
  const authority = await TestAuthority.create('receivers');
  const { key, cert } = await authority.issue('IP:127.0.0.1');
  const file = join(folder, 'authority.pem');
  writeFileSync(file, authority.cert);
  const receiver = await streamReceiver({ tls: { key, cert } });
  const to = `tls://127.0.0.1:${receiver.port}`;
  const { bus, heard, running } = run(
    { format: 'syslog', to, authorityFile: file, events: ['call.*'] },
    { format: 'syslog', to, events: ['call.*'] },
  );
  bus.emit(ringing('c1'));
  await eventually(() => receiver.got.join('').includes('c1'), 'the event over TLS');
  await eventually(() => heard.some(({ type }) => type === 'export.failing'), 'the other to fail');
  const failing = heard.filter((event) => event.type === 'export.failing');
  assert.deepEqual(
    failing.map((event) => event.export),
    ['export-1'],
  );
  assert.equal(receiver.got.join('').split('c1').length, 2);
  await running.stop();
  await receiver.close();
  await authority.remove();
});

test('RFC 5426 §3.1: syslog over UDP is one message a datagram', async () => {
  const receiver = await udpReceiver();
  const { bus, running } = run({ format: 'syslog', to: `udp://127.0.0.1:${receiver.port}` });
  bus.emit(ringing('c1'));
  bus.emit(ringing('c2'));
  await eventually(() => receiver.got.length === 2, 'two datagrams');
  assert.match(String(receiver.got[0]), /^<135>1 /);
  await running.stop();
  await receiver.close();
});

test('over HTTP a batch is a POST with the token, again until a 2xx; choice by type and level', async () => {
  let refusals = 2;
  const receiver = await httpReceiver(() => {
    refusals -= 1;
    return refusals < 0 ? 204 : 503;
  });
  writeFileSync(join(folder, 'token'), 'secret-token\n');
  const { bus, running } = run({
    format: 'ecs',
    to: `http://127.0.0.1:${receiver.port}/in`,
    secretFile: join(folder, 'token'),
    events: ['call.ended', 'media.*'],
    level: 'notice',
  });
  bus.emit(ringing('c1'));
  bus.emit({ type: 'media.up', threads: 2 });
  bus.emit({ type: 'edge.stopped', reason: 'SIGTERM' });
  await eventually(() => receiver.got.length === 3, 'three attempts');
  await running.stop();
  for (const { path, headers, body } of receiver.got) {
    assert.equal(path, '/in');
    assert.equal(headers.authorization, 'Bearer secret-token');
    assert.deepEqual(
      objects(body).map(({ message }) => message),
      ['media.up'],
    );
  }
  await receiver.close();
});

test('redirections are not followed', async () => {
  const inside = await httpReceiver();
  const receiver = await httpReceiver(() => ({
    status: 302,
    headers: { location: `http://127.0.0.1:${inside.port}/` },
  }));
  const { bus, heard, running } = run({ format: 'json', to: `http://127.0.0.1:${receiver.port}/` });
  bus.emit(ringing('c1'));
  await eventually(() => heard.some(({ type }) => type === 'export.failing'), 'the failure');
  await running.stop();
  assert.equal(inside.got.length, 0);
  await Promise.all([receiver.close(), inside.close()]);
});

test('a file that is moved away begins anew', async () => {
  const file = join(folder, 'events.jsonl');
  const { bus, running } = run({ format: 'json', to: `file://${file}` });
  bus.emit(ringing('c1'));
  await eventually(() => readOr(file).includes('c1'), 'the first line');
  rmSync(file);
  bus.emit(ringing('c2'));
  await running.stop();
  assert.deepEqual(
    objects(readFileSync(file, 'utf8')).map(({ call }) => call),
    ['c2'],
  );
});

test('OpenTelemetry: a call is a trace of three spans, with what happened in it', async () => {
  const receiver = await httpReceiver();
  const { bus, running } = run({ format: 'otlp', to: `http://127.0.0.1:${receiver.port}/v1/traces` });
  bus.emit({
    type: 'call.started',
    call: 'c1',
    domain: 'example.test',
    caller: 'alice',
    callee: 'bob',
    principal: 'device:alice@example.test/desk',
    route: 'user:bob',
    decision: { verdict: 'accept', reasons: [] },
  });
  bus.emit(ringing('c1'));
  bus.emit({
    type: 'call.answered',
    call: 'c1',
    grade: 'hop-by-hop',
    sentence: '',
    detail: '',
    protection: [],
  });
  bus.emit({
    type: 'call.ended',
    call: 'c1',
    domain: 'example.test',
    caller: 'alice',
    callee: 'bob',
    principal: 'device:alice@example.test/desk',
    route: 'user:bob',
    delayMs: 10,
    disposition: 'answered',
    status: 200,
    cause: 'normal',
    seconds: 1.5,
    quality: [],
  });
  await running.stop();
  const { resourceSpans } = JSON.parse(receiver.got[0]?.body ?? '') as {
    resourceSpans: { scopeSpans: { spans: Record<string, unknown>[] }[] }[];
  };
  const spans = resourceSpans[0]?.scopeSpans[0]?.spans ?? [];
  assert.deepEqual(
    spans.map(({ name }) => name),
    ['sip.call', 'sip.setup', 'sip.conversation'],
  );
  const [root] = spans;
  assert.match(String(root?.traceId), /^[0-9a-f]{32}$/);
  assert.equal(new Set(spans.map(({ spanId }) => spanId)).size, 3);
  for (const { spanId, traceId } of spans) {
    assert.match(String(spanId), /^[0-9a-f]{16}$/);
    assert.equal(traceId, root?.traceId);
  }
  assert.equal((root?.events as unknown[] | undefined)?.length, 2);
  assert.deepEqual(root?.status, { code: 1 });
  await receiver.close();
});

function readOr(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
