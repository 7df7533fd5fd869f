import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Agent } from './harness/agent.ts';
import { Bed, type Pair } from './harness/bed.ts';
import { udpPortsOf } from './harness/edge-process.ts';
import { talk, type Voice } from './harness/voice.ts';
import { pause, until, within } from './harness/waiting.ts';

const calls = Number(process.env.RINGFENCE_TEST_CALLS ?? 200);
/** Ten packets a second in each direction of each call: 4,000 a second through the media process. */
const packetEveryMs = 100;
const surelyLiveMs = 600;

/** Everybody talks without a pause; `stop` ends it and says how many packets were sent and have arrived. */
function talkOn(pairs: readonly Pair[]): { stop(): Promise<{ sent: number; heard: number }> } {
  const voices = pairs.flatMap(({ callerVoice, calleeVoice }) => [callerVoice, calleeVoice]);
  for (const voice of voices) voice.forget();
  let sent = 0;
  const payload = new Uint8Array(160).fill(0x55);
  let next = 0;
  const slice = Math.ceil(voices.length / 10);
  const timer = setInterval(() => {
    for (let i = 0; i < slice; i += 1) {
      const voice = voices[next] as Voice;
      next = (next + 1) % voices.length;
      voice.send(voice.packet(payload));
      sent += 1;
    }
  }, packetEveryMs / 10);
  return {
    stop: async () => {
      clearInterval(timer);
      const heard = (): number => voices.reduce((sum, voice) => sum + voice.heard.length, 0);
      await until('the last packets', () => heard() >= sent, 3_000).catch(() => undefined);
      return { sent, heard: heard() };
    },
  };
}

test(`kill -9 of the edge under ${calls} calls: no packet is lost, the next one takes all over, BYE works from either side, records are whole`, {
  timeout: 180_000,
}, async (t) => {
  const bed = await Bed.openToRestart(
    { users: [{ name: 'alice' }, { name: 'bob' }] },
    { listeners: [{ name: 'udp', transport: 'udp', encryption: 'preferred' }], mediaPorts: 8 * calls },
  );
  try {
    const alice = await bed.registered('alice', 'udp');
    const bob = await bed.registered('bob', 'udp');
    const pairs: Pair[] = [];
    for (let i = 0; i < calls; i += 1)
      pairs.push(
        await bed.connect(alice, bob, 'bob', i % 4 === 0 ? { from: 'AES_CM_128_HMAC_SHA1_80' } : {}),
      );
    for (const pair of [pairs[0], pairs[1]])
      assert.equal(await talk(pair!.callerVoice, pair!.calleeVoice, 3), undefined);
    await pause(surelyLiveMs);
    const media = bed.edge.mediaPid;

    const speech = talkOn(pairs);
    await pause(500);
    assert.equal((await bed.edge.kill()).signal, 'SIGKILL');
    await pause(500);
    const began = performance.now();
    await bed.restart();
    const startMs = performance.now() - began;
    await pause(500);
    const { sent, heard } = await speech.stop();
    t.diagnostic(
      `${sent} packets sent, ${heard} heard; the next edge took ${startMs.toFixed(0)} ms to start`,
    );
    assert.ok(sent > 10 * calls, `${sent} packets`);
    assert.equal(heard, sent);

    const taken = await bed.edge.event('edge.taken-over');
    assert.equal(taken.calls, calls);
    assert.equal(taken.interrupted, 0);
    assert.equal(bed.edge.mediaPid, media);
    t.diagnostic(`taken over ${taken.milliseconds} ms after the start of the daemon`);

    for (let i = 0; i < calls; i += 20)
      await Promise.all(
        pairs.slice(i, i + 20).map(async ({ caller, callee }, j) => {
          const [leaving, staying] = j % 2 === 0 ? [caller, callee] : [callee, caller];
          assert.equal((await leaving.hangUp()).status, 200);
          await within('the other side hears of it', staying.over);
        }),
      );
    const records = await until('all records', async () => {
      const found = (await bed.records(calls + 10)).filter(({ endedAt }) => endedAt !== undefined);
      return found.length === calls && found;
    });
    for (const record of records) {
      assert.equal(record.disposition, 'answered');
      assert.equal(record.cause, 'normal');
      assert.equal(record.legs.length, 2);
      for (const { quality, protection } of record.legs) {
        assert.ok(
          (quality as { received: { packets: number } }).received.packets > 5,
          JSON.stringify(record),
        );
        assert.ok(protection);
      }
    }
    assert.equal(new Set(records.map(({ id }) => id)).size, calls);
    assert.deepEqual(bed.edge.ofType('edge.error'), []);
  } finally {
    await bed.close();
  }
});

/** Answers re-INVITEs as its voice does, and says how often. */
function follow(pair: Pair, side: 'caller' | 'callee'): () => number {
  const [leg, voice] = side === 'caller' ? [pair.caller, pair.callerVoice] : [pair.callee, pair.calleeVoice];
  let count = 0;
  leg.onReinvite = (incoming) => {
    count += 1;
    const wrong = incoming.sdp === '' ? undefined : voice.take(incoming.sdp);
    if (wrong !== undefined) return incoming.respond(488, 'Not Acceptable Here');
    incoming.respond(200, 'OK', [['Contact', leg.agent.contact]], voice.describe());
  };
  return () => count;
}

const sdpOf = (text: string): string => text.slice(text.indexOf('\r\n\r\n') + 4);
const keysOf = (sdp: string): string[] => sdp.split('\r\n').filter((line) => line.startsWith('a=crypto:'));

