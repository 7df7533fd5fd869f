import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipResponse, Via } from '@ringfence/sip/message/types.ts';
import { leftovers, registered } from '../testing/cast.ts';
import { user } from '../testing/objects.ts';
import { Phone, type PhoneOptions } from '../testing/phone.ts';
import { World } from '../testing/world.ts';
import { byPhone, instanceOf, readInstance, readRegistration, registrationOf, withKeep } from './outbound.ts';

const instance = '"<urn:uuid:00000000-0000-1000-8000-aabbccddeeff>"';

const worldOf = (): World => new World({ objects: { users: [user('alice'), user('bob')] } });

/** One flow of Alice's phone. */
const flowOf = (world: World, port: number, more: Partial<PhoneOptions> = {}): Phone =>
  new Phone(world, { name: 'alice', address: '203.0.113.1', transport: 'tls', port, media: 'srtp', ...more });

async function register(
  phone: Phone,
  registration: number,
  more: { readonly supported?: string } = {},
): Promise<SipResponse> {
  const made = phone.make('REGISTER', `sip:${phone.realm}`);
  const headers = new HeaderList([
    ['Expires', '600'],
    ['Supported', more.supported ?? 'path, outbound'],
    ['Contact', `${phone.contact};+sip.instance=${instance};reg-id=${registration}`],
  ]);
  const to = { uri: phone.uri(phone.options.name), params: new Map() };
  const response = await phone.request({ ...made, to, headers });
  assert.ok(typeof response !== 'string');
  return response;
}

test('RFC 5626 §6: a registration with outbound is answered with Require, Flow-Timer and the Contact as it was', async () => {
  const world = worldOf();
  const phone = flowOf(world, 40_001);
  const response = await register(phone, 1);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('Require'), 'outbound');
  assert.equal(response.headers.get('Flow-Timer'), '120');
  assert.equal(
    response.headers.get('Contact'),
    `${phone.contact};+sip.instance=${instance};reg-id=1;expires=600`,
  );
  assert.equal(world.network.silence.get(phone.flow.id), 150);

  const udp = await register(flowOf(world, 5060, { transport: 'udp' }), 2);
  assert.equal(udp.headers.get('Flow-Timer'), '29');
});

test('RFC 5626 §6: without Supported: outbound nothing is promised', async () => {
  const world = worldOf();
  const response = await register(flowOf(world, 40_001), 1, { supported: 'path' });
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('Require'), undefined);
  assert.equal(response.headers.get('Flow-Timer'), undefined);
});

test('RFC 5626 §6: 439 where a hop in between lacks outbound; without outbound the phone is let in', async () => {
  const world = worldOf();
  const phone = flowOf(world, 40_001);
  const owner = { domain: 'example.test', user: 'alice', device: 'alice' };
  const via = (host: string): Via => ({ transport: 'TLS', host, branch: 'z9hG4bKx', params: new Map() });
  const statusOf = (supported: string): number => {
    const made = phone.make('REGISTER', 'sip:example.test');
    const headers = new HeaderList([
      ['Supported', supported],
      ['Contact', `${phone.contact};+sip.instance=${instance};reg-id=1`],
    ]);
    const request = { ...made, headers, via: [via('192.0.2.77'), via('203.0.113.1')] };
    return world.edge.registrar.register(request, owner, phone.flow, world.time.now).status;
  };
  assert.equal(statusOf('outbound'), 439);
  assert.equal(statusOf('path'), 200);
});

test('RFC 5626 §7: a phone with two flows is rung over the latest alone', async () => {
  const world = worldOf();
  const first = flowOf(world, 40_001);
  const second = flowOf(world, 40_002);
  for (const [phone, id] of [
    [first, 1],
    [second, 2],
  ] as const) {
    assert.equal((await register(phone, id)).status, 200);
    await world.run(1000);
  }
  const bob = await registered(world, { name: 'bob', address: '203.0.113.2' });
  const call = bob.call('alice');
  await world.until(() => second.calls.length === 1);
  await world.run(3000);
  assert.equal(first.calls.length, 0);
  second.calls[0]!.answer();
  await world.until(() => call.state === 'up');
  call.hangUp();
  await world.run(40_000);
  assert.deepEqual(leftovers(world), []);
});

for (const [what, fail] of [
  ['breaks before the call', (world: World, phone: Phone) => world.network.break(phone.flow)],
  [
    'breaks while it rings',
    (world: World, phone: Phone) => {
      phone.onInvite = () => void world.time.after(500, () => world.network.break(phone.flow));
    },
  ],
  [
    'is reported as failed with 430',
    (_world: World, phone: Phone) => {
      phone.onInvite = (call) => call.reject(430);
    },
  ],
] as const)
  test(`RFC 5626 §7: the next flow of the phone is rung where the latest ${what}`, async () => {
    const world = worldOf();
    const first = flowOf(world, 40_001);
    const second = flowOf(world, 40_002);
    await register(first, 1);
    await world.run(1000);
    await register(second, 2);
    first.onInvite = (call) => call.answer();
    fail(world, second);
    const bob = await registered(world, { name: 'bob', address: '203.0.113.2' });
    const call = bob.call('alice');
    await world.until(() => call.state === 'up' || call.state === 'over');
    assert.equal(call.state, 'up', String(call.status));
    // The Request-URI is the Contact of the flow that is used.
    assert.ok(first.calls[0]?.request?.uri !== undefined);
    assert.match(world.sentTo('203.0.113.1').at(-1) ?? '', /^ACK sip:alice@203\.0\.113\.1:40001/);
    call.hangUp();
    await world.run(40_000);
    assert.deepEqual(leftovers(world), []);
  });

