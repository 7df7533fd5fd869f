import assert from 'node:assert/strict';
import { test } from 'node:test';
import { registered } from '../testing/cast.ts';
import { device, domain, route, trunk, user } from '../testing/objects.ts';
import { pbxObject, TestPbx } from '../testing/pbx.ts';
import { Phone } from '../testing/phone.ts';
import { World } from '../testing/world.ts';

const tls = { transport: 'tls', media: 'srtp' } as const;

test('every phone of the account has to prove itself anew, and hears so by the end of its connection', async () => {
  const world = new World({
    objects: { users: [user('alice', { devices: [device('alice'), device('alice2')] }), user('bob')] },
  });
  const desk = await registered(world, { name: 'alice', address: '203.0.113.1', ...tls });
  await registered(world, { name: 'alice', device: 'alice2', address: '203.0.113.3' });
  const bob = await registered(world, { name: 'bob', address: '203.0.113.2', ...tls });
  const flows = world.edge.registrar.lookup(domain, 'alice', world.time.now).map(({ flow }) => flow!);
  assert.equal(world.edge.deregister(domain.toUpperCase(), 'Alice'), 2);
  assert.deepEqual(world.edge.registrar.lookup(domain, 'alice', world.time.now), []);
  assert.equal(world.eventsOf('registration.removed').length, 2);
  // A connection is ended, UDP has none.
  assert.deepEqual(flows.map((flow) => world.network.flow(flow)?.transport).sort(), ['udp', undefined]);
  assert.equal(world.edge.registrar.lookup(domain, 'bob', world.time.now).length, 1);
  const call = bob.call(`sip:alice@${domain}`);
  await world.until(() => call.state === 'over');
  assert.equal(desk.calls.length, 0);
  const again = await registered(world, { name: 'alice', address: '203.0.113.1', ...tls });
  assert.equal(world.edge.registrar.lookup(domain, 'alice', world.time.now).length, 1);
  assert.ok(again);
  assert.equal(world.edge.deregister(domain, 'nobody'), 0);
});

test('a phone whose place somebody took by naming its instance hears of it, too (RFC 5626 §5.3)', async () => {
  const world = new World({ objects: { users: [user('alice')] } });
  const as = ({ contact }: Phone): string =>
    `${contact};+sip.instance="<urn:uuid:00000000-0000-1000-8000-000000000001>";reg-id=1`;
  const flows: number[] = [];
  for (const address of ['203.0.113.1', '192.0.2.66']) {
    const phone = new Phone(world, { name: 'alice', address, ...tls });
    assert.equal((await phone.register(3600, [as(phone)])).status, 200);
    const [binding] = world.edge.registrar.lookup(domain, 'alice', world.time.now);
    flows.push(binding!.flow!);
  }
  assert.equal(world.edge.deregister(domain, 'alice'), 1);
  for (const flow of flows) assert.equal(world.network.flow(flow), undefined);
});

test('a connection that carries an emergency call stays', async () => {
  const world = new World({
    objects: {
      users: [user('alice')],
      trunks: [trunk('carrier', { addresses: ['192.0.2.10'] })],
      routes: [route('default', { trunk: 'carrier' })],
    },
  });
  const carrier = new Phone(world, { name: '112', address: '192.0.2.10' }).listen();
  carrier.onInvite = (call) => call.answer();
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1', ...tls });
  const [binding] = world.edge.registrar.lookup(domain, 'alice', world.time.now);
  const call = alice.call(`sip:112@${domain}`);
  await world.until(() => call.state === 'up');
  world.edge.deregister(domain, 'alice');
  assert.notEqual(world.network.flow(binding!.flow!), undefined);
  carrier.calls[0]!.end();
  await world.until(() => call.state === 'over');
});

test('what a PBX was told of its phone stays known: it registers there as before', async () => {
  const world = new World({ objects: { pbx: [pbxObject(['192.0.2.50'])] } });
  const pbx = new TestPbx(world, '192.0.2.50');
  const at = { name: 'alice', address: '203.0.113.1', realm: 'the-pbx', ...tls };
  await registered(world, at);
  const before = pbx.contacts.get('alice');
  assert.equal(world.edge.deregister(domain, 'alice'), 1);
  await registered(world, at);
  assert.equal(pbx.contacts.get('alice'), before);
});
