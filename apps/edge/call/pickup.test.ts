import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import type { Configuration } from '../config/schema.ts';
import { leftovers, registered } from '../testing/cast.ts';
import { device, domain, user } from '../testing/objects.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { talk, transferCast } from '../testing/transfer-cast.ts';
import { World } from '../testing/world.ts';

const tenant = (defaults: Configuration): Configuration => ({
  ...defaults,
  calls: { ...defaults.calls, pickup: 'tenant' },
});

/** Replaces that names that phone's leg, as the edge knows it. */
const replaces = ({ dialog }: PhoneCall, more = ''): readonly [string, string] => [
  'Replaces',
  `${dialog!.callId};to-tag=${dialog!.remoteTag};from-tag=${dialog!.localTag}${more}`,
];

async function over(world: World, ...talking: PhoneCall[]): Promise<void> {
  for (const call of talking) call.end();
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
}

test('INVITE with Replaces takes the place of a party; the one replaced is hung up (RFC 3891 §3)', async () => {
  const { world, alice, bob, carol } = await transferCast({ config: tenant });
  const [call, taken] = await talk(world, alice, bob, 'bob');
  const picked = carol.call('bob', { headers: [replaces(taken), ['Require', 'replaces']] });
  await world.until(() => picked.state === 'up' && taken.hungUpByPeer);
  await world.run(500);
  assert.equal(world.edge.calls.size, 1);
  const linked = [...world.relay.endpoints.values()];
  assert.equal(linked.length, 2);
  assert.equal(linked[0]!.linked, linked[1]!.opened.id);
  assert.deepEqual(linked.map(({ config }) => config!.remote!.address).sort(), [
    '203.0.113.1',
    '203.0.113.3',
  ]);
  call.hangUp();
  await world.until(() => picked.hungUpByPeer);
  await over(world);
  const [first, second] = world.finished;
  assert.equal(first!.cause, 'replaced');
  assert.deepEqual(
    [second!.caller, second!.callee, second!.route],
    [`carol@${domain}`, `alice@${domain}`, 'pickup'],
  );
});

test('by default only a phone of the same user may: others and what does not exist are refused alike for tags that do not fit (RFC 3891 §5)', async () => {
  const { world, alice, bob, carol } = await transferCast();
  const [call, taken] = await talk(world, alice, bob, 'bob');
  for (const [value, status] of [
    [replaces(taken)[1], 403],
    [replaces(taken, ';early-only')[1], 403],
    [`${taken.callId};to-tag=${taken.dialog!.remoteTag};from-tag=x`, 481],
    [`${taken.callId};to-tag=x;from-tag=${taken.dialog!.localTag}`, 481],
    [`x;to-tag=${taken.dialog!.remoteTag};from-tag=${taken.dialog!.localTag}`, 481],
    ['x', 400],
  ] as const) {
    const tried = carol.call('bob', { headers: [['Replaces', value]] });
    await world.until(() => tried.state === 'over');
    assert.equal(tried.status, status, value);
  }
  assert.equal(bob.calls.length, 1);
  await over(world, call);
});

test('a user moves a call from one phone to another; early-only does not take an answered one (RFC 3891 §3)', async () => {
  const world = new World({
    objects: { users: [user('alice'), user('bob', { devices: [device('desk'), device('mobile')] })] },
  });
  const at = { transport: 'tls', media: 'srtp', port: 40_001 } as const;
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1', ...at });
  const desk = await registered(world, { name: 'bob', device: 'desk', address: '203.0.113.2', ...at });
  const [call, taken] = await talk(world, alice, desk, 'bob');
  const mobile = await registered(world, { name: 'bob', device: 'mobile', address: '203.0.113.3', ...at });
  const early = mobile.call('alice', { headers: [replaces(taken, ';early-only')] });
  await world.until(() => early.state === 'over');
  assert.equal(early.status, 486);
  const moved = mobile.call('alice', { headers: [replaces(taken)] });
  await world.until(() => moved.state === 'up' && taken.hungUpByPeer);
  assert.equal(call.state, 'up');
  await over(world, call);
});

test('nothing of another tenant can be taken over, with the right tags in hand', async () => {
  const world = new World({
    config: tenant,
    objects: { users: [user('alice'), user('bob'), user('eve', { realm: 'other.test' })] },
  });
  const at = { transport: 'tls', media: 'srtp', port: 40_001 } as const;
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1', ...at });
  const bob = await registered(world, { name: 'bob', address: '203.0.113.2', ...at });
  const eve = await registered(world, { name: 'eve', realm: 'other.test', address: '203.0.113.5', ...at });
  const [call, taken] = await talk(world, alice, bob, 'bob');
  for (const to of ['sip:bob@other.test', `sip:bob@${domain}`]) {
    const tried = eve.call(to, { headers: [replaces(taken)] });
    await world.until(() => tried.state === 'over');
    assert.equal(tried.status, 481);
  }
  await over(world, call);
});

test('the party that would be talked to refuses, or the sender gives up: the call goes on as it was', async () => {
  for (const how of ['refuse', 'cancel'] as const) {
    const { world, alice, bob, carol } = await transferCast({ config: tenant });
    const [call, taken] = await talk(world, alice, bob, 'bob');
    call.onReinvite = (one, transaction, request) => {
      if (how === 'refuse') one.phone.respond(transaction, makeResponse(request, 488));
    };
    const picked = carol.call('bob', { headers: [replaces(taken)] });
    await world.run(1000);
    picked.cancel();
    await world.until(() => picked.state === 'over');
    assert.equal(picked.status, how === 'refuse' ? 488 : 487);
    await world.run(500);
    assert.equal(taken.hungUpByPeer, false);
    assert.equal(call.state, 'up');
    await over(world, call, taken);
  }
});
