import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LegProtection } from '../policy/protection.ts';
import { aliceAndBob, leftovers } from '../testing/cast.ts';
import { readSdp } from '../testing/description.ts';
import { device, user } from '../testing/objects.ts';
import type { Phone } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { World } from '../testing/world.ts';

const objects = { users: [user('alice'), user('bob')] };

/** Alice calls Bob, Bob rings and answers. */
async function connected(
  world: World,
  alice: Phone,
  bob: Phone,
): Promise<{ call: PhoneCall; taken: PhoneCall }> {
  const call = alice.call('bob');
  await world.until(() => bob.calls.some(({ state }) => state === 'ringing'));
  const taken = bob.calls.at(-1)!;
  taken.ring();
  await world.until(() => call.state === 'ringing');
  taken.answer();
  await world.until(() => call.state === 'up' && taken.confirmed);
  return { call, taken };
}

const protections = (world: World): LegProtection[] =>
  (world.finished[0]?.legs ?? []).map(({ protection }) => JSON.parse(protection) as LegProtection);

test('a call between two phones over TLS with SRTP on both sides: two dialogs, one final record (RFC 3261 §13, RFC 6337 §2.1 pattern 1)', async () => {
  const world = new World({ objects });
  const { alice, bob } = await aliceAndBob(world);
  const { call, taken } = await connected(world, alice, bob);
  assert.equal(world.edge.calls.size, 1);
  assert.notEqual(call.callId, taken.callId);
  await world.run(50);
  assert.deepEqual(
    world.store.records.map(({ disposition }) => disposition),
    ['live'],
  );
  await world.run(10_000);
  call.hangUp();
  await world.until(() => taken.hungUpByPeer);
  await world.run(64_000);
  assert.deepEqual(leftovers(world), []);
  assert.equal(world.finished.length, 1);
  const record = world.finished[0]!;
  assert.equal(record.disposition, 'answered');
  assert.equal(record.caller, 'alice@example.test');
  assert.equal(record.callee, 'bob');
  assert.equal(record.principal, 'device:alice@example.test/alice');
  assert.equal(record.route, 'user:bob');
  assert.ok(record.endedAt! - record.answeredAt! >= 10_000);
  assert.ok(record.ringingAt! <= record.answeredAt!);
  assert.match(record.decision, /"rule":"route.allowed"/);
  assert.deepEqual(
    record.legs.map(({ index, direction, transport }) => ({ index, direction, transport })),
    [
      { index: 0, direction: 'in', transport: 'tls' },
      { index: 1, direction: 'out', transport: 'tls' },
    ],
  );
  for (const leg of record.legs) assert.ok(JSON.parse(leg.quality).mos > 4);
  for (const { signalling, media } of protections(world)) {
    assert.equal(signalling.version, 'TLSv1.3');
    assert.equal(signalling.group, 'X25519MLKEM768');
    assert.deepEqual(media, {
      protocol: 'srtp',
      suite: 'AES_CM_128_HMAC_SHA1_80',
      keyExchange: 'sdes',
      keysExposed: false,
    });
  }
});

test('each leg has keys of its own, and the relay gets what each side agreed to (RFC 4568 §5)', async () => {
  const world = new World({ objects });
  const { alice, bob } = await aliceAndBob(world);
  const { call, taken } = await connected(world, alice, bob);
  const [caller, callee] = [...world.relay.endpoints.values()];
  assert.equal(caller!.linked, callee!.opened.id);
  assert.deepEqual(caller!.config!.receive!.material, call.mine!.keys[0]!.keys[0].material);
  assert.deepEqual(callee!.config!.receive!.material, taken.mine!.keys[0]!.keys[0].material);
  assert.equal(caller!.config!.send!.suite, 'AES_CM_128_HMAC_SHA1_80');
  assert.equal(callee!.config!.remote!.address, '203.0.113.2');
  assert.equal(callee!.config!.remote!.signalling, '203.0.113.2');
  const heard = readSdp(Buffer.from(call.theirs));
  assert.equal(heard.media[0]!.port, caller!.opened.rtpPort);
  assert.equal(heard.media[0]!.protocol, 'RTP/SAVP');
  assert.ok(!call.theirs.includes(taken.theirs.match(/inline:\S+/)![0]));
});

test('SRTP on the caller, plain RTP on a called phone that allows it: preferred falls back on 488', async () => {
  const world = new World({ objects });
  const { alice, bob } = await aliceAndBob(world, {}, { transport: 'udp', media: 'rtp' });
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up');
  // First SRTP was offered and refused, then plain RTP within the same Call-ID.
  assert.deepEqual(
    bob.calls.map(({ theirs }) => readSdp(Buffer.from(theirs)).media[0]!.protocol),
    ['RTP/SAVP', 'RTP/AVP'],
  );
  assert.equal(bob.calls[0]!.request!.callId, bob.calls[1]!.request!.callId);
  call.hangUp();
  await world.run(64_000);
  assert.deepEqual(leftovers(world), []);
  const [caller, callee] = protections(world);
  assert.equal(caller!.media.protocol, 'srtp');
  assert.equal(callee!.media.protocol, 'rtp');
});

test('plain RTP on the caller, SRTP on the called phone', async () => {
  const world = new World({ objects });
  const { alice, bob } = await aliceAndBob(world, { transport: 'udp', media: 'rtp' });
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up');
  assert.equal(readSdp(Buffer.from(call.theirs)).media[0]!.protocol, 'RTP/AVP');
  call.hangUp();
  await world.run(64_000);
  assert.deepEqual(
    protections(world).map(({ media }) => media.protocol),
    ['rtp', 'srtp'],
  );
});

