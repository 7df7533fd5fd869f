import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import { leftovers, registered } from '../testing/cast.ts';
import { device, domain, route, trunk, user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import { carrierAt, requests, talk, transferCast } from '../testing/transfer-cast.ts';
import { World } from '../testing/world.ts';
import { MessageRate } from './rate.ts';

async function over(world: World): Promise<void> {
  for (const call of world.edge.calls.values()) call.hangUp('normal');
  await world.run(120_000);
  assert.deepEqual(leftovers(world), []);
}

/** A MESSAGE with that body; gives the answer. */
async function say(
  from: Phone,
  to: string,
  text = 'hello',
  type = 'text/plain',
  headers: readonly (readonly [string, string])[] = [],
): Promise<SipResponse> {
  const made = from.make('MESSAGE', to, [['Content-Type', type], ...headers]);
  const request: SipRequest = { ...made, body: Buffer.from(text, 'utf8') };
  const response = await from.request(request);
  if (typeof response === 'string') throw new Error(response);
  return response;
}

test('MESSAGE reaches every phone of a user, from who the sender has proven to be (RFC 3428 §4)', async () => {
  const world = new World({
    objects: { users: [user('alice'), user('bob', { devices: [device('desk'), device('mobile')] })] },
  });
  const at = { transport: 'tls', media: 'srtp', port: 40_001 } as const;
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1', ...at });
  const desk = await registered(world, { name: 'bob', device: 'desk', address: '203.0.113.2', ...at });
  const mobile = await registered(world, { name: 'bob', device: 'mobile', address: '203.0.113.3', ...at });
  const answer = await say(alice, 'bob', 'grüße', 'text/plain;charset=UTF-8;x=10.0.0.5', [
    ['P-Asserted-Identity', '<sip:ceo@example.test>'],
    ['Subject', 'secret'],
    ['Call-Info', '<http://evil.test>'],
  ]);
  assert.equal(answer.status, 200);
  for (const phone of [desk, mobile]) {
    const [heard] = requests(phone, 'MESSAGE');
    assert.equal(Buffer.from(heard!.body).toString(), 'grüße');
    assert.equal(heard!.headers.get('Content-Type'), 'text/plain;charset=UTF-8');
    const { uri } = heard!.from;
    assert.equal('user' in uri && uri.user, 'alice');
    for (const name of ['P-Asserted-Identity', 'Call-Info', 'Contact'])
      assert.equal(heard!.headers.get(name), undefined);
  }
  await over(world);
});

test('MESSAGE that is too long, of another type, to nobody or to another tenant is refused (RFC 3428 §8)', async () => {
  const world = new World({
    objects: { users: [user('alice'), user('bob'), user('eve', { realm: 'other.test' })] },
  });
  const alice = await registered(world, {
    name: 'alice',
    address: '203.0.113.1',
    transport: 'tls',
    port: 40_001,
  });
  const at = { transport: 'tls', media: 'srtp', port: 40_001 } as const;
  await registered(world, { name: 'eve', realm: 'other.test', address: '203.0.113.5', ...at });
  assert.equal((await say(alice, 'bob')).status, 480);
  assert.equal((await say(alice, 'nobody')).status, 404);
  assert.equal((await say(alice, 'sip:eve@other.test')).status, 404);
  await registered(world, { name: 'bob', address: '203.0.113.2', ...at });
  assert.equal((await say(alice, 'bob', 'x'.repeat(1301))).status, 513);
  assert.equal((await say(alice, 'bob', 'x', 'message/cpim')).status, 415);
  assert.equal((await say(alice, 'bob', 'x', 'text/html')).status, 415);
  await world.run(10_000);
  assert.equal((await say(alice, 'bob', 'x'.repeat(1300))).status, 200);
  await over(world);
});

test('a sender of too many messages gets 503 with Retry-After, others do not; the memory of senders is bounded', async () => {
  const { world, alice, bob } = await transferCast();
  const statuses: number[] = [];
  for (let i = 0; i < 12; i += 1) statuses.push((await say(alice, 'carol')).status);
  assert.ok(statuses.includes(503));
  assert.equal(statuses[0], 200);
  assert.equal((await say(bob, 'carol')).status, 200);
  const refused = await say(alice, 'carol');
  assert.equal(refused.headers.get('Retry-After'), '10');
  assert.match(refused.headers.get('Reason')!, /text="rate"/);
  await world.run(60_000);
  assert.equal((await say(alice, 'carol')).status, 200);
  await over(world);
  const rate = new MessageRate();
  for (let i = 0; i < 20_000; i += 1) rate.take(`s${i}`, 60, i);
  assert.equal(rate.size, 10_000);
});

test('trunks carry messages where they are said to, both ways, and their challenge is answered (RFC 3428 §4)', async () => {
  for (const open of [false, true]) {
    const world = new World({
      objects: {
        users: [user('alice', { number: '+4930123401' })],
        trunks: [trunk('carrier', { addresses: [carrierAt], ...(open ? { messages: true } : {}) })],
        routes: [route('+*', { trunk: 'carrier' })],
      },
    });
    const at = { transport: 'tls', media: 'srtp', port: 40_001 } as const;
    const alice = await registered(world, { name: 'alice', address: '203.0.113.1', ...at });
    const carrier = new Phone(world, { name: '+4989555', address: carrierAt }).listen();
    assert.equal((await say(alice, '+498912345')).status, open ? 200 : 403);
    assert.equal((await say(carrier, `sip:+4930123401@${domain}`)).status, open ? 200 : 403);
    const [out] = requests(carrier, 'MESSAGE');
    assert.equal(
      out?.from.uri.scheme === 'sip' ? out.from.uri.user : undefined,
      open ? '+4930123401' : undefined,
    );
    await over(world);
  }
});

test('a stranger is challenged before its message is looked at', async () => {
  const { world, bob } = await transferCast();
  const stranger = new Phone(world, {
    name: 'alice',
    address: '203.0.113.99',
    transport: 'tls',
    port: 40_009,
    password: 'wrong',
  });
  assert.equal((await say(stranger, 'bob')).status, 401);
  assert.equal(requests(bob, 'MESSAGE').length, 0);
  await over(world);
});

test('INFO with a key and MESSAGE within a call reach the other side; what was not agreed on does not (RFC 6086 §4.2.2)', async () => {
  const { world, alice, bob } = await transferCast();
  const [call, taken] = await talk(world, alice, bob, 'bob');
  const dtmf = [['Content-Type', 'application/dtmf-relay']] as const;
  assert.equal(await call.inside('INFO', dtmf, 'Signal=7\r\nDuration=100\r\nX: 10.0.0.5'), 200);
  const [info] = requests(bob, 'INFO');
  assert.equal(Buffer.from(info!.body).toString(), 'Signal=7\r\nDuration=100\r\n');
  assert.equal(info!.headers.get('Content-Type'), 'application/dtmf-relay');
  assert.equal(await taken.inside('INFO', [['Content-Type', 'application/dtmf']], '#'), 200);
  assert.equal(Buffer.from(requests(alice, 'INFO')[0]!.body).toString(), '#');
  assert.deepEqual(
    world.eventsOf('call.dtmf').map(({ leg, by }) => [leg, by]),
    [
      [0, 'info'],
      [1, 'info'],
    ],
  );
  assert.equal(JSON.stringify(world.eventsOf('call.dtmf')).includes('7"'), false);
  assert.equal(await call.inside('INFO', []), 200);
  assert.equal(await call.inside('INFO', dtmf, 'Signal=nine'), 400);
  assert.equal(await call.inside('INFO', [['Content-Type', 'application/x-inside']], 'x'), 415);
  assert.equal(await call.inside('INFO', [['Info-Package', 'conference'], ...dtmf], 'Signal=7'), 469);
  assert.equal(requests(bob, 'INFO').length, 1);
  assert.equal(await call.inside('MESSAGE', [['Content-Type', 'text/plain']], 'hi'), 200);
  assert.equal(Buffer.from(requests(bob, 'MESSAGE')[0]!.body).toString(), 'hi');
  await over(world);
});
