/** What must hold of calls whatever engine carries their voice: each engine has a test file that runs these. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { suites } from '@ringfence/srtp/suite.ts';
import type { Bed, Pair } from './bed.ts';
import { talk } from './voice.ts';
import { until, within } from './waiting.ts';

async function hangUp(call: Pair): Promise<void> {
  assert.equal((await call.caller.hangUp()).status, 200);
  await within('the called side', call.callee.over);
}

/** The other side takes every new offer and answers it as its voice does. */
function followReinvites(call: Pair, direction: 'sendrecv' | 'recvonly' | 'inactive' = 'sendrecv'): string[] {
  const offers: string[] = [];
  call.callee.onReinvite = (incoming) => {
    offers.push(incoming.sdp);
    const wrong = call.calleeVoice.take(incoming.sdp);
    if (wrong !== undefined) return incoming.respond(488, 'Not Acceptable Here');
    incoming.respond(
      200,
      'OK',
      [['Contact', call.callee.agent.contact]],
      call.calleeVoice.describe({ direction }),
    );
  };
  return offers;
}

const directionOf = (sdp: string): string =>
  /^a=(sendrecv|sendonly|recvonly|inactive)\r?$/m.exec(sdp)?.[1] ?? '';

export function callsOverMedia(bed: () => Bed): void {
  for (const suite of suites)
    test(`${suite} over TLS to plain RTP over UDP and back: every octet arrives, both ways`, async () => {
      const alice = await bed().registered('alice', 'tls');
      const bob = await bed().registered('bob', 'udp');
      const call = await bed().connect(alice, bob, 'bob', { from: suite });
      assert.equal(await talk(call.callerVoice, call.calleeVoice), undefined);
      await hangUp(call);
      await bob.register(0);
    });

  test('SRTP to SRTP: each leg has a suite and keys of its own', async () => {
    const alice = await bed().registered('alice', 'tls');
    const carol = await bed().registered('carol', 'tls');
    const call = await bed().connect(alice, carol, 'carol', {
      from: 'AES_CM_128_HMAC_SHA1_32',
      to: 'AEAD_AES_256_GCM',
    });
    assert.equal(await talk(call.callerVoice, call.calleeVoice), undefined);
    const texts = (keys: readonly Uint8Array[]): string[] =>
      keys.map((key) => Buffer.from(key).toString('hex'));
    const own = new Set(texts(call.callerVoice.keysSeen));
    assert.ok(texts(call.calleeVoice.keysSeen).every((key) => !own.has(key)));
    await hangUp(call);
  });

  test('RFC 3264 §8.4: hold and resume by re-INVITE, from either side', async () => {
    const alice = await bed().registered('alice', 'tls');
    const bob = await bed().registered('bob', 'tcp');
    const call = await bed().connect(alice, bob, 'bob', { from: 'AES_CM_128_HMAC_SHA1_80' });
    assert.equal(await talk(call.callerVoice, call.calleeVoice, 3), undefined);
    const offers = followReinvites(call, 'recvonly');
    const held = await call.caller.reinvite(call.callerVoice.describe({ direction: 'sendonly' }));
    assert.equal(held.status, 200);
    assert.equal(directionOf(offers[0] ?? ''), 'sendonly');
    assert.equal(directionOf(held.text), 'recvonly');
    followReinvites(call);
    const resumed = await call.caller.reinvite(call.callerVoice.describe());
    assert.equal(resumed.status, 200);
    assert.equal(call.callerVoice.take(resumed.text.slice(resumed.text.indexOf('\r\n\r\n') + 4)), undefined);
    assert.equal(await talk(call.callerVoice, call.calleeVoice, 5), undefined);

    call.caller.onReinvite = (incoming) => {
      assert.equal(directionOf(incoming.sdp), 'inactive');
      call.callerVoice.take(incoming.sdp);
      incoming.respond(
        200,
        'OK',
        [['Contact', alice.contact]],
        call.callerVoice.describe({ direction: 'inactive' }),
      );
    };
    assert.equal(
      (await call.callee.reinvite(call.calleeVoice.describe({ direction: 'inactive' }))).status,
      200,
    );
    await hangUp(call);
  });

  test('RFC 4568 §7.1.4: new keys by re-INVITE take effect, and the old ones are worth nothing', async () => {
    const alice = await bed().registered('alice', 'tls');
    const bob = await bed().registered('bob', 'udp');
    const call = await bed().connect(alice, bob, 'bob', { from: 'AEAD_AES_128_GCM' });
    assert.equal(await talk(call.callerVoice, call.calleeVoice, 5), undefined);
    const old = call.callerVoice.packet();
    followReinvites(call);
    for (let i = 0; i < 3; i += 1) {
      call.callerVoice.newKey();
      const answer = await call.caller.reinvite(call.callerVoice.describe());
      assert.equal(answer.status, 200);
      assert.equal(call.callerVoice.take(answer.text.slice(answer.text.indexOf('\r\n\r\n') + 4)), undefined);
      assert.equal(await talk(call.callerVoice, call.calleeVoice, 5), undefined, `rekeying ${i + 1}`);
    }
    call.calleeVoice.forget();
    call.callerVoice.send(old);
    await call.callerVoice.say(2);
    await until('two packets', () => call.calleeVoice.heard.length === 2);
    await hangUp(call);
  });

  test('M6: an encrypted call cannot be talked down to plain RTP, from neither side, and goes on', async () => {
    const alice = await bed().registered('alice', 'tls');
    const carol = await bed().registered('carol', 'tls');
    const call = await bed().connect(alice, carol, 'carol', {
      from: 'AEAD_AES_256_GCM',
      to: 'AES_CM_128_HMAC_SHA1_80',
    });
    let offered = 0;
    call.callee.onReinvite = (incoming) => {
      offered += 1;
      incoming.respond(488, 'Not Acceptable Here');
    };
    call.caller.onReinvite = call.callee.onReinvite;
    for (const [leg, voice] of [
      [call.caller, call.callerVoice],
      [call.callee, call.calleeVoice],
    ] as const) {
      const plain = await leg.reinvite(voice.describe({ as: 'RTP' }));
      assert.equal(plain.status, 488);
      assert.match(plain.message.headers.get('Warning') ?? '', /encrypted|Encryption/);
      const keyless = await leg.reinvite(voice.describe().replace(/a=crypto:[^\r]+\r\n/, ''));
      assert.equal(keyless.status, 488);
    }
    assert.equal(offered, 0, 'the other side was not asked');
    assert.equal(await talk(call.callerVoice, call.calleeVoice), undefined);
    await hangUp(call);
  });
}
