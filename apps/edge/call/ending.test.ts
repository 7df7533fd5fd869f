import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aliceAndBob, leftovers } from '../testing/cast.ts';
import { user } from '../testing/objects.ts';
import type { Phone } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { World } from '../testing/world.ts';

interface Pair {
  readonly world: World;
  readonly alice: Phone;
  readonly bob: Phone;
}

async function cast(): Promise<Pair> {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const plain = { transport: 'udp', media: 'rtp' } as const;
  return { world, ...(await aliceAndBob(world, plain)) };
}

async function up({ world, alice, bob }: Pair): Promise<{ call: PhoneCall; taken: PhoneCall }> {
  const before = bob.calls.length;
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up' && bob.calls[before]?.confirmed === true);
  return { call, taken: bob.calls[before]! };
}

/** Waits for everything to run out, then looks at what is left. */
async function over({ world }: Pair): Promise<void> {
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
}

test('CANCEL before anything was answered: 487, the phone is cancelled as soon as it may be (RFC 3261 §9.1)', async () => {
  const pair = await cast();
  const { world, alice, bob } = pair;
  const call = alice.call('bob');
  await world.until(() => call.provisional.length > 0);
  call.cancel();
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 487);
  bob.calls[0]?.ring();
  await over(pair);
  assert.equal(bob.calls[0]!.wasCancelled, true);
  assert.equal(world.finished.length, 1);
  assert.equal(world.finished[0]!.disposition, 'cancelled');
  assert.equal(world.finished[0]!.status, 487);
});

test('CANCEL while it rings; 487 and the 200 to CANCEL carry one tag (RFC 3261 §9.2)', async () => {
  const pair = await cast();
  const { world, alice, bob } = pair;
  bob.onInvite = (call) => call.ring();
  const call = alice.call('bob');
  await world.until(() => call.state === 'ringing');
  call.cancel();
  await over(pair);
  assert.equal(bob.calls[0]!.wasCancelled, true);
  const tags = alice.heard.flatMap((message) =>
    message.kind === 'response' && (message.status === 487 || message.cseq.method === 'CANCEL')
      ? [message.to.params.get('tag')]
      : [],
  );
  assert.ok(tags.length >= 2);
  assert.equal(new Set(tags).size, 1);
});

test('CANCEL that comes too late: the call is up, and ends by BYE (RFC 3261 §9.1)', async () => {
  const pair = await cast();
  const { world, alice, bob } = pair;
  bob.onInvite = (call) => call.ring();
  const call = alice.call('bob');
  await world.until(() => call.state === 'ringing');
  bob.calls[0]!.answer();
  await world.until(() => world.edge.calls.values().next().value?.live === true);
  call.cancel();
  await world.until(() => call.state === 'up');
  call.hangUp();
  await over(pair);
  assert.equal(world.finished[0]!.disposition, 'answered');
});

test('CANCEL while the ports are still asked for: nobody is ever rung', async () => {
  const pair = await cast();
  const { world, alice, bob } = pair;
  world.relay.latency = 50;
  const call = alice.call('bob');
  await world.until(() => world.edge.calls.size === 1);
  const invite = world.network.log.findLast(({ out, text }) => !out && text.startsWith('INVITE'))!.text;
  const head = invite.slice(0, invite.indexOf('Contact:'));
  alice.raw(
    `${head.replace(/^INVITE/, 'CANCEL').replace(/(CSeq: \d+) INVITE/, '$1 CANCEL')}Content-Length: 0\r\n\r\n`,
  );
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 487);
  await over(pair);
  assert.equal(bob.calls.length, 0);
  assert.equal(world.finished.length, 1);
});

