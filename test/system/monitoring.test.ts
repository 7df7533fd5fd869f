import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { get as getSecurely } from 'node:https';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { httpReceiver, type Posted, type Receiver } from '@ringfence/edge/exports/testing/receivers.ts';
import { Bed } from './harness/bed.ts';
import { ringfenceDoes } from './harness/command.ts';
import { freePort } from './harness/place.ts';
import { until } from './harness/waiting.ts';

const token = 'a-token-of-some-length';
let bed: Bed;
let hook: Receiver<Posted>;
let port = 0;
/** Where Homer would be. */
const homer = createSocket('udp4');
const captured: Buffer[] = [];
homer.on('message', (packet) => captured.push(packet));

before(async () => {
  port = await freePort('tcp');
  hook = await httpReceiver();
  await new Promise<void>((resolve) => homer.bind(0, '127.0.0.1', resolve));
  bed = await Bed.open(
    {
      users: [
        { name: 'alice', encryption: 'none' },
        { name: 'bob', encryption: 'none' },
      ],
    },
    {
      more: {
        metrics: `{ enabled: true, port: ${port}, tls: true, tokenFile: token }`,
        alerts: `{ gatherSeconds: 0, channels: [ { name: hook, webhook: { url: 'http://127.0.0.1:${hook.port}/', secretFile: secret, dangerousInside: true } } ], rules: [ { name: logins, events: ['authentication.failed'], channels: [hook] } ] }`,
        exports: `[ { name: homer, format: hep3, to: 'udp://127.0.0.1:${homer.address().port}' }, { name: file, format: json, to: 'file:events.jsonl', level: debug } ]`,
      },
    },
    (home) => {
      home.write('token', `${token}\n`);
      home.write('secret', `${token}\n`);
    },
  );
});
after(async () => {
  homer.close();
  await bed.close();
  await hook.close();
});

const scrape = (path: string, authorization?: string): Promise<{ status: number; text: string }> =>
  new Promise((resolve, reject) => {
    const headers = authorization === undefined ? {} : { authorization };
    getSecurely({ host: '127.0.0.1', port, path, headers, rejectUnauthorized: false }, (response) => {
      let text = '';
      response.on('data', (chunk) => (text += String(chunk)));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    }).on('error', reject);
  });

test('metrics of a call are read with the token, and by nobody else', async () => {
  assert.equal((await scrape('/metrics')).status, 401);
  assert.equal((await scrape('/metrics', 'Bearer another-token-of-some-length')).status, 401);
  assert.equal((await scrape('/', `Bearer ${token}`)).status, 404);
  const pair = await bed.connect(await bed.registered('alice'), await bed.registered('bob'), 'bob');
  await pair.caller.hangUp();
  await bed.edge.event('call.ended');
  const { status, text } = await scrape('/metrics', `Bearer ${token}`);
  assert.equal(status, 200);
  assert.match(text, /^ringfence_calls 0$/m);
  assert.match(
    text,
    /^ringfence_sessions_total\{domain="system\.test",trunk="",direction="internal",outcome="completed"\} 1$/m,
  );
  assert.match(text, /^ringfence_media_up 1$/m);
  assert.match(text, /^ringfence_events_total\{event="edge\.ready",severity="notice"\} 1$/m);
  assert.match(text, /^ringfence_tls_cert_expiry_timestamp_seconds\{certificate="node"\} \d/m);
});

/** Chunk of a HEP3 packet. */
function chunk(packet: Buffer, wanted: number): Buffer | undefined {
  for (let at = 6; at + 6 <= packet.length; at += packet.readUInt16BE(at + 4))
    if (packet.readUInt16BE(at + 2) === wanted)
      return packet.subarray(at + 6, at + packet.readUInt16BE(at + 4));
  return undefined;
}

test('Homer sees the call on both sides, without the digests of its phones; events are on file', async () => {
  const sip = captured
    .filter((packet) => chunk(packet, 0x0b)?.[0] === 1)
    .map((packet) => String(chunk(packet, 0x0f)));
  const starts = (text: string): number => sip.filter((message) => message.startsWith(text)).length;
  assert.ok(starts('INVITE sip:bob@') >= 2, 'from the caller');
  assert.ok(starts('BYE ') >= 2, 'to both sides');
  assert.ok(starts('REGISTER ') >= 4);
  const proven = sip.filter((message) => message.includes('Authorization:'));
  assert.ok(proven.length >= 3);
  for (const message of proven) assert.match(message, /Authorization: Digest masked\r\n/);
  assert.ok(!captured.some((packet) => packet.includes('response="')));
  const logs = captured.filter((packet) => chunk(packet, 0x0b)?.[0] === 100);
  const invite = captured.find((packet) => String(chunk(packet, 0x0f)).startsWith('INVITE'));
  assert.ok(invite !== undefined);
  const callId = /^Call-ID: (.*)\r$/m.exec(String(chunk(invite, 0x0f)))?.[1];
  assert.equal(String(chunk(invite, 0x11)), callId);
  const told = logs.filter((packet) => String(chunk(packet, 0x11)) === callId);
  assert.ok(told.some((packet) => String(chunk(packet, 0x0f)).includes('"event":"call.answered"')));
  const file = await until('the file', () => {
    const text = readFileSync(join(bed.home.path, 'events.jsonl'), 'utf8');
    return text.includes('"call.ended"') ? text : undefined;
  });
  const events = file
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(events[0]?.sequence, 1);
  assert.equal(events.at(-1)?.sequence, events.length);
});

test('a wrong password becomes an alert at the webhook, and somebody says that it is his', async () => {
  const stranger = await bed.phone('alice', 'udp', { password: 'wrong' });
  await stranger.register();
  await until('the webhook', () => hook.got[0]);
  const { alerts } = JSON.parse(hook.got[0]?.body ?? '') as { alerts: { id: string; text: string }[] };
  assert.match(alerts[0]?.text ?? '', /^warning: authentication\.failed/);
  const id = alerts[0]?.id ?? '';
  assert.match(await ringfenceDoes(bed.home.path, ['alert', 'list']), new RegExp(`${id} +warning +open`));
  await ringfenceDoes(bed.home.path, ['alert', 'ack', id]);
  await bed.edge.event('alert.acknowledged', ({ alert }) => alert === id);
  assert.match(await ringfenceDoes(bed.home.path, ['alert', 'list']), /acknowledged \(/);
});
