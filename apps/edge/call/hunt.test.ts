import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leftovers, registered } from '../testing/cast.ts';
import { device, user } from '../testing/objects.ts';
import type { Phone } from '../testing/phone.ts';
import { World } from '../testing/world.ts';
import { better, statusForCaller } from './hunt.ts';

/** Alice, and Bob with three phones. */
async function cast(): Promise<{ world: World; alice: Phone; phones: Phone[] }> {
  const names = ['desk', 'soft', 'door'];
  const world = new World({
    objects: { users: [user('alice'), user('bob', { devices: names.map((name) => device(name)) })] },
  });
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1', transport: 'udp' });
  const phones: Phone[] = [];
  for (const [i, name] of names.entries())
    phones.push(
      await registered(world, {
        name: 'bob',
        device: name,
        address: `203.0.113.${10 + i}`,
        transport: 'tls',
        media: 'srtp',
      }),
    );
  return { world, alice, phones };
}

test('all phones of a user ring at once, the first answer wins, the others are cancelled (RFC 3261 §16.7)', async () => {
  const { world, alice, phones } = await cast();
  for (const phone of phones) phone.onInvite = (call) => call.ring();
  const call = alice.call('bob');
  await world.until(() => phones.every(({ calls }) => calls.length === 1));
  assert.equal(new Set(phones.map(({ calls }) => calls[0]!.callId)).size, 3);
  assert.equal(world.relay.endpoints.size, 4);
  phones[1]!.calls[0]!.answer();
  await world.until(() => call.state === 'up');
  await world.run(2000);
  assert.deepEqual(
    phones.map(({ calls }) => calls[0]!.wasCancelled),
    [true, false, true],
  );
  assert.equal(world.relay.endpoints.size, 2);
  call.hangUp();
  await world.run(64_000);
  assert.deepEqual(leftovers(world), []);
  assert.equal(world.finished.length, 1);
  assert.equal(world.finished[0]!.legs[1]!.principal, 'device:bob@example.test/soft');
});

test('a 2xx that crosses the CANCEL is acknowledged and hung up (RFC 3261 §9.1, §13.2.2.4)', async () => {
  const { world, alice, phones } = await cast();
  for (const phone of phones) phone.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up');
  await world.run(1000);
  const answered = phones.map(({ calls }) => calls[0]!);
  assert.equal(answered.filter(({ confirmed }) => confirmed).length, 3);
  assert.equal(answered.filter(({ hungUpByPeer }) => hungUpByPeer).length, 2);
  call.hangUp();
  await world.run(64_000);
  assert.deepEqual(leftovers(world), []);
  assert.equal(world.finished.length, 1);
});

test('busy on one phone leaves the others ringing; when all have refused, the best status goes to the caller', async () => {
  const { world, alice, phones } = await cast();
  phones[0]!.onInvite = (call) => call.reject(486);
  phones[1]!.onInvite = (call) => call.reject(480);
  phones[2]!.onInvite = (call) => call.ring();
  const call = alice.call('bob');
  await world.until(() => call.state === 'ringing');
  await world.run(5000);
  assert.equal(call.state, 'ringing');
  phones[2]!.calls[0]!.reject(503);
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 486);
  await world.run(64_000);
  assert.deepEqual(leftovers(world), []);
  assert.equal(world.finished[0]!.disposition, 'busy');
  assert.equal(world.finished[0]!.legs.length, 4);
});

test('603 ends the search at once (RFC 3261 §16.7 step 5)', async () => {
  const { world, alice, phones } = await cast();
  for (const phone of phones) phone.onInvite = (call) => call.ring();
  const call = alice.call('bob');
  await world.until(() => phones.every(({ calls }) => calls.length === 1));
  await world.run(100);
  phones[0]!.calls[0]!.reject(603);
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 603);
  assert.ok(phones[1]!.calls[0]!.wasCancelled && phones[2]!.calls[0]!.wasCancelled);
  await world.run(64_000);
  assert.deepEqual(leftovers(world), []);
});

