import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Configuration } from '../config/schema.ts';
import { leftovers, registered } from '../testing/cast.ts';
import { domain, route, trunk, user } from '../testing/objects.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { carrierAt, naming, requests, talk, told, transferCast } from '../testing/transfer-cast.ts';
import { World } from '../testing/world.ts';

const referTo = (uri: string): readonly [string, string] => ['Refer-To', `<${uri}>`];
const calls =
  (values: Partial<Configuration['calls']>) =>
  (defaults: Configuration): Configuration => ({ ...defaults, calls: { ...defaults.calls, ...values } });

async function over(world: World, ...talking: PhoneCall[]): Promise<void> {
  for (const call of talking) call.end();
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
}

test('a transfer goes only where the referrer may call itself: blocked, unknown and foreign targets are refused at the REFER (toll fraud)', async () => {
  const { world, alice, bob, carrier } = await transferCast();
  const [call, taken] = await talk(world, alice, bob, 'bob');
  for (const [target, status, rule] of [
    ['sip:+19005551234@example.test', 403, 'route.blocked'],
    ['tel:+19005551234', 403, 'route.blocked'],
    ['sip:nobody@example.test', 404, 'route.none'],
    ['sip:carol@example.test;method=BYE', 403, 'transfer.method'],
  ] as const) {
    assert.equal(await taken.inside('REFER', [referTo(target)]), status, target);
    const [refused] = world.eventsOf('request.refused').slice(-1);
    assert.equal(refused!.method, 'REFER');
    assert.equal(refused!.caller, `device:bob@${domain}/bob`);
    const { decision } = refused!;
    assert.equal(decision.reasons[0]!.rule, rule);
  }
  assert.equal(carrier.calls.length, 0);
  assert.equal(world.edge.calls.size, 1);
  await over(world, call);
});

test('a caller from a trunk gains no route by referring: what trunks may not call, their REFER may not either', async () => {
  const { world, alice, carrier } = await transferCast();
  alice.onInvite = (call) => call.answer();
  const call = carrier.call(`sip:+4930123401@${domain}`);
  await world.until(() => call.state === 'up' && alice.calls[0]?.confirmed === true);
  assert.equal(await call.inside('REFER', [referTo('sip:+33123456789@example.test')]), 404);
  // The same by Alice is her call, with her number, on her account.
  assert.equal(await alice.calls[0]!.inside('REFER', [referTo('sip:+33123456789@example.test')]), 202);
  await world.until(() => carrier.calls.length === 2);
  const invite = carrier.calls[1]!.request!;
  assert.equal(invite.from.uri.scheme === 'sip' && invite.from.uri.user, '+4930123401');
  assert.equal(invite.headers.get('Referred-By'), undefined);
  carrier.calls[1]!.answer();
  await world.run(1000);
  await over(world, call);
  const last = world.finished.at(-1)!;
  assert.equal(last.principal, `device:alice@${domain}/alice`);
  assert.equal(last.route, 'trunk:carrier');
});

test('REFER out of dialogs is refused, authenticated or not (RFC 3515 §2.4.1)', async () => {
  const { world, alice, carrier } = await transferCast();
  for (const phone of [alice, carrier]) {
    const response = await phone.request(
      phone.make('REFER', 'sip:bob@example.test', [referTo('sip:carol@example.test')]),
    );
    assert.equal(typeof response === 'string' ? response : response.status, 405);
  }
  await over(world);
});

test('a malformed REFER is 400, an unknown Require 420, one at a time 491 (RFC 3515 §2.4.2)', async () => {
  const { world, alice, bob, carol } = await transferCast();
  const [call, taken] = await talk(world, alice, bob, 'bob');
  for (const headers of [
    [],
    [referTo('http://example.test')],
    [['Refer-To', '<sip:carol@example.test?Replaces=x>']],
    [['Refer-To', 'sip:a@example.test, sip:b@example.test']],
  ] as (readonly [string, string])[][])
    assert.equal(await taken.inside('REFER', headers), 400);
  assert.equal(await taken.inside('REFER', [referTo('sip:carol@example.test'), ['Require', 'x-magic']]), 420);
  carol.onInvite = (third) => third.ring();
  assert.equal(await taken.inside('REFER', [referTo('sip:carol@example.test')]), 202);
  assert.equal(await taken.inside('REFER', [referTo('sip:carol@example.test')]), 491);
  assert.equal(await call.inside('REFER', [referTo('sip:carol@example.test')]), 491);
  await over(world, call);
});

