import assert from 'node:assert/strict';
import { test } from 'node:test';
import { aliceAndBob, leftovers } from '../testing/cast.ts';
import { trunk, user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { World, type WorldOptions } from '../testing/world.ts';

interface Cast {
  readonly world: World;
  readonly alice: Phone;
  readonly bob: Phone;
}

async function cast(options: Partial<WorldOptions> = {}): Promise<Cast> {
  const world = new World({ objects: { users: [user('alice'), user('bob')] }, ...options });
  const pair = await aliceAndBob(world);
  pair.bob.onInvite = (call) => call.answer();
  return { world, ...pair };
}

async function refused(world: World, call: PhoneCall): Promise<PhoneCall> {
  await world.until(() => call.state === 'over');
  return call;
}

test('draining: new calls get 503 with Retry-After and a record, live ones go on (RFC 3261 §21.5.4)', async () => {
  const { world, alice, bob } = await cast();
  const live = alice.call('bob');
  await world.until(() => live.state === 'up');
  world.edge.drain();
  const late = await refused(world, alice.call('bob'));
  assert.equal(late.status, 503);
  assert.equal(late.final!.headers.get('Retry-After'), '30');
  live.reinvite(live.again('sendonly'));
  await world.until(() => live.reinviteStatus[0] === 200);
  bob.calls[0]!.hangUp();
  await world.until(() => live.hungUpByPeer);
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
  assert.deepEqual(world.finished.map(({ cause }) => cause).sort(), ['normal', 'overload']);
});

test('as many calls as configured: the next gets 503 with Retry-After', async () => {
  const { world, alice } = await cast({
    config: (config) => ({ ...config, calls: { ...config.calls, maximum: 2 } }),
  });
  const live = [alice.call('bob'), alice.call('bob')];
  await world.until(() => live.every(({ state }) => state === 'up'));
  const third = await refused(world, alice.call('bob'));
  assert.equal(third.status, 503);
  assert.equal(third.final!.headers.get('Retry-After'), '5');
  live[0]!.hangUp();
  await world.run(2000);
  const next = alice.call('bob');
  await world.until(() => next.state === 'up');
});

test('overload: phones get 503 with Retry-After, an emergency call goes through (RFC 3261 §21.5.4)', async () => {
  const { world, alice } = await cast({
    objects: {
      users: [user('alice'), user('bob')],
      trunks: [trunk('carrier', { addresses: ['192.0.2.10'] })],
    },
  });
  new Phone(world, { name: 'psap', address: '192.0.2.10' }).listen().onInvite = (call) => call.answer();
  world.shed.add('registered');
  const call = await refused(world, alice.call('bob'));
  assert.equal(call.status, 503);
  assert.equal(call.final!.headers.get('Retry-After'), '10');
  assert.equal(world.eventsOf('request.refused')[0]?.decision.reasons[0]?.rule, 'overload.load');
  const urgent = alice.call('112');
  await world.until(() => urgent.state === 'up');
  assert.equal(world.urgent.length, 1);
});

test('without the media process: 503 with Retry-After, and the record says media', async () => {
  const { world, alice } = await cast();
  world.relayUp = false;
  const call = await refused(world, alice.call('bob'));
  assert.equal(call.status, 503);
  assert.ok(call.final!.headers.has('Retry-After'));
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
  assert.equal(world.finished[0]!.cause, 'media');
});

for (const refusal of ['no-ports', 'no-descriptors', 'relay-down'] as const)
  test(`the media process refuses with ${refusal}: 503, no phone rings`, async () => {
    const { world, alice, bob } = await cast();
    world.relay.refusal = refusal;
    const call = await refused(world, alice.call('bob'));
    assert.equal(call.status, 503);
    assert.equal(bob.calls.length, 0);
    await world.run(100_000);
    assert.deepEqual(leftovers(world), []);
  });

test('the media process dies under a call: both sides are hung up and the record says media', async () => {
  const { world, alice, bob } = await cast();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up');
  world.relay.isDown = true;
  world.relayUp = false;
  world.relay.endpoints.clear();
  world.edge.hangUpAll('media');
  await world.until(() => call.hungUpByPeer && bob.calls[0]!.hungUpByPeer);
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
  assert.equal(world.finished[0]!.cause, 'media');
});

test('the media process dies while ports are asked for: 503, one record', async () => {
  const { world, alice } = await cast();
  world.relay.latency = 100;
  const call = alice.call('bob');
  await world.until(() => world.edge.calls.size === 1);
  world.relay.isDown = true;
  world.relay.refusal = 'relay-down';
  world.edge.hangUpAll('media');
  await refused(world, call);
  assert.equal(call.status, 503);
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
  assert.equal(world.finished.length, 1);
});
