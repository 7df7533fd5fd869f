import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNowhere } from '../config/address-class.ts';
import { aliceAndBob } from '../testing/cast.ts';
import { offer } from '../testing/description.ts';
import { user } from '../testing/objects.ts';
import { carrierAt, over, trunkCast } from '../testing/trunk-cast.ts';
import { World } from '../testing/world.ts';

const nowhere = [
  '127.0.0.1',
  '0.0.0.0',
  '169.254.169.254',
  '224.0.1.75',
  '255.255.255.255',
  '::',
  '::1',
  'fe80::1',
  'ff02::1',
  '::ffff:127.0.0.1',
  '::ffff:7f00:1',
  '0:0:0:0:0:ffff:0.0.0.0',
];

test('M7: addresses that can only mean us, or many, in every spelling (CVE-2020-26262, CVE-2026-27624)', () => {
  for (const address of nowhere) assert.ok(isNowhere(address), address);
  for (const address of ['10.0.0.1', '192.0.2.1', '2001:db8::1', '::ffff:192.0.2.1', 'fd00::1', 'localhost'])
    assert.ok(!isNowhere(address), address);
});

test('M7: a trunk that names such an address as its Contact is spoken to where it is, and nobody else is', async () => {
  for (const address of nowhere) {
    const { world, alice, carrier } = await trunkCast();
    const host = address.includes(':') ? `[${address}]` : address;
    Object.defineProperty(carrier, 'contact', { value: `<sip:carrier@${host}:9>` });
    carrier.onInvite = (call) => call.answer();
    const call = alice.call('+49894321');
    await world.until(() => call.state === 'up');
    await world.run(500);
    assert.ok(carrier.calls[0]!.confirmed, `${address}: the ACK has come`);
    call.hangUp();
    await over(world);
    const others = world.network.log.filter(
      ({ out, flow }) => out && flow.remote.address !== carrierAt && flow.remote.address !== '203.0.113.1',
    );
    assert.deepEqual(
      others.map(({ flow }) => flow.remote.address),
      [],
      address,
    );
  }
});

test('M8: media is pointed at nobody who cannot be the peer: our loopback, multicast, broadcast, link-local', async () => {
  const world = new World({ objects: { users: [user('alice'), user('bob')] } });
  const { alice, bob } = await aliceAndBob(world, { address: '10.0.0.7' });
  bob.onInvite = (call) => call.answer();
  for (const address of nowhere.filter((one) => !one.includes(':') && one !== '0.0.0.0')) {
    const call = alice.call('bob', { sdp: offer(world.random, true, { address, port: 30_000 }).text });
    await world.until(() => call.state === 'up' || call.state === 'over');
    const remotes = world.relay.all.flatMap(({ config }) => config?.remote?.address ?? []);
    assert.ok(!remotes.includes(address), `${address}: ${remotes}`);
    if (!address.startsWith('22')) assert.ok(remotes.includes('10.0.0.7'), `${address}: where signalling is`);
    if (call.state === 'up') call.hangUp();
    await world.run(64_000);
    world.relay.all.length = 0;
  }
});