test('nobody names a call of somebody else to be joined, nor one of another tenant (RFC 3891 §5)', async () => {
  const other = 'other.test';
  const world = new World({
    objects: {
      users: [
        user('alice'),
        user('bob'),
        user('carol'),
        user('dave'),
        user('eve', { realm: other }),
        user('mallory', { realm: other }),
      ],
    },
  });
  const at = { transport: 'tls', media: 'srtp', port: 40_001 } as const;
  const [alice, bob, carol, dave] = await Promise.all(
    ['alice', 'bob', 'carol', 'dave'].map((name, i) =>
      registered(world, { name, address: `203.0.113.${i + 1}`, ...at }),
    ),
  );
  const eve = await registered(world, { name: 'eve', realm: other, address: '203.0.113.5', ...at });
  const mallory = await registered(world, { name: 'mallory', realm: other, address: '203.0.113.6', ...at });
  const [one, taken] = await talk(world, alice!, bob!, 'bob');
  const [two] = await talk(world, carol!, dave!, 'dave');
  const [three, theirs] = await talk(world, eve, mallory, `sip:mallory@${other}`);
  const refused = [
    // Bob names Carol's leg, and Mallory's, with the right tags and with wrong ones.
    [taken, naming(two, `dave@${domain}`)],
    [taken, naming(theirs, `eve@${domain}`)],
    [taken, naming(taken, `alice@${domain}`)],
    [taken, `<sip:dave@${domain}?Replaces=${encodeURIComponent(`${two.callId};to-tag=x;from-tag=y`)}>`],
    [theirs, naming(one, `bob@${other}`)],
  ] as const;
  for (const [by, value] of refused) assert.equal(await by.inside('REFER', [['Refer-To', value]]), 404);
  assert.equal(await taken.inside('REFER', [referTo(`sip:mallory@${other}`)]), 404);
  assert.equal(world.edge.calls.size, 3);
  await over(world, one, two, three);
});

test('calls.transfer: refuse is 403, for a trunk by its own setting; a transfer to an emergency number goes first', async () => {
  const { world, alice, carrier } = await transferCast({ config: calls({ transfer: 'refuse' }) });
  const [call] = await talk(world, alice, carrier, '+498912345');
  assert.equal(await call.inside('REFER', [referTo('sip:carol@example.test')]), 403);
  carrier.onInvite = (third) => third.answer();
  assert.equal(await call.inside('REFER', [referTo('sip:112@example.test')]), 202);
  await world.run(2000);
  await over(world, ...carrier.calls);

  const second = await transferCast({
    objects: {
      users: [user('alice', { number: '+4930123401' }), user('bob'), user('carol')],
      trunks: [trunk('carrier', { addresses: [carrierAt], transfer: 'refuse' })],
      routes: [route('+*', { trunk: 'carrier' })],
    },
  });
  const [to, at] = await talk(second.world, second.alice, second.carrier, '+498912345');
  assert.equal(await at.inside('REFER', [referTo('sip:carol@example.test')]), 403);
  assert.equal(await to.inside('REFER', [referTo('sip:carol@example.test')]), 202);
  await over(second.world, to, at);
});

test('transfers that follow one another are bounded', async () => {
  const { world, alice, bob, carol } = await transferCast();
  const [call] = await talk(world, alice, bob, 'bob');
  bob.onInvite = (one) => one.answer();
  carol.onInvite = (one) => one.answer();
  let status = 202;
  let count = 0;
  for (; status === 202 && count < 30; count += 1) {
    const by = count % 2 === 0 ? bob : carol;
    const last = by.calls.at(-1)!;
    status = await last.inside('REFER', [referTo(`sip:${by === bob ? 'carol' : 'bob'}@example.test`)]);
    if (status === 202) await world.until(() => last.hungUpByPeer);
    await world.run(100);
  }
  assert.equal(status, 403);
  assert.equal(count, 17);
  await over(world, call);
});

