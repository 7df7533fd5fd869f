import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aliceAndBob, leftovers } from '../testing/cast.ts';
import { readSdp } from '../testing/description.ts';
import { ladder } from '../testing/ladder.ts';
import { user } from '../testing/objects.ts';
import { Phone, type PhoneOptions } from '../testing/phone.ts';
import { trunkCast } from '../testing/trunk-cast.ts';
import { World } from '../testing/world.ts';

/** The call flows of RFC 3665, with the edge in the place of the proxies: it challenges by 401, being no proxy. */

const A = '203.0.113.1';
const B = '203.0.113.2';

interface Scene {
  readonly world: World;
  readonly alice: Phone;
  readonly bob: Phone;
  /** Where the flow begins in the log. */
  readonly since: number;
}

async function scene(a: Partial<PhoneOptions> = {}, b: Partial<PhoneOptions> = {}): Promise<Scene> {
  const world = new World({ objects: { users: [user('alice'), user('bob'), user('carol')] } });
  const { alice, bob } = await aliceAndBob(world, a, b);
  return { world, alice, bob, since: world.network.log.length };
}

async function done(world: World): Promise<void> {
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
}

const newPhone = (world: World): Phone =>
  new Phone(world, { name: 'carol', address: '203.0.113.5', transport: 'tls' });

test('RFC 3665 §2.1, §2.2, §2.3, §2.4: registration, a second contact, the list of them, and their removal', async () => {
  const { world } = await scene();
  const phone = newPhone(world);
  const since = world.network.log.length;
  assert.equal((await phone.register()).status, 200);
  assert.deepEqual(ladder(world, '203.0.113.5', since), ['<REGISTER', '>401', '<REGISTER', '>200']);
  const second = '<sip:carol@203.0.113.5:5062;transport=tls>';
  const updated = await phone.register(3600, [phone.contact, second]);
  assert.equal(updated.headers.values('Contact').length, 2);
  const listed = await phone.register(3600, []);
  assert.equal(listed.headers.values('Contact').length, 2);
  const removed = await phone.register(0, ['*']);
  assert.equal(removed.status, 200);
  assert.equal(removed.headers.has('Contact'), false);
});

test('RFC 3665 §2.5: a wrong password is challenged again and registers nothing', async () => {
  const { world } = await scene();
  const phone = new Phone(world, { name: 'carol', address: '203.0.113.5', password: 'wrong' });
  const since = world.network.log.length;
  assert.equal((await phone.register()).status, 401);
  assert.deepEqual(ladder(world, '203.0.113.5', since), ['<REGISTER', '>401', '<REGISTER', '>401']);
});

test('RFC 3665 §3.1, §3.2, §3.3: a session is established, through a server that asks for credentials', async () => {
  const { world, alice, bob, since } = await scene();
  const call = alice.call('bob');
  await world.until(() => bob.calls.length === 1);
  const taken = bob.calls[0]!;
  taken.ring();
  await world.until(() => call.state === 'ringing');
  taken.answer();
  await world.until(() => call.state === 'up' && taken.confirmed);
  taken.hangUp();
  await world.until(() => call.hungUpByPeer);
  await world.run(300);
  assert.deepEqual(ladder(world, A, since), [
    ...['<INVITE', '>401', '<ACK', '<INVITE', '>180', '>200', '<ACK'],
    ...['>BYE', '<200'],
  ]);
  assert.deepEqual(ladder(world, B, since), ['>INVITE', '<180', '<200', '>ACK', '<BYE', '>200']);
  await done(world);
});

test('RFC 3665 §3.4: the first server is out of reach, the call goes by the second', async () => {
  const { world, alice, carrier } = await trunkCast(
    {
      targets: [
        { target: 'sip:192.0.2.99:5060;transport=tcp', priority: 1, weight: 1 },
        { target: 'sip:192.0.2.10:5060', priority: 2, weight: 1 },
      ],
    },
    {},
  );
  carrier.onInvite = (call) => call.answer();
  const call = alice.call('+4989555');
  await world.until(() => call.state === 'up');
  call.hangUp();
  await done(world);
});

