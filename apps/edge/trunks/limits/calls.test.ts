import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Objects } from '../../objects/types.ts';
import { Directory } from '../../routing/directory.ts';
import { registered } from '../../testing/cast.ts';
import { route, trunk, user } from '../../testing/objects.ts';
import { Phone } from '../../testing/phone.ts';
import { over } from '../../testing/trunk-cast.ts';
import { World } from '../../testing/world.ts';
import { claimsAgain } from './judge.ts';

const usual = { queue: 0, queueSeconds: 5, status: 503, retryAfterSeconds: 10 } as const;
const places = ['192.0.2.31', '192.0.2.32'] as const;

async function cast(more: Partial<Objects>) {
  const world = new World({
    objects: { users: [user('alice'), user('bob')], routes: [route('default', { trunk: 'a' })], ...more },
  });
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1', transport: 'udp' });
  const bob = await registered(world, { name: 'bob', address: '203.0.113.2', transport: 'udp' });
  const gateways = places.map((address) => {
    const gateway = new Phone(world, { name: '+49891', address }).listen();
    gateway.onInvite = (call) => call.answer();
    return gateway;
  });
  return { world, alice, bob, gateways: gateways as [Phone, Phone] };
}

const atRest = async (world: World): Promise<void> => {
  await over(world);
  assert.deepEqual(world.edge.limits.usage(), []);
};

test('a trunk that is full: 503 with Retry-After, the reasons in the record, and room again when a call ends', async () => {
  const { world, alice } = await cast({
    trunks: [trunk('a', { target: `sip:${places[0]}`, limits: { calls: 1, ...usual } })],
  });
  const first = alice.call('+49891');
  await world.until(() => first.state === 'up');
  const second = alice.call('+49892');
  await world.until(() => second.state === 'over');
  assert.equal(second.status, 503);
  assert.equal(second.final!.headers.get('Retry-After'), '10');
  const [event] = world.eventsOf('request.refused');
  assert.equal(event!.decision.reasons[0]!.rule, 'limit.calls');
  assert.deepEqual(event!.decision.reasons[0]!.evidence.limited, 'trunk:a@example.test');
  first.hangUp();
  await world.run(1000);
  const third = alice.call('+49893');
  await world.until(() => third.state === 'up');
  third.hangUp();
  await atRest(world);
  assert.equal(world.finished.find(({ status }) => status === 503)!.cause, 'rate');
});

test('a full trunk overflows to the next of the route; calls in count too', async () => {
  const { world, alice, gateways } = await cast({
    trunks: [
      trunk('a', { target: `sip:${places[0]}`, addresses: [places[0]], limits: { calls: 1, ...usual } }),
      trunk('b', { target: `sip:${places[1]}` }),
    ],
    routes: [route('default', { trunks: ['a', 'b'] })],
  });
  alice.onInvite = (call) => call.answer();
  const inward = gateways[0].call('alice');
  await world.until(() => inward.state === 'up');
  const outward = alice.call('+49891');
  await world.until(() => outward.state === 'up');
  assert.equal(gateways[1].calls.length, 1);
  const refused = gateways[0].call('alice');
  await world.until(() => refused.state === 'over');
  assert.equal(refused.status, 503);
  inward.hangUp();
  outward.hangUp();
  await atRest(world);
});

test('a short queue: the call waits for a place and gets it; one too many hears 480 by rule', async () => {
  const limits = { calls: 1, ...usual, queue: 1, status: 480 } as const;
  const { world, alice, bob } = await cast({ trunks: [trunk('a', { target: `sip:${places[0]}`, limits })] });
  const first = alice.call('+49891');
  await world.until(() => first.state === 'up');
  const waiting = bob.call('+49892');
  await world.run(1000);
  const third = alice.call('+49893');
  await world.until(() => third.state === 'over');
  assert.equal(third.status, 480);
  first.hangUp();
  await world.until(() => waiting.state === 'up');
  const late = alice.call('+49894');
  await world.until(() => late.state === 'over');
  assert.equal(late.status, 480);
  assert.equal(late.final!.headers.get('Retry-After'), '10');
  const gone = alice.call('+49895');
  await world.run(1000);
  gone.cancel();
  await world.until(() => gone.state === 'over');
  waiting.hangUp();
  await atRest(world);
});

test('limits of users and domains, by number and by rate', async () => {
  const { world, alice, bob } = await cast({
    users: [user('alice'), { ...user('bob'), limits: { calls: 2 } }],
    trunks: [trunk('a', { target: `sip:${places[0]}` })],
    domains: [
      {
        domain: 'example.test',
        name: 'example.test',
        limits: { calls: 3, callsPerSecond: 10 },
        userLimits: { calls: 1 },
      },
    ],
  });
  const up = async (phone: Phone): Promise<number> => {
    const call = phone.call('+49891');
    await world.until(() => call.state === 'up' || call.state === 'over');
    return call.state === 'up' ? 200 : call.status;
  };
  assert.deepEqual(
    [await up(alice), await up(alice), await up(bob), await up(bob), await up(bob)],
    [200, 503, 200, 200, 503],
  );
  assert.deepEqual(
    world.eventsOf('request.refused').map(({ decision }) => decision.reasons[0]!.evidence.limited),
    ['user:alice@example.test', 'domain:example.test'],
  );
  for (const call of [...alice.calls, ...bob.calls]) if (call.state === 'up') call.hangUp();
  await atRest(world);
});

test('no limit stands before an emergency call', async () => {
  const { world, alice } = await cast({
    trunks: [trunk('a', { target: `sip:${places[0]}`, limits: { calls: 0, ...usual } })],
    domains: [{ domain: 'example.test', name: 'example.test', limits: { calls: 0 } }],
  });
  const refused = alice.call('+49891');
  await world.until(() => refused.state === 'over');
  assert.equal(refused.status, 503);
  const help = alice.call('112');
  await world.until(() => help.state === 'up');
  help.hangUp();
  await atRest(world);
});

test('a call that another process began counts for the same, by what its record says', async () => {
  const objects: Objects = {
    users: [user('alice'), user('bob')],
    trunks: [
      trunk('a', { target: `sip:${places[0]}`, limits: { calls: 5, callsPerSecond: 1, ...usual } }),
      trunk('b', { target: `sip:${places[1]}` }),
    ],
    routes: [route('default', { trunk: 'a' })],
    domains: [
      { domain: 'example.test', name: 'example.test', limits: { calls: 9 }, userLimits: { calls: 3 } },
    ],
  };
  const { world, alice } = await cast(objects);
  const call = alice.call('+49891');
  await world.until(() => call.state === 'up');
  const counted = world.edge.limits.usage().map(({ key }) => key);
  call.hangUp();
  await atRest(world);
  const directory = new Directory(objects, 'example.test').domain('example.test')!;
  const again = claimsAgain(world.finished[0]!, directory);
  assert.deepEqual(again.map(({ key }) => key).sort(), counted.sort());
  assert.deepEqual(again.at(-1)!.limit, { calls: 5 });
});
