import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { trunk } from '../../testing/objects.ts';
import { Phone } from '../../testing/phone.ts';
import { World } from '../../testing/world.ts';
import { TargetHealth } from './target-health.ts';

const health = { options: true, intervalSeconds: 10, failures: 3, recoveries: 2, statuses: [408, 503] };
const targets = ['192.0.2.31', '192.0.2.32'].map((host) => ({
  target: `sip:${host}`,
  priority: 0,
  weight: 1,
}));

test('failures in a row lead into quarantine, answered probes in a row out of it', () => {
  const rule = { failures: 3, recoveries: 2 };
  const target = new TargetHealth(0);
  assert.deepEqual(
    [1, 2].map((at) => target.failed(rule, at, 'timeout')),
    [false, false],
  );
  target.succeeded(rule, 3, true);
  assert.equal(target.state, 'up');
  assert.deepEqual(
    [4, 5, 6].map((at) => target.failed(rule, at, '503')),
    [false, false, true],
  );
  assert.equal(target.usable(rule, 1_000_000), false);
  assert.equal(target.succeeded(rule, 7, true), false);
  assert.equal(target.failed(rule, 8, 'timeout'), false);
  assert.equal(target.succeeded(rule, 9, true), false);
  assert.equal(target.succeeded(rule, 10, true), true);
  assert.deepEqual([target.state, target.since, target.lastFailure], ['up', 10, 'timeout']);
});

test('without probes one call may try after the time of quarantine, and a failure prolongs it', () => {
  const rule = { failures: 1, recoveries: 2, quarantineMs: 1000 };
  const target = new TargetHealth(0);
  assert.equal(target.failed(rule, 0, 'timeout'), true);
  assert.equal(target.usable(rule, 999), false);
  assert.equal(target.usable(rule, 1000), true);
  target.failed(rule, 1000, 'timeout');
  assert.equal(target.usable(rule, 1999), false);
  assert.equal(target.succeeded(rule, 2000, false), true);
});

test('a target that does not answer OPTIONS goes into quarantine, and comes back; both are events (RFC 3261 §11)', async () => {
  const world = new World({ objects: { trunks: [trunk('carrier', { targets, health })] } });
  const [good, bad] = ['192.0.2.31', '192.0.2.32'].map((address) =>
    new Phone(world, { name: 'gateway', address }).listen(),
  );
  bad!.dead = true;
  await world.run(45_000);
  assert.deepEqual(
    world.eventsOf('target.quarantined').map(({ owner, target, reason }) => [owner, target, reason]),
    [['trunk:carrier@example.test', 'udp:192.0.2.32:5060', 'timeout']],
  );
  assert.deepEqual(
    world.edge.health.reports().map(({ target, state }) => [target, state]),
    [
      ['udp:192.0.2.31:5060', 'up'],
      ['udp:192.0.2.32:5060', 'quarantined'],
    ],
  );
  const asked = good!.heard.filter((message) => message.kind === 'request' && message.method === 'OPTIONS');
  assert.ok(asked.length >= 4 && asked.length <= 5, String(asked.length));
  bad!.dead = false;
  await world.run(25_000);
  assert.equal(world.eventsOf('target.recovered').length, 1);
  // What stands for a refusal shows that somebody is there; what is listed does not.
  bad!.refuse = (request) => makeResponse(request, 404, undefined, { toTag: 't' });
  good!.refuse = (request) => makeResponse(request, 503, undefined, { toTag: 't' });
  await world.run(45_000);
  assert.deepEqual(
    world.edge.health.reports().map(({ state }) => state),
    ['quarantined', 'up'],
  );
  assert.deepEqual(world.errors, []);
});

test('probes end with their trunk, and with the edge; nothing is left', async () => {
  const world = new World({ objects: { trunks: [trunk('carrier', { targets, health })] } });
  await world.run(30_000);
  const before = world.network.log.length;
  assert.ok(before > 0);
  world.edge.replaceObjects({ users: [], trunks: [], routes: [] });
  await world.run(60_000);
  assert.deepEqual(world.edge.health.reports(), []);
  const after = world.network.log.length;
  await world.run(60_000);
  assert.equal(world.network.log.length, after);
  assert.deepEqual(world.edge.layer.size, { server: 0, client: 0 });
});

test('a name gives as many targets as DNS gives addresses; over TLS alone where encryption is required', async () => {
  const fields = { encryption: 'required', target: 'sip:trunk.example.net;transport=tls', health } as const;
  const hosts = { 'trunk.example.net': ['192.0.2.41', '192.0.2.42'] };
  const world = new World({ objects: { trunks: [trunk('carrier', fields)] }, hosts });
  new Phone(world, { name: 'gateway', address: '192.0.2.41', port: 5061, transport: 'tls' }).listen();
  await world.run(45_000);
  assert.deepEqual(
    world.edge.health.reports().map(({ target, state, lastFailure }) => [target, state, lastFailure]),
    [
      ['tls:192.0.2.41:5061', 'up', ''],
      ['tls:192.0.2.42:5061', 'quarantined', 'transport'],
    ],
  );
});
