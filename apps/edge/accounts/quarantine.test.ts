import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { AccountPolicy, Remote } from '../objects/account-settings.ts';
import type { User } from '../objects/types.ts';
import { leftovers, registered } from '../testing/cast.ts';
import { device, domain, route, trunk, user } from '../testing/objects.ts';
import { Phone, type PhoneOptions } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { World } from '../testing/world.ts';
import { mostKnown, mostPending } from './accounts.ts';
import { InsideNetworks, networkOf, phoneOf } from './place.ts';

const carrierAt = '192.0.2.10';
const office = '203.0.113.7';
const elsewhere = '198.18.5.7';
const name = { domain, user: 'alice' };

interface Cast {
  readonly world: World;
  readonly carrier: Phone;
  at(address: string, more?: Partial<PhoneOptions>): Promise<Phone>;
}

function cast(accounts: AccountPolicy = { remote: 'quarantine', helpDesk: ['100'] }, alice?: User): Cast {
  const world = new World({
    objects: {
      users: [alice ?? user('alice'), user('bob'), user('desk', { number: '+493011100' })],
      trunks: [trunk('carrier', { addresses: [carrierAt] })],
      routes: [route('100', { user: 'desk' }), route('default', { trunk: 'carrier' })],
      domains: [{ domain, name: domain, accounts }],
    },
  });
  const carrier = new Phone(world, { name: 'psap', address: carrierAt }).listen();
  carrier.onInvite = (call) => call.answer();
  return {
    world,
    carrier,
    at: (address, more = {}) =>
      registered(world, { name: 'alice', transport: 'tls', address, port: 40_001, media: 'srtp', ...more }),
  };
}

async function tries(world: World, phone: Phone, number: string): Promise<PhoneCall> {
  const call = phone.call(number, { secure: phone.media === 'srtp' });
  await world.until(() => call.state === 'up' || call.state === 'over');
  return call;
}

test('a phone in a new network registers, but reaches nobody until its user confirms it', async () => {
  const { world, at } = cast();
  const alice = await at(elsewhere);
  assert.deepEqual(
    world
      .eventsOf('account.quarantined')
      .map(({ user: who, network, phone, by }) => [who, network, phone, by]),
    [['alice', '198.18.5.0/24', 'Testphone', 'policy']],
  );
  const call = await tries(world, alice, '+4930999');
  assert.equal(call.status, 403);
  const told = alice.heard.findLast((message) => message.kind === 'response' && message.status === 403);
  assert.match(told?.headers.get('Warning') ?? '', /This phone must be confirmed first: call 100/);
  assert.match(told?.headers.get('Reason') ?? '', /text="policy"/);
  await world.run(100);
  assert.match(world.finished.at(-1)!.decision, /account\.quarantined.*198\.18\.5\.0\/24/);
  assert.equal((await tries(world, alice, 'bob')).status, 403);

  const [confirmed] = world.edge.accounts.confirm(name, 'administrator');
  assert.equal(confirmed?.network, '198.18.5.0/24');
  assert.equal((await tries(world, alice, '+4930999')).state, 'up');
  assert.equal(world.eventsOf('account.confirmed').length, 1);
  alice.calls.at(-1)!.hangUp();
  await world.run(60_000);
  assert.deepEqual(leftovers(world), []);
});

test('in quarantine emergency calls go, as they do everywhere', async () => {
  for (const remote of ['quarantine', 'refuse'] as const) {
    const { world, carrier } = cast({ remote });
    const alice = new Phone(world, {
      name: 'alice',
      transport: 'tls',
      address: elsewhere,
      media: 'srtp',
    });
    await alice.register();
    world.edge.accounts.quarantine({ ...name, why: 'a test', by: 'administrator' });
    const call = await tries(world, alice, '112');
    assert.equal(call.state, 'up', remote);
    assert.equal(carrier.calls.length, 1);
    call.hangUp();
    await world.run(1_000);
    assert.match(world.store.records.at(-1)!.decision, /emergency\.first/);
  }
});

test('in quarantine the help desk is reached, by number or name, and nobody through it', async () => {
  const { world, at } = cast({ remote: 'quarantine', helpDesk: ['100', '+493011100'] });
  const desk = await registered(world, {
    name: 'desk',
    transport: 'tls',
    address: '10.0.0.9',
    port: 40_009,
    media: 'srtp',
  });
  desk.onInvite = (call) => call.answer();
  const alice = await at(elsewhere);
  assert.equal((await tries(world, alice, '100')).state, 'up');
  assert.equal((await tries(world, alice, '03011100')).state, 'up');
  const call = alice.calls[0]!;
  // A transfer is judged by the rights of who transfers.
  assert.equal(await call.inside('REFER', [['Refer-To', '<sip:+4930999@example.test>']]), 403);
  await world.run(2_000);
  assert.ok(
    world
      .eventsOf('request.refused')
      .some(({ decision }) => decision.reasons[0]?.rule === 'account.quarantined'),
  );
});

