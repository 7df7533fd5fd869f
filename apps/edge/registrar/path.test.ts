import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipResponse } from '@ringfence/sip/message/types.ts';
import type { Configuration } from '../config/schema.ts';
import { leftovers, registered } from '../testing/cast.ts';
import { user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import { World } from '../testing/world.ts';

const proxyAt = '192.0.2.50';

const worldOf = (registrar: Partial<Configuration['registrar']> = {}): World =>
  new World({
    objects: { users: [user('alice'), user('bob')] },
    config: (config) => ({
      ...config,
      registrar: { ...config.registrar, trustedProxies: ['192.0.2.0/25'], ...registrar },
    }),
  });

/** Alice behind a proxy: what is sent to her comes to the proxy's flow. */
const behindProxy = (world: World, address = proxyAt, port = 5060): Phone =>
  new Phone(world, { name: 'alice', address, transport: 'tls', port, media: 'srtp' });

const hops = ['<sip:core.proxy.test;lr>', '<sip:edge.proxy.test:5062;lr;ob>'];

async function register(
  phone: Phone,
  headers: readonly (readonly [string, string])[],
  contact = '<sip:alice@10.1.1.1>',
): Promise<SipResponse> {
  const made = phone.make('REGISTER', `sip:${phone.realm}`, headers);
  const list: HeaderList = made.headers.clone().remove('Contact').add('Contact', contact);
  const response = await phone.request({
    ...made,
    headers: list,
    to: { uri: phone.uri('alice'), params: new Map() },
  });
  assert.ok(typeof response !== 'string');
  return response;
}

const path = hops.map((hop) => ['Path', hop] as const);

test('RFC 3327 §5.3 and §5.4: the Path of a trusted proxy is kept, told, and becomes the Route to the phone', async () => {
  const world = worldOf();
  const alice = behindProxy(world);
  const response = await register(alice, [...path, ['Supported', 'path']]);
  assert.equal(response.status, 200);
  assert.deepEqual(response.headers.values('Path'), hops);
  const [stored] = [...world.store.table.values()];
  assert.deepEqual(stored?.path, hops);

  alice.onInvite = (call) => call.reject(486);
  const bob = await registered(world, { name: 'bob', address: '203.0.113.2' });
  const call = bob.call('alice');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 486);
  const invite = alice.heard.find((one) => one.kind === 'request' && one.method === 'INVITE');
  assert.deepEqual(invite?.headers.values('Route'), hops);
  await world.run(40_000);
  assert.deepEqual(leftovers(world), []);
});

test('RFC 3327 §5.3: a phone that does not know Path is not told of it', async () => {
  const world = worldOf();
  const response = await register(behindProxy(world), path);
  assert.equal(response.headers.get('Path'), undefined);
});

test('RFC 3327 §6: the Path of anybody else counts for nothing', async () => {
  const world = worldOf();
  const alice = behindProxy(world, '203.0.113.66');
  const response = await register(alice, [...path, ['Supported', 'path']]);
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('Path'), undefined);
  assert.equal([...world.store.table.values()][0]?.path, undefined);
  const bob = await registered(world, { name: 'bob', address: '203.0.113.2' });
  const call = bob.call('alice');
  await world.until(() => alice.calls.length === 1);
  assert.ok(world.sentTo('203.0.113.66').every((text) => !/^Route:/m.test(text)));
  call.cancel();
});

for (const [what, bad] of [
  ['no loose routing', '<sip:proxy.test>'],
  ['no SIP URI', '<tel:+4930>'],
  ['nothing that can be read', '<sip:>'],
  ['nine hops', Array(9).fill('<sip:p.test;lr>').join(',')],
  [
    'an endless hop',
    `<sip:${'p'.repeat(60)}.${'p'.repeat(60)}.${'p'.repeat(60)}.test;lr;x=${'y'.repeat(100)}>`,
  ],
] as const)
  test(`RFC 3327: a Path with ${what} is refused with 400`, async () => {
    const world = worldOf();
    assert.equal((await register(behindProxy(world), [['Path', bad]])).status, 400);
    assert.equal(world.store.table.size, 0);
  });