for (const [status, disposition] of [
  [486, 'busy'],
  [603, 'refused'],
  [480, 'unanswered'],
  [404, 'failed'],
] as const)
  test(`${status} of the called phone reaches the caller and the record says ${disposition} (RFC 3261 §16.7)`, async () => {
    const pair = await cast();
    const { world, alice, bob } = pair;
    bob.onInvite = (call) => call.reject(status);
    const call = alice.call('bob');
    await world.until(() => call.state === 'over');
    assert.equal(call.status, status);
    await over(pair);
    assert.deepEqual(
      world.finished.map((record) => record.disposition),
      [disposition],
    );
  });

test('a call that nobody takes ends after the ring time with 408, and the phone is cancelled (RFC 3261 §16.8)', async () => {
  const pair = await cast();
  const { world, alice, bob } = pair;
  bob.onInvite = (call) => call.ring();
  const call = alice.call('bob');
  await world.until(() => call.state === 'over', 200_000);
  assert.equal(call.status, 408);
  await over(pair);
  assert.equal(bob.calls[0]!.wasCancelled, true);
  assert.equal(world.finished[0]!.disposition, 'unanswered');
  assert.equal(world.finished[0]!.cause, 'timeout');
});

test('a phone that does not answer at all: 408 after timer B (RFC 3261 §17.1.1.2)', async () => {
  const pair = await cast();
  const { world, alice, bob } = pair;
  bob.dead = true;
  const call = alice.call('bob');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 408);
  await over(pair);
});

test('BYE of the caller, BYE of the called side, and BYEs that cross (RFC 3261 §15)', async () => {
  const pair = await cast();
  const { world } = pair;
  const first = await up(pair);
  first.call.hangUp();
  await world.until(() => first.taken.hungUpByPeer);
  const second = await up(pair);
  second.taken.hangUp();
  await world.until(() => second.call.hungUpByPeer);
  const third = await up(pair);
  third.call.hangUp();
  third.taken.hangUp();
  await over(pair);
  const refused = world.network.log.filter(({ out, text }) => out && text.startsWith('SIP/2.0 481'));
  assert.equal(refused.length, 0);
  assert.equal(world.finished.length, 3);
});

test('the answer to a BYE waits for the record, but not for long', async () => {
  const pair = await cast();
  const { world } = pair;
  const { call } = await up(pair);
  world.store.latency = 50;
  const began = world.time.now;
  const answered = (): boolean =>
    world.network.log.some(
      ({ out, text }) => out && text.startsWith('SIP/2.0 200') && /CSeq: \d+ BYE/.test(text),
    );
  call.hangUp();
  await world.until(answered);
  assert.ok(world.time.now - began >= 50);
  assert.equal(world.finished.length, 1);
  const slow = await up(pair);
  world.network.log.length = 0;
  world.store.latency = 5000;
  const again = world.time.now;
  slow.call.hangUp();
  await world.until(answered);
  assert.ok(world.time.now - again < 300);
  await over(pair);
});

test('a store that cannot write is told of and ends no call', async () => {
  const pair = await cast();
  const { world } = pair;
  world.store.fails = true;
  const { call, taken } = await up(pair);
  call.hangUp();
  await world.until(() => taken.hungUpByPeer);
  await world.run(100_000);
  assert.ok(world.errors.length > 0);
  assert.ok(world.errors.every((event) => event.type === 'edge.error' && event.where === 'store'));
  assert.equal(world.edge.legs, 0);
});

test('2xx without ACK is repeated, then given up: both sides are hung up (RFC 3261 §13.3.1.4)', async () => {
  const pair = await cast();
  const { world, alice, bob } = pair;
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  call.withholdAck = true;
  await world.until(() => bob.calls[0]?.hungUpByPeer === true);
  const repeated = world.network.log.filter(
    ({ out, text }) => out && text.startsWith('SIP/2.0 200') && /CSeq: \d+ INVITE/.test(text),
  );
  assert.ok(repeated.length >= 10, String(repeated.length));
  await over(pair);
  assert.equal(call.hungUpByPeer, true);
  assert.equal(world.finished[0]!.disposition, 'failed');
  assert.equal(world.finished[0]!.cause, 'timeout');
});

