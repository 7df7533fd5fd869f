import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { LegProtection } from '../policy/protection.ts';
import { aliceAndBob, leftovers } from '../testing/cast.ts';
import { readSdp } from '../testing/description.ts';
import { user } from '../testing/objects.ts';
import type { Phone, PhoneOptions } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { over, trunkCast } from '../testing/trunk-cast.ts';
import { World } from '../testing/world.ts';

type Demand = Parameters<typeof user>[1];

async function cast(
  a: Partial<PhoneOptions> = {},
  b: Partial<PhoneOptions> = {},
  demands: { alice?: Demand; bob?: Demand } = {},
): Promise<{ world: World; alice: Phone; bob: Phone }> {
  const world = new World({ objects: { users: [user('alice', demands.alice), user('bob', demands.bob)] } });
  const { alice, bob } = await aliceAndBob(world, a, b);
  return { world, alice, bob };
}

async function connected(
  a: Partial<PhoneOptions> = {},
  b: Partial<PhoneOptions> = {},
  demands: Parameters<typeof cast>[2] = {},
): Promise<{ world: World; alice: Phone; bob: Phone; call: PhoneCall; taken: PhoneCall }> {
  const all = await cast(a, b, demands);
  all.bob.onInvite = (call) => call.answer();
  const call = all.alice.call('bob', { sdp: null });
  await all.world.until(() => call.state === 'up' && all.bob.calls.at(-1)?.confirmed === true);
  return { ...all, call, taken: all.bob.calls.at(-1)! };
}

async function finish(world: World, call: PhoneCall): Promise<void> {
  call.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
  assert.equal(world.finished.length, 1);
}

const protocolOf = (sdp: string): string => readSdp(Buffer.from(sdp)).media[0]!.protocol;
const mediaOf = (world: World): LegProtection['media'][] =>
  world.finished[0]!.legs.map(({ protection }) => (JSON.parse(protection) as LegProtection).media);

test('an INVITE without SDP goes on without: the offer is in the 2xx, the answer in the ACK (RFC 3261 §13.2.1, RFC 6337 §2.1 pattern 2)', async () => {
  const { world, call, taken } = await connected();
  assert.equal(taken.request!.body.length, 0);
  assert.equal(taken.request!.headers.get('Content-Type'), undefined);
  const [callee, caller] = [...world.relay.endpoints.values()];
  assert.equal(caller!.linked, callee!.opened.id);
  assert.deepEqual(caller!.config!.receive!.material, call.mine!.keys[0]!.keys[0].material);
  assert.deepEqual(callee!.config!.receive!.material, taken.mine!.keys[0]!.keys[0].material);
  assert.equal(caller!.config!.remote!.address, '203.0.113.1');
  assert.equal(callee!.config!.remote!.address, '203.0.113.2');
  assert.equal(protocolOf(taken.theirs), 'RTP/SAVP');
  assert.equal(protocolOf(Buffer.from(call.final!.body).toString()), 'RTP/AVP');
  await finish(world, call);
  assert.deepEqual(
    mediaOf(world).map(({ protocol }) => protocol),
    ['srtp', 'srtp'],
  );
});

test('a caller that may do either is offered SRTP as RTP/AVP with keys, and takes what it can (RFC 8643 §3.1)', async () => {
  for (const [habit, protocol] of [
    ['rtp', 'rtp'],
    ['either', 'srtp'],
  ] as const) {
    const { world, call } = await connected({ transport: 'udp', media: habit });
    const offered = call.final!;
    assert.equal(protocolOf(Buffer.from(offered.body).toString()), 'RTP/AVP');
    assert.match(Buffer.from(offered.body).toString(), /a=crypto:/);
    await finish(world, call);
    assert.deepEqual(
      mediaOf(world).map(({ protocol: one }) => one),
      [protocol, 'srtp'],
    );
  }
});

test('a caller from which encryption is required is offered RTP/SAVP and nothing else', async () => {
  const { world, call } = await connected({}, {}, { alice: { encryption: 'required' } });
  assert.equal(protocolOf(Buffer.from(call.final!.body).toString()), 'RTP/SAVP');
  await finish(world, call);
});

