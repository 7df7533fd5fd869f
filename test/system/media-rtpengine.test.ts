import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { after, afterEach, before, describe, test } from 'node:test';
import { type DemoRtpengine, startRtpengine } from '@ringfence/edge/demo/rtpengine.ts';
import { Bed } from './harness/bed.ts';
import { callsOverMedia } from './harness/media-calls.ts';
import { talk } from './harness/voice.ts';
import { until, within } from './harness/waiting.ts';

type Counted = { readonly packets: number };

const missing = spawnSync('rtpengine', ['--version']).error !== undefined;

describe('rtpengine as media engine', { skip: missing ? 'rtpengine is not installed' : false }, () => {
  let bed: Bed;
  const engines: DemoRtpengine[] = [];
  before(async () => {
    engines.push(await startRtpengine(), await startRtpengine());
    const listed = engines.map(
      ({ port }, i) =>
        `{ address: 127.0.0.1, port: ${port}, weight: ${i === 0 ? 1000 : 1}, outside: outside, inside: inside }`,
    );
    bed = await Bed.open(
      { users: [{ name: 'alice' }, { name: 'bob' }, { name: 'carol', encryption: 'required' }] },
      { media: `engine: rtpengine, rtpengine: [ ${listed.join(', ')} ]` },
    );
  });
  after(async () => {
    await bed?.close();
    for (const engine of engines) await engine.stop();
  });
  afterEach(() => bed.hangUpAll());

  callsOverMedia(() => bed);

  test('the record of a call says who held its keys, and what rtpengine has counted', async () => {
    const alice = await bed.registered('alice', 'tls');
    const bob = await bed.registered('bob', 'udp');
    const from = bed.edge.events.length;
    const call = await bed.connect(alice, bob, 'bob', { from: 'AEAD_AES_256_GCM' });
    const answered = await bed.edge.event('call.answered', () => true, from);
    assert.equal(await talk(call.callerVoice, call.calleeVoice, 10), undefined);
    assert.equal((await call.caller.hangUp()).status, 200);
    await within('the end', call.callee.over);
    const [first, second] = answered.protection as { media: Record<string, unknown> }[];
    assert.deepEqual(first?.media, {
      protocol: 'srtp',
      suite: 'AEAD_AES_256_GCM',
      keyExchange: 'sdes',
      keysExposed: false,
      keysAt: `rtpengine 127.0.0.1:${engines[0]?.port}`,
    });
    assert.deepEqual(second?.media, { protocol: 'rtp' });
    const ended = await bed.edge.event('call.ended', () => true, from);
    const [caller, callee] = ended.quality as { received: Counted; sent: Counted }[];
    assert.ok(Number(caller?.received.packets) >= 10);
    assert.equal(caller?.received.packets, callee?.sent.packets);
    assert.equal(callee?.received.packets, caller?.sent.packets);
  });

  test('RFC 3264 §8.3.1: an instance dies: its calls go on at the other, ringing ones end, new ones go there', async () => {
    const alice = await bed.registered('alice', 'tls');
    const bob = await bed.registered('bob', 'udp');
    const call = await bed.connect(alice, bob, 'bob', { from: 'AES_CM_128_HMAC_SHA1_80' });
    for (const [leg, voice] of [
      [call.caller, call.callerVoice],
      [call.callee, call.calleeVoice],
    ] as const)
      leg.onReinvite = (incoming) => {
        assert.equal(voice.take(incoming.sdp), undefined);
        incoming.respond(200, 'OK', [['Contact', leg.agent.contact]], voice.describe());
      };
    const carol = await bed.registered('carol', 'tls');
    carol.onInvite = (incoming) => incoming.ring();
    const voice = await bed.voice();
    const ringing = bob.call('carol', voice.describe());
    await until('carol rings', () => carol.requests.some(({ message }) => message.method === 'INVITE'));
    const from = bed.edge.events.length;
    await engines.shift()?.stop();
    const told = await bed.edge.event('media.instance', ({ state }) => state === 'down', from, 20_000);
    assert.equal(told.streams, 4);
    assert.equal((await ringing).answer.status, 503);
    await bed.edge.event('call.media-recovered', () => true, from);
    call.calleeVoice.forget();
    assert.equal(await talk(call.callerVoice, call.calleeVoice, 5), undefined);
    assert.equal((await call.caller.hangUp()).status, 200);
    await within('the end', call.callee.over);
    const next = await bed.connect(alice, bob, 'bob', { from: 'AES_CM_128_HMAC_SHA1_80' });
    assert.equal(await talk(next.callerVoice, next.calleeVoice), undefined);
    assert.equal((await next.caller.hangUp()).status, 200);
  });
});
