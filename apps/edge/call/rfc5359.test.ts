import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Configuration } from '../config/schema.ts';
import { leftovers } from '../testing/cast.ts';
import { domain } from '../testing/objects.ts';
import type { Phone } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { naming, requests, talk, told, transferCast } from '../testing/transfer-cast.ts';
import type { World } from '../testing/world.ts';

const tenant = (defaults: Configuration): Configuration => ({
  ...defaults,
  calls: { ...defaults.calls, pickup: 'tenant' },
});

const directionOf = (sdp: string): string | undefined =>
  /^a=(sendrecv|sendonly|recvonly|inactive)\r$/m.exec(sdp)?.[1];

async function offer(world: World, call: PhoneCall, direction: string): Promise<void> {
  const count = call.reinviteStatus.length;
  call.reinvite(call.again(direction));
  await world.until(() => call.reinviteStatus.length > count);
  assert.equal(call.reinviteStatus.at(-1), 200);
  await world.run(500);
}

/** Who sends to whom, by the addresses that the media process has linked. */
function pairs(world: World): string[] {
  const found = new Set<string>();
  for (const { config, linked } of world.relay.endpoints.values()) {
    const peer = linked === undefined ? undefined : world.relay.endpoints.get(linked);
    if (peer === undefined) continue;
    const addresses = [config?.remote?.address ?? '-', peer.config?.remote?.address ?? '-'];
    found.add(addresses.sort().join(' '));
  }
  return [...found].sort();
}

const between = (one: Phone, other: Phone): string =>
  [one.options.address, other.options.address].sort().join(' ');

async function over(world: World, ...calls: PhoneCall[]): Promise<void> {
  for (const call of calls) call.end();
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
}

test('Call Hold: Bob holds Alice and takes her back (RFC 5359 §2.1)', async () => {
  const { world, alice, bob } = await transferCast();
  const [call, taken] = await talk(world, alice, bob, 'bob');
  await offer(world, taken, 'sendonly');
  assert.equal(directionOf(call.theirs), 'sendonly');
  await offer(world, taken, 'sendrecv');
  assert.equal(directionOf(call.theirs), 'sendrecv');
  assert.deepEqual(pairs(world), [between(alice, bob)]);
  await over(world, call);
});

test('Consultation Hold: Bob holds Alice, talks to Carol, and comes back to Alice (RFC 5359 §2.2)', async () => {
  const { world, alice, bob, carol } = await transferCast();
  const [call, taken] = await talk(world, alice, bob, 'bob');
  await offer(world, taken, 'sendonly');
  const [consult, third] = await talk(world, bob, carol, 'carol');
  assert.deepEqual(pairs(world), [between(alice, bob), between(bob, carol)].sort());
  consult.hangUp();
  await world.until(() => third.hungUpByPeer);
  await offer(world, taken, 'sendrecv');
  assert.equal(directionOf(call.theirs), 'sendrecv');
  await over(world, call);
});

test('Transfer - Unattended: Bob sends Alice to Carol and is out of it (RFC 5359 §2.4)', async () => {
  const { world, alice, bob, carol } = await transferCast();
  carol.onInvite = (third) => third.answer();
  const [call, taken] = await talk(world, alice, bob, 'bob');
  await offer(world, taken, 'sendonly');
  assert.equal(await taken.inside('REFER', [['Refer-To', `<sip:carol@${domain}>`]]), 202);
  await world.until(() => taken.hungUpByPeer);
  assert.match(told(bob).at(-1)!, /^SIP\/2\.0 200 OK/);
  await world.run(500);
  assert.equal(directionOf(call.theirs), 'sendrecv');
  assert.deepEqual(pairs(world), [between(alice, carol)]);
  assert.equal(requests(alice, 'REFER').length, 0);
  await over(world, call);
});

test('Transfer - Attended: Bob asks Carol first, then joins Alice and her (RFC 5359 §2.5)', async () => {
  const { world, alice, bob, carol } = await transferCast();
  const [call, taken] = await talk(world, alice, bob, 'bob');
  await offer(world, taken, 'sendonly');
  const [consult, third] = await talk(world, bob, carol, 'carol');
  await offer(world, consult, 'sendonly');
  assert.equal(await taken.inside('REFER', [['Refer-To', naming(consult, `carol@${domain}`)]]), 202);
  await world.until(() => taken.hungUpByPeer && consult.hungUpByPeer);
  await world.run(500);
  assert.deepEqual(pairs(world), [between(alice, carol)]);
  assert.equal(directionOf(third.theirs), 'sendrecv');
  await over(world, call);
});

test('Call Park, taken back: Carol picks up the call that Bob has on hold (RFC 5359 §2.15, RFC 3891 §3)', async () => {
  const { world, alice, bob, carol } = await transferCast({ config: tenant });
  const [call, taken] = await talk(world, alice, bob, 'bob');
  await offer(world, taken, 'sendonly');
  const { callId, remoteTag, localTag } = taken.dialog!;
  const value = `${callId};to-tag=${remoteTag};from-tag=${localTag}`;
  const picked = carol.call('bob', { headers: [['Replaces', value]] });
  await world.until(() => picked.state === 'up' && taken.hungUpByPeer);
  await world.run(500);
  assert.deepEqual(pairs(world), [between(alice, carol)]);
  assert.equal(call.state, 'up');
  await over(world, picked);
});
