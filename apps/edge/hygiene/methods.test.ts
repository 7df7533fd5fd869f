import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SipResponse } from '@ringfence/sip/message/types.ts';
import { registered } from '../testing/cast.ts';
import { device, domain, user } from '../testing/objects.ts';
import { pbxObject, TestPbx } from '../testing/pbx.ts';
import { Phone } from '../testing/phone.ts';
import { over, trunkCast } from '../testing/trunk-cast.ts';
import { World } from '../testing/world.ts';

const statusOf = (response: SipResponse | 'timeout' | 'failed'): number =>
  typeof response === 'string' ? 0 : response.status;
const allowOf = (response: SipResponse | 'timeout' | 'failed'): readonly string[] =>
  typeof response === 'string' ? [] : response.headers.values('Allow');

test('a trunk neither registers nor publishes: 405 with Allow, and the reason in the log (RFC 3261 §21.4.6)', async () => {
  const { world, carrier } = await trunkCast();
  const published = await carrier.request(carrier.make('PUBLISH', `sip:alice@${domain}`));
  assert.equal(statusOf(published), 405);
  assert.ok(!allowOf(published).includes('PUBLISH') && !allowOf(published).includes('REGISTER'));
  assert.ok(allowOf(published).includes('INVITE'));
  const [told] = world.eventsOf('request.refused');
  assert.equal(told?.method, 'PUBLISH');
  assert.equal(told?.caller, `trunk:carrier@${domain}`);
  assert.equal(told?.decision.reasons[0]?.rule, 'method.not-allowed');
  assert.equal(statusOf(await carrier.request(carrier.make('OPTIONS', `sip:${domain}`))), 200);
  await over(world);
});

test('a trunk that may not begin calls gets 405 and a record with the reason; what it is called with can be changed and ended', async () => {
  const { world, alice, carrier } = await trunkCast({ methods: ['OPTIONS'] });
  carrier.call(`sip:+4930123401@${domain}`);
  await world.until(() => world.finished.length === 1);
  const answer = world.sentTo('192.0.2.10').find((text) => text.startsWith('SIP/2.0 405'));
  assert.match(answer!, /\r\nAllow: ACK, CANCEL, BYE, OPTIONS, PRACK\r\n/);
  const [record] = world.finished;
  assert.equal(record?.status, 405);
  assert.match(record!.decision, /"method\.not-allowed"/);
  assert.equal(record?.principal, `trunk:carrier@${domain}`);

  carrier.onInvite = (call) => call.answer();
  const call = alice.call(`sip:+4989555@${domain}`);
  await world.until(() => call.state === 'up' && carrier.calls.at(-1)?.confirmed === true);
  const taken = carrier.calls.at(-1)!;
  assert.deepEqual(taken.request!.headers.values('Allow'), [
    'INVITE',
    'ACK',
    'CANCEL',
    'BYE',
    'OPTIONS',
    'PRACK',
  ]);
  assert.equal(await taken.inside('REFER', [['Refer-To', `<sip:bob@${domain}>`]]), 405);
  assert.equal(await taken.inside('INFO'), 405);
  assert.equal((await call.inside('INFO', [['Content-Type', 'application/dtmf-relay']])) === 405, false);
  taken.end();
  await world.until(() => call.state === 'over');
  await over(world);
});

test('an emergency INVITE passes whatever list there is, of the phone and of the listener', async () => {
  for (const closed of [['REGISTER'], ['REGISTER', 'INVITE']] as const) {
    const world = new World({
      objects: { users: [user('alice', { devices: [{ ...device('alice'), methods: ['REGISTER'] }] })] },
      config: (config) => ({
        ...config,
        listeners: config.listeners.map((one) => ({ ...one, methods: [...closed] })),
      }),
    });
    const phone = await registered(world, {
      name: 'alice',
      transport: 'tls',
      address: '203.0.113.1',
      media: 'srtp',
    });
    const call = phone.call(`sip:bob@${domain}`);
    await world.until(() => call.state === 'over');
    await world.run(1000);
    // Whoever has proven nothing yet leaves no record.
    assert.deepEqual(
      world.finished.map(({ status }) => status),
      closed.length === 1 ? [] : [405],
    );
    assert.equal(world.eventsOf('request.refused').length, 1);
    // Without a trunk for it, it fails for want of one, and for no other reason.
    phone.call(`sip:112@${domain}`);
    await world.until(() => world.finished.at(-1)?.status === 404);
    assert.match(world.finished.at(-1)!.decision, /emergency\.no-trunk/);
    await over(world);
  }
});

