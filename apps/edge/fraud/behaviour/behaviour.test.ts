import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shippedRules } from '@ringfence/fraud/rules.ts';
import type { Configuration } from '../../config/schema.ts';
import { registered } from '../../testing/cast.ts';
import { route, trunk, user } from '../../testing/objects.ts';
import { Phone } from '../../testing/phone.ts';
import { over } from '../../testing/trunk-cast.ts';
import { World } from '../../testing/world.ts';
import type { OutgoingCall } from '../gate.ts';
import { Behaviour } from './behaviour.ts';
import type { ProfileRow } from './keep.ts';

const carrierAt = '192.0.2.10';
const objects = {
  users: [user('alice', { number: '+4930123401' }), user('bob', { number: '+4930123402' })],
  trunks: [trunk('carrier', { target: `sip:${carrierAt}`, addresses: [carrierAt] })],
  routes: [route('default', { trunks: ['carrier'] })],
};
/** Nothing but behaviour stands in the way. */
const open =
  (enabled: boolean) =>
  (config: Configuration): Configuration => ({
    ...config,
    fraud: {
      ...config.fraud,
      timeZone: 'UTC',
      destinations: { ...config.fraud.destinations, closed: [] },
      userCaps: { day: 10_000 },
      offHoursCap: 10_000,
      behaviour: { ...config.fraud.behaviour, enabled },
    },
  });

const numbers = [
  '+5355512341',
  '+25261555111',
  '+2207101001',
  '+23276123456',
  '+5355512342',
  '+6757123456',
  '+2399123456',
];

async function called(enabled: boolean) {
  const world = new World({ objects, config: open(enabled) });
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1', transport: 'udp' });
  const carrier = new Phone(world, { name: 'carrier', address: carrierAt }).listen();
  carrier.onInvite = (call) => call.answer();
  const states: number[] = [];
  for (const number of numbers) {
    const call = alice.call(number);
    await world.until(() => call.state === 'up' || call.state === 'over');
    states.push(call.state === 'up' ? 200 : call.status);
    await world.run(2_000);
  }
  return { world, alice, states };
}

test('an account that calls one costly country after the other is refused, with sentence and parts, where behaviour is judged', async () => {
  const { world, alice, states } = await called(true);
  assert.equal(states[0], 200);
  assert.equal(states.at(-1), 403);
  const verdict = world.eventsOf('fraud.verdict').at(-1)!;
  assert.match(verdict.sentence, /bits\.$/);
  assert.ok(verdict.parts.length >= 3 && verdict.parts.every(({ bits }) => typeof bits === 'number'));
  await world.run(100);
  assert.equal(
    world.finished.some(({ cause }) => cause === 'fraud'),
    true,
  );
  const help = alice.call('112');
  await world.until(() => help.state === 'up');
  const home = alice.call('+4989123456');
  await world.until(() => home.state === 'up');
  home.hangUp();
  help.hangUp();
  for (const [, call] of world.edge.calls) call.cutOff('The test is over');
  await over(world);
});

test('and is not where it is switched off', async () => {
  const { world, states } = await called(false);
  assert.deepEqual(new Set(states), new Set([200]));
  for (const [, call] of world.edge.calls) call.cutOff('The test is over');
  await over(world);
});

test('a call in progress is cut off when its money grows unlike anything before', async () => {
  const world = new World({ objects, config: open(true) });
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1', transport: 'udp' });
  const carrier = new Phone(world, { name: 'carrier', address: carrierAt }).listen();
  carrier.onInvite = (call) => call.answer();
  const call = alice.call('+5355512341');
  await world.until(() => call.state === 'up');
  const began = world.time.now;
  await world.until(() => call.state === 'over', 600_000);
  assert.ok(world.time.now - began < 300_000, 'two a minute: ended before it has cost 10');
  assert.equal(world.eventsOf('fraud.verdict').at(-1)!.action, 'cut-off');
  await over(world);
});

const outgoing = (id: string, number: string, at: number): OutgoingCall => ({
  id,
  domain: 'example.test',
  account: 'user:alice@example.test',
  by: 'call',
  caller: 'alice',
  dialled: number,
  number,
  disguised: false,
  destination: { country: 'CU', prefix: '+535', class: 'high-risk', kind: 'mobile' },
  trunk: 'trunk:carrier@example.test',
  source: '203.0.113.1:5060',
  perMinute: 900_000,
  currency: 'EUR',
  lifted: false,
  at,
});

test('profiles and modes outlive a restart; findings of a call are kept for those who ask why', () => {
  let rows: ProfileRow[] = [];
  const make = (): Behaviour =>
    new Behaviour({
      rules: () => shippedRules,
      usualPrice: () => 0.3,
      isEnabled: () => true,
      now: () => 0,
      rows,
      store: {
        putSpend: async (put, remove) => {
          const gone = new Set([...remove, ...put.map(({ key }) => key)]);
          rows = [...rows.filter(({ key }) => !gone.has(key)), ...put];
        },
      },
      after: () => () => undefined,
      failed: (error) => assert.fail(String(error)),
    });
  const first = make();
  const at = Date.UTC(2026, 1, 8, 2, 14);
  for (let i = 0; i < 6; i += 1) {
    const call = outgoing(`c${i}`, `+535${i}5512345`, at + i * 1_000);
    const verdict = first.judge(call);
    if (verdict?.action !== 'block' && verdict?.action !== 'challenge') first.began(call);
  }
  first.setMode('example.test', 'rotation', 'watch');
  const [found] = first.why('c5');
  assert.equal(found?.account, 'user:alice@example.test');
  assert.ok(first.why('user:alice@example.test').length > 1);
  first.flush();
  const second = make();
  assert.equal(second.rulesOf('example.test').rules.rotation.mode, 'watch');
  assert.equal(second.rulesOf('other.test').rules.rotation.mode, 'cut-off');
  const verdict = second.judge(outgoing('next', '+5359551234', at + 60_000));
  assert.ok(verdict?.parts.some(({ text }) => text.includes('stopped lately')));
});
