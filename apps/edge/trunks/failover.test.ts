import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Trunk } from '../objects/types.ts';
import { registered } from '../testing/cast.ts';
import { route, trunk, user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import { over } from '../testing/trunk-cast.ts';
import { World } from '../testing/world.ts';
import { drawOrder } from './order.ts';

const places = ['192.0.2.31', '192.0.2.32', '192.0.2.33'];
const target = (host: string, priority = 0, weight = 1) => ({ target: `sip:${host}`, priority, weight });

/** Alice, and a gateway at each of three addresses. */
async function cast(trunks: readonly Trunk[], names = trunks.map(({ name }) => name)) {
  const world = new World({
    objects: {
      users: [user('alice', { number: '+4930123401' })],
      trunks,
      routes: [route('default', { trunks: names })],
    },
  });
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1', transport: 'udp' });
  const gateways = places.map((address) => new Phone(world, { name: 'gateway', address }).listen());
  return { world, alice, gateways: gateways as [Phone, Phone, Phone] };
}

test('targets are drawn by priority and weight (RFC 2782)', () => {
  const targets = [target('a', 1, 1), target('b', 0, 3), target('c', 0, 1), target('d', 0, 0)];
  const first = new Map<string, number>();
  for (let i = 0; i < 400; i += 1) {
    const order = drawOrder(targets, () => (i + 0.5) / 400).map((one) => one.target);
    assert.equal(order[3], 'sip:a');
    assert.equal(new Set(order).size, 4);
    first.set(order[0]!, (first.get(order[0]!) ?? 0) + 1);
  }
  assert.deepEqual([...first].sort(), [
    ['sip:b', 300],
    ['sip:c', 100],
  ]);
});

for (const status of [408, 500, 502, 503, 504])
  test(`${status} leads to the next target, and the record has a leg for each`, async () => {
    const targets = [target(places[0]!, 0), target(places[1]!, 1)];
    const { world, alice, gateways } = await cast([trunk('carrier', { targets })]);
    gateways[0].onInvite = (call) => call.reject(status);
    gateways[1].onInvite = (call) => call.answer();
    const call = alice.call('+49894321');
    await world.until(() => call.state === 'up');
    call.hangUp();
    await world.until(() => gateways[1].calls[0]!.hungUpByPeer);
    world.edge.health.stop();
    await over(world);
    const [record] = world.finished;
    assert.equal(record!.disposition, 'answered');
    assert.equal(record!.legs.at(-1)!.remote, `${places[1]}:5060`);
    assert.notEqual(gateways[0].calls[0]!.callId, gateways[1].calls[0]!.callId);
  });

for (const status of [404, 486, 603])
  test(`${status} is the caller's: nobody else is tried`, async () => {
    const targets = [target(places[0]!, 0), target(places[1]!, 1)];
    const { world, alice, gateways } = await cast([trunk('carrier', { targets })]);
    gateways[0].onInvite = (call) => call.reject(status);
    const call = alice.call('+49894321');
    await world.until(() => call.state === 'over');
    assert.equal(call.status, status);
    assert.equal(gateways[1].calls.length, 0);
    world.edge.health.stop();
    await over(world);
  });

test('the statuses that lead on are configuration; when all have failed the last one goes to the caller', async () => {
  const failover = { statuses: [486] };
  const trunks = places.map((host, i) => trunk(`t${i}`, { target: `sip:${host}`, failover }));
  const { world, alice, gateways } = await cast(trunks);
  gateways[0].onInvite = (call) => call.reject(486);
  gateways[1].onInvite = (call) => call.reject(486);
  gateways[2].onInvite = (call) => call.reject(500);
  const call = alice.call('+49894321');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 500);
  await over(world);
  assert.deepEqual(
    world.finished[0]!.legs.map(({ principal, status }) => [principal, status]),
    [
      ['device:alice@example.test/alice', 500],
      ['trunk:t0@example.test', 486],
      ['trunk:t1@example.test', 486],
      ['trunk:t2@example.test', 500],
    ],
  );
});

test('trunks of a route are tried in order, over silence (timer B) and refused connections', async () => {
  const trunks = [
    trunk('silent', { target: `sip:${places[0]}` }),
    trunk('closed', { target: 'sip:192.0.2.99;transport=tcp' }),
    trunk('good', { target: `sip:${places[1]}` }),
  ];
  const { world, alice, gateways } = await cast(trunks);
  gateways[0].dead = true;
  gateways[1].onInvite = (call) => call.answer();
  const call = alice.call('+49894321');
  await world.until(() => call.state === 'up');
  call.hangUp();
  await over(world);
  assert.equal(world.finished[0]!.disposition, 'answered');
});

test('a target that does not ring in time is given up; its late answer is acknowledged and hung up (RFC 3261 §13.2.2.4)', async () => {
  const trunks = [
    trunk('slow', { target: `sip:${places[0]}`, failover: { statuses: [], silenceSeconds: 4 } }),
    trunk('good', { target: `sip:${places[1]}` }),
  ];
  const { world, alice, gateways } = await cast(trunks);
  gateways[0].onInvite = () => {};
  gateways[1].onInvite = (call) => call.answer();
  const began = world.time.now;
  const call = alice.call('+49894321');
  await world.until(() => call.state === 'up');
  assert.ok(world.time.now - began < 5000);
  gateways[0].calls[0]!.answer();
  await world.run(2000);
  call.hangUp();
  await over(world);
  assert.equal(world.finished.length, 1);
});

