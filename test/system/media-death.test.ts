import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bed, type Pair } from './harness/bed.ts';
import { talk } from './harness/voice.ts';
import { until, within } from './harness/waiting.ts';

/** From the issue: they talk again within two seconds. */
const silenceMs = 2_000;

/** Takes every new offer, as phones do. */
function follow({ caller, callee, callerVoice, calleeVoice }: Pair): void {
  for (const [leg, voice] of [
    [caller, callerVoice],
    [callee, calleeVoice],
  ] as const)
    leg.onReinvite = (incoming) => {
      const wrong = voice.take(incoming.sdp);
      if (wrong !== undefined) return incoming.respond(488, 'Not Acceptable Here');
      incoming.respond(200, 'OK', [['Contact', leg.agent.contact]], voice.describe());
    };
}

const remotesOf = ({ callerVoice, calleeVoice }: Pair): string =>
  `${callerVoice.remote?.port} ${calleeVoice.remote?.port}`;

test('RFC 3264 §8.3.1: the media process is killed: calls talk again within two seconds, and nothing else is disturbed', async (t) => {
  const bed = await Bed.open({ users: [{ name: 'alice' }, { name: 'bob' }, { name: 'carol' }] });
  try {
    const alice = await bed.registered('alice', 'tls');
    const bob = await bed.registered('bob', 'udp');
    const pairs = [
      await bed.connect(alice, bob, 'bob', { from: 'AEAD_AES_128_GCM' }),
      await bed.connect(alice, bob, 'bob', { from: 'AES_CM_128_HMAC_SHA1_80' }),
      await bed.connect(bob, alice, 'alice', { to: 'AEAD_AES_256_GCM' }),
    ];
    for (const pair of pairs) {
      follow(pair);
      assert.equal(await talk(pair.callerVoice, pair.calleeVoice, 3), undefined);
    }
    const keys = pairs[0]!.callerVoice.keysSeen.length;
    const places = pairs.map(remotesOf);
    // One that cannot take another offer, and one that is still ringing.
    const stubborn = await bed.connect(alice, bob, 'bob', { from: 'AEAD_AES_128_GCM' });
    const carol = await bed.registered('carol', 'udp');
    carol.onInvite = (incoming) => incoming.ring();
    const voice = await bed.voice();
    const ringing = bob.call('carol', voice.describe());
    await until('carol rings', () => carol.requests.some(({ message }) => message.method === 'INVITE'));

    const pid = bed.edge.mediaPid ?? 0;
    const from = bed.edge.events.length;
    process.kill(pid, 'SIGKILL');
    const began = performance.now();
    await Promise.all(
      pairs.map((pair, i) => until('new ports', () => remotesOf(pair) !== places[i], silenceMs)),
    );
    for (const pair of pairs) {
      // Whoever hears, hears it all again; what was said in between is lost.
      const { callerVoice, calleeVoice } = pair;
      calleeVoice.forget();
      await until(
        'sound',
        () => {
          callerVoice.send(callerVoice.packet());
          return calleeVoice.heard.length > 0;
        },
        silenceMs - (performance.now() - began),
      );
    }
    t.diagnostic(`three calls talk again after ${(performance.now() - began).toFixed(0)} ms`);
    for (const pair of pairs) assert.equal(await talk(pair.callerVoice, pair.calleeVoice, 5), undefined);
    assert.ok(pairs[0]!.callerVoice.keysSeen.length > keys);
    assert.equal(bed.edge.ofType('media.down', from).length, 1);
    assert.equal(bed.edge.ofType('media.up', from).length, 1);
    assert.equal(bed.edge.ofType('call.media-recovered', from).length, 3);
    assert.notEqual(bed.edge.mediaPid, pid);

    await within('the call that takes no new offer ends', stubborn.caller.over);
    await within('on both sides', stubborn.callee.over);
    assert.equal((await ringing).answer.status, 503);

    for (const pair of pairs) {
      assert.equal((await pair.callee.hangUp()).status, 200);
      await within('the other side', pair.caller.over);
    }
    const again = await bed.connect(alice, bob, 'bob', { from: 'AEAD_AES_128_GCM' });
    assert.equal(await talk(again.callerVoice, again.calleeVoice, 5), undefined);
    assert.equal((await again.caller.hangUp()).status, 200);
    const records = await until('the records', async () => {
      const found = (await bed.records()).filter(({ endedAt }) => endedAt !== undefined);
      return found.length === 6 && found;
    });
    assert.equal(records.filter(({ cause }) => cause === 'normal').length, 4);
    assert.equal(records.filter(({ cause }) => cause === 'media').length, 2);
    assert.deepEqual(bed.edge.ofType('edge.error'), []);
  } finally {
    await bed.close();
  }
});