test('RFC 3665 §3.6: SDP in the ACK', async () => {
  const { world, alice, bob, since } = await scene({ media: 'either' });
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob', { sdp: null });
  await world.until(() => call.state === 'up' && bob.calls[0]?.confirmed === true);
  assert.deepEqual(ladder(world, B, since), ['>INVITE', '<200', '>ACK']);
  const bodies = world.network.log
    .slice(since)
    .map(({ text }) => [text.split(' ')[0], text.includes('m=audio')]);
  assert.ok(bodies.every(([what, sdp]) => what !== 'INVITE' || sdp === false));
  assert.ok(bodies.every(([what, sdp]) => what !== 'ACK' || sdp === true || what === 'ACK'));
  assert.equal(readSdp(Buffer.from(bob.calls[0]!.theirs)).media.length, 1);
  call.hangUp();
  await done(world);
});

test('RFC 3665 §3.7: the caller changes its address by re-INVITE, and its media goes there', async () => {
  const { world, alice, bob, since } = await scene();
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up' && bob.calls[0]?.confirmed === true);
  const [caller] = [...world.relay.endpoints.values()];
  call.reinvite(call.again('sendrecv').replaceAll(A, '203.0.113.77'));
  await world.until(() => call.reinviteStatus.length === 1);
  assert.equal(caller!.config!.remote!.address, '203.0.113.77');
  await world.run(100);
  call.hangUp();
  await world.run(300);
  assert.deepEqual(ladder(world, B, since), [
    '>INVITE',
    '<200',
    '>ACK',
    '>INVITE',
    '<200',
    '>ACK',
    '>BYE',
    '<200',
  ]);
  // Nothing of where the caller is shows at the called side.
  assert.ok(world.sentTo(B).every((text) => !text.includes('203.0.113.77')));
  await done(world);
});

test('RFC 3665 §3.8: nobody answers, the caller gives up', async () => {
  const { world, alice, bob, since } = await scene();
  bob.onInvite = (call) => call.ring();
  const call = alice.call('bob');
  await world.until(() => call.state === 'ringing');
  call.cancel();
  await world.until(() => call.state === 'over');
  await world.run(300);
  assert.equal(call.status, 487);
  assert.deepEqual(ladder(world, A, since), [
    ...['<INVITE', '>401', '<ACK', '<INVITE', '>180'],
    ...['<CANCEL', '>200', '>487', '<ACK'],
  ]);
  assert.deepEqual(ladder(world, B, since), ['>INVITE', '<180', '>CANCEL', '<200', '<487', '>ACK']);
  await done(world);
});

test('RFC 3665 §3.9, §3.11: busy, and temporarily not there', async () => {
  for (const [status, disposition] of [
    [486, 'busy'],
    [480, 'unanswered'],
  ] as const) {
    const { world, alice, bob, since } = await scene();
    bob.onInvite = (call) => call.reject(status);
    const call = alice.call('bob');
    await world.until(() => call.state === 'over');
    await world.run(300);
    assert.equal(call.status, status);
    assert.deepEqual(ladder(world, B, since), ['>INVITE', `<${status}`, '>ACK']);
    await done(world);
    assert.equal(world.finished[0]!.disposition, disposition);
  }
});

test('RFC 3665 §3.10: the called phone is silent, the INVITE is repeated and then given up', async () => {
  const { world, alice, bob, since } = await scene({}, { transport: 'udp', media: 'rtp' });
  bob.dead = true;
  const call = alice.call('bob');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 408);
  assert.deepEqual([...new Set(ladder(world, B, since))], ['>INVITE']);
  assert.equal(ladder(world, B, since).length, 7);
  await done(world);
});