test('the caller gives up while the next place is being looked for: nobody is rung, nothing is left', async () => {
  const trunks = [
    trunk('full', { target: `sip:${places[0]}` }),
    trunk('far', { target: `sip:${places[1]};transport=tcp` }),
  ];
  const { world, alice, gateways } = await cast(trunks);
  const far = new Phone(world, { name: 'far', address: places[1]!, transport: 'tcp' }).listen();
  world.network.break(far.flow);
  world.network.connecting = 5000;
  gateways[0].onInvite = (call) => call.reject(503);
  const call = alice.call('+49894321');
  await world.until(() => gateways[0].calls.length === 1);
  await world.run(500);
  call.cancel();
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 487);
  await over(world);
  assert.equal(far.calls.length, 0);
});

test('results of calls put a dead target into quarantine: no call goes there, but an emergency call does', async () => {
  const health = { options: false, intervalSeconds: 600, failures: 2, recoveries: 1, statuses: [503] };
  const targets = [target(places[0]!, 0), target(places[1]!, 1)];
  const { world, alice, gateways } = await cast([trunk('carrier', { targets, health })]);
  gateways[0].onInvite = (call) => call.reject(503);
  gateways[1].onInvite = (call) => call.reject(486);
  for (let i = 0; i < 4; i += 1) {
    const call = alice.call('+49894321');
    await world.until(() => call.state === 'over');
    assert.equal(call.status, 486);
  }
  assert.equal(gateways[0].calls.length, 2);
  assert.equal(world.eventsOf('target.quarantined').length, 1);
  gateways[0].onInvite = (call) => call.answer();
  const help = alice.call('112');
  await world.until(() => help.state === 'up');
  assert.equal(gateways[0].calls.length, 3);
  // It has taken a call, so it lives.
  assert.equal(world.eventsOf('target.recovered').length, 1);
  help.hangUp();
  await over(world);
});

test('at most 16 places are tried for one call', async () => {
  const targets = Array.from({ length: 16 }, (_, i) => target(`192.0.2.${100 + i}`, i));
  const trunks = [trunk('a', { targets }), trunk('b', { targets })];
  const { world, alice } = await cast(trunks);
  let invites = 0;
  for (const { target: uri } of targets) {
    const gateway = new Phone(world, { name: 'gateway', address: uri.slice(4) }).listen();
    gateway.onInvite = (call) => {
      invites += 1;
      call.reject(503);
    };
  }
  const call = alice.call('+49894321');
  await world.until(() => call.state === 'over');
  assert.equal(invites, 16);
  world.edge.health.stop();
  await over(world);
  assert.equal(world.finished[0]!.legs.length, 17);
});

/** The trunk's own endpoint is the last that was opened; it has heard nothing until it talks. */
const muted = (world: World): void => {
  const { all } = world.relay;
  all.at(-1)!.idleMs = -1;
};

test('an answer without media: the caller hears nothing of it, the next target is tried, and the address fails', async () => {
  const health = { options: false, intervalSeconds: 600, failures: 1, recoveries: 1, statuses: [503] };
  const failover = { statuses: [], noMediaSeconds: 2 };
  const targets = [target(places[0]!, 0), target(places[1]!, 1)];
  const { world, alice, gateways } = await cast([trunk('carrier', { targets, health, failover })]);
  gateways[0].onInvite = (call) => {
    muted(world);
    call.answer();
  };
  gateways[1].onInvite = (call) => call.answer();
  const call = alice.call('+49894321');
  await world.until(() => gateways[0].calls.length === 1);
  await world.run(1900);
  assert.equal(call.state, 'calling');
  await world.until(() => call.state === 'up');
  assert.equal(gateways[0].calls[0]!.hungUpByPeer, true);
  assert.equal(world.events.filter(({ type }) => type === 'target.quarantined').length, 1);
  call.hangUp();
  await over(world);
  assert.equal(world.finished[0]!.disposition, 'answered');
});

test('media that comes in time lets the answer through; a caller who gives up meanwhile leaves nobody behind', async () => {
  const failover = { statuses: [], noMediaSeconds: 5 };
  const { world, alice, gateways } = await cast([trunk('carrier', { target: `sip:${places[0]}`, failover })]);
  gateways[0].onInvite = (call) => {
    muted(world);
    call.answer();
  };
  const call = alice.call('+49894321');
  await world.until(() => gateways[0].calls.length === 1);
  await world.run(1000);
  world.relay.all.at(-1)!.idleMs = 20;
  await world.until(() => call.state === 'up');
  call.hangUp();
  await world.run(1000);
  const gone = alice.call('+49894322');
  await world.until(() => gateways[0].calls.length === 2);
  await world.run(1000);
  gone.cancel();
  await world.until(() => gone.state === 'over');
  assert.equal(gone.status, 487);
  await world.until(() => gateways[0].calls[1]!.hungUpByPeer);
  const last = alice.call('+49894323');
  await world.until(() => last.state === 'over');
  assert.equal(last.status, 504);
  await over(world);
});