test('a phone in quarantine is not rung: the thief of a password hears none of the calls', async () => {
  const { world, at } = cast();
  const thief = await at(elsewhere);
  const alice = await at('192.168.1.5', { port: 40_002 });
  const bob = await registered(world, {
    name: 'bob',
    transport: 'tls',
    address: '10.0.0.2',
    port: 40_003,
    media: 'srtp',
  });
  alice.onInvite = (call) => call.answer();
  const call = await tries(world, bob, 'alice');
  assert.equal(call.state, 'up');
  assert.equal(alice.calls.length, 1);
  assert.equal(thief.calls.length, 0);
  await alice.register(0);
  assert.equal((await tries(world, bob, 'alice')).status, 480);
});

test('who calls without registering is judged by its network', async () => {
  const { world, at } = cast({ remote: 'quarantine', inside: ['203.0.113.0/24'] });
  const alice = await at(office);
  assert.equal((await tries(world, alice, '+4930999')).state, 'up');
  const thief = new Phone(world, {
    name: 'alice',
    transport: 'tls',
    address: elsewhere,
    port: 5070,
    media: 'srtp',
  });
  assert.equal((await tries(world, thief, '+4930999')).status, 403);
});

test('another phone in a known network is a new place; a new firmware of the known one is not', async () => {
  const { world, at } = cast();
  await at(office);
  world.edge.accounts.confirm(name, 'administrator');
  const updated = new Phone(world, {
    name: 'alice',
    transport: 'tls',
    address: office,
    port: 40_005,
    media: 'srtp',
  });
  const register = async (userAgent: string): Promise<void> => {
    const request = updated.make('REGISTER', `sip:${domain}`);
    const headers = new HeaderList([
      ['Expires', '600'],
      ['User-Agent', userAgent],
      ['Contact', updated.contact],
    ]);
    const to = { uri: updated.uri('alice'), params: new Map() };
    await updated.request({ ...request, to, headers });
  };
  await register('Testphone/2.7');
  assert.equal((await tries(world, updated, '+4930999')).state, 'up');
  await register('friendly thing 1.0');
  assert.equal((await tries(world, updated, '+4930998')).status, 403);
  assert.deepEqual(
    world.edge.accounts.pending(domain, 'alice').map(({ phone }) => phone),
    ['friendly thing'],
  );
});

test('the first network is learned where the policy says so, and only there', async () => {
  const { world, at } = cast({ remote: 'quarantine', firstUse: true });
  assert.equal((await tries(world, await at(office), '+4930999')).state, 'up');
  assert.equal((await tries(world, await at(elsewhere, { port: 40_002 }), '+4930999')).status, 403);
  const strict = cast();
  assert.equal((await tries(strict.world, await strict.at(office), '+4930999')).status, 403);
});

for (const [remote, ofDevice, registers, calls] of [
  ['allow', undefined, 200, true],
  [undefined, undefined, 200, true],
  ['quarantine', 'allow', 200, true],
  ['allow', 'quarantine', 200, false],
  ['refuse', undefined, 403, false],
  ['quarantine', 'refuse', 403, false],
] as const satisfies readonly (readonly [Remote | undefined, Remote | undefined, number, boolean])[])
  test(`remote: ${remote} of the domain and ${ofDevice} of the device`, async () => {
    const own = { ...device('alice'), ...(ofDevice === undefined ? {} : { remote: ofDevice }) };
    const { world } = cast(remote === undefined ? {} : { remote }, user('alice', { devices: [own] }));
    const alice = new Phone(world, { name: 'alice', transport: 'tls', address: elsewhere, media: 'srtp' });
    const response = await alice.register();
    assert.equal(response.status, registers);
    assert.equal((await tries(world, alice, '+4930999')).state === 'up', calls);
    if (remote === 'allow' && ofDevice === undefined) assert.equal(world.store.standings.size, 0);
  });

test('an account that was put aside stays so wherever it is, until it is released or the time is over', async () => {
  const { world, at } = cast({});
  const alice = await at('10.0.0.5');
  const { accounts } = world.edge;
  assert.equal(accounts.quarantine({ ...name, why: 'hijack', by: 'rule', evidence: { bits: 20 } }), 'done');
  assert.equal((await tries(world, alice, '+4930999')).status, 403);
  const message = alice.make('MESSAGE', 'bob', [['Content-Type', 'text/plain']]);
  const answered = await alice.request({ ...message, body: Buffer.from('hello') });
  assert.equal(typeof answered === 'string' ? answered : answered.status, 403);
  assert.equal(accounts.release(name, 'administrator'), 'done');
  assert.equal(accounts.release(name, 'administrator'), 'nothing');
  assert.equal((await tries(world, alice, '+4930999')).state, 'up');
  accounts.quarantine({
    ...name,
    device: 'alice',
    why: 'hijack',
    by: 'rule',
    until: world.time.now + 60_000,
  });
  assert.equal((await tries(world, alice, '+4930998')).status, 403);
  await world.run(61_000);
  world.edge.expire();
  assert.equal((await tries(world, alice, '+4930997')).state, 'up');
  assert.equal(world.eventsOf('account.released').at(-1)?.by, 'expiry');
  assert.equal(accounts.quarantine({ domain, user: 'nobody', why: '', by: '' }), 'no-user');
  assert.equal(accounts.quarantine({ ...name, device: 'bob', why: '', by: '' }), 'no-device');
});