test('within an emergency call everything passes that is served, although the listener takes less', async () => {
  const { world, carrier } = await trunkCast(
    {},
    {},
    {
      config: (config) => ({
        ...config,
        listeners: config.listeners.map((one) => ({ ...one, methods: ['REGISTER', 'INVITE'] })),
      }),
    },
  );
  const phone = (await registered(world, {
    name: 'alice',
    transport: 'tls',
    address: '203.0.113.7',
    port: 40_007,
    media: 'srtp',
  })) as Phone;
  carrier.onInvite = (call) => call.answer();
  for (const [number, passes] of [
    ['+4989555', false],
    ['112', true],
  ] as const) {
    const call = phone.call(`sip:${number}@${domain}`);
    await world.until(() => call.state === 'up' && carrier.calls.at(-1)?.confirmed === true);
    const status = await call.inside('OPTIONS');
    assert.equal(status, passes ? 200 : 405, number);
    call.end();
    await world.until(() => call.state === 'over');
  }
  await over(world);
});

test('a listener takes what its list says: strangers get 405 without any state, once told of in ten seconds', async () => {
  const world = new World({
    objects: { users: [user('alice')] },
    config: (config) => ({
      ...config,
      listeners: config.listeners.map((one) =>
        one.name === 'inside' ? { ...one, methods: ['REGISTER', 'INVITE'] } : one,
      ),
    }),
  });
  const stranger = new Phone(world, { name: 'x', address: '203.0.113.9' });
  for (let i = 0; i < 20; i += 1) {
    const response = await stranger.request(
      stranger.make('OPTIONS', `sip:100@${domain}`, [['Subject', 'x'.repeat(300)]]),
    );
    assert.equal(statusOf(response), 405);
    assert.ok(!allowOf(response).includes('OPTIONS') && allowOf(response).includes('REGISTER'));
  }
  assert.equal(world.eventsOf('request.refused').length, 1);
  assert.deepEqual(world.edge.layer.size, { server: 0, client: 0 });
  // Nothing longer goes out over UDP than came in.
  const before = world.sentTo('203.0.113.9').length;
  stranger.raw(
    'OPTIONS sip:1@x SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.9;branch=z9hG4bK1\r\nf: <sip:a@b>;tag=1\r\nt: <sip:a@b>\r\ni: 1\r\nCSeq: 1 OPTIONS\r\n\r\n',
  );
  await world.run(10);
  for (const sent of world.sentTo('203.0.113.9').slice(before)) assert.ok(sent.length <= 140, sent);
  assert.equal((await new Phone(world, { name: 'alice', address: '203.0.113.8' }).register()).status, 200);
});

test('phones of a PBX are held to its list, and the PBX itself is not', async () => {
  const world = new World({
    objects: { pbx: [pbxObject(['192.0.2.50'], { methods: ['REGISTER', 'INVITE', 'SUBSCRIBE'] })] },
  });
  const pbx = new TestPbx(world, '192.0.2.50');
  const phone = await registered(world, {
    name: 'alice',
    transport: 'tls',
    address: '203.0.113.1',
    media: 'srtp',
    realm: 'the-pbx',
  });
  assert.equal(statusOf(await phone.request(phone.make('MESSAGE', `sip:bob@${domain}`))), 405);
  const contact = pbx.contacts.get('alice')!;
  const notified = await pbx.request(pbx.make('OPTIONS', contact));
  assert.notEqual(statusOf(notified), 405);
});

test('header fields of a peer pass beside those for everybody, or in their place', async () => {
  for (const [headers, passing] of [
    [undefined, ['Subject']],
    [{ allow: ['X-Account'], replace: false }, ['Subject', 'X-Account']],
    [{ allow: ['subject', 'X-Account'], replace: false }, ['Subject', 'X-Account']],
    [{ allow: ['X-Account'], replace: true }, ['X-Account']],
    [{ allow: [], replace: true }, []],
  ] as const) {
    const world = new World({
      objects: {
        users: [
          user('alice', {
            devices: [
              {
                ...device('alice'),
                ...(headers === undefined ? {} : { headers: { ...headers, allow: [...headers.allow] } }),
              },
            ],
          }),
          user('bob'),
        ],
      },
    });
    const alice = await registered(world, {
      name: 'alice',
      transport: 'tls',
      address: '203.0.113.1',
      media: 'srtp',
      says: [
        ['Subject', 'lunch'],
        ['X-Account', '42'],
        ['X-Other', '1'],
      ],
    });
    const bob = await registered(world, {
      name: 'bob',
      transport: 'tls',
      address: '203.0.113.2',
      port: 40_002,
      media: 'srtp',
    });
    const call = alice.call(`sip:bob@${domain}`);
    await world.until(() => bob.calls.length === 1);
    const { headers: seen } = bob.calls[0]!.request!;
    for (const name of ['Subject', 'X-Account', 'X-Other'])
      assert.deepEqual(
        seen.all(name).length,
        (passing as readonly string[]).includes(name) ? 1 : 0,
        `${name} ${JSON.stringify(headers)}`,
      );
    call.cancel();
    await world.run(1000);
  }
});
