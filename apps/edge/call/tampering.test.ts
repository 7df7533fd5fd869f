import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Configuration } from '../config/schema.ts';
import { type KnownPeer, steadyAfter } from '../policy/known-peers.ts';
import { aliceAndBob, leftovers } from '../testing/cast.ts';
import { domain, user } from '../testing/objects.ts';
import type { Phone } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { World } from '../testing/world.ts';

type Habit = Configuration['calls']['onTampering'];

async function cast(
  onTampering: Habit,
  knownPeers: readonly KnownPeer[] = [],
): Promise<{ world: World; alice: Phone; bob: Phone }> {
  const world = new World({
    objects: { users: [user('alice'), user('bob')] },
    knownPeers,
    config: (defaults) => ({ ...defaults, calls: { ...defaults.calls, onTampering } }),
  });
  const { alice, bob } = await aliceAndBob(world, { listener: 'inside' });
  bob.onInvite = (call) => call.answer();
  return { world, alice, bob };
}

async function up(world: World, alice: Phone, secure: boolean): Promise<PhoneCall> {
  const call = alice.call('bob', { secure });
  await world.until(() => call.state === 'up' || call.state === 'over');
  await world.run(500);
  return call;
}

async function over(world: World, call: PhoneCall): Promise<void> {
  call.end();
  await world.run(60_000);
  assert.deepEqual(leftovers(world), []);
}

test('a phone that always encrypted calls without: told with its evidence, and ended where policy says so', async () => {
  for (const habit of ['tell', 'end'] as const) {
    const { world, alice } = await cast(habit);
    for (let i = 0; i < steadyAfter; i++) await over(world, await up(world, alice, true));
    assert.deepEqual(world.eventsOf('call.tampering'), []);
    const call = await up(world, alice, false);
    const [told] = world.eventsOf('call.tampering');
    assert.deepEqual(
      [told!.kind, told!.party, told!.leg, told!.outcome],
      ['encryption-missing', `device:alice@${domain}/alice`, 0, habit === 'end' ? 'ended' : 'told'],
    );
    assert.deepEqual(told!.evidence, { encryptedCallsBefore: steadyAfter });
    assert.equal(call.hungUpByPeer, habit === 'end');
    await over(world, call);
    assert.equal(world.finished.at(-1)!.cause, habit === 'end' ? 'policy' : 'normal');
    // Told once where the new is taken; each time where it is not.
    await over(world, await up(world, alice, false));
    assert.equal(world.eventsOf('call.tampering').length, habit === 'end' ? 2 : 1);
  }
});

test('what a phone always did is known after a restart, too', async () => {
  const before = await cast('tell');
  for (let i = 0; i < steadyAfter; i++) await over(before.world, await up(before.world, before.alice, true));
  const { world, alice } = await cast('tell', await before.world.store.knownPeers());
  const call = await up(world, alice, false);
  assert.deepEqual(
    world.eventsOf('call.tampering').map(({ kind }) => kind),
    ['encryption-missing'],
  );
  await over(world, call);
});

test('an answer and an offer in mid-call without the keys that were offered or agreed: refused, and told as stripped', async () => {
  const { world, alice, bob } = await cast('tell');
  bob.onInvite = (call) => call.answer(call.describe(false).text);
  const refused = await up(world, alice, true);
  assert.equal(refused.status, 488);
  assert.deepEqual(
    world.eventsOf('call.tampering').map(({ kind, outcome, leg }) => [kind, outcome, leg]),
    [['encryption-stripped', 'refused', 1]],
  );
  bob.onInvite = (call) => call.answer();
  const call = await up(world, alice, true);
  call.reinvite(call.describe(false).text);
  await world.until(() => call.reinviteStatus.length === 1);
  assert.equal(call.reinviteStatus[0], 488);
  const last = world.eventsOf('call.tampering').at(-1)!;
  assert.deepEqual([last.kind, last.outcome, last.leg], ['encryption-stripped', 'refused', 0]);
  assert.equal(last.evidence.rule, 'media.downgrade');
  await over(world, call);
});

test('a certificate or a ZRTP Hello that is not the one that signalling named is told as tampering', async () => {
  for (const [by, reason, kind] of [
    ['dtls', 'fingerprint', 'dtls-fingerprint'],
    ['zrtp', 'hello-hash', 'zrtp-hello'],
    ['zrtp', 'authentication', 'zrtp-authentication'],
    ['dtls', 'timeout', undefined],
  ] as const) {
    const { world, alice } = await cast('tell');
    const call = await up(world, alice, true);
    const [endpoint] = [...world.relay.endpoints.keys()];
    world.relay.tell({ kind: 'unsecured', endpoint: endpoint!, by, reason, detail: 'seen' });
    await world.run(500);
    assert.deepEqual(
      world.eventsOf('call.tampering').map((event) => event.kind),
      kind === undefined ? [] : [kind],
    );
    await over(world, call);
  }
});
