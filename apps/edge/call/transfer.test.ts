import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { leftovers } from '../testing/cast.ts';
import { domain } from '../testing/objects.ts';
import type { Phone } from '../testing/phone.ts';
import { naming, requests, talk, told, transferCast } from '../testing/transfer-cast.ts';
import type { World } from '../testing/world.ts';

const referTo = (target: string): readonly [string, string] => ['Refer-To', `<sip:${target}@${domain}>`];

async function over(world: World): Promise<void> {
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
}

/** The media of the two is linked, encrypted with what they said last, and with nobody else's. */
function assertTalking(world: World, one: Phone, other: Phone): void {
  const endpoints = [...world.relay.endpoints.values()];
  assert.equal(endpoints.length, 2);
  assert.equal(endpoints[0]!.linked, endpoints[1]!.opened.id);
  const addresses = endpoints.map(({ config }) => config!.remote!.address).sort();
  assert.deepEqual(addresses, [one.options.address, other.options.address].sort());
}

test('blind transfer by the called party: the caller is joined with the target, the referrer released (RFC 3515 §2.4, RFC 5359 §2.4)', async () => {
  const { world, alice, bob, carol } = await transferCast();
  const [call, taken] = await talk(world, alice, bob, 'bob');
  assert.equal(await taken.inside('REFER', [referTo('carol')]), 202);
  await world.until(() => carol.calls.length === 1);
  const third = carol.calls[0]!;
  const invite = third.request!;
  assert.equal(invite.from.uri.scheme === 'sip' && invite.from.uri.user, 'alice');
  assert.match(invite.headers.get('Referred-By')!, /<sip:bob@example\.test>/);
  third.ring();
  await world.run(500);
  assert.equal(world.relay.endpoints.size, 3);
  third.answer();
  await world.until(() => taken.hungUpByPeer);
  assert.deepEqual(told(bob), [
    'SIP/2.0 100 Trying (active;expires=240)',
    'SIP/2.0 180 Ringing (active;expires=240)',
    'SIP/2.0 200 OK (terminated;reason=noresource)',
  ]);
  assert.equal(call.reinvites.length, 1);
  assert.match(call.theirs, /a=sendrecv/);
  await world.run(500);
  assertTalking(world, alice, carol);
  third.hangUp();
  await world.until(() => call.hungUpByPeer);
  await over(world);

  const [first, second] = world.finished;
  assert.equal(first!.cause, 'transferred');
  assert.equal(first!.disposition, 'answered');
  assert.equal(second!.caller, `alice@${domain}`);
  assert.equal(second!.callee, 'carol');
  assert.equal(second!.principal, `device:bob@${domain}/bob`);
  assert.equal(second!.disposition, 'answered');
  const [why] = JSON.parse(second!.decision).reasons;
  assert.equal(why.rule, 'transfer.blind');
  assert.deepEqual(why.evidence, { call: first!.id, dialled: 'carol', by: `device:bob@${domain}/bob` });
  assert.deepEqual(
    second!.legs.map(({ principal }) => principal),
    [`device:alice@${domain}/alice`, `device:carol@${domain}/carol`],
  );
});

test('blind transfer by the caller: the called party is joined with the target', async () => {
  const { world, alice, bob, carol } = await transferCast();
  carol.onInvite = (call) => call.answer();
  const [call, taken] = await talk(world, alice, bob, 'bob');
  assert.equal(await call.inside('REFER', [referTo('carol')]), 202);
  await world.until(() => call.hungUpByPeer);
  const invite = carol.calls[0]!.request!;
  assert.equal(invite.from.uri.scheme === 'sip' && invite.from.uri.user, 'bob');
  await world.run(500);
  assertTalking(world, bob, carol);
  // The joined call is one like any other: hold, and hang up from the other side.
  taken.reinvite(taken.again('sendonly'));
  await world.until(() => taken.reinviteStatus.length === 1);
  assert.equal(taken.reinviteStatus[0], 200);
  await world.run(500);
  taken.hangUp();
  await world.until(() => carol.calls[0]!.hungUpByPeer);
  await over(world);
});

