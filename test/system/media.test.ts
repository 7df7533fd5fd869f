import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { suites } from '@ringfence/srtp/suite.ts';
import { Bed, type Pair } from './harness/bed.ts';
import { udpPortsOf } from './harness/edge-process.ts';
import { canReadMemory, findInMemory } from './harness/memory.ts';
import { talk } from './harness/voice.ts';
import { pause, until, within } from './harness/waiting.ts';

let bed: Bed;
before(async () => {
  bed = await Bed.open(
    { users: [{ name: 'alice' }, { name: 'bob' }, { name: 'carol', encryption: 'required' }] },
    {
      listeners: [
        { name: 'udp', transport: 'udp', encryption: 'preferred' },
        { name: 'tcp', transport: 'tcp', encryption: 'preferred' },
        { name: 'tls', transport: 'tls', encryption: 'preferred' },
      ],
    },
  );
});
after(() => bed.close());
/** A test that failed leaves its call behind, which would be in the way of the next. */
afterEach(() => bed.hangUpAll());

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

for (const suite of suites)
  test(`${suite} over TLS to plain RTP over UDP and back: every octet arrives, both ways`, async () => {
    const alice = await bed.registered('alice', 'tls');
    const bob = await bed.registered('bob', 'udp');
    const call = await bed.connect(alice, bob, 'bob', { from: suite });
    assert.equal(await talk(call.callerVoice, call.calleeVoice), undefined);
    await hangUp(call);
    await bob.register(0);
  });

test('SRTP to SRTP: each leg has a suite and keys of its own', async () => {
  const alice = await bed.registered('alice', 'tls');
  const carol = await bed.registered('carol', 'tls');
  const call = await bed.connect(alice, carol, 'carol', {
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
  const alice = await bed.registered('alice', 'tls');
  const bob = await bed.registered('bob', 'tcp');
  const call = await bed.connect(alice, bob, 'bob', { from: 'AES_CM_128_HMAC_SHA1_80' });
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
  const alice = await bed.registered('alice', 'tls');
  const bob = await bed.registered('bob', 'udp');
  const call = await bed.connect(alice, bob, 'bob', { from: 'AEAD_AES_128_GCM' });
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
  const alice = await bed.registered('alice', 'tls');
  const carol = await bed.registered('carol', 'tls');
  const call = await bed.connect(alice, carol, 'carol', {
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

test('M6: an answer without keys to an offer with keys is no answer', async () => {
  const alice = await bed.registered('alice', 'tls');
  const carol = await bed.registered('carol', 'tls');
  const voice = await bed.voice('AES_CM_128_HMAC_SHA1_80');
  const plain = await bed.voice('RTP');
  let over: Promise<void> | undefined;
  carol.onInvite = (incoming) => {
    over = incoming.accept(plain.describe()).over;
  };
  const { answer, leg } = await alice.call('carol', voice.describe());
  assert.equal(leg, undefined);
  assert.equal(answer.status, 488);
  await within('BYE to the called side', over ?? Promise.reject(new Error('not rung')));
});

test('media ports are closed when their call is over', async () => {
  const media = bed.edge.mediaPid ?? 0;
  const inRange = (): number[] =>
    udpPortsOf(media).filter((port) => port >= bed.home.media.from && port <= bed.home.media.to);
  await until('no ports of calls before', () => inRange().length === 0);
  const alice = await bed.registered('alice', 'tls');
  const bob = await bed.registered('bob', 'udp');
  const call = await bed.connect(alice, bob, 'bob', { from: 'AES_CM_128_HMAC_SHA1_80' });
  assert.ok(inRange().length >= 2, 'open while it lasts');
  await hangUp(call);
  await until('closed after it', () => inRange().length === 0);
  bob.onInvite = (incoming) => {
    incoming.ring();
    setTimeout(() => incoming.respond(486, 'Busy Here'), 30);
  };
  assert.equal((await alice.call('bob', (await bed.voice()).describe())).answer.status, 486);
  await until('closed after a refusal', () => inRange().length === 0);
  assert.deepEqual(
    udpPortsOf(bed.edge.pid).filter((port) => port !== bed.edge.at('udp').port),
    [],
    'the edge itself opens none',
  );
});

test('the keys of a call are not in the media process when it is over', {
  skip: canReadMemory() ? false : 'the memory of another process can only be read by root',
}, async () => {
  const alice = await bed.registered('alice', 'tls');
  const carol = await bed.registered('carol', 'tls');
  const call = await bed.connect(alice, carol, 'carol', {
    from: 'AEAD_AES_256_GCM',
    to: 'AES_256_CM_HMAC_SHA1_80',
  });
  assert.equal(await talk(call.callerVoice, call.calleeVoice, 5), undefined);
  const media = bed.edge.mediaPid ?? 0;
  const keys = [...call.callerVoice.keysSeen, ...call.calleeVoice.keysSeen];
  assert.ok(keys.length >= 4);
  // Proof that the search can find what is there.
  assert.ok(findInMemory(media, [Buffer.from('control')])[0], 'the search sees the process');
  await hangUp(call);
  await until('the ports are closed', () => udpPortsOf(media).length === 0);
  await pause(100);
  const texts = keys.map((key) => Buffer.from(Buffer.from(key).toString('base64')));
  // Master keys by halves; the salt behind them is no secret (RFC 3711 §3.2.1).
  const halves = keys.flatMap((key) => [Buffer.from(key.subarray(0, 8)), Buffer.from(key.subarray(8, 16))]);
  const found = findInMemory(media, [...texts, ...halves]);
  assert.deepEqual(
    found.flatMap((hit, i) => (hit ? [i] : [])),
    [],
  );
});

test('the media process is killed: told of, its calls end with cause media, the next call works', async () => {
  const alice = await bed.registered('alice', 'tls');
  const bob = await bed.registered('bob', 'udp');
  const call = await bed.connect(alice, bob, 'bob', { from: 'AES_CM_128_HMAC_SHA1_80' });
  const from = bed.edge.events.length;
  const before = bed.edge.mediaPid ?? 0;
  process.kill(before, 'SIGKILL');
  const down = await bed.edge.event('media.down', () => true, from);
  assert.equal(down.calls, 1);
  assert.equal(down.severity, 'error');
  await Promise.all([within('caller', call.caller.over), within('callee', call.callee.over)]);
  const ended = await bed.edge.event('call.ended', () => true, from);
  assert.equal(ended.cause, 'media');
  await bed.edge.event('media.up', () => true, from, 60_000);
  assert.notEqual(bed.edge.mediaPid, before);
  const next = await bed.connect(alice, bob, 'bob', { from: 'AES_CM_128_HMAC_SHA1_80' });
  assert.equal(await talk(next.callerVoice, next.calleeVoice), undefined);
  await hangUp(next);
  const record = (await bed.records()).find(({ id }) => id === ended.call);
  assert.deepEqual([record?.disposition, record?.cause], ['answered', 'media']);
});
