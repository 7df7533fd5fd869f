import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { parseMultipart } from '@ringfence/sip/message/multipart.ts';
import type { Agent, Incoming } from './harness/agent.ts';
import { Bed } from './harness/bed.ts';
import { ringfenceDoes } from './harness/command.ts';
import { domain } from './harness/place.ts';
import type { Voice } from './harness/voice.ts';
import { until, within } from './harness/waiting.ts';

const suite = 'AES_CM_128_HMAC_SHA1_80';
const recorderAt = '127.0.0.83';
let bed: Bed;
let recorder: Agent;

before(async () => {
  bed = await Bed.open({ users: [{ name: 'alice' }, { name: 'bob' }] });
  recorder = await bed.phone('srs', 'udp', { from: recorderAt });
  await bed.apply({
    users: [{ name: 'alice' }, { name: 'bob' }],
    trunks: [
      {
        name: 'vault',
        target: `sip:${recorderAt}:${recorder.local.port};transport=udp`,
        addresses: [recorderAt],
        encryption: 'preferred',
        health: { options: false },
      },
    ],
    domains: [
      {
        name: domain,
        recording: { recorder: 'vault', users: ['alice'], consent: 'notified', start: 'always' },
      },
    ],
  });
});
after(() => bed.close());

/** SDP and metadata of a recording session. */
function read(incoming: Incoming): { sdp: string; metadata: string } {
  const { headers, body } = incoming.message;
  const parts = parseMultipart(headers.get('Content-Type') ?? '', body);
  assert.ok(parts.ok);
  const text = (type: string): string =>
    Buffer.from(
      parts.value.find((part) => part.headers.get('Content-Type') === type)?.body ?? new Uint8Array(),
    ).toString();
  return { sdp: text('application/sdp'), metadata: text('application/rs-metadata+xml') };
}

/** The description with that one of its streams alone. */
function only(sdp: string, index: number): string {
  const [session = '', ...media] = sdp.split(/(?=^m=)/m);
  return session + (media[index] ?? '');
}

test('RFC 7866: a call through the running edge is heard by the recorder, each side in its own stream, bit by bit', async () => {
  const streams: Voice[] = [await bed.voice(suite, recorderAt), await bed.voice(suite, recorderAt)];
  let asked: { sdp: string; metadata: string } | undefined;
  let over: Promise<void> | undefined;
  recorder.onInvite = (incoming) => {
    asked = read(incoming);
    for (const [i, voice] of streams.entries()) assert.equal(voice.take(only(asked.sdp, i)), undefined);
    const [first = '', second = ''] = streams.map((voice) => voice.describe({ direction: 'recvonly' }));
    over = incoming.accept(first + second.slice(second.indexOf('m='))).over;
  };
  const alice = await bed.registered('alice', 'tls');
  const bob = await bed.registered('bob', 'tls');
  const from = bed.edge.events.length;
  const call = await bed.connect(alice, bob, 'bob', { from: suite, to: suite });
  const started = await bed.edge.event('recording.started', () => true, from);
  assert.equal(started.recorder, 'vault');
  assert.ok(asked !== undefined);
  assert.match(asked.metadata, new RegExp(`aor="sip:alice@${domain.replaceAll('.', '\\.')}"`));
  assert.match(asked.sdp, /a=label:1[\s\S]*a=label:2/);

  await call.callerVoice.say(30);
  await call.calleeVoice.say(30);
  const [left, right] = streams;
  await until('all of it at the recorder', () => left!.heard.length >= 30 && right!.heard.length >= 30);
  const last = (packets: readonly Uint8Array[]): string[] =>
    packets.slice(-30).map((packet) => Buffer.from(packet).toString('hex'));
  assert.deepEqual(last(left!.heard), last(call.callerVoice.said));
  assert.deepEqual(last(right!.heard), last(call.calleeVoice.said));
  await until('the other side hears too', () => call.calleeVoice.heard.length >= 30);
  // Header, sound and the tag of SRTP: what could not be authenticated would not have been heard.
  assert.equal(left!.datagrams.at(-1)!.bytes.length, 12 + 160 + 10);

  const { id } = JSON.parse(await ringfenceDoes(bed.home.path, ['call', 'list', '--json'])) as { id: string };
  await ringfenceDoes(bed.home.path, ['call', 'record', id, 'pause']);
  const paused = await bed.edge.event('recording.paused', () => true, from);
  assert.match(String(paused.by), /^administrator/);
  assert.equal((await call.caller.hangUp()).status, 200);
  await within('BYE to the recorder', over ?? Promise.reject(new Error('not asked')));
  const records = await until('the record', async () => {
    const found = (await bed.records()).filter(({ endedAt }) => endedAt !== undefined);
    return found.length > 0 ? found : undefined;
  });
  const shown = await ringfenceDoes(bed.home.path, ['cdr', 'show', String(records[0]?.id)]);
  assert.match(shown, /recorded by the recorder vault/);
  assert.match(shown.split('\n')[0] ?? '', /^(?:Hop by hop|Partly protected): /);
});
