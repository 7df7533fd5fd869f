import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aliceAndBob, leftovers, registered } from '../testing/cast.ts';
import { ladder } from '../testing/ladder.ts';
import { route, trunk, user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { World } from '../testing/world.ts';

/** Service flows of RFC 5359 that phones make of calls and new offers; those with REFER are beside the transfers. */

async function scene(): Promise<{ world: World; alice: Phone; bob: Phone; carol: Phone }> {
  const world = new World({ objects: { users: [user('alice'), user('bob'), user('carol')] } });
  const { alice, bob } = await aliceAndBob(world);
  const carol = await registered(world, {
    name: 'carol',
    transport: 'tls',
    address: '203.0.113.3',
    port: 40_003,
    media: 'srtp',
  });
  for (const phone of [alice, bob, carol]) phone.onInvite = (call) => call.answer();
  return { world, alice, bob, carol };
}

async function connect(world: World, from: Phone, to: Phone): Promise<{ call: PhoneCall; taken: PhoneCall }> {
  const call = from.call(to.options.name);
  await world.until(() => call.state === 'up' && to.calls.at(-1)?.confirmed === true);
  return { call, taken: to.calls.at(-1)! };
}

async function offer(world: World, one: PhoneCall, direction: string): Promise<number> {
  const count = one.reinviteStatus.length;
  one.reinvite(one.again(direction));
  await world.until(() => one.reinviteStatus.length > count);
  await world.run(100);
  return one.reinviteStatus.at(-1)!;
}

const directionOf = (sdp: string): string | undefined => /^a=(send\w*|recv\w*|inactive)\r$/m.exec(sdp)?.[1];

test('RFC 5359 §2.1: call hold, and back', async () => {
  const { world, alice, bob } = await scene();
  const { call, taken } = await connect(world, alice, bob);
  const since = world.network.log.length;
  assert.equal(await offer(world, taken, 'sendonly'), 200);
  assert.equal(directionOf(call.theirs), 'sendonly');
  assert.equal(await offer(world, taken, 'sendrecv'), 200);
  assert.equal(directionOf(call.theirs), 'sendrecv');
  assert.deepEqual(ladder(world, '203.0.113.1', since), [
    '>INVITE',
    '<200',
    '>ACK',
    '>INVITE',
    '<200',
    '>ACK',
  ]);
  call.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
});

test('RFC 5359 §2.2: consultation hold: one call rests while another is made', async () => {
  const { world, alice, bob, carol } = await scene();
  const first = await connect(world, alice, bob);
  assert.equal(await offer(world, first.taken, 'sendonly'), 200);
  const second = await connect(world, bob, carol);
  assert.equal(world.edge.calls.size, 2);
  second.call.hangUp();
  await world.until(() => second.taken.hungUpByPeer);
  assert.equal(await offer(world, first.taken, 'sendrecv'), 200);
  assert.equal(directionOf(first.call.theirs), 'sendrecv');
  first.call.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
  assert.equal(world.finished.length, 2);
});

test('both sides hold at once, and each resumes for itself (RFC 3264 §8.4)', async () => {
  const { world, alice, bob } = await scene();
  const { call, taken } = await connect(world, alice, bob);
  assert.equal(await offer(world, call, 'sendonly'), 200);
  assert.equal(await offer(world, taken, 'inactive'), 200);
  assert.equal(directionOf(call.theirs), 'inactive');
  assert.equal(await offer(world, call, 'recvonly'), 200);
  assert.equal(directionOf(taken.theirs), 'recvonly');
  assert.equal(await offer(world, taken, 'sendrecv'), 200);
  assert.equal(directionOf(call.theirs), 'sendrecv');
  call.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
});

test('hold as RFC 2543 had it, c=0.0.0.0 with sendrecv, from either side: nothing is sent there, and the other side hears of it', async () => {
  const { world, alice, bob } = await scene();
  const { call, taken } = await connect(world, alice, bob);
  for (const [one, other, address] of [
    [call, taken, '203.0.113.1'],
    [taken, call, '203.0.113.2'],
  ] as const) {
    const count = one.reinviteStatus.length;
    one.reinvite(one.again('sendrecv').replace(/^c=.*$/m, 'c=IN IP4 0.0.0.0'));
    await world.until(() => one.reinviteStatus.length > count);
    assert.equal(one.reinviteStatus.at(-1), 200);
    assert.ok([...world.relay.endpoints.values()].every(({ config }) => config?.remote?.address !== address));
    assert.notEqual(directionOf(other.theirs), 'sendrecv');
    assert.doesNotMatch(other.theirs, /c=IN IP4 0\.0\.0\.0/);
    await world.run(100);
    assert.equal(await offer(world, one, 'sendrecv'), 200);
  }
  call.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
});

test('RFC 5359 §2.12: find-me: all phones of a user are rung, one answers, the others are cancelled', async () => {
  const { world, alice, bob } = await scene();
  const other = await registered(world, { ...bob.options, address: '203.0.113.9', port: 40_009 });
  other.onInvite = (call) => call.ring();
  bob.onInvite = (call) => call.ring();
  const since = world.network.log.length;
  const call = alice.call('bob');
  await world.until(() => call.state === 'ringing' && other.calls.length === 1);
  bob.calls.at(-1)!.answer();
  await world.until(() => call.state === 'up' && other.calls[0]!.state === 'over');
  await world.run(100);
  assert.deepEqual(ladder(world, '203.0.113.9', since), [
    '>INVITE',
    '<180',
    '>CANCEL',
    '<200',
    '<487',
    '>ACK',
  ]);
  call.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
});

test('RFC 5359 §2.18: click to dial: a third party calls both without an offer of its own and joins them', async () => {
  const { world, bob, carol } = await scene();
  // The controller has Alice's rights, and no media of its own.
  const controller = await registered(world, { name: 'alice', address: '203.0.113.8', media: 'rtp' });
  const first = controller.call('bob', { sdp: null });
  let offered = '';
  first.onLateOffer = (one, response) => {
    offered = Buffer.from(response.body).toString();
    return one.describe(false);
  };
  await world.until(() => first.state === 'up' && bob.calls.at(-1)?.confirmed === true);
  assert.match(offered, /m=audio/);
  // The first party's description is offered to the second, and its answer to the first.
  const second = controller.call('carol', { sdp: offered.replace(/^a=crypto.*\r\n/gm, '') });
  await world.until(() => second.state === 'up' && carol.calls.at(-1)?.confirmed === true);
  first.reinvite(second.theirs.replace(/^o=\S+ \S+ \S+/m, 'o=phone 4711 9'));
  await world.until(() => first.reinviteStatus.length === 1);
  assert.equal(first.reinviteStatus[0], 200);
  first.hangUp();
  second.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
});

test('RFC 5359 §2.10: 3-way conference, third party added: Bob mixes two calls, takes both back from hold, and leaves them apart', async () => {
  const { world, alice, bob, carol } = await scene();
  const first = await connect(world, alice, bob);
  assert.equal(await offer(world, first.taken, 'sendonly'), 200);
  const second = await connect(world, bob, carol);
  assert.equal(await offer(world, second.call, 'sendonly'), 200);
  // His phone is the mixer: for the edge these are two calls, each with media of its own.
  for (const [one, other] of [
    [first.taken, first.call],
    [second.call, second.taken],
  ] as const) {
    assert.equal(await offer(world, one, 'sendrecv'), 200);
    assert.equal(directionOf(other.theirs), 'sendrecv');
  }
  assert.equal(world.relay.endpoints.size, 4);
  assert.ok([...world.relay.endpoints.values()].every(({ linked }) => linked !== undefined));
  first.call.hangUp();
  await world.until(() => first.taken.hungUpByPeer);
  assert.equal(second.taken.state, 'up');
  second.call.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
  assert.equal(world.finished.length, 2);
});

test('RFC 5359 §2.14: outgoing calls are screened: a destination that is closed gets 403, and nobody outside hears of it', async () => {
  const world = new World({
    objects: {
      users: [user('alice'), user('bob')],
      trunks: [trunk('carrier', { addresses: ['192.0.2.10'] })],
      routes: [route('+1900*', { block: 'premium rate' }), route('+*', { trunk: 'carrier' })],
    },
  });
  const { alice } = await aliceAndBob(world);
  const carrier = new Phone(world, { name: 'carrier', address: '192.0.2.10' }).listen();
  const call = alice.call('+19005551234');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 403);
  assert.equal(carrier.calls.length, 0);
  await world.run(100_000);
  assert.match(world.finished[0]?.decision ?? '', /premium rate/);
  assert.deepEqual(leftovers(world), []);
});