test('calls.transfer: pass asks the other party, which calls by its own rights; its NOTIFYs reach the referrer (RFC 3515 §2.4.5)', async () => {
  const { world, alice, bob, carol } = await transferCast({ config: calls({ transfer: 'pass' }) });
  const [call, taken] = await talk(world, alice, bob, 'bob');
  assert.equal(await taken.inside('REFER', [referTo('sip:carol@198.51.100.1:5061;transport=tls')]), 200);
  const [refer] = requests(alice, 'REFER');
  assert.equal(refer!.headers.get('Refer-To'), '<sip:carol@example.test>');
  assert.equal(refer!.headers.get('Referred-By'), '<sip:bob@example.test>');
  assert.equal(carol.calls.length, 0);
  const notify = call.dialog!.request('NOTIFY', {
    contact: alice.contact,
    body: Buffer.from('SIP/2.0 200 OK of mine\r\nX: y\r\n'),
  });
  notify.headers
    .add('Event', 'refer')
    .add('Subscription-State', 'terminated;reason=timeout')
    .add('Content-Type', 'message/sipfrag');
  const heard = await alice.request(notify);
  assert.equal(typeof heard === 'string' ? heard : heard.status, 200);
  assert.deepEqual(told(bob), ['SIP/2.0 200 OK (terminated;reason=noresource)']);
  // Nobody else notifies anything.
  assert.equal(await taken.inside('NOTIFY', [['Event', 'refer']]), 481);
  await over(world, call);
});

test('an attended transfer that is passed on: the other party takes the place that it was given, nobody else does (RFC 3891 §3)', async () => {
  const { world, alice, bob, carol } = await transferCast({ config: calls({ transfer: 'pass' }) });
  const [call, taken] = await talk(world, alice, bob, 'bob');
  const [consult, third] = await talk(world, bob, carol, 'carol');
  assert.equal(await taken.inside('REFER', [['Refer-To', naming(consult, `carol@${domain}`)]]), 200);
  const value = /Replaces=([^>]+)>/i.exec(requests(alice, 'REFER')[0]!.headers.get('Refer-To')!)![1]!;
  const joined = alice.call('carol', {
    headers: [
      ['Replaces', decodeURIComponent(value)],
      ['Require', 'replaces'],
    ],
  });
  await world.until(() => joined.state === 'up' && consult.hungUpByPeer);
  assert.equal(carol.calls.length, 1);
  assert.equal(third.reinvites.length, 1);
  await world.run(500);
  joined.hangUp();
  await world.until(() => third.hungUpByPeer);
  await over(world, call);
});

test('a trunk keeps counting the calls that were transferred to and from it, and no longer', async () => {
  const limits = { calls: 2, queue: 0, queueSeconds: 1, status: 503, retryAfterSeconds: 5 } as const;
  const { world, alice, bob, carol, carrier } = await transferCast({
    objects: {
      users: [user('alice', { number: '+4930123401' }), user('bob'), user('carol')],
      trunks: [trunk('carrier', { addresses: [carrierAt], limits })],
      routes: [route('+*', { trunk: 'carrier' })],
    },
  });
  const used = (): number =>
    world.edge.limits.usage().find(({ key }) => key.startsWith('trunk:'))?.calls ?? 0;
  const [call, taken] = await talk(world, alice, carrier, '+498912345');
  const [consult] = await talk(world, alice, bob, 'bob');
  assert.equal(used(), 1);
  assert.equal(await call.inside('REFER', [['Refer-To', naming(consult, `bob@${domain}`)]]), 202);
  await world.until(() => call.hungUpByPeer && consult.hungUpByPeer);
  await world.run(500);
  assert.equal(used(), 1);
  // From one trunk call to another: two places.
  assert.equal(await bob.calls[0]!.inside('REFER', [referTo('sip:+33123456789@example.test')]), 202);
  await world.until(() => carrier.calls.length === 2);
  carrier.calls[1]!.answer();
  await world.run(1000);
  assert.equal(used(), 2);
  const refused = carol.call('+498912345');
  await world.until(() => refused.state === 'over');
  assert.equal(refused.status, 503);
  await over(world, taken);
  assert.equal(used(), 0);
});