test('after a take-over a phone that comes back over TLS is in its calls again; a re-INVITE brings new keys', async () => {
  const bed = await Bed.openToRestart({ users: [{ name: 'alice' }, { name: 'bob' }] });
  try {
    const back = async (pairs: readonly Pair[]): Promise<Agent> => {
      const alice = await bed.phone('alice', 'tls');
      for (const { caller } of pairs) caller.moveTo(alice);
      assert.equal((await alice.register()).status, 200);
      return alice;
    };
    const alice = await bed.registered('alice', 'tls');
    const bob = await bed.registered('bob', 'udp');
    const pairs: Pair[] = [];
    for (let i = 0; i < 4; i += 1)
      pairs.push(await bed.connect(alice, bob, 'bob', { from: 'AEAD_AES_128_GCM' }));
    const [first, second, third, fourth] = pairs as [Pair, Pair, Pair, Pair];
    const answered = sdpOf(first.answerText);
    await pause(surelyLiveMs);
    await bed.edge.kill();
    await bed.restart();
    assert.equal((await bed.edge.event('edge.taken-over')).calls, 4);
    assert.equal(await talk(first.callerVoice, first.calleeVoice, 5), undefined);

    // The called side hangs up while the phone is away: the phone hears of it when it is back.
    assert.equal((await fourth.callee.hangUp()).status, 200);
    await back(pairs);
    await within('the phone that was away', fourth.caller.over);

    // Its own request comes over the new connection, with new keys both ways.
    follow(first, 'callee');
    first.callerVoice.newKey();
    const held = await first.caller.reinvite(first.callerVoice.describe());
    assert.equal(held.status, 200);
    assert.notDeepEqual(keysOf(sdpOf(held.text)), keysOf(answered));
    assert.equal(first.callerVoice.take(sdpOf(held.text)), undefined);
    assert.equal(await talk(first.callerVoice, first.calleeVoice, 5), undefined);

    // The other side's reaches it there; then one without an offer.
    const asked = follow(second, 'caller');
    const moved = await second.callee.reinvite(second.calleeVoice.describe());
    assert.equal(moved.status, 200);
    assert.equal(asked(), 1);
    assert.equal(second.calleeVoice.take(sdpOf(moved.text)), undefined);
    assert.equal(await talk(second.callerVoice, second.calleeVoice, 5), undefined);

    // What has been renegotiated outlives the next death too.
    await pause(surelyLiveMs);
    await bed.edge.kill();
    await bed.restart();
    const again = await bed.edge.event('edge.taken-over');
    assert.equal(again.calls, 3);
    await back(pairs.slice(0, 3));
    assert.equal(await talk(first.callerVoice, first.calleeVoice, 5), undefined);
    assert.equal(await talk(second.callerVoice, second.calleeVoice, 5), undefined);
    for (const { caller, callee } of [first, second, third]) {
      assert.equal((await callee.hangUp()).status, 200);
      await within('the phone', caller.over);
    }
    const records = await bed.records();
    assert.equal(records.length, 4);
    for (const record of records) assert.equal(record.disposition, 'answered');
    assert.deepEqual(bed.edge.ofType('edge.error'), []);
  } finally {
    await bed.close();
  }
});

test('edge and media process are killed together: the next edge offers both sides new media, and they talk again', async () => {
  const bed = await Bed.openToRestart({ users: [{ name: 'alice' }, { name: 'bob' }] });
  try {
    const alice = await bed.registered('alice', 'udp');
    const bob = await bed.registered('bob', 'udp');
    const pair = await bed.connect(alice, bob, 'bob', { to: 'AEAD_AES_128_GCM' });
    follow(pair, 'caller');
    follow(pair, 'callee');
    await pause(surelyLiveMs);
    const media = bed.edge.mediaPid ?? 0;
    await bed.edge.kill();
    process.kill(media, 'SIGKILL');
    await bed.restart();
    assert.equal((await bed.edge.event('edge.taken-over')).calls, 1);
    await bed.edge.event('call.media-recovered');
    assert.equal(await talk(pair.callerVoice, pair.calleeVoice, 5), undefined);
    assert.equal((await pair.caller.hangUp()).status, 200);
    await within('the other side', pair.callee.over);
    const [record] = await bed.records();
    assert.equal(record?.cause, 'normal');
  } finally {
    await bed.close();
  }
});

test('a call that is being set up when the edge is killed has its record, and its ports are given back', async () => {
  const bed = await Bed.openToRestart({ users: [{ name: 'alice' }, { name: 'bob' }, { name: 'carol' }] });
  try {
    const alice = await bed.registered('alice', 'udp');
    const bob = await bed.registered('bob', 'udp');
    const carol = await bed.registered('carol', 'udp');
    const pair = await bed.connect(alice, bob, 'bob');
    carol.onInvite = (incoming) => incoming.ring();
    const ringing = alice.call('carol', (await bed.voice()).describe(), { patienceMs: 3_000 });
    ringing.catch(() => undefined);
    await until('carol rings', () => carol.requests.some(({ message }) => message.method === 'INVITE'));
    await pause(1_200);
    await bed.edge.kill();
    await bed.restart();
    const taken = await bed.edge.event('edge.taken-over');
    assert.equal(taken.calls, 1);
    assert.equal(taken.interrupted, 1);
    const records = await bed.records();
    const set = records.find(({ callee }) => callee === 'carol');
    assert.equal(set?.disposition, 'interrupted');
    assert.equal(set?.cause, 'edge-restart');
    const media = bed.edge.mediaPid ?? 0;
    await until('the ports of the other call', () => udpPortsOf(media).length <= 4);
    assert.equal(await talk(pair.callerVoice, pair.calleeVoice, 3), undefined);
    assert.equal((await pair.caller.hangUp()).status, 200);
    await until('all ports', () => udpPortsOf(media).length === 0);
  } finally {
    await bed.close();
  }
});
