import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fromMuLaw, writeWav } from '@ringfence/audio/wav.ts';
import { Bed } from './harness/bed.ts';
import { until } from './harness/waiting.ts';

/** Hz, by zero crossings of what was heard. */
function pitch(payloads: readonly Uint8Array[]): number {
  const samples = Int16Array.from(Buffer.concat(payloads), fromMuLaw);
  let crossings = 0;
  for (let i = 1; i < samples.length; i++)
    if ((samples[i - 1] ?? 0) < 0 && (samples[i] ?? 0) >= 0) crossings += 1;
  return (crossings * 8000) / samples.length;
}

test('who is put on hold hears the music of `sounds.holdMusic`, over SRTP, until taken back', async () => {
  const bed = await Bed.open(
    {
      users: [
        { name: 'alice', encryption: 'required' },
        { name: 'bob', encryption: 'none' },
      ],
    },
    { more: { sounds: '{ holdMusic: music.wav }' } },
    (home) => {
      const samples = Int16Array.from({ length: 44_100 }, (_, i) =>
        Math.round(9000 * Math.sin((2 * Math.PI * 600 * i) / 44_100)),
      );
      home.write('music.wav', writeWav({ rate: 44_100, samples }));
    },
  );
  try {
    const alice = await bed.registered('alice', 'tls');
    const bob = await bed.registered('bob', 'udp');
    const call = await bed.connect(alice, bob, 'bob', { from: 'AEAD_AES_256_GCM' });
    call.caller.onReinvite = (incoming) => {
      call.callerVoice.take(incoming.sdp);
      incoming.respond(
        200,
        'OK',
        [['Contact', alice.contact]],
        call.callerVoice.describe({ direction: 'recvonly' }),
      );
    };
    const hold = await call.callee.reinvite(call.calleeVoice.describe({ direction: 'sendonly' }));
    assert.equal(hold.status, 200);
    await until('a second of music', () => call.callerVoice.heard.length > 60);
    const heard = call.callerVoice.heard.slice(5, 55);
    assert.ok(heard.every(({ length }) => length === 160));
    assert.ok(Math.abs(pitch(heard) - 600) < 10, `${pitch(heard)} Hz`);
    call.caller.onReinvite = (incoming) => {
      call.callerVoice.take(incoming.sdp);
      incoming.respond(200, 'OK', [['Contact', alice.contact]], call.callerVoice.describe());
    };
    assert.equal((await call.callee.reinvite(call.calleeVoice.describe())).status, 200);
    const before = call.callerVoice.heard.length;
    await call.calleeVoice.say(5);
    const said = call.calleeVoice.said.at(-1)!;
    await until('a word', () =>
      call.callerVoice.heard.slice(before).some((one) => Buffer.compare(one, said) === 0),
    );
    assert.equal((await call.caller.hangUp()).status, 200);
  } finally {
    await bed.close();
  }
});