test('603 of one phone while another answers: the call ends all the same, and nothing is left hanging', async () => {
  const { world, alice, phones } = await cast();
  for (const phone of phones) phone.onInvite = (call) => call.ring();
  const call = alice.call('bob');
  await world.until(() => phones.every(({ calls }) => calls.length === 1));
  await world.run(100);
  phones[0]!.calls[0]!.reject(603);
  phones[1]!.calls[0]!.answer();
  await world.until(() => call.state !== 'ringing');
  await world.run(1000);
  call.end();
  await world.run(64_000);
  assert.deepEqual(leftovers(world), []);
  assert.equal(world.finished.length, 1);
});

test('a phone whose answer cannot be used is hung up while the others go on ringing', async () => {
  const { world, alice, phones } = await cast();
  for (const phone of phones) phone.onInvite = (call) => call.ring();
  phones[0]!.onInvite = (call) => call.answer(call.describe(false).text);
  const call = alice.call('bob');
  await world.until(() => phones[0]!.calls[0]?.hungUpByPeer === true);
  phones[2]!.calls[0]!.answer();
  await world.until(() => call.state === 'up');
  call.hangUp();
  await world.run(64_000);
  assert.deepEqual(leftovers(world), []);
});

test('early media of several phones: the one that spoke last is heard, and the one that answers keeps the call (RFC 3960 §3.1)', async () => {
  const { world, alice, phones } = await cast();
  for (const phone of phones) phone.onInvite = (call) => call.ring();
  const call = alice.call('bob');
  await world.until(() => phones.every(({ calls }) => calls.length === 1));
  const [caller] = [...world.relay.endpoints.values()];
  const heard = (): string | undefined =>
    world.relay.endpoints.get(caller!.linked ?? 0)?.config?.remote?.address;
  for (const phone of [phones[1]!, phones[0]!, phones[2]!]) {
    phone.calls[0]!.early();
    await world.run(100);
    assert.equal(heard(), phone.options.address);
  }
  // Saying the same again is no reason to be heard again.
  phones[0]!.calls[0]!.early();
  await world.run(100);
  assert.equal(heard(), phones[2]!.options.address);
  phones[1]!.calls[0]!.answer();
  await world.until(() => call.state === 'up');
  assert.equal(heard(), phones[1]!.options.address);
  assert.equal(call.provisional.filter(({ body }) => body.length > 0).length, 1);
  call.hangUp();
  await world.run(64_000);
  assert.deepEqual(leftovers(world), []);
});

test('a peer that forks: the second 2xx is acknowledged and hung up (RFC 3261 §13.2.2.4)', async () => {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1' });
  const bob = await registered(world, { name: 'bob', address: '203.0.113.2' });
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up');
  const answered = world.network.log.findLast(
    ({ out, text }) => !out && text.startsWith('SIP/2.0 200') && text.includes('INVITE'),
  )!.text;
  bob.raw(answered.replace(/(To:.*;tag=)\S+/, '$1other'));
  bob.raw(answered.replace(/(To:.*;tag=)\S+/, '$1other'));
  await world.run(1000);
  const toOther = world.sentTo('203.0.113.2').filter((text) => /^To:.*;tag=other\r$/m.test(text));
  assert.deepEqual(toOther.map((text) => text.slice(0, 3)).sort(), ['ACK', 'ACK', 'BYE']);
  call.hangUp();
  await world.run(64_000);
  assert.deepEqual(leftovers(world), []);
});

test('which of several refusals is the best (RFC 3261 §16.7 step 6)', () => {
  for (const [statuses, best] of [
    [[404, 486], 486],
    [[486, 600], 600],
    [[503, 404], 404],
    [[408, 480], 480],
    [[487, 480], 480],
    [[500, 404], 404],
  ] as const)
    assert.equal(
      statuses.reduce<number>((a, b) => better(a, b), 0),
      best,
      String(statuses),
    );
});

test('no challenge, redirection or overload of the called side is passed on (§16.7 step 6, S6)', () => {
  assert.deepEqual([302, 401, 407, 503, 486].map(statusForCaller), [480, 502, 502, 500, 486]);
});
