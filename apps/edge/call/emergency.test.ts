import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serializeUri } from '@ringfence/sip/message/uri.ts';
import type { Configuration } from '../config/schema.ts';
import type { Objects } from '../objects/types.ts';
import { leftovers, registered } from '../testing/cast.ts';
import { route, trunk, user } from '../testing/objects.ts';
import { Phone, type PhoneOptions } from '../testing/phone.ts';
import { World } from '../testing/world.ts';

const carrierAt = '192.0.2.10';

async function cast(
  more: {
    objects?: Partial<Objects>;
    config?: (config: Configuration) => Configuration;
    alice?: Partial<PhoneOptions>;
  } = {},
): Promise<{ world: World; alice: Phone; carrier: Phone }> {
  const world = new World({
    objects: {
      users: [user('alice', { encryption: 'required' })],
      trunks: [trunk('carrier', { addresses: [carrierAt] })],
      routes: [route('default', { block: 'nothing goes out' })],
      ...more.objects,
    },
    ...(more.config === undefined ? {} : { config: more.config }),
  });
  const carrier = new Phone(world, { name: 'psap', address: carrierAt }).listen();
  carrier.onInvite = (call) => call.answer();
  const alice = await registered(world, {
    name: 'alice',
    transport: 'tls',
    address: '203.0.113.1',
    media: 'srtp',
    ...more.alice,
  });
  return { world, alice, carrier };
}

async function goesThrough(world: World, alice: Phone, number: string, secure = true): Promise<void> {
  const call = alice.call(number, { secure });
  await world.until(() => call.state === 'up' || call.state === 'over');
  assert.equal(call.state, 'up', `${number}: ${call.status}`);
  call.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
  const record = world.finished.at(-1)!;
  assert.equal(record.route, 'emergency:carrier');
  assert.match(record.decision, /emergency\.first/);
}

test('an emergency call passes a route that blocks everything, and keeps its number as dialled', async () => {
  const { world, alice, carrier } = await cast();
  for (const number of [
    '112',
    '911',
    '933',
    'sip:1-1-2@example.test',
    'tel:112;phone-context=+49',
    'urn:service:sos',
  ])
    await goesThrough(world, alice, number);
  assert.equal(serializeUri(carrier.calls[0]!.request!.uri), 'sip:112@192.0.2.10:5060');
  const blocked = alice.call('110110');
  await world.until(() => blocked.state === 'over');
  assert.equal(blocked.status, 403);
});

test('an emergency call passes draining', async () => {
  const { world, alice } = await cast();
  world.edge.drain();
  const usual = alice.call('alice');
  await world.until(() => usual.state === 'over');
  assert.equal(usual.status, 503);
  await goesThrough(world, alice, '112');
});

test('an emergency call passes the maximum of calls', async () => {
  const { world, alice } = await cast({
    config: (config) => ({ ...config, calls: { ...config.calls, maximum: 1 } }),
  });
  const first = alice.call('112');
  await world.until(() => first.state === 'up');
  const usual = alice.call('alice');
  await world.until(() => usual.state === 'over');
  assert.equal(usual.status, 503);
  await world.run(1000);
  const second = alice.call('112');
  await world.until(() => second.state === 'up');
  first.hangUp();
  second.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
});

test('a plain phone where encryption is required may call for help, and only for that', async () => {
  const { world, alice } = await cast({ alice: { media: 'rtp', listener: 'guarded' } });
  const usual = alice.call('+4989');
  await world.until(() => usual.state === 'over');
  assert.equal(usual.status, 488);
  await goesThrough(world, alice, '112', false);
});

test('a trunk that requires SRTP takes an emergency call in plain RTP if it cannot do better', async () => {
  const target = 'sip:192.0.2.10:5061;transport=tls';
  const { world, alice, carrier } = await cast({
    objects: { trunks: [trunk('carrier', { target, encryption: 'required' })] },
  });
  const psap = new Phone(world, { name: 'psap', address: carrierAt, port: 5061, transport: 'tls' }).listen();
  psap.onInvite = (call) => call.answer();
  await goesThrough(world, alice, '112');
  assert.equal(carrier.calls.length, 0);
});

test('over the connection that registered no challenge stands before an emergency call', async () => {
  const { world, alice } = await cast();
  const before = world.eventsOf('request.challenged').length;
  await goesThrough(world, alice, '112');
  assert.equal(world.eventsOf('request.challenged').length, before);
});

test('strangers are challenged for emergency calls as for others', async () => {
  const { world, carrier } = await cast();
  for (const transport of ['tls', 'udp'] as const) {
    const stranger = new Phone(world, {
      name: 'x',
      password: 'x',
      transport,
      address: '203.0.113.66',
      port: 5066,
    });
    const call = stranger.call('112');
    await world.until(() => call.state === 'over');
    assert.equal(call.status, 401);
  }
  assert.equal(carrier.calls.length, 0);
});

test('the trunk that is set for emergencies is taken, and a call never goes back to the trunk it came from', async () => {
  const trunks = [
    trunk('carrier', { addresses: [carrierAt] }),
    trunk('second', { addresses: ['192.0.2.20'], target: 'sip:192.0.2.20' }),
  ];
  const { world, alice, carrier } = await cast({
    objects: { trunks },
    config: (config) => ({ ...config, numbers: { ...config.numbers, emergencyTrunk: 'second' } }),
  });
  const second = new Phone(world, { name: 'psap', address: '192.0.2.20' }).listen();
  second.onInvite = (call) => call.answer();
  const call = alice.call('112');
  await world.until(() => call.state === 'up');
  assert.equal(second.calls.length, 1);
  call.hangUp();
  const fromSecond = second.call('112');
  await world.until(() => fromSecond.state === 'up');
  assert.equal(carrier.calls.length, 1);
  fromSecond.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
});

test('without any trunk an emergency call is refused with its reason', async () => {
  const { world, alice } = await cast({ objects: { trunks: [] } });
  const call = alice.call('112');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 404);
  await world.run(100);
  assert.match(world.finished[0]!.decision, /emergency\.no-trunk/);
});
