import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Screening } from '../objects/screening-settings.ts';
import { aliceAndBob, leftovers } from '../testing/cast.ts';
import { domain, route, trunk, user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import { World } from '../testing/world.ts';

const carrierAt = '192.0.2.10';

async function cast(screening: Screening) {
  const world = new World({
    objects: {
      users: [
        user('alice', { number: '+4930123401' }),
        { ...user('bob', { number: '+4930123402' }), screening },
      ],
      trunks: [trunk('carrier', { addresses: [carrierAt], trusted: true })],
      routes: [route('+*', { trunk: 'carrier' }), route('112', { trunk: 'carrier' })],
    },
  });
  const { alice, bob } = await aliceAndBob(world);
  bob.onInvite = (call) => call.answer();
  let port = 5060;
  const carrier = (number: string) =>
    new Phone(world, { name: number, address: carrierAt, port: port++ }).listen();
  const dial = async (from: Phone, headers: readonly (readonly [string, string])[] = []) => {
    const before = bob.calls.length;
    const call = from.call(`sip:+4930123402@${domain}`, { headers });
    await world.until(() => call.state === 'up' || call.state === 'over');
    const { status } = call;
    call.end();
    await world.run(2_000);
    const refused = world.eventsOf('request.refused').at(-1);
    return { status, rang: bob.calls.length > before, rule: refused?.decision.reasons[0]?.rule };
  };
  return { world, alice, bob, carrier, dial };
}

const over = async (world: World): Promise<void> => {
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
};

test('RFC 5359 §2.13: incoming calls are screened: whoever is on the list of the called user gets 403, and no phone rings', async () => {
  const { world, alice, carrier, dial } = await cast({ block: ['+33155*', 'ALICE'] });
  assert.deepEqual(await dial(carrier('+33155123456')), {
    status: 403,
    rang: false,
    rule: 'screening.blocked',
  });
  assert.deepEqual(await dial(alice), { status: 403, rang: false, rule: 'screening.blocked' });
  const other = await dial(carrier('+4989123456'));
  assert.deepEqual([other.status, other.rang], [200, true]);
  assert.equal(world.finished[0]?.cause, 'policy');
  await over(world);
});

test('with `allow` nobody else gets through, and a name counts only where the domain has proven it', async () => {
  const { world, alice, carrier, dial } = await cast({ allow: ['alice', '+4989xxxxxx'] });
  assert.equal((await dial(alice)).status, 200);
  const phone = carrier('+4989123456');
  assert.equal((await dial(phone)).status, 200);
  assert.equal((await dial(carrier('+33155123456'))).rule, 'screening.not-allowed');
  assert.equal((await dial(carrier('alice'))).status, 403);
  await over(world);
});

test('RFC 5079: callers who hide hear 433 where the called user does not want them', async () => {
  const { world, alice, dial } = await cast({ anonymous: 'block' });
  const hidden = await dial(alice, [['Privacy', 'id']]);
  assert.deepEqual(hidden, { status: 433, rang: false, rule: 'screening.anonymous' });
  assert.equal((await dial(alice)).status, 200);
  await over(world);
});

test('whoever is screened learns the same with and without a phone that could ring', async () => {
  const { world, alice, bob, dial } = await cast({ block: ['+4930123401'] });
  assert.equal((await dial(alice)).status, 403);
  await bob.register(0);
  assert.equal((await dial(alice)).status, 403);
  await over(world);
});

test('a call that is transferred to the user is screened by who would be talked to; emergency calls are not', async () => {
  const { world, alice, bob, carrier } = await cast({ block: ['+33155*'] });
  const outside = carrier('+33155123456');
  alice.onInvite = (call) => call.answer();
  const call = outside.call(`sip:+4930123401@${domain}`);
  await world.until(() => call.state === 'up' && alice.calls.at(-1)?.confirmed === true);
  await alice.calls.at(-1)!.inside('REFER', [['Refer-To', `<sip:bob@${domain}>`]]);
  await world.run(2_000);
  assert.equal(bob.calls.length, 0);
  assert.equal(call.state, 'up');
  call.end();
  const help = bob.call('112');
  await world.run(1_000);
  assert.notEqual(help.status, 403);
  help.end();
  await over(world);
});
