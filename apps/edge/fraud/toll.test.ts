import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Configuration } from '../config/schema.ts';
import { registered } from '../testing/cast.ts';
import { route, trunk, user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import { talk, transferCast } from '../testing/transfer-cast.ts';
import { over } from '../testing/trunk-cast.ts';
import { World, type WorldOptions } from '../testing/world.ts';

const carrierAt = '192.0.2.10';
const otherAt = '192.0.2.11';

/** A minute in the own country costs 1 EUR here: a cap of 1 EUR is a minute. */
const dear = (config: Configuration): Configuration => ({
  ...config,
  fraud: {
    ...config.fraud,
    timeZone: 'UTC',
    prices: { ...config.fraud.prices, domestic: '1' },
  },
});

const objects = {
  users: [
    { ...user('alice', { number: '+4930123401' }), spend: { day: 2 } },
    user('bob', { number: '+4930123402' }),
  ],
  trunks: [
    trunk('carrier', { target: `sip:${carrierAt}`, addresses: [carrierAt] }),
    trunk('other', { target: `sip:${otherAt}`, addresses: [otherAt] }),
  ],
  routes: [route('default', { trunks: ['carrier', 'other'] })],
};

async function cast(more: Partial<WorldOptions> = {}) {
  const world = new World({ objects, config: dear, ...more });
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1', transport: 'udp' });
  const bob = await registered(world, { name: 'bob', address: '203.0.113.2', transport: 'udp' });
  const carrier = new Phone(world, { name: 'carrier', address: carrierAt }).listen();
  carrier.onInvite = (call) => call.answer();
  return { world, alice, bob, carrier };
}

test('closed classes are refused, however they are dialled, with the reason for caller, log and record', async () => {
  const { world, alice, carrier } = await cast();
  for (const dialled of [
    '09001234567',
    '+499001234567',
    '01190053555123456',
    '*31#09001234567',
    '+881612345678',
    '00252615000000',
  ]) {
    const call = alice.call(dialled);
    await world.until(() => call.state === 'over');
    assert.equal(call.status, 403, dialled);
    assert.match(call.final!.headers.get('Reason') ?? '', /text="fraud"/);
    assert.match(call.final!.headers.get('Warning') ?? '', /are closed/);
    await world.run(100);
    const record = world.finished.at(-1)!;
    assert.deepEqual([record.cause, record.disposition], ['fraud', 'refused']);
    assert.match(record.decision, /fraud\.class-closed/);
  }
  const verdicts = world.eventsOf('fraud.verdict');
  const [first, , third] = verdicts;
  assert.equal(first!.account, 'user:alice@example.test');
  assert.match(first!.sentence, /\+499001234567 is of class premium in DE \(closed by fraud\.destinations\)/);
  assert.match(third!.sentence, /dialled as 01190053555123456 is of class high-risk in CU/);
  assert.equal(carrier.calls.length, 0);
  const help = alice.call('112');
  await world.until(() => help.state === 'up');
  help.hangUp();
  await over(world);
});

test('what a user may call goes before what holds for all; countries and hours are closed by name', async () => {
  const destinations = { open: ['premium' as const], countries: ['FR'] };
  const { world, alice, bob } = await cast({
    objects: {
      ...objects,
      users: [{ ...user('alice'), destinations }, user('bob')],
      domains: [
        {
          domain: 'example.test',
          name: 'example.test',
          destinations: { closedOffHours: ['mobile' as const] },
        },
      ],
    },
  });
  const asked = async (phone: Phone, number: string): Promise<number> => {
    const call = phone.call(number);
    await world.until(() => call.state === 'up' || call.state === 'over');
    const { status, state } = call;
    if (state === 'up') call.hangUp();
    return state === 'up' ? 200 : status;
  };
  assert.equal(await asked(alice, '+499001234567'), 200);
  assert.equal(await asked(alice, '+33142345678'), 200);
  assert.equal(await asked(alice, '+12125551234'), 403);
  assert.equal(await asked(bob, '+12125551234'), 200);
  assert.equal(await asked(bob, '+491711234567'), 403);
  assert.deepEqual(
    world.eventsOf('fraud.verdict').map(({ rule }) => rule),
    ['fraud.country-closed', 'fraud.off-hours'],
  );
  await over(world);
});

test('a cap ends calls in progress, both sides hear why, and the next call is refused', async () => {
  const { world, alice, carrier } = await cast();
  const began = world.time.now;
  const call = alice.call('+4989123456');
  await world.until(() => call.state === 'up');
  await world.until(() => call.state === 'over', 200_000);
  const seconds = (world.time.now - began) / 1000;
  assert.ok(seconds > 118 && seconds <= 120.5, `ended after ${seconds} s`);
  assert.equal(carrier.calls[0]!.state, 'over');
  for (const address of ['203.0.113.1', carrierAt]) {
    const bye = world.sentTo(address).find((text) => text.startsWith('BYE'));
    assert.match(bye ?? '', /Reason: SIP;cause=403;text="The daily spending limit is reached"/);
  }
  await world.run(1000);
  const cost = JSON.parse(world.finished.at(-1)!.cost ?? '{}');
  assert.deepEqual(
    [cost.amount, cost.currency, cost.account, cost.rule],
    ['2.00', 'EUR', 'user:alice@example.test', 'fraud.spend-cap'],
  );
  assert.deepEqual(
    world.eventsOf('spend.warning').map(({ percent }) => percent),
    [95],
  );
  assert.equal(world.eventsOf('spend.exhausted').length, 1);
  const [verdict] = world.eventsOf('fraud.verdict');
  assert.equal(verdict!.action, 'cut-off');
  assert.match(
    verdict!.sentence,
    /The daily cap of 2\.00 EUR of user:alice@example\.test has 0\.00 EUR left/,
  );
  const again = alice.call('+4989123456');
  await world.until(() => again.state === 'over');
  assert.equal(again.status, 403);
  const help = alice.call('112');
  await world.until(() => help.state === 'up');
  help.hangUp();
  await over(world);
});

test('calls at the same time share a cap: what one sets aside the other does not have', async () => {
  const { world, alice } = await cast();
  const calls = [alice.call('+4989123456'), alice.call('+4989123457'), alice.call('+4989123458')];
  await world.until(() => calls.every(({ state }) => state === 'up' || state === 'over'));
  assert.deepEqual(
    calls.map(({ state }) => state),
    ['up', 'up', 'over'],
  );
  await world.until(() => calls.every(({ state }) => state === 'over'), 100_000);
  await over(world);
  const spent = world.edge.toll.book.of('user:alice@example.test', world.time.now)[1]!.spent;
  assert.ok(spent <= 2_000_000, `${spent}`);
});

test('nothing stays set aside however a call ends: CANCEL, busy, silence, no trunk at all', async () => {
  const { world, alice, carrier } = await cast();
  carrier.onInvite = (call) => call.ring();
  const cancelled = alice.call('+4989123456');
  await world.until(() => cancelled.state === 'ringing');
  assert.ok(world.edge.toll.reserved > 0);
  cancelled.cancel();
  await world.until(() => cancelled.state === 'over');
  carrier.onInvite = (call) => call.reject(486);
  const busy = alice.call('+4989123456');
  await world.until(() => busy.state === 'over');
  assert.equal(busy.status, 486);
  carrier.onInvite = () => {};
  const silent = alice.call('+4989123456');
  await world.until(() => silent.state === 'over', 300_000);
  await over(world);
  assert.equal(world.edge.toll.reserved, 0);
  assert.ok(world.finished.every(({ cost }) => cost === undefined || JSON.parse(cost).amount === '0.00'));
});

test('RFC 3261 §8.1.3.4: who sends a call on to outside pays for it, and only where it may go', async () => {
  const { world, alice, bob, carrier } = await cast();
  const inward = new Phone(world, { name: '+4989777', address: otherAt }).listen();
  bob.onInvite = (call) => call.reject(302, [['Contact', '<sip:09001234567@example.test>']]);
  const dearly = inward.call('bob');
  await world.until(() => dearly.state === 'over');
  assert.equal(carrier.calls.length, 0);
  const [verdict] = world.eventsOf('fraud.verdict');
  assert.deepEqual([verdict!.account, verdict!.rule], ['user:bob@example.test', 'fraud.class-closed']);
  alice.onInvite = (call) => call.reject(302, [['Contact', '<sip:+4989123456@example.test>']]);
  const call = inward.call('alice');
  await world.until(() => call.state === 'up');
  await world.until(() => call.state === 'over', 200_000);
  await over(world);
  assert.equal(JSON.parse(world.finished.at(-1)!.cost!).account, 'user:alice@example.test');
});

test('another process goes on counting: live calls with what they have set aside, spent money with its hours', async () => {
  const { world, alice } = await cast();
  const call = alice.call('+4989123456');
  await world.until(() => call.state === 'up');
  await world.run(45_000);
  const rows = await world.store.spend();
  assert.ok(rows.some(({ key }) => key.startsWith('charge|')));
  const dead = new World({ objects, config: dear, spend: rows });
  dead.time.jump(world.time.now + 60_000);
  assert.equal(dead.edge.toll.reserved, 0);
  dead.edge.toll.resume(new Set());
  await dead.run(1000);
  const [, day] = dead.edge.toll.book.of('user:alice@example.test', dead.time.now);
  assert.ok(day!.spent >= 1_000_000 && day!.spent <= 2_000_000, `${day!.spent}`);
  assert.equal(dead.edge.toll.reserved, 0);
  assert.deepEqual(
    (await dead.store.spend()).filter(({ key }) => key.startsWith('charge|')),
    [],
  );
  const alive = new World({ objects, config: dear, spend: rows });
  alive.time.jump(world.time.now);
  alive.edge.toll.resume(new Set([world.store.journal.keys().next().value!]));
  assert.ok(alive.edge.toll.reserved > 0);
  await alive.run(100_000);
  assert.equal(alive.eventsOf('spend.exhausted').length, 1);
  call.hangUp();
  await over(world);
});

test('an administrator lifts what stands against a number or an account for a time', async () => {
  const { world, alice } = await cast();
  const { toll } = world.edge;
  const until = world.time.now + 3_600_000;
  toll.lifts.add({ kind: 'number', value: '+499001234567', until, by: 'eva' });
  const premium = alice.call('09001234567');
  await world.until(() => premium.state === 'up');
  // Three euros a minute, and two there are.
  await world.run(90_000);
  assert.equal(premium.state, 'up');
  premium.hangUp();
  const other = alice.call('09001234568');
  await world.until(() => other.state === 'over');
  assert.equal(other.status, 403);
  await world.run(3_600_000);
  toll.sweep();
  const late = alice.call('09001234567');
  await world.until(() => late.state === 'over');
  assert.equal(late.status, 403);
  assert.deepEqual(
    world.eventsOf('fraud.lifted').map(({ by }) => by),
    ['eva'],
  );
  assert.equal(world.eventsOf('fraud.lift-ended').length, 1);
  await over(world);
});

test("calls within the house have no price, and a trunk to a PBX of one's own has none where it says so", async () => {
  const free = [trunk('carrier', { target: `sip:${carrierAt}`, addresses: [carrierAt], free: true })];
  const { world, alice, bob } = await cast({
    objects: { ...objects, trunks: free, routes: [route('default', { trunk: 'carrier' })] },
  });
  bob.onInvite = (call) => call.answer();
  for (const number of ['bob', '09001234567']) {
    const call = alice.call(number);
    await world.until(() => call.state === 'up');
    assert.equal(world.edge.toll.reserved, 0);
    call.hangUp();
    await world.run(1000);
  }
  await over(world);
  assert.ok(world.finished.every(({ cost }) => cost === undefined));
});

test('RFC 3515: a transfer to outside is judged and paid by who refers, and what a party costs goes with it', async () => {
  const { world, alice, bob, carol, carrier } = await transferCast({ config: dear });
  const refer = (number: string) => [['Refer-To', `<sip:${number}@example.test>`]] as const;
  const [, taken] = await talk(world, alice, bob, 'bob');
  assert.equal(await taken.inside('REFER', refer('+252615000000')), 403);
  const [verdict] = world.eventsOf('fraud.verdict');
  assert.deepEqual([verdict!.account, verdict!.rule], ['user:bob@example.test', 'fraud.class-closed']);
  carrier.onInvite = (call) => call.answer();
  const [outward] = await talk(world, alice, carrier, '+4989123456');
  await world.run(20_000);
  assert.equal(await outward.inside('REFER', refer('carol')), 202);
  await world.until(() => carol.calls.length === 1);
  carol.calls[0]!.answer();
  await world.until(() => outward.hungUpByPeer);
  assert.ok(world.edge.toll.reserved > 0);
  await world.run(60_000);
  carol.calls[0]!.hangUp();
  taken.hangUp();
  await over(world);
  const costs = world.finished.flatMap(({ cost }) => (cost === undefined ? [] : [JSON.parse(cost)]));
  assert.deepEqual(
    costs.map(({ account }) => account),
    ['user:alice@example.test'],
  );
  assert.ok(Number(costs[0].amount) > 1.3 && Number(costs[0].amount) < 1.5, costs[0].amount);
});