test('what is known outlives a restart, and goes with its user', async () => {
  const { world, at } = cast();
  await at(elsewhere);
  world.edge.accounts.confirm(name, 'administrator');
  await world.run(1_000);
  const rows = await world.store.accounts();
  assert.equal(rows.length, 1);
  assert.equal(rows[0]?.state, 'known');
  world.edge.replaceObjects({ ...world.objects, users: [user('bob')] });
  await world.run(1_000);
  assert.equal(world.store.standings.size, 0);
});

test('what an administrator changes in the store takes effect, and is told of', async () => {
  const { world, at } = cast();
  const alice = await at(elsewhere);
  await world.run(1_000);
  const [row] = await world.store.accounts();
  assert.equal(row?.state, 'pending');
  world.store.standings.clear();
  const known = world.store.putAccounts([{ ...row!, state: 'known', by: 'administrator', since: 1 }], []);
  await world.run(1_000);
  await known;
  const done = world.edge.accounts.reload();
  await world.run(1_000);
  await done;
  assert.equal((await tries(world, alice, '+4930999')).state, 'up');
  assert.equal(world.eventsOf('account.confirmed')[0]?.by, 'administrator');
  const put = { ...row!, network: '', phone: '', state: 'quarantined', why: 'stolen', since: 2 } as const;
  await Promise.all([world.store.putAccounts([put], []), world.run(1_000)]);
  await world.edge.accounts.reload();
  assert.equal((await tries(world, alice, '+4930998')).status, 403);
  world.store.standings.clear();
  await world.edge.accounts.reload();
  assert.equal(world.eventsOf('account.released').length, 1);
  assert.equal(world.eventsOf('account.quarantined').length, 2);
});

test('places of a device are bounded: the oldest makes room', () => {
  const { world } = cast();
  const { accounts } = world.edge;
  const arrive = (i: number): void => {
    const remote = { address: `10.${i >> 8}.${i & 255}.1`.replace('10.', '11.'), port: 5060 };
    const flow = { id: 9_000 + i, remote } as Phone['flow'];
    accounts.arrive({ ...name, device: 'alice' }, flow, { key: 'sip:x', userAgent: 'a' });
  };
  for (let i = 0; i < 100; i += 1) arrive(i);
  assert.equal(accounts.rows(domain, 'alice').length, mostPending);
  for (let i = 0; i < 100; i += 1) {
    arrive(i);
    accounts.confirm(name, 'administrator');
  }
  assert.equal(accounts.rows(domain, 'alice').length, mostKnown);
});

test('nothing crosses between tenants: the same name elsewhere is somebody else', () => {
  const { world } = cast();
  const { accounts } = world.edge;
  accounts.quarantine({ ...name, why: 'a test', by: 'administrator' });
  const other = { kind: 'device', domain: 'other.test', user: 'alice', device: 'alice' } as const;
  const flow = { id: 1, remote: { address: '10.0.0.1', port: 1 } } as Phone['flow'];
  assert.equal(accounts.standing({ ...other, encryption: 'none', proof: 'digest' }, flow), undefined);
  assert.equal(accounts.confirm({ domain: 'other.test', user: 'alice' }, 'x').length, 0);
});

test('networks and phones are named as people know them', () => {
  assert.equal(networkOf('198.51.100.77', undefined), '198.51.100.0/24');
  assert.equal(networkOf('198.51.100.77', { ipv4Prefix: 12 }), '198.48.0.0/12');
  assert.equal(networkOf('2001:db8:aaaa:bbbb::1', undefined), '2001:db8:aaaa:0::/48');
  assert.equal(networkOf('2001:db8:aaaa:bbbb::1', { ipv6Prefix: 64 }), '2001:db8:aaaa:bbbb::/64');
  assert.equal(networkOf('2001:db8:aaaa:bbbb::1', { ipv6Prefix: 32 }), '2001:db8:0:0::/32');
  assert.equal(networkOf('::ffff:198.51.100.77', undefined), '198.51.100.0/24');
  assert.equal(phoneOf('sip:x', 'Yealink SIP-T46S 66.85.0.5'), 'Yealink SIP-T46S');
  assert.equal(phoneOf('sip:x', 'snomD785/10.1.1 (x)'), 'snomD785');
  assert.equal(phoneOf('"<urn:uuid:1>" 1', 'whatever'), 'urn:uuid:1');
  const inside = new InsideNetworks(['192.0.2.0/25', '2001:db8::/32', 'nonsense']);
  assert.ok(inside.has('192.0.2.127') && inside.has('2001:db8::7'));
  assert.ok(!inside.has('192.0.2.128') && !inside.has('10.0.0.1') && !inside.has('nonsense'));
  assert.ok(new InsideNetworks(undefined).has('10.0.0.1'));
});