test('an answer in the ACK without the encryption that policy asks for ends the call: BYE to both, with the reason (RFC 3326)', async () => {
  const { world, alice, bob } = await cast({}, {}, { alice: { encryption: 'required' } });
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob', { sdp: null });
  call.onLateOffer = (one) => one.describe(false);
  await world.until(() => call.hungUpByPeer && bob.calls[0]!.hungUpByPeer);
  const bye = alice.heard.findLast((one) => one.kind === 'request' && one.method === 'BYE')!;
  assert.match(bye.headers.get('Reason')!, /^SIP;cause=488;text="SRTP was offered/);
  // The called side had to have an answer too, one that takes nothing.
  assert.equal(readSdp(Buffer.from(bob.calls[0]!.theirs)).media[0]!.port, 0);
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
  assert.equal(world.finished[0]!.status, 488);
  assert.equal(world.finished[0]!.cause, 'media');
  assert.equal(world.finished[0]!.disposition, 'failed');
});

test('an ACK without any answer ends the call the same way', async () => {
  const { world, alice, bob } = await cast();
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob', { sdp: null });
  call.onLateOffer = () => undefined;
  await world.until(() => call.hungUpByPeer && bob.calls[0]!.hungUpByPeer);
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
  assert.equal(world.finished[0]!.status, 488);
});

test('an offer of the called side without the encryption that is required of it is refused: the caller hears 488', async () => {
  const { world, alice, bob } = await cast({}, { media: 'rtp' }, { bob: { encryption: 'required' } });
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob', { sdp: null });
  await world.until(() => call.state === 'over' && bob.calls[0]!.hungUpByPeer);
  assert.equal(call.status, 488);
  assert.match(call.final!.headers.get('Warning')!, /Encryption is required/);
  assert.equal(readSdp(Buffer.from(bob.calls[0]!.theirs)).media[0]!.port, 0);
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
});

test('a 2xx without an offer is no answer to an INVITE without one', async () => {
  const { world, alice, bob } = await cast();
  bob.onInvite = (call) => {
    call.mine = { text: '', keys: [] };
    call.answer('');
  };
  const call = alice.call('bob', { sdp: null });
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 488);
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
});

test('the caller hangs up, or is gone, before its answer: the called side gets an ACK and a BYE', async () => {
  for (const gone of [false, true]) {
    const { world, alice, bob } = await cast({ transport: 'udp', media: 'rtp' });
    bob.onInvite = (call) => call.answer();
    const call = alice.call('bob', { sdp: null });
    call.withholdAck = true;
    await world.until(() => call.state === 'up');
    if (gone) alice.dead = true;
    else call.hangUp();
    await world.until(() => bob.calls[0]!.state === 'over');
    await world.run(100_000);
    assert.deepEqual(leftovers(world), []);
    assert.equal(world.finished.length, 1);
  }
});

test('a CANCEL while the ports for the late offer are opened ends both sides', async () => {
  const { world, alice, bob } = await cast();
  world.relay.latency = 50;
  bob.onInvite = (call) => call.ring();
  const call = alice.call('bob', { sdp: null });
  await world.until(() => call.state === 'ringing');
  bob.calls[0]!.answer();
  await world.until(() => bob.calls[0]?.state === 'up');
  await world.run(10);
  call.cancel();
  await world.until(() => call.state === 'over' && bob.calls[0]!.hungUpByPeer);
  assert.equal(call.status, 487);
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
});

test('no ports for a late offer: 503 to the caller, BYE to the called side', async () => {
  const { world, alice, bob } = await cast();
  world.relay.refusal = 'no-ports';
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob', { sdp: null });
  await world.until(() => call.state === 'over' && bob.calls[0]!.hungUpByPeer);
  assert.equal(call.status, 503);
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
});

test('a lost ACK of a late offer is sent again, with its answer, for every repeated 2xx (RFC 3261 §13.2.2.4)', async () => {
  const { world, alice, bob } = await cast(
    { transport: 'udp', media: 'rtp' },
    { transport: 'udp', media: 'rtp' },
  );
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob', { sdp: null });
  await world.until(() => call.state === 'up');
  bob.dead = true;
  await world.run(100);
  bob.dead = false;
  await world.until(() => bob.calls[0]!.confirmed);
  assert.notEqual(readSdp(Buffer.from(bob.calls[0]!.theirs)).media[0]!.port, 0);
  await finish(world, call);
});

test('delayed offers to and from a trunk, in both directions', async () => {
  const { world, alice, carrier } = await trunkCast();
  carrier.onInvite = (call) => call.answer();
  const out = alice.call('+4989555', { sdp: null });
  await world.until(() => out.state === 'up' && carrier.calls.at(-1)?.confirmed === true);
  assert.equal(protocolOf(carrier.calls.at(-1)!.theirs), 'RTP/AVP');
  out.hangUp();
  alice.onInvite = (call) => call.answer();
  const into = carrier.call('sip:+4930123401@198.51.100.1', { sdp: null });
  await world.until(() => into.state === 'up' && alice.calls.at(-1)?.confirmed === true);
  assert.equal(protocolOf(into.theirs), 'RTP/AVP');
  assert.equal(protocolOf(alice.calls.at(-1)!.theirs), 'RTP/SAVP');
  into.hangUp();
  await over(world);
});

test('the first to take a delayed offer gets the call; the others are cancelled and keep nothing', async () => {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const { alice, bob } = await aliceAndBob(world);
  const other = new (bob.constructor as typeof Phone)(world, {
    ...bob.options,
    address: '203.0.113.9',
    port: 40_009,
  });
  await other.register();
  bob.onInvite = (call) => call.ring();
  other.onInvite = (call) => call.answer();
  const call = alice.call('bob', { sdp: null });
  await world.until(() => call.state === 'up' && other.calls[0]?.confirmed === true);
  await world.until(() => bob.calls[0]!.wasCancelled);
  assert.equal(world.relay.endpoints.size, 2);
  await finish(world, call);
});
