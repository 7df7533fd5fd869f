import assert from 'node:assert/strict';
import { test } from 'node:test';
import { leftovers } from '../testing/cast.ts';
import { route, trunk, user } from '../testing/objects.ts';
import { Phone, type PhoneOptions } from '../testing/phone.ts';
import { World } from '../testing/world.ts';

const carrierAt = '192.0.2.10';

const worldOf = (target: string): World =>
  new World({
    objects: {
      users: [user('alice'), user('bob')],
      trunks: [trunk('carrier', { target, addresses: [carrierAt] })],
      routes: [route('out', { trunk: 'carrier' }, { match: '+49*' })],
    },
  });

async function phoneOf(
  world: World,
  options: Partial<PhoneOptions> & { readonly name: string },
  scheme: 'sip' | 'sips',
): Promise<Phone> {
  const phone = new Phone(world, { address: '203.0.113.1', transport: 'tls', media: 'srtp', ...options });
  const contact = phone.contact.replace('<sip:', `<${scheme}:`);
  assert.equal((await phone.register(600, [contact])).status, 200);
  return phone;
}

const plainTrunk = `sip:${carrierAt};transport=udp`;

async function statusOf(world: World, from: Phone, to: string): Promise<{ status: number; warning: string }> {
  const call = from.call(to);
  await world.until(() => call.state === 'up' || call.state === 'over');
  const { status } = call;
  if (call.state === 'up') call.hangUp();
  await world.run(40_000);
  assert.deepEqual(leftovers(world), []);
  return { status, warning: call.final?.headers.get('Warning') ?? '' };
}

test('RFC 5630 §3.1: a sips call to a phone with a sips Contact is sips on both sides', async () => {
  const world = worldOf(plainTrunk);
  const alice = await phoneOf(world, { name: 'alice', port: 40_001 }, 'sips');
  const bob = await phoneOf(world, { name: 'bob', port: 40_002 }, 'sips');
  bob.onInvite = (call) => call.answer();
  assert.equal((await statusOf(world, alice, 'sips:bob@example.test')).status, 200);
  const { request } = bob.calls[0]!;
  assert.equal(request?.uri.scheme, 'sips');
  assert.match(request?.headers.get('Contact') ?? '', /^<sips:/);
});

test('RFC 5630 §6.1: a phone without a sips Contact is not rung for a sips URI: 480 with warning 380', async () => {
  const world = worldOf(plainTrunk);
  const alice = await phoneOf(world, { name: 'alice', port: 40_001 }, 'sips');
  const bob = await phoneOf(world, { name: 'bob', port: 40_002 }, 'sip');
  const udp = await phoneOf(world, { name: 'bob', transport: 'udp', address: '203.0.113.3' }, 'sip');
  const { status, warning } = await statusOf(world, alice, 'sips:bob@example.test');
  assert.equal(status, 480);
  assert.match(warning, /^380 ringfence "SIPS Not Allowed"$/);
  assert.equal(bob.calls.length + udp.calls.length, 0);
  assert.match(world.finished.at(-1)?.decision ?? '', /route\.no-sips/);
  // By sip both are rung.
  bob.onInvite = (call) => call.answer();
  assert.equal((await statusOf(world, alice, 'bob')).status, 200);
});

test('RFC 5630 §3.1: a sips URI over UDP is refused with 416', async () => {
  const world = worldOf(plainTrunk);
  const alice = await phoneOf(world, { name: 'alice', transport: 'udp', media: 'rtp' }, 'sip');
  await phoneOf(world, { name: 'bob', port: 40_002 }, 'sips');
  const { status, warning } = await statusOf(world, alice, 'sips:bob@example.test');
  assert.equal(status, 416);
  assert.match(warning, /TLS on every hop/);
});

test('RFC 5630 §3.1: a sips call goes to a sips trunk only', async () => {
  for (const [target, status] of [
    [plainTrunk, 480],
    [`sip:${carrierAt};transport=tls`, 480],
    [`sips:${carrierAt}`, 200],
  ] as const) {
    const world = worldOf(target);
    const carrier = new Phone(world, {
      name: 'carrier',
      address: carrierAt,
      transport: target.includes('udp') ? 'udp' : 'tls',
      port: target.includes('udp') ? 5060 : 5061,
      media: 'either',
    }).listen({ version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', peerNames: ['carrier.test'] });
    carrier.onInvite = (call) => call.answer();
    const alice = await phoneOf(world, { name: 'alice', port: 40_001 }, 'sips');
    assert.equal((await statusOf(world, alice, 'sips:+4930123456@example.test')).status, status, target);
    assert.equal(carrier.calls.length, status === 200 ? 1 : 0);
    if (status === 200) assert.equal(carrier.calls[0]?.request?.uri.scheme, 'sips');
  }
});

test('an emergency call goes out whatever its scheme', async () => {
  const world = worldOf(plainTrunk);
  const carrier = new Phone(world, { name: 'carrier', address: carrierAt }).listen();
  carrier.onInvite = (call) => call.answer();
  const alice = await phoneOf(world, { name: 'alice', port: 40_001 }, 'sips');
  assert.equal((await statusOf(world, alice, 'sips:112@example.test')).status, 200);
});
