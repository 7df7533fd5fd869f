import assert from 'node:assert/strict';
import { test } from 'node:test';
import { serializeUri } from '@ringfence/sip/message/uri.ts';
import { assume } from '../identity/assume.ts';
import type { Objects } from '../objects/types.ts';
import { registered } from '../testing/cast.ts';
import { route, trunk, user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import { World } from '../testing/world.ts';
import type { LiveState } from '../trunks/live-state.ts';
import { Directory } from './directory.ts';
import { Numbers } from './numbers.ts';
import { traceCall } from './trace.ts';

const limits = { calls: 1, queue: 0, queueSeconds: 5, status: 503, retryAfterSeconds: 10 } as const;
const objects: Objects = {
  users: [
    user('alice', { number: '+4930123401', encryption: 'none' }),
    user('bob', { number: '200', encryption: 'required' }),
  ],
  trunks: [
    trunk('first', {
      targets: [
        { target: 'sip:192.0.2.31', priority: 1, weight: 3 },
        { target: 'sip:192.0.2.32', priority: 1, weight: 1 },
      ],
      health: { options: false, intervalSeconds: 30, failures: 1, recoveries: 1, statuses: [503] },
      rewrite: {
        outbound: {
          called: [{ match: '+49*', strip: 3, prefix: '0' }],
          headers: [{ add: 'X-A', value: '{caller}' }],
        },
      },
      limits,
    }),
    trunk('second', {
      target: 'sip:192.0.2.33',
      addresses: ['192.0.2.33'],
      rewrite: { inbound: { called: [{ match: '9(*)', replace: '{1}' }] } },
    }),
  ],
  routes: [
    route('+1900*', { block: 'premium' }),
    route('+49*', { trunks: ['first', 'second'] }, { rewrite: { caller: [{ match: '+*', strip: 1 }] } }),
    route('5xx', { user: 'bob' }, { from: 'trunks' }),
    route('7*', { trunk: 'gone' }),
  ],
};
const directory = new Directory(objects, 'example.test').domain('example.test')!;

function cast() {
  const world = new World({ objects });
  const trace = (dialled: string, from = 'alice', live?: LiveState, plain = true) =>
    traceCall(
      {
        directory,
        numbers: new Numbers('DE', ['112', '110']),
        registrar: world.edge.registrar,
        emergencyTrunk: undefined,
        maximumCalls: 1000,
        live,
        now: world.time.now,
      },
      { principal: assume(directory, from), dialled, plain, caller: '+4989555' },
    );
  return { world, trace };
}

const live = (fields: Partial<LiveState>): LiveState => ({
  pid: 1,
  at: 0,
  targets: [],
  usage: [],
  registrations: [],
  ...fields,
});

test('each step: caller, number, routes in their order, decision, trunks with what they are sent', () => {
  const { trace } = cast();
  const found = trace('089-4321');
  assert.equal(found.principal, 'device:alice@example.test/alice');
  assert.deepEqual(found.number, {
    dialled: '089-4321',
    digits: '0894321',
    e164: '+49894321',
    emergency: false,
  });
  assert.deepEqual(found.routes, [
    { route: '+1900*', match: '+1900*', result: 'no-match' },
    { route: '5xx', match: '5xx', result: 'for-others' },
    { route: '+49*', match: '+49*', result: 'taken' },
  ]);
  assert.equal(found.decision.verdict, 'accept');
  assert.deepEqual(
    found.trunks.map(({ trunk: name, called, caller, headers, registration, limits: bounds, targets }) => ({
      name,
      called,
      caller,
      headers,
      registration,
      bounds,
      shares: targets.map(({ share }) => share),
    })),
    [
      {
        name: 'first',
        called: '0894321',
        caller: '4930123401',
        headers: ['add X-A: {caller}'],
        registration: undefined,
        bounds: { calls: 1, up: 'unknown' },
        shares: [0.75, 0.25],
      },
      {
        name: 'second',
        called: '+49894321',
        caller: '4930123401',
        headers: [],
        registration: undefined,
        bounds: undefined,
        shares: [1],
      },
    ],
  );
  assert.equal(found.live, false);
});

test('what only the running edge knows: quarantine, calls that are up', () => {
  const { trace } = cast();
  const target = { owner: 'trunk:first@example.test', target: 'udp:192.0.2.31:5060', since: 0 };
  const state = live({
    targets: [{ ...target, state: 'quarantined', lastFailure: 'timeout' }],
    usage: [{ key: 'trunk:first@example.test', calls: 1, waiting: 0 }],
  });
  const [first] = trace('+49891', 'alice', state).trunks;
  assert.deepEqual(first!.health, [
    { address: 'udp:192.0.2.31:5060', state: 'quarantined', reason: 'timeout' },
  ]);
  assert.deepEqual([first!.limits?.up, first!.full?.what], [1, 'calls']);
});

test('nobody of that name, and other tenants, are said to be nobody', () => {
  assert.throws(() => assume(directory, 'nobody'), { code: 'unknown-caller' });
  assert.throws(() => assume(directory, 'user:second'), { code: 'unknown-caller' });
  assert.equal(assume(directory, 'trunk:second').kind, 'trunk');
});

const calls = [
  ['alice', '+1900555'],
  ['alice', '0894321'],
  ['alice', '112'],
  ['alice', '555'],
  ['alice', '7123'],
  ['alice', 'bob'],
  ['alice', '200'],
  ['trunk:second', '9555'],
  ['trunk:second', '9+4930123401'],
  ['trunk:second', '112'],
  ['trunk:second', 'nobody'],
] as const;

for (const [from, dialled] of calls)
  test(`the tester says what a call does: ${from} to ${dialled}`, async () => {
    const { world, trace } = cast();
    const alice = await registered(world, { name: 'alice', address: '203.0.113.1', transport: 'udp' });
    alice.onInvite = (call) => call.reject(486);
    const gateways = ['192.0.2.31', '192.0.2.32', '192.0.2.33'].map((address) => {
      const gateway = new Phone(world, { name: '+4989555', address }).listen();
      gateway.onInvite = (call) => call.reject(486);
      return gateway;
    });
    const expected = trace(dialled, from);
    const call = (from === 'alice' ? alice : gateways[2]!).call(dialled);
    await world.until(() => call.state === 'over');
    await world.run(40_000);
    const [record] = world.finished;
    assert.equal(record!.route || 'none', expected.destination);
    const { verdict, reasons } = JSON.parse(record!.decision);
    assert.deepEqual(
      [verdict, reasons[0].rule],
      [expected.decision.verdict, expected.decision.reasons[0]!.rule],
    );
    const rung = gateways.flatMap(({ calls: all }) => all).filter(({ request }) => request !== call.request);
    const [trunkCalled] = expected.decision.verdict === 'accept' ? expected.trunks : [];
    if (trunkCalled === undefined) return assert.equal(rung.length, 0);
    const { uri, from: shown } = rung[0]!.request!;
    assert.match(serializeUri(uri), new RegExp(`^sip:${trunkCalled.called.replaceAll('+', '\\+')}@`));
    assert.equal('user' in shown.uri && shown.uri.user, trunkCalled.caller);
  });