test('RFC 5626 §11.5: 430 is never told to the caller', async () => {
  const world = worldOf();
  const phone = flowOf(world, 40_001);
  await register(phone, 1);
  phone.onInvite = (call) => call.reject(430);
  const bob = await registered(world, { name: 'bob', address: '203.0.113.2' });
  const call = bob.call('alice');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 480);
});

for (const transport of ['tls', 'udp'] as const)
  test(`RFC 5626 §5.3: a call goes on over the new flow of a phone that has moved (${transport})`, async () => {
    const world = worldOf();
    const phone = flowOf(world, 40_001, { transport });
    await register(phone, 1);
    const bob = await registered(world, { name: 'bob', address: '203.0.113.2' });
    phone.onInvite = (call) => call.answer();
    const call = bob.call('alice');
    await world.until(() => call.state === 'up');
    world.network.break(phone.flow);
    phone.dead = true;
    const moved = flowOf(world, 50_005, { transport, address: '203.0.113.99' });
    // Its transactions and dialogs are the same phone's.
    moved.calls.push(...phone.calls);
    await register(moved, 1);
    call.hangUp();
    await world.until(() => world.sentTo('203.0.113.99').some((text) => text.startsWith('BYE ')));
    await world.run(40_000);
    assert.deepEqual(leftovers(world), []);
  });

test('RFC 5626 §5.3: the call of one phone never goes over to another phone of the same user', async () => {
  const world = worldOf();
  const phone = flowOf(world, 40_001);
  await register(phone, 1);
  const other = await registered(world, { name: 'alice', address: '203.0.113.50', transport: 'tls' });
  const bob = await registered(world, { name: 'bob', address: '203.0.113.2' });
  phone.onInvite = (call) => call.answer();
  const call = bob.call('alice');
  await world.until(() => call.state === 'up');
  world.network.break(phone.flow);
  call.hangUp();
  await world.run(40_000);
  assert.ok(world.sentTo('203.0.113.50').every((text) => !text.startsWith('BYE ')));
  assert.ok(other.heard.length > 0);
  assert.deepEqual(leftovers(world), []);
});

test('RFC 6223 §4.3: keep in the topmost Via is answered with seconds, and only where it was asked for', () => {
  const world = worldOf();
  const phone = flowOf(world, 40_001);
  const of = (...keep: boolean[]) => ({
    ...phone.make('REGISTER', 'sip:example.test'),
    via: keep.map(
      (asked): Via => ({
        transport: 'TLS',
        host: '203.0.113.1',
        branch: 'z9hG4bKx',
        params: new Map<string, string | true>(asked ? [['keep', true]] : []),
      }),
    ),
  });
  const answered = (...keep: boolean[]) =>
    withKeep(of(...keep), phone.flow, 120).via.map(({ params }) => params.get('keep'));
  assert.deepEqual(answered(true), ['120']);
  assert.deepEqual(answered(false), [undefined]);
  assert.deepEqual(answered(true, true), ['120', true]);
  assert.deepEqual(answered(false, true), [undefined, true]);
  const plain = of(false);
  assert.equal(withKeep(plain, phone.flow, 120), plain);
});

test('RFC 5626 §4.1 and §4.2: only a URN in angles and quotes is an instance, only 1 to 2^31-1 a reg-id', () => {
  assert.equal(readInstance(instance), instance);
  for (const bad of [
    true,
    '',
    '""',
    '"<>"',
    '<urn:x>',
    '"urn:x"',
    '"<a b>"',
    '"<a\\">"',
    `"<${'a'.repeat(200)}>"`,
  ])
    assert.equal(readInstance(bad as string), undefined, String(bad));
  assert.equal(readRegistration('01'), '1');
  for (const bad of [true, '', '0', '-1', '1.5', '2147483648', '99999999999', 'x'])
    assert.equal(readRegistration(bad as string), undefined, String(bad));
  assert.equal(instanceOf('sip:a@b'), undefined);
  assert.equal(registrationOf(`${instance} 7`), '7');
  assert.equal(instanceOf(`${instance} sip:a@b`), instance);
  assert.equal(registrationOf(`${instance} sip:a@b`), undefined);
});

test('RFC 5626 §7: flows are one phone only with the same instance and device', () => {
  const of = (key: string, device: string) => ({ key, device });
  const grouped = byPhone([
    of(`${instance} 1`, 'a'),
    of(`${instance} 2`, 'a'),
    of(`${instance} 1`, 'b'),
    of('sip:x@y', 'a'),
    of(`${instance} sip:x@y`, 'a'),
  ]);
  assert.deepEqual(
    grouped.map((phone) => phone.length),
    [2, 1, 1, 1],
  );
});
