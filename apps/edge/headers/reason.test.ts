import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { Configuration } from '../config/schema.ts';
import { rejectReasons } from '../policy/reject-reasons.ts';
import { leftovers, registered } from '../testing/cast.ts';
import { device, route, trunk, user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import type { PhoneCall } from '../testing/phone-call.ts';
import { carrierAt, requests, talk, transferCast } from '../testing/transfer-cast.ts';
import { World } from '../testing/world.ts';

async function over(world: World): Promise<void> {
  for (const call of world.edge.calls.values()) call.hangUp('normal');
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
}

const dirty =
  'SIP;cause=200;text="Call completed elsewhere, by pbx7.inside", Q.850;cause=16;text="10.0.0.5", X.int;cause=7';
const clean = ['SIP;cause=200;text="Call completed elsewhere"', 'Q.850;cause=16'];

test('Reason of a BYE reaches the other side without its text, from either side (RFC 3326 §2)', async () => {
  for (const side of [0, 1] as const) {
    const { world, alice, bob } = await transferCast();
    const ends = await talk(world, alice, bob, 'bob');
    assert.equal(await ends[side].inside('BYE', [['Reason', dirty]]), 200);
    await world.until(() => ends[1 - side]!.hungUpByPeer);
    const [bye] = requests(side === 0 ? bob : alice, 'BYE');
    assert.deepEqual(bye!.headers.all('Reason'), clean);
    await over(world);
  }
});

test('Reason of a CANCEL reaches whoever rings: no missed call there (RFC 3326 §3.1)', async () => {
  const { world, alice, bob } = await transferCast();
  bob.onInvite = (call) => call.ring();
  const call = alice.call('bob');
  await world.until(() => call.state === 'ringing');
  const { transaction } = call;
  assert.ok(transaction?.kind === 'client');
  alice.cancel(transaction, new HeaderList([['Reason', dirty]]));
  await world.until(() => bob.calls[0]!.wasCancelled);
  const cancel = world.sentTo('203.0.113.2').find((text) => text.startsWith('CANCEL'));
  assert.deepEqual(cancel!.match(/(?<=\r\nReason: )[^\r]+/g), clean);
  await over(world);
});

test('one phone answers: the others are cancelled as completed elsewhere (RFC 3326 §3.1)', async () => {
  const world = new World({
    objects: { users: [user('alice'), user('bob', { devices: [device('desk'), device('mobile')] })] },
  });
  const at = { transport: 'tls', media: 'srtp', port: 40_001 } as const;
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1', ...at });
  const desk = await registered(world, { name: 'bob', device: 'desk', address: '203.0.113.2', ...at });
  const mobile = await registered(world, { name: 'bob', device: 'mobile', address: '203.0.113.3', ...at });
  desk.onInvite = (call) => call.ring();
  mobile.onInvite = (call) => call.ring();
  const call = alice.call('bob');
  await world.until(() => desk.calls.length === 1 && mobile.calls.length === 1);
  await world.run(100);
  mobile.calls[0]!.answer();
  await world.until(() => desk.calls[0]!.wasCancelled);
  const cancel = world.sentTo('203.0.113.2').find((text) => text.startsWith('CANCEL'));
  assert.match(cancel!, /\r\nReason: SIP;cause=200;text="Call completed elsewhere"\r\n/);
  await world.until(() => call.state === 'up');
  await over(world);
});

test('Reason of a final answer reaches the caller; a trunk hears Q.850 where the called side said nothing (RFC 6432 §3, RFC 3398 §8.2.6.1)', async () => {
  const { world, alice, bob, carrier } = await transferCast();
  const refused = async (
    from: Phone,
    headers: readonly (readonly [string, string])[],
  ): Promise<PhoneCall> => {
    bob.onInvite = (call) => call.reject(486, headers);
    const call = from.call(from === alice ? 'bob' : '+4930123402');
    await world.until(() => call.state === 'over');
    assert.equal(call.status, 486);
    return call;
  };
  assert.deepEqual((await refused(alice, [['Reason', dirty]])).final!.headers.all('Reason'), clean);
  assert.deepEqual((await refused(alice, [])).final!.headers.all('Reason'), []);
  assert.deepEqual((await refused(carrier, [])).final!.headers.all('Reason'), ['Q.850;cause=17']);
  await over(world);
});

test('each cause of refusal is the same word on the wire, in the log and in the record (RFC 3326 §2)', async () => {
  const small = (defaults: Configuration): Configuration => ({
    ...defaults,
    calls: { ...defaults.calls, maximum: 1 },
  });
  const objects = {
    users: [{ ...user('alice'), limits: { calls: 0 } }, user('bob'), user('carol')],
    trunks: [trunk('carrier', { addresses: [carrierAt] })],
    routes: [route('+1900*', { block: 'premium rate' })],
  };
  const cases = [
    ['rate', 'alice', 'bob', {}],
    ['no-route', 'bob', 'nobody', {}],
    ['policy', 'bob', '+19005551234', {}],
    ['access', 'bob', 'carol', { headers: [['Replaces', 'x;to-tag=1;from-tag=2']] }],
    ['malformed', 'bob', 'carol', { sdp: 'v=1\r\n' }],
    [
      'media',
      'bob',
      'carol',
      { sdp: 'v=0\r\no=- 1 1 IN IP4 1.1.1.1\r\ns=-\r\nt=0 0\r\nm=audio 0 RTP/AVP 8\r\n' },
    ],
    ['overload', 'bob', 'carol', {}],
  ] as const;
  for (const [cause, from, to, options] of cases) {
    const { world, alice, bob, carol } = await transferCast({
      objects,
      ...(cause === 'overload' ? { config: small } : {}),
    });
    if (cause === 'overload') await talk(world, carol, bob, 'bob');
    const call = (from === 'alice' ? alice : bob).call(to, options);
    await world.until(() => call.state === 'over');
    const [value] = call.final!.headers.all('Reason');
    assert.equal(value, `Q.850;cause=${rejectReasons[cause].q850};text="${cause}"`);
    assert.ok(rejectReasons[cause].statuses.includes(call.status), `${cause} ${call.status}`);
    await world.run(1000);
    assert.equal(world.eventsOf('request.refused').at(-1)!.decision.verdict, 'refuse');
    const { decision } = world.eventsOf('request.refused').at(-1)!;
    assert.equal(decision.verdict === 'refuse' && decision.cause, cause);
    assert.equal(world.finished.at(-1)!.cause, cause);
    await over(world);
  }
});

test('whoever has proven nothing is challenged without a reason', async () => {
  const { world } = await transferCast();
  const stranger = new Phone(world, {
    name: 'alice',
    address: '203.0.113.99',
    transport: 'tls',
    port: 40_009,
    password: 'wrong',
  });
  const call = stranger.call('bob');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 401);
  assert.equal(call.final!.headers.get('Reason'), undefined);
  await over(world);
});