test('the called side hangs up before the ACK is here: the caller hears of it after its ACK (RFC 3261 §15)', async () => {
  const pair = await cast();
  const { world, alice, bob } = pair;
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  call.withholdAck = true;
  await world.until(() => bob.calls[0]?.confirmed === true);
  bob.calls[0]!.hangUp();
  await world.run(1000);
  assert.equal(call.hungUpByPeer, false);
  call.withholdAck = false;
  await world.until(() => call.hungUpByPeer);
  await over(pair);
  assert.equal(world.finished.length, 1);
});

test('the connection of the caller breaks while it rings: the phone is cancelled', async () => {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const pair = { world, ...(await aliceAndBob(world)) };
  const { alice, bob } = pair;
  bob.onInvite = (call) => call.ring();
  const call = alice.call('bob');
  await world.until(() => call.state === 'ringing');
  world.network.break(alice.flow);
  await world.until(() => bob.calls[0]!.wasCancelled);
  await over(pair);
  assert.equal(world.finished[0]!.cause, 'transport');
});

test('a phone that has connected anew within its call is heard and reached over the new connection (RFC 5626 §5.3)', async () => {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const pair = { world, ...(await aliceAndBob(world)) };
  const { alice, bob } = pair;
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up' && bob.calls[0]!.confirmed);
  world.network.break(alice.flow);
  alice.connect();
  assert.equal(await call.inside('OPTIONS'), 200);
  bob.calls[0]!.hangUp();
  await world.until(() => call.hungUpByPeer);
  await over(pair);
});

test('a dialog that was begun over TLS takes nothing over a plain transport', async () => {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const pair = { world, ...(await aliceAndBob(world)) };
  const { alice, bob } = pair;
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up' && bob.calls[0]!.confirmed);
  const tls = alice.flow;
  alice.flow = world.network.open(alice, 'udp', { address: '203.0.113.1', port: 40_001 });
  assert.equal(await call.inside('BYE'), 403);
  assert.equal(world.edge.calls.size, 1);
  alice.flow = tls;
  call.hangUp();
  await over(pair);
});

test('a peer that is gone without a BYE is found by OPTIONS: 481, or silence of signalling and media (RFC 3261 §12.2.1.2)', async () => {
  const pair = await cast();
  const { world, alice, bob } = pair;
  const first = await up(pair);
  bob.calls.length = 0;
  await world.until(() => first.call.hungUpByPeer, 400_000);
  const second = await up(pair);
  bob.dead = true;
  await world.run(400_000);
  assert.equal(second.call.hungUpByPeer, false, 'media still flows');
  for (const endpoint of world.relay.endpoints.values()) endpoint.idleMs = 60_000;
  await world.until(() => second.call.hungUpByPeer, 400_000);
  await over(pair);
  assert.deepEqual(
    world.finished.map(({ cause }) => cause),
    ['timeout', 'timeout'],
  );
  assert.equal(alice.calls.length, 2);
});

test('a call that is hung up by the edge says BYE to both sides, and CDR tells the cause', async () => {
  const pair = await cast();
  const { world } = pair;
  const { call, taken } = await up(pair);
  world.edge.hangUpAll('edge-stop');
  await world.until(() => call.hungUpByPeer && taken.hungUpByPeer);
  await over(pair);
  assert.equal(world.finished[0]!.cause, 'edge-stop');
});

test('an INVITE that expires before anybody answers is refused with 487, and the called side is cancelled (RFC 3261 §13.3.1)', async () => {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const { alice, bob } = await aliceAndBob(world);
  bob.onInvite = (call) => call.ring();
  const call = alice.call('bob', { headers: [['Expires', '20']] });
  await world.until(() => call.state === 'ringing');
  await world.run(19_000);
  assert.equal(call.state, 'ringing');
  await world.until(() => call.state === 'over', 2000);
  assert.equal(call.status, 487);
  await world.run(64_000);
  assert.equal(bob.calls[0]!.wasCancelled, true);
  assert.deepEqual(leftovers(world), []);
});
