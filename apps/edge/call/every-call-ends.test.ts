import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import fc from 'fast-check';
import { leftovers, registered } from '../testing/cast.ts';
import { device, route, trunk, user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { World } from '../testing/world.ts';

/** One thing that somebody does to some call of theirs. */
const deeds = [
  'call',
  'ring',
  'early',
  'earlyReliably',
  'answer',
  'reject',
  'cancel',
  'hangUp',
  'hold',
  'refresh',
  'update',
  'protect',
  'downgrade',
  'garble',
  'drop',
] as const;

/** What a caller says of itself. */
const habits: (readonly (readonly [string, string])[])[] = [
  [],
  [['Supported', '100rel, timer']],
  [['Require', '100rel']],
  [
    ['Supported', 'timer'],
    ['Session-Expires', '90;refresher=uac'],
  ],
];

interface Deed {
  readonly who: number;
  readonly deed: (typeof deeds)[number];
  readonly wait: number;
}

const deed = fc.record<Deed>({
  who: fc.integer({ min: 0, max: 3 }),
  deed: fc.oneof(
    { weight: 3, arbitrary: fc.constant('call' as const) },
    { weight: 10, arbitrary: fc.constantFrom(...deeds) },
  ),
  wait: fc.constantFrom(0, 1, 3, 40, 180, 600, 5000),
});

function act(phone: Phone, others: readonly Phone[], what: Deed['deed'], random: SeededRandom): void {
  const call = phone.calls.findLast(({ state }) => state !== 'over');
  if (what === 'call') {
    if (phone.calls.filter(({ state }) => state !== 'over').length < 3)
      phone.call(random.pick(['alice', 'bob', '+4989123', 'nobody']), {
        ...(random.chance(0.3) ? { sdp: null } : {}),
        headers: random.pick(habits as [(typeof habits)[0], ...typeof habits]),
      });
    return;
  }
  if (what === 'drop') {
    if (phone.flow.reliable) {
      phone.world.network.break(phone.flow);
      phone.layer.flowFailed(phone.flow.id, phone.world.time.now);
      phone.connect();
    }
    return;
  }
  if (what === 'garble') {
    const seen = phone.world.network.log.findLast(
      ({ out, flow }) => !out && flow.remote.address === phone.options.address,
    );
    if (seen !== undefined) phone.raw(seen.text.slice(0, random.integer(0, seen.text.length)));
    random.pick(others as [Phone, ...Phone[]]).raw(seen?.text ?? 'x');
    return;
  }
  if (call === undefined) return;
  const incoming = call.transaction?.kind === 'server' && call.state === 'ringing';
  switch (what) {
    case 'ring':
      if (incoming) call.ring();
      break;
    case 'early':
      if (incoming) call.early();
      break;
    case 'earlyReliably':
      if (incoming) call.earlyReliably();
      break;
    case 'answer':
      if (incoming) call.answer();
      break;
    case 'reject':
      if (incoming) call.reject(random.pick([404, 480, 486, 488, 503, 603]));
      break;
    case 'cancel':
      if (!incoming && call.state !== 'up') call.cancel();
      break;
    case 'hangUp':
      if (call.state === 'up') call.hangUp();
      break;
    case 'hold':
      if (call.state === 'up' && call.mine !== undefined)
        call.reinvite(call.again(random.pick(['sendonly', 'sendrecv'])));
      break;
    case 'refresh':
      if (call.state === 'up') call.reinvite(null);
      break;
    case 'update':
      if (call.dialog !== undefined && call.mine !== undefined)
        call.sendUpdate(random.chance(0.5) ? undefined : call.again('sendonly'));
      break;
    case 'protect':
      if (call.state === 'up') call.reinvite(call.describe(true).text);
      break;
    case 'downgrade':
      if (call.state === 'up') call.reinvite(call.describe(false).text);
      break;
  }
}

/** How phones of the test answer re-INVITEs. */
function reinviteHabit(random: SeededRandom): PhoneCall['onReinvite'] {
  return (call, transaction, request) => {
    const status = random.pick([200, 200, 200, 491, 488, 0]);
    if (status === 200) call.acceptReinvite(transaction, request);
    else if (status > 0) call.phone.respond(transaction, makeResponse(request, status));
  };
}

test('every call ends, whatever both sides do and the network loses: nothing is left, one final record each', async () => {
  let calls = 0;
  let answered = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 1 << 30 }),
      fc.constantFrom(0, 0.1, 0.3),
      fc.array(deed, { minLength: 10, maxLength: 60 }),
      async (seed, loss, story) => {
        const random = new SeededRandom(seed);
        const world = new World({
          seed,
          objects: {
            users: [user('alice'), user('bob', { devices: [device('desk'), device('soft')] })],
            trunks: [
              trunk('carrier', {
                addresses: ['192.0.2.10'],
                encryption: 'preferred',
                limits: { calls: 2, queue: 1, queueSeconds: 3, status: 503, retryAfterSeconds: 5 },
              }),
              // Nobody is there.
              trunk('second', { target: 'sip:192.0.2.11', failover: { statuses: [503], silenceSeconds: 2 } }),
            ],
            routes: [route('default', { trunks: ['carrier', 'second'] })],
            domains: [{ domain: 'example.test', name: 'example.test', userLimits: { calls: 3 } }],
          },
          config: (config) => ({ ...config, calls: { ...config.calls, ringSeconds: 20 } }),
        });
        const phones = [
          await registered(world, {
            name: 'alice',
            address: '203.0.113.1',
            transport: 'udp',
            media: 'either',
          }),
          await registered(world, {
            name: 'bob',
            device: 'desk',
            address: '203.0.113.2',
            transport: 'udp',
            media: 'rtp',
          }),
          await registered(world, {
            name: 'bob',
            device: 'soft',
            address: '203.0.113.3',
            transport: 'tls',
            media: 'srtp',
          }),
          new Phone(world, { name: '+4989', address: '192.0.2.10', media: 'either' }).listen(),
        ];
        for (const phone of phones)
          phone.onInvite = (call) => {
            call.onReinvite = reinviteHabit(random);
            if (random.chance(0.3)) call.ring();
            if (random.chance(0.5)) world.time.after(random.integer(0, 300), () => call.answer());
          };
        world.network.weather = { loss, duplicates: loss, delay: 3 };
        for (const { who, deed: what, wait } of story) {
          act(phones[who]!, phones, what, random);
          await world.run(wait);
        }
        // Whoever is still in a call goes on trying to leave it.
        for (let i = 0; i < 4; i += 1) {
          for (const phone of phones) for (const call of phone.calls) call.end();
          await world.run(i === 3 ? 120_000 : 45_000);
          if (i === 2) world.network.weather = { loss: 0, duplicates: 0, delay: 3 };
        }
        // What lost its BYE is found by the edge itself.
        for (const endpoint of world.relay.endpoints.values()) endpoint.idleMs = 60_000;
        await world.run(700_000);
        assert.deepEqual(leftovers(world), []);
        const ends = new Map<string, number>();
        for (const { id } of world.finished) ends.set(id, (ends.get(id) ?? 0) + 1);
        assert.ok([...ends.values()].every((count) => count === 1));
        const started = world.eventsOf('call.started').map(({ call }) => call);
        for (const id of started) assert.equal(ends.get(id), 1, id);
        const over = world.eventsOf('call.ended').map(({ call }) => call);
        assert.deepEqual([...started].sort(), [...over].sort());
        assert.ok(world.relay.all.every(({ opened }) => !world.relay.endpoints.has(opened.id)));
        calls += started.length;
        answered += world.finished.filter(({ disposition }) => disposition === 'answered').length;
      },
    ),
    { numRuns: 60 },
  );
  assert.ok(calls > 150 && answered > 60, `${calls} calls, ${answered} answered`);
});