test('a referrer that hangs up at once: the others are joined all the same, and let go where that fails', async () => {
  for (const status of [200, 486]) {
    const { world, alice, bob, carol } = await transferCast();
    const [call, taken] = await talk(world, alice, bob, 'bob');
    carol.onInvite = (third) => (status === 200 ? third.ring() : third.reject(status));
    assert.equal(await taken.inside('REFER', [referTo('carol')]), 202);
    taken.hangUp();
    await world.run(1000);
    if (status === 200) {
      assert.equal(call.hungUpByPeer, false);
      carol.calls[0]!.answer();
      await world.run(1000);
      assertTalking(world, alice, carol);
      call.hangUp();
    }
    await world.run(1000);
    assert.equal(call.state, 'over');
    await over(world);
  }
});

test('a transfer that fails leaves the call as it was, and the referrer is told why (RFC 3515 §2.4.5)', async () => {
  for (const [status, line] of [
    [486, '486 Busy Here'],
    [603, '603 Decline'],
    [404, '404 Not Found'],
  ] as const) {
    const { world, alice, bob, carol } = await transferCast();
    const [call, taken] = await talk(world, alice, bob, 'bob');
    carol.onInvite = (third) => third.reject(status);
    assert.equal(await taken.inside('REFER', [referTo('carol')]), 202);
    await world.run(1000);
    assert.deepEqual(told(bob).slice(1), [`SIP/2.0 ${line} (terminated;reason=noresource)`]);
    assert.equal(world.edge.calls.size, 1);
    assertTalking(world, alice, bob);
    call.reinvite(call.again('sendonly'));
    await world.until(() => call.reinviteStatus.length === 1);
    assert.equal(call.reinviteStatus[0], 200);
    // And it may be tried again: the second subscription has an id of its own (RFC 3515 §2.4.6).
    carol.onInvite = (third) => third.answer();
    assert.equal(await taken.inside('REFER', [referTo('carol')]), 202);
    await world.until(() => taken.hungUpByPeer);
    assert.match(requests(bob, 'NOTIFY').at(-1)!.headers.get('Event')!, /^refer;id=\d+$/);
    call.hangUp();
    await over(world);
  }
});

test('a target that never answers: the referrer hears 408 when ringing has lasted its time', async () => {
  const { world, alice, bob, carol } = await transferCast();
  const [call, taken] = await talk(world, alice, bob, 'bob');
  carol.onInvite = (third) => third.ring();
  await taken.inside('REFER', [referTo('carol')]);
  await world.run(190_000);
  assert.match(told(bob).at(-1)!, /408/);
  assert.equal(call.state, 'up');
  call.hangUp();
  await over(world);
});

test('the remaining party refuses to change over: the target is let go, the call goes on', async () => {
  const { world, alice, bob, carol } = await transferCast();
  const [call, taken] = await talk(world, alice, bob, 'bob');
  carol.onInvite = (third) => third.answer();
  alice.refuse = (request) => (request.method === 'INVITE' ? makeResponse(request, 488) : undefined);
  await taken.inside('REFER', [referTo('carol')]);
  await world.until(() => carol.calls[0]?.hungUpByPeer === true);
  assert.match(told(bob).at(-1)!, /488/);
  await world.run(500);
  assertTalking(world, alice, bob);
  assert.equal(call.state, 'up');
  call.hangUp();
  await over(world);
});

test('the remaining party hangs up while the target rings: the target is cancelled, everything ends', async () => {
  const { world, alice, bob, carol } = await transferCast();
  const [call, taken] = await talk(world, alice, bob, 'bob');
  carol.onInvite = (third) => third.ring();
  await taken.inside('REFER', [referTo('carol')]);
  await world.run(1000);
  call.hangUp();
  await world.until(() => carol.calls[0]!.wasCancelled && taken.hungUpByPeer);
  await over(world);
});

test('both calls at once: a re-INVITE of the remaining party that crosses ours is 491, ours is tried again (RFC 3261 §14.1)', async () => {
  const { world, alice, bob, carol } = await transferCast();
  const [call, taken] = await talk(world, alice, bob, 'bob');
  carol.onInvite = (third) => third.answer();
  let refused = 0;
  alice.refuse = (request) => {
    if (request.method !== 'INVITE' || refused > 0) return undefined;
    refused += 1;
    return makeResponse(request, 491);
  };
  await taken.inside('REFER', [referTo('carol')]);
  await world.until(() => refused === 1);
  call.reinvite(call.again('sendonly'));
  await world.until(() => call.reinviteStatus.length === 1);
  assert.equal(call.reinviteStatus[0], 491);
  await world.until(() => taken.hungUpByPeer);
  await world.run(500);
  assertTalking(world, alice, carol);
  call.hangUp();
  await over(world);
});