test('RFC 5359 §2.6: transfer by instant message: Bob writes whom to call in his place, and Alice does so by herself', async () => {
  const { world, alice, bob, carol } = await scene();
  const { call, taken } = await connect(world, alice, bob);
  const text = 'Please call sip:carol@example.test';
  assert.equal(await taken.inside('MESSAGE', [['Content-Type', 'text/plain']], text), 200);
  const read = alice.heard.find((one) => one.kind === 'request' && one.method === 'MESSAGE');
  assert.equal(Buffer.from(read?.body ?? '').toString(), text);
  call.hangUp();
  await world.until(() => taken.hungUpByPeer);
  const next = await connect(world, alice, carol);
  next.call.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
});

test('RFC 5359 §2.11: 3-way conference, third party joins: Carol calls Bob, who mixes; to join a call without being asked is refused (RFC 3911 §4)', async () => {
  const { world, alice, bob, carol } = await scene();
  const first = await connect(world, alice, bob);
  const { dialog } = first.taken;
  const join: readonly [string, string] = [
    'Join',
    `${dialog?.callId};to-tag=${dialog?.remoteTag};from-tag=${dialog?.localTag}`,
  ];
  const forced = carol.call('bob', { headers: [join, ['Require', 'join']] });
  await world.until(() => forced.state === 'over');
  assert.equal(forced.status, 420);
  assert.equal(forced.final?.headers.get('Unsupported'), 'join');
  assert.equal(bob.calls.length, 1);
  // RFC 3911 §4: who does not know the header field takes the call as any other, and the name of the dialog stays here.
  const second = carol.call('bob', { headers: [join] });
  await world.until(() => second.state === 'up' && bob.calls.at(-1)?.confirmed === true);
  assert.equal(bob.calls.at(-1)?.request?.headers.has('Join'), false);
  const ends = [...world.relay.endpoints.values()];
  assert.equal(ends.length, 4, 'his phone is the mixer: each call has media of its own');
  second.hangUp();
  await world.until(() => bob.calls.at(-1)?.hungUpByPeer === true);
  assert.equal(first.call.state, 'up');
  first.call.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
});