test('SRTP over plain signalling is recorded as exposed', async () => {
  const world = new World({ objects });
  const { alice, bob } = await aliceAndBob(world, { transport: 'udp' });
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up');
  call.hangUp();
  await world.run(64_000);
  assert.deepEqual(
    protections(world).map(({ media }) => media.keysExposed),
    [true, false],
  );
});

test('a device that requires encryption is refused plain RTP with 488 and a Warning (RFC 3261 §21.4.26, §20.43)', async () => {
  const world = new World({ objects: { users: [user('alice', { encryption: 'required' }), user('bob')] } });
  const { alice, bob } = await aliceAndBob(world, { media: 'rtp' });
  const call = alice.call('bob');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 488);
  assert.match(
    call.final!.headers.get('Warning')!,
    /^399 ringfence "Encryption is required: offer RTP\/SAVP/,
  );
  assert.equal(bob.calls.length, 0);
  await world.run(64_000);
  assert.deepEqual(leftovers(world), []);
  assert.equal(world.finished.length, 1);
  assert.equal(world.finished[0]!.disposition, 'refused');
  assert.equal(world.finished[0]!.cause, 'media');
  assert.equal(world.eventsOf('request.refused').length, 1);
});

test('a listener that requires encryption holds for every device behind it', async () => {
  const world = new World({ objects });
  const { alice } = await aliceAndBob(world, { media: 'rtp', listener: 'guarded' });
  const call = alice.call('bob');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 488);
});

test('a called device that requires encryption is never offered plain RTP, and its 488 ends the call', async () => {
  const world = new World({
    objects: { users: [user('alice'), user('bob', { encryption: 'required' })] },
  });
  const { alice, bob } = await aliceAndBob(world, {}, { media: 'rtp' });
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 488);
  assert.ok(call.final!.headers.has('Warning'));
  assert.equal(bob.calls.length, 1);
  assert.match(bob.calls[0]!.theirs, /RTP\/SAVP/);
  await world.run(64_000);
  assert.deepEqual(leftovers(world), []);
});

test('an answer that drops the offered SRTP is hung up and the caller hears 488', async () => {
  const world = new World({ objects });
  const { alice, bob } = await aliceAndBob(world);
  bob.onInvite = (call) => {
    call.mine = call.describe(false);
    call.answer();
  };
  const call = alice.call('bob');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 488);
  assert.match(call.final!.headers.get('Warning')!, /the answer leaves it out/);
  await world.until(() => bob.calls[0]!.hungUpByPeer);
  await world.run(64_000);
  assert.deepEqual(leftovers(world), []);
});

test('early media: the answer of a 183 joins the legs, and the same answer in the 200 changes nothing (RFC 3261 §13.2.1)', async () => {
  const world = new World({ objects });
  const { alice, bob } = await aliceAndBob(world);
  const call = alice.call('bob');
  await world.until(() => bob.calls.length === 1);
  bob.calls[0]!.early();
  await world.until(() => call.provisional.some(({ status }) => status === 183));
  const [caller] = [...world.relay.endpoints.values()];
  assert.notEqual(caller!.linked, undefined);
  const early = call.theirs;
  bob.calls[0]!.answer();
  await world.until(() => call.state === 'up');
  assert.equal(call.theirs, early);
  call.hangUp();
  await world.run(64_000);
  assert.deepEqual(leftovers(world), []);
});

test('100 Trying goes out only when nothing else did within 200 ms (RFC 3261 §17.2.1)', async () => {
  const world = new World({ objects });
  const { alice, bob } = await aliceAndBob(world, { transport: 'udp', media: 'rtp' });
  const slow = alice.call('bob');
  const began = world.time.now;
  await world.until(() => slow.provisional.length > 0);
  assert.equal(slow.provisional[0]!.status, 100);
  assert.ok(world.time.now - began <= 210);
  slow.cancel();
  await world.until(() => slow.state === 'over');
  bob.onInvite = (call) => call.ring();
  const quick = alice.call('bob');
  await world.run(1000);
  assert.deepEqual(
    quick.provisional.map(({ status }) => status),
    [180],
  );
});

test('a user nobody has registered for gets 480, an unknown one 404, each with a record', async () => {
  const world = new World({ objects: { users: [...objects.users, user('carol')] } });
  const { alice } = await aliceAndBob(world);
  const offline = alice.call('carol');
  const unknown = alice.call('nobody');
  await world.until(() => offline.state === 'over' && unknown.state === 'over');
  assert.deepEqual([offline.status, unknown.status], [480, 404]);
  await world.run(1000);
  assert.deepEqual(world.finished.map(({ cause, status }) => [cause, status]).sort(), [
    ['no-route', 404],
    ['no-route', 480],
  ]);
});

test('every device of a user has its own demand: what one refuses another may take', async () => {
  const world = new World({
    objects: {
      users: [
        user('alice'),
        user('bob', { devices: [device('desk', { encryption: 'required' }), device('soft')] }),
      ],
    },
  });
  const { alice, bob } = await aliceAndBob(world, {}, { device: 'soft', transport: 'udp', media: 'rtp' });
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up');
  assert.match(call.theirs, /RTP\/SAVP/);
});