test('norefersub: accepted without a subscription, nothing is notified (RFC 4488 §4)', async () => {
  const { world, alice, bob, carol } = await transferCast();
  carol.onInvite = (third) => third.answer();
  const [call, taken] = await talk(world, alice, bob, 'bob');
  const request = taken.dialog!.request('REFER', { contact: bob.contact });
  request.headers
    .add('Refer-Sub', 'false')
    .add('Require', 'norefersub')
    .add(...referTo('carol'));
  const accepted = await bob.request(request);
  assert.ok(typeof accepted !== 'string');
  assert.equal(accepted.status, 202);
  assert.equal(accepted.headers.get('Refer-Sub'), 'false');
  await world.until(() => taken.hungUpByPeer);
  assert.deepEqual(told(bob), []);
  call.hangUp();
  await over(world);
});

test('attended transfer: the two remaining parties are joined, the referrer is released from both calls (RFC 3891 §3, RFC 5359 §2.5)', async () => {
  const { world, alice, bob, carol } = await transferCast();
  const [call, taken] = await talk(world, alice, bob, 'bob');
  taken.reinvite(taken.again('sendonly'));
  await world.until(() => taken.reinviteStatus.length === 1);
  const [consult, third] = await talk(world, bob, carol, 'carol');
  assert.equal(await taken.inside('REFER', [['Refer-To', naming(consult, `carol@${domain}`)]]), 202);
  await world.until(() => taken.hungUpByPeer && consult.hungUpByPeer);
  assert.deepEqual(told(bob), [
    'SIP/2.0 100 Trying (active;expires=240)',
    'SIP/2.0 200 OK (terminated;reason=noresource)',
  ]);
  await world.run(500);
  assertTalking(world, alice, carol);
  for (const one of [call, third]) {
    assert.equal(one.reinvites.at(-1)!.method, 'INVITE');
    assert.match(one.theirs, /a=sendrecv/);
  }
  call.hangUp();
  await world.until(() => third.hungUpByPeer);
  await over(world);
  assert.deepEqual(
    world.finished.map(({ cause, callee }) => [cause, callee]),
    [
      ['transferred', 'bob'],
      ['transferred', 'carol'],
      ['normal', 'carol'],
    ],
  );
});

test('the o= line of a party that is joined stays and its version grows (RFC 3264 §8)', async () => {
  const { world, alice, bob, carol } = await transferCast();
  carol.onInvite = (third) => third.answer();
  const [call, taken] = await talk(world, alice, bob, 'bob');
  taken.reinvite(taken.again('sendonly'));
  await world.until(() => taken.reinviteStatus.length === 1);
  const before = /^o=- (\d+) (\d+)/m.exec(call.theirs)!;
  const keys = call.theirs.match(/inline:\S+/g)!;
  await taken.inside('REFER', [referTo('carol')]);
  await world.until(() => taken.hungUpByPeer);
  const after = /^o=- (\d+) (\d+)/m.exec(call.theirs)!;
  assert.equal(after[1], before[1]);
  assert.equal(Number(after[2]), Number(before[2]) + 1);
  // Not all phones take new keys in mid-call.
  assert.deepEqual(call.theirs.match(/inline:\S+/g), keys);
  call.hangUp();
  await over(world);
});

test('a party without encryption is joined with one that has it, each as it was', async () => {
  const { world, alice, bob, carol, carrier } = await transferCast();
  carol.onInvite = (third) => third.answer();
  const [call, taken] = await talk(world, alice, carrier, '+498912345');
  assert.equal(await call.inside('REFER', [referTo('carol')]), 202);
  await world.until(() => call.hungUpByPeer);
  await world.run(500);
  assertTalking(world, carrier, carol);
  assert.deepEqual([...world.relay.endpoints.values()].map(({ config }) => config!.media).sort(), [
    'rtp',
    'srtp',
  ]);
  assert.doesNotMatch(taken.theirs, /crypto|SAVP/);
  assert.equal(
    carol.calls[0]!.request!.from.uri.scheme === 'sip' && carol.calls[0]!.request!.from.uri.user,
    '+498912345',
  );
  taken.hangUp();
  await over(world);
  assert.equal(bob.calls.length, 0);
});