test('RFC 5626 §5.1: a proxy that keeps the flow (ob) lets outbound through, one that does not gets 439', async () => {
  const world = worldOf();
  const alice = behindProxy(world);
  const owner = { domain: 'example.test', user: 'alice', device: 'alice' };
  const flow = world.network.flow(alice.flow.id)!;
  const statusOf = (last: string): number => {
    const made = alice.make('REGISTER', 'sip:example.test', [
      ['Supported', 'outbound, path'],
      ['Path', last],
    ]);
    const headers = made.headers
      .clone()
      .remove('Contact')
      .add('Contact', '<sip:alice@10.1.1.1>;+sip.instance="<urn:x:1>";reg-id=1');
    const via = { transport: 'TLS', branch: 'z9hG4bKx', params: new Map<string, string>() };
    const request = { ...made, headers, via: ['a.test', 'b.test'].map((host) => ({ ...via, host })) };
    return world.edge.registrar.register(request, owner, flow, world.time.now).status;
  };
  assert.equal(statusOf('<sip:edge.proxy.test;lr;ob>'), 200);
  assert.equal(statusOf('<sip:edge.proxy.test;lr>'), 439);
});

test("a proxy's connection says nothing about which of its phones sends", async () => {
  const world = worldOf();
  const alice = behindProxy(world);
  await register(alice, path);
  assert.equal(world.edge.registrar.byFlow(alice.flow.id), undefined);
  assert.ok(world.network.kept.has(alice.flow.id));
  alice.credentials = () => undefined;
  const call = alice.call('112');
  await world.until(() => call.state === 'over');
  assert.equal(call.status, 401);
});

test('RFC 3608 §6.1: Service-Route names the listener where it is wanted', async () => {
  const told = await register(behindProxy(worldOf({ serviceRoute: true })), []);
  assert.equal(told.headers.get('Service-Route'), '<sip:198.51.100.1:5061;transport=tls;lr>');
  const silent = await register(behindProxy(worldOf()), []);
  assert.equal(silent.headers.get('Service-Route'), undefined);
});

test('RFC 5627 §5.1 and §5.3: a phone gets a public GRUU, and calls to it ring that phone alone', async () => {
  const world = worldOf();
  const phones = await Promise.all(
    ['1', '2'].map(async (name, i) => {
      const phone = behindProxy(world, '203.0.113.1', 40_001 + i);
      const contact = `${phone.contact};+sip.instance="<urn:uuid:${name}>"`;
      const response = await register(phone, [['Supported', 'gruu']], contact);
      phone.onInvite = (call) => call.answer();
      return { phone, response };
    }),
  );
  assert.match(
    phones[1]!.response.headers.values('Contact').join('\n'),
    /;\+sip\.instance="<urn:uuid:2>";pub-gruu="sip:alice@example\.test;gr=urn:uuid:2";temp-gruu=/,
  );
  const bob = await registered(world, { name: 'bob', address: '203.0.113.2' });
  const call = bob.call('sip:alice@example.test;gr=urn:uuid:1');
  await world.until(() => call.state === 'up');
  await world.run(1000);
  assert.deepEqual(
    phones.map(({ phone }) => phone.calls.length),
    [1, 0],
  );
  call.hangUp();
  const gone = bob.call('sip:alice@example.test;gr=urn:uuid:3');
  await world.until(() => gone.state === 'over');
  assert.equal(gone.status, 480);
  await world.run(40_000);
  assert.deepEqual(leftovers(world), []);
});

test('RFC 5627 §5.1: no GRUU for phones that do not ask', async () => {
  const response = await register(
    behindProxy(worldOf()),
    [],
    '<sip:a@10.0.0.1>;+sip.instance="<urn:uuid:1>"',
  );
  assert.doesNotMatch(response.headers.get('Contact') ?? '', /gruu/);
});
