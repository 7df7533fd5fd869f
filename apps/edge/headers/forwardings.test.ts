import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leftovers } from '../testing/cast.ts';
import { domain, route, trunk, user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import { World } from '../testing/world.ts';

const at = { friend: '192.0.2.20', other: '192.0.2.21', stranger: '192.0.2.10' } as const;

function cast() {
  const world = new World({
    objects: {
      users: [user('alice')],
      trunks: [
        trunk('friend', { addresses: [at.friend], target: `sip:${at.friend}:5060`, trusted: true }),
        trunk('other', {
          addresses: [at.other],
          target: `sip:${at.other}:5060`,
          trusted: true,
          forwardings: 'history-info',
        }),
        trunk('stranger', { addresses: [at.stranger] }),
      ],
      routes: [
        route('+49*', { trunk: 'friend' }, { from: 'any' }),
        route('+44*', { trunk: 'other' }, { from: 'any' }),
        route('+33*', { trunk: 'stranger' }, { from: 'any' }),
      ],
    },
  });
  const [friend, other, stranger] = (['friend', 'other', 'stranger'] as const).map((name) =>
    new Phone(world, { name, address: at[name] }).listen(),
  );
  return { world, friend: friend!, other: other!, stranger: stranger! };
}

async function told(
  world: World,
  from: Phone,
  to: Phone,
  number: string,
  headers: readonly (readonly [string, string])[],
) {
  const before = to.calls.length;
  const call = from.call(number, { headers });
  await world.until(() => to.calls.length > before || call.state === 'over');
  const invite = to.calls[before]?.request;
  call.end();
  await world.run(1000);
  return {
    status: call.status,
    diversion: invite?.headers.all('Diversion'),
    history: invite?.headers.all('History-Info'),
  };
}

const diversion = [
  'Diversion',
  '<sip:+491@inside.test:5070;x=y>;reason=user-busy;counter=2;x-secret=1',
] as const;
const history = [
  ['History-Info', '<sip:+491@10.0.0.5?Reason=SIP%3Bcause%3D486>;index=1'],
  ['History-Info', '<sip:+492@10.0.0.5;cause=408>;index=1.1'],
] as const;

test('forwardings pass between trusted sides, in the header that each likes, under our own domain (RFC 5806 §5, RFC 7544 §6)', async () => {
  const { world, friend, other, stranger } = cast();
  const one = await told(world, friend, other, '+44123', [diversion]);
  assert.deepEqual(one.diversion, []);
  assert.deepEqual(one.history, [
    `<sip:+491@${domain}>;index=1`,
    `<sip:+44123@${domain};cause=486>;index=1.1`,
  ]);
  const two = await told(world, other, friend, '+49123', history);
  assert.deepEqual(two.diversion, [`<sip:+491@${domain}>;reason=no-answer;counter=1`]);
  assert.deepEqual(two.history, []);
  const hidden = await told(world, friend, other, '+44123', [
    ['Diversion', '<sip:+491@b.test>;reason=no-answer;privacy=full'],
  ]);
  assert.equal(hidden.history![0], `<sip:anonymous@${domain}>;index=1`);
  const three = await told(world, friend, stranger, '+33123', [diversion, ...history]);
  assert.deepEqual([three.diversion, three.history], [[], []]);
  const four = await told(world, stranger, friend, '+49123', [diversion]);
  assert.deepEqual(four.diversion, []);
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
});

test('a call that was forwarded too often is a loop: 482 (RFC 5806 §5)', async () => {
  const { world, friend, other } = cast();
  const loop = await told(world, friend, other, '+44123', [
    ['Diversion', '<sip:a@b.test>;reason=unconditional;counter=11'],
  ]);
  assert.equal(loop.status, 482);
  assert.equal(world.eventsOf('request.refused')[0]!.decision.reasons[0]!.rule, 'forward.too-many');
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
});
