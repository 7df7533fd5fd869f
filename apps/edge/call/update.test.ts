import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { aliceAndBob, leftovers } from '../testing/cast.ts';
import { readSdp } from '../testing/description.ts';
import { user } from '../testing/objects.ts';
import type { Phone, PhoneOptions } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { World } from '../testing/world.ts';

const updates = [['Allow', 'INVITE, ACK, CANCEL, BYE, UPDATE']] as const;

interface Connected {
  readonly world: World;
  readonly alice: Phone;
  readonly bob: Phone;
  readonly call: PhoneCall;
  readonly taken: PhoneCall;
}

async function connected(a: Partial<PhoneOptions> = {}, b: Partial<PhoneOptions> = {}): Promise<Connected> {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const { alice, bob } = await aliceAndBob(world, a, b);
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob');
  await world.until(() => call.state === 'up' && bob.calls.at(-1)?.confirmed === true);
  return { world, alice, bob, call, taken: bob.calls.at(-1)! };
}

async function over({ world, call }: Connected): Promise<void> {
  call.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
  assert.equal(world.finished.length, 1);
}

const directionOf = (sdp: string): string | undefined =>
  /^a=(sendrecv|sendonly|recvonly|inactive)\r$/m.exec(sdp)?.[1];

async function update(
  one: PhoneCall,
  sdp?: string,
): Promise<{ status: number; sdp: string; retry?: string | undefined }> {
  const response = await one.update(sdp);
  assert.ok(typeof response !== 'string');
  const { status, body, headers } = response;
  return { status, sdp: Buffer.from(body).toString(), retry: headers.get('Retry-After') };
}

test('RFC 3311 §5: an offer by UPDATE goes on by UPDATE where the other side takes it, else by re-INVITE, from either side', async () => {
  for (const says of [updates, []]) {
    const all = await connected({ says }, { says });
    const { world, call, taken } = all;
    for (const [one, other] of [
      [call, taken],
      [taken, call],
    ] as const) {
      const held = await update(one, one.again('sendonly'));
      assert.equal(held.status, 200);
      assert.equal(directionOf(other.theirs), 'sendonly');
      assert.equal(readSdp(Buffer.from(held.sdp)).media[0]!.protocol, 'RTP/SAVP');
      await world.run(500);
      assert.equal((await update(one, one.again('sendrecv'))).status, 200);
      assert.equal(directionOf(other.theirs), 'sendrecv');
      assert.equal(other.updates.length, says.length === 0 ? 0 : 2);
      assert.equal(other.reinvites.length, says.length === 0 ? 2 : 0);
      await world.run(500);
    }
    await over(all);
  }
});

test('a re-INVITE goes on as a re-INVITE: only that may take as long as a person needs (RFC 3311 §5.1)', async () => {
  const all = await connected({ says: updates }, { says: updates });
  const { world, call, taken } = all;
  call.reinvite(call.again('sendonly'));
  await world.until(() => call.reinviteStatus.length === 1);
  assert.deepEqual([taken.reinvites.length, taken.updates.length], [1, 0]);
  await over(all);
});

test('RFC 3311 §5.2: UPDATE without SDP moves the contact and is answered by the edge', async () => {
  const all = await connected({ transport: 'udp', media: 'rtp' });
  const { call, taken } = all;
  const { status, sdp } = await update(call);
  assert.equal(status, 200);
  assert.equal(sdp, '');
  assert.equal(taken.updates.length + taken.reinvites.length, 0);
  await over(all);
});

test('RFC 3311 §5.2: one offer at a time: 491 where they cross, 500 with Retry-After where the same side asks twice', async () => {
  const all = await connected({ says: updates }, { says: updates });
  const { world, call, taken } = all;
  taken.onReinvite = () => undefined;
  call.reinvite(call.again('sendonly'));
  await world.until(() => taken.reinvites.length === 1);
  assert.equal((await update(taken, taken.again('sendonly'))).status, 491);
  const again = await update(call, call.again('inactive'));
  assert.equal(again.status, 500);
  assert.match(again.retry!, /^(10|[1-9])$/);
  call.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
});

test('RFC 3264 §8: a refused UPDATE changes nothing, and what takes encryption away is refused at the door (M6)', async () => {
  const all = await connected({ says: updates }, { says: updates });
  const { world, call, taken } = all;
  const before = [...world.relay.endpoints.values()].map(({ config }) => config);
  assert.equal((await update(call, call.describe(false).text)).status, 488);
  assert.equal(taken.updates.length, 0);
  taken.onUpdate = (one, transaction, request) => one.phone.respond(transaction, makeResponse(request, 488));
  assert.equal((await update(call, call.again('sendonly'))).status, 488);
  assert.deepEqual(
    [...world.relay.endpoints.values()].map(({ config }) => config),
    before,
  );
  assert.equal((await update(call, 'v=0\r\n')).status, 400);
  await over(all);
});

test('RFC 4320 §4.2: an UPDATE that the other side never answers is no 408, and ends the call', async () => {
  const all = await connected({ says: updates }, { says: updates });
  const { world, alice, call, taken } = all;
  taken.onUpdate = () => undefined;
  const answered = await call.update(call.again('sendonly'));
  assert.ok(answered === 'timeout' || (typeof answered !== 'string' && answered.status !== 408));
  await world.until(() => call.hungUpByPeer);
  assert.ok(alice.heard.every((one) => one.kind === 'request' || one.status !== 408));
  await over(all);
});

test('RFC 3261 §8.2.2.3: an extension that is required within a dialog and not known gets 420', async () => {
  const all = await connected();
  assert.equal(await all.call.inside('UPDATE', [['Require', 'timer, 100rel']]), 200);
  assert.equal(await all.call.inside('UPDATE', [['Require', 'timer, precondition']]), 420);
  assert.equal(await all.call.inside('INVITE', [['Require', 'x']]), 420);
  await over(all);
});
