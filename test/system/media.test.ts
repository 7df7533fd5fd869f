import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { Bed, type Pair } from './harness/bed.ts';
import { udpPortsOf } from './harness/edge-process.ts';
import { callsOverMedia } from './harness/media-calls.ts';
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

callsOverMedia(() => bed);

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
