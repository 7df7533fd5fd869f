import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Configuration } from '../config/schema.ts';
import { leftovers, registered } from '../testing/cast.ts';
import { domain, route, trunk, user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { World } from '../testing/world.ts';

const friendAt = '192.0.2.20';
const strangerAt = '192.0.2.10';
const listed = (defaults: Configuration): Configuration => ({
  ...defaults,
  calls: { ...defaults.calls, trustedHeaders: ['P-Charging-Vector'] },
});

/** Alice, a trusted trunk for +49 and one that is not for all else. */
async function cast() {
  const world = new World({
    config: listed,
    objects: {
      users: [user('alice', { number: '+4930123401', displayName: 'Alice A.' }), user('bob')],
      trunks: [
        trunk('friend', { addresses: [friendAt], target: `sip:${friendAt}:5060`, trusted: true }),
        trunk('stranger', { addresses: [strangerAt] }),
      ],
      routes: [
        route('+49*', { trunk: 'friend' }, { from: 'any' }),
        route('+*', { trunk: 'stranger' }, { from: 'any' }),
        route('112', { trunk: 'stranger' }),
      ],
    },
  });
  const at = { transport: 'tls', media: 'srtp', port: 40_001 } as const;
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1', ...at });
  const bob = await registered(world, { name: 'bob', address: '203.0.113.2', ...at });
  const friend = new Phone(world, { name: '+4989555', address: friendAt }).listen();
  const stranger = new Phone(world, { name: '+33155', address: strangerAt }).listen();
  return { world, alice, bob, friend, stranger };
}

/** What the called side was told: From, then the identity headers. */
async function told(world: World, to: Phone, call: PhoneCall) {
  const before = to.calls.length;
  await world.until(() => to.calls.length > before || call.state === 'over');
  const request = to.calls.at(-1)!.request!;
  const { uri, display } = request.from;
  const { headers } = request;
  return {
    from: `${display ?? ''}|${'user' in uri ? uri.user : ''}@${'host' in uri ? uri.host : ''}`,
    asserted: headers.get('P-Asserted-Identity'),
    privacy: headers.get('Privacy'),
    headers,
  };
}

async function over(world: World): Promise<void> {
  for (const call of world.edge.calls.values()) call.hangUp('normal');
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
}

test('P-Asserted-Identity is told to a trusted trunk alone, made from what was proven (RFC 3325 §5)', async () => {
  const { world, alice, friend, stranger } = await cast();
  const claims = [
    ['P-Asserted-Identity', '<sip:ceo@example.test>'],
    ['P-Preferred-Identity', '<tel:+49110>'],
    ['P-Charging-Vector', 'icid-value=x'],
  ] as const;
  const inside = await told(world, friend, alice.call('+498912345', { headers: claims }));
  assert.equal(inside.from, `Alice A.|+4930123401@${domain}`);
  assert.equal(inside.asserted, `"Alice A." <sip:+4930123401@${domain}>`);
  assert.equal(inside.headers.get('P-Charging-Vector'), undefined);
  const outside = await told(world, stranger, alice.call('+33123456', { headers: claims }));
  assert.equal(outside.from, `Alice A.|+4930123401@${domain}`);
  assert.equal(outside.asserted, undefined);
  assert.equal(outside.headers.get('P-Preferred-Identity'), undefined);
  await over(world);
});

test('Privacy: whoever wants to be nobody is so to phones and strangers, and known to the trust domain (RFC 3323 §4.2, RFC 3325 §7)', async () => {
  for (const value of ['id', 'user', 'header;user', 'id;critical']) {
    const { world, alice, bob, friend, stranger } = await cast();
    const headers = [['Privacy', value]] as const;
    for (const [to, number] of [
      [bob, 'bob'],
      [stranger, '+33123456'],
    ] as const) {
      const seen = await told(world, to, alice.call(number, { headers }));
      assert.equal(seen.from, 'Anonymous|anonymous@anonymous.invalid');
      assert.equal(seen.asserted, undefined);
      assert.equal(seen.privacy, undefined);
    }
    const inside = await told(world, friend, alice.call('+498912345', { headers }));
    assert.equal(inside.from, 'Anonymous|anonymous@anonymous.invalid');
    assert.equal(inside.asserted, `"Alice A." <sip:+4930123401@${domain}>`);
    assert.match(inside.privacy!, /(^|;)id(;|$)/);
    assert.doesNotMatch(inside.privacy!, /critical/);
    await over(world);
    for (const record of world.finished) assert.match(record.caller, /^(alice|\+4930123401)@/);
  }
});

test('Privacy: none shows the caller; session and header alone are what the edge does anyhow (RFC 3323 §4.2)', async () => {
  const { world, alice, bob } = await cast();
  for (const value of ['none', 'session']) {
    const seen = await told(world, bob, alice.call('bob', { headers: [['Privacy', value]] }));
    assert.equal(seen.from, `Alice A.|alice@${domain}`);
  }
  await over(world);
});

test('a privacy that is not known is ignored, unless the caller insists: then the call is refused (RFC 3323 §5)', async () => {
  const { world, alice, bob } = await cast();
  const seen = await told(world, bob, alice.call('bob', { headers: [['Privacy', 'x-new']] }));
  assert.equal(seen.from, `Alice A.|alice@${domain}`);
  const refused = alice.call('bob', { headers: [['Privacy', 'x-new;critical']] });
  await world.until(() => refused.state === 'over');
  assert.equal(refused.status, 500);
  assert.equal(world.eventsOf('request.refused')[0]!.decision.reasons[0]!.rule, 'privacy.unknown');
  await over(world);
});

test('an emergency call has no privacy: help knows who calls', async () => {
  const { world, alice, friend, stranger } = await cast();
  const call = alice.call('112', { headers: [['Privacy', 'id;x-new;critical']] });
  await world.until(() => friend.calls.length + stranger.calls.length > 0);
  const [invite] = [...friend.calls, ...stranger.calls];
  const { uri } = invite!.request!.from;
  assert.equal('user' in uri && uri.user, '+4930123401');
  call.cancel();
  await over(world);
});

test('P-Asserted-Identity of a trusted trunk is who calls; of any other it is not read (RFC 3325 §6)', async () => {
  const { world, bob, friend, stranger } = await cast();
  const headers = [
    ['P-Asserted-Identity', '"Carla" <sip:+49711@friend.test>, <tel:+49711>'],
    ['P-Charging-Vector', 'icid-value=x'],
  ] as const;
  const believed = await told(world, bob, friend.call('bob', { headers }));
  assert.equal(believed.from, `Carla|+49711@${domain}`);
  const hidden = await told(world, bob, friend.call('bob', { headers: [...headers, ['Privacy', 'id']] }));
  assert.equal(hidden.from, 'Anonymous|anonymous@anonymous.invalid');
  const claimed = await told(world, bob, stranger.call('bob', { headers }));
  assert.equal(claimed.from, `|+33155@${domain}`);
  // From trunk to trunk: what is listed passes from a trusted one to a trusted one.
  const through = await told(world, friend, friend.call('+4989777', { headers }));
  assert.equal(through.headers.get('P-Charging-Vector'), 'icid-value=x');
  assert.equal(through.asserted, `"Carla" <sip:+49711@${domain}>`);
  const from = await told(world, friend, stranger.call('+4989777', { headers }));
  assert.equal(from.headers.get('P-Charging-Vector'), undefined);
  await over(world);
  assert.equal(world.finished[0]!.caller, `+49711@${domain}`);
});

test('P-Preferred-Identity of a phone chooses between its name and its number, and nothing else (RFC 3325 §9.2)', async () => {
  const { world, alice, bob } = await cast();
  for (const [value, shown] of [
    ['<tel:+4930123401>', '+4930123401'],
    [`<sip:+4930123401@${domain}>`, '+4930123401'],
    ['<tel:+49110>', 'alice'],
    [`<sip:bob@${domain}>`, 'alice'],
    ['garbage <', 'alice'],
  ] as const) {
    const seen = await told(world, bob, alice.call('bob', { headers: [['P-Preferred-Identity', value]] }));
    assert.equal(seen.from, `Alice A.|${shown}@${domain}`, value);
  }
  await over(world);
});

test('an anonymous caller stays so when the call is transferred', async () => {
  const { world, alice, bob, stranger } = await cast();
  bob.onInvite = (call) => call.answer();
  alice.onInvite = (call) => call.ring();
  const call = stranger.call('bob', { headers: [['Privacy', 'id']] });
  await world.until(() => call.state === 'up' && bob.calls[0]?.confirmed === true);
  assert.equal(await bob.calls[0]!.inside('REFER', [['Refer-To', `<sip:alice@${domain}>`]]), 202);
  await world.until(() => alice.calls.length === 1);
  const { uri } = alice.calls[0]!.request!.from;
  assert.equal('host' in uri && uri.host, 'anonymous.invalid');
  await over(world);
});
