import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import { aliceAndBob, leftovers } from '../testing/cast.ts';
import { user } from '../testing/objects.ts';
import type { Phone, PhoneOptions } from '../testing/phone.ts';
import type { CallOptions, PhoneCall } from '../testing/phone-call.ts';
import { World, type WorldOptions } from '../testing/world.ts';

const timed = ['Supported', 'timer'] as const;
const updates = ['Allow', 'INVITE, ACK, CANCEL, BYE, UPDATE'] as const;
const plain = { transport: 'udp', media: 'rtp' } as const;

async function connected(
  a: Partial<PhoneOptions> = {},
  b: Partial<PhoneOptions> = {},
  options: CallOptions = {},
  more: Partial<WorldOptions> = {},
): Promise<{ world: World; alice: Phone; bob: Phone; call: PhoneCall; taken: PhoneCall }> {
  const world = new World({ objects: { users: [user('alice'), user('bob')] }, ...more });
  const { alice, bob } = await aliceAndBob(world, { ...plain, ...a }, { ...plain, ...b });
  bob.onInvite = (call) => call.answer();
  const call = alice.call('bob', options);
  await world.until(() => call.state === 'up' && bob.calls.at(-1)?.confirmed === true);
  return { world, alice, bob, call, taken: bob.calls.at(-1)! };
}

async function over(world: World, call: PhoneCall): Promise<void> {
  call.hangUp();
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
  assert.equal(world.finished.length, 1);
}

const refreshesIn = (phone: Phone, method: string): SipRequest[] =>
  phone.heard.filter(
    (one): one is SipRequest => one.kind === 'request' && one.method === method && one.to.params.has('tag'),
  );

test('RFC 4028 §7.1, §9: each leg has its own timer, and the caller refreshes where it says so', async () => {
  const { world, call, taken } = await connected(
    { says: [timed] },
    { says: [timed, ['Session-Expires', '600;refresher=uas']] },
    { headers: [['Session-Expires', '1200']] },
  );
  assert.equal(call.final!.headers.get('Session-Expires'), '1200;refresher=uac');
  assert.equal(call.final!.headers.get('Require'), 'timer');
  assert.equal(taken.request!.headers.get('Session-Expires'), '1800');
  assert.match(taken.request!.headers.get('Supported')!, /timer/);
  await over(world, call);
});

test('RFC 4028 §7.4: the edge refreshes by UPDATE a peer that takes it, at half the interval, again and again', async () => {
  const { world, bob, call, taken } = await connected(
    { says: [timed, updates] },
    { says: [timed, updates, ['Session-Expires', '600;refresher=uac'], ['Require', 'timer']] },
    { headers: [['Session-Expires', '1200;refresher=uas']] },
  );
  taken.onUpdate = (one, transaction, request) => one.acceptUpdate(transaction, request);
  await world.run(1_000_000);
  assert.equal(refreshesIn(bob, 'UPDATE').length, 3);
  assert.equal(refreshesIn(bob, 'UPDATE')[0]!.headers.get('Session-Expires'), '600;refresher=uac');
  assert.equal(refreshesIn(bob, 'UPDATE')[0]!.body.length, 0);
  assert.equal(call.updates.length, 1);
  assert.equal(refreshesIn(bob, 'INVITE').length, 0);
  await over(world, call);
});

test('RFC 4028 §7.4: a peer without timers and UPDATE is refreshed by re-INVITE, with the same description', async () => {
  const { world, alice, bob, call, taken } = await connected();
  const said = { call: call.theirs, taken: taken.theirs };
  await world.run(1_000_000);
  for (const phone of [alice, bob]) {
    const [refresh] = refreshesIn(phone, 'INVITE');
    assert.equal(refreshesIn(phone, 'INVITE').length, 1);
    const before = phone === alice ? said.call : said.taken;
    assert.equal(Buffer.from(refresh!.body).toString(), before, 'the same o= version (RFC 3264 §8)');
  }
  assert.equal(world.edge.calls.size, 1);
  await over(world, call);
});

test('RFC 4028 §10: a peer that was to refresh and does not is gone: BYE to both', async () => {
  const { world, call, taken } = await connected(
    { says: [timed] },
    {},
    { headers: [['Session-Expires', '90;refresher=uac']] },
  );
  await world.run(59_000);
  assert.equal(world.edge.calls.size, 1);
  await world.until(() => call.hungUpByPeer && taken.hungUpByPeer, 3000);
  await world.run(100_000);
  assert.deepEqual(leftovers(world), []);
  assert.equal(world.finished[0]!.cause, 'timeout');
});

test('RFC 4028 §9: refreshes of the peer by UPDATE and by re-INVITE keep the session', async () => {
  const { world, call, taken } = await connected(
    { says: [timed] },
    {},
    { headers: [['Session-Expires', '90;refresher=uac']] },
  );
  const fields = [timed, ['Session-Expires', '90;refresher=uac']] as const;
  for (let i = 0; i < 4; i++) {
    await world.run(40_000);
    const response = await call.update(undefined, fields);
    assert.ok(typeof response !== 'string');
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('Session-Expires'), '90;refresher=uac');
    assert.equal(response.headers.get('Require'), 'timer');
  }
  assert.equal(taken.updates.length, 0, 'a refresh is the business of one leg');
  await over(world, call);
});

test('RFC 4028 §10: no answer or 481 to a refresh ends the call', async () => {
  for (const status of [481, undefined]) {
    const { world, bob, call, taken } = await connected(
      {},
      { says: [timed, updates, ['Session-Expires', '600;refresher=uac']] },
    );
    taken.onUpdate = (one, transaction, request) => {
      if (status !== undefined) one.phone.respond(transaction, makeResponse(request, status));
    };
    await world.until(() => call.hungUpByPeer, 400_000);
    assert.equal(new Set(refreshesIn(bob, 'UPDATE').map(({ cseq }) => cseq.number)).size, 1);
    await world.run(100_000);
    assert.equal(world.finished[0]!.cause, 'timeout');
    assert.deepEqual(leftovers(world), []);
  }
});

test('a peer that says it takes UPDATE and does not is refreshed by re-INVITE; another refusal is tried again', async () => {
  const { world, bob, call, taken } = await connected(
    {},
    { says: [timed, updates, ['Session-Expires', '600;refresher=uac']] },
  );
  taken.onUpdate = (one, transaction, request) => one.phone.respond(transaction, makeResponse(request, 405));
  let refused = 0;
  taken.onReinvite = (one, transaction, request) => {
    refused += 1;
    if (refused === 1) return one.phone.respond(transaction, makeResponse(request, 500));
    if (refused === 2) return one.phone.respond(transaction, makeResponse(request, 491));
    one.acceptReinvite(transaction, request);
  };
  await world.run(400_000);
  assert.equal(refreshesIn(bob, 'INVITE').length, 3);
  assert.equal(world.edge.calls.size, 1);
  await over(world, call);
});

test('RFC 3261 §14.1: 491 to a refresh by re-INVITE is tried again after 2.1 to 4 s by the owner of the Call-ID, else 0 to 2 s', async () => {
  for (const caller of [true, false]) {
    const { world, call, taken } = await connected();
    const one = caller ? call : taken;
    const at: number[] = [];
    one.onReinvite = (phone, transaction, request) => {
      at.push(world.time.now);
      if (at.length === 1) phone.phone.respond(transaction, makeResponse(request, 491));
      else phone.acceptReinvite(transaction, request);
    };
    await world.run(950_000);
    const wait = at[1]! - at[0]!;
    if (caller) assert.ok(wait >= 0 && wait <= 2010, `${wait}`);
    else assert.ok(wait >= 2100 && wait <= 4010, `${wait}`);
    await over(world, call);
  }
});

test('RFC 4028 §6: less than calls.minimumSessionExpires gets 422 with Min-SE, in the INVITE and within the dialog', async () => {
  const config: WorldOptions['config'] = (defaults) => ({
    ...defaults,
    calls: { ...defaults.calls, minimumSessionExpires: 300 },
  });
  const world = new World({ objects: { users: [user('alice'), user('bob')] }, config });
  const { alice, bob } = await aliceAndBob(world, { ...plain, says: [timed] }, plain);
  bob.onInvite = (call) => call.answer();
  const small = alice.call('bob', { headers: [['Session-Expires', '200']] });
  await world.until(() => small.state === 'over');
  assert.equal(small.status, 422);
  assert.equal(small.final!.headers.get('Min-SE'), '300');
  const call = alice.call('bob', { headers: [['Session-Expires', '300']] });
  await world.until(() => call.state === 'up' && bob.calls.at(-1)?.confirmed === true);
  assert.equal(bob.calls[0]!.request!.headers.get('Min-SE'), '300');
  const response = await call.update(undefined, [timed, ['Session-Expires', '299']]);
  assert.ok(typeof response !== 'string' && response.status === 422);
  await over(world, call);
});

test('an emergency call is not sent back for the length of its session (RFC 4028 §6)', async () => {
  const config: WorldOptions['config'] = (defaults) => ({
    ...defaults,
    calls: { ...defaults.calls, minimumSessionExpires: 300 },
  });
  const world = new World({ objects: { users: [user('alice'), user('bob')] }, config });
  const { alice } = await aliceAndBob(world, { ...plain, says: [timed] }, plain);
  const call = alice.call('112', { headers: [['Session-Expires', '100']] });
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 404, 'no trunk here, and nothing before that');
});

test('RFC 4028 §7.3: a called side that answers 422 is asked again for as much as it wants, and not for ever', async () => {
  for (const [steps, calls] of [
    [['2400'], 2],
    [['2000', '2100', '2200', '2300', '2400'], 4],
  ] as const) {
    const world = new World({ objects: { users: [user('alice'), user('bob')] } });
    const { alice, bob } = await aliceAndBob(world, plain, { media: 'srtp' });
    let asked = 0;
    bob.onInvite = (call) => {
      const least = steps[asked++];
      if (least === undefined) call.answer();
      else call.reject(422, [['Min-SE', least]]);
    };
    const call = alice.call('bob');
    await world.until(() => call.state === 'up' || call.state === 'over');
    assert.equal(bob.calls.length, calls);
    if (steps.length === 1) {
      assert.equal(bob.calls[1]!.request!.headers.get('Session-Expires'), '2400');
      assert.equal(bob.calls[1]!.request!.headers.get('Min-SE'), '2400');
    } else assert.equal(call.status, 500);
    call.end();
    await world.run(100_000);
    assert.deepEqual(leftovers(world), []);
  }
});

test('calls.sessionExpires 0 asks for no timer, refreshes nobody, and goes along with a peer that has one', async () => {
  const { world, alice, bob, call, taken } = await connected(
    { says: [timed] },
    {},
    { headers: [['Session-Expires', '600']] },
    { config: (defaults) => ({ ...defaults, calls: { ...defaults.calls, sessionExpires: 0 } }) },
  );
  assert.equal(taken.request!.headers.has('Session-Expires'), false);
  assert.equal(call.final!.headers.get('Session-Expires'), '600;refresher=uac');
  await world.run(500_000);
  assert.equal(refreshesIn(alice, 'INVITE').length + refreshesIn(bob, 'INVITE').length, 0);
  await over(world, call);
});
