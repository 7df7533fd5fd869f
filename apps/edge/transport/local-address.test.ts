import assert from 'node:assert/strict';
import { networkInterfaces } from 'node:os';
import { it } from 'node:test';
import { addressWords, LocalAddresses } from './local-address.ts';

it('addresses are read into words', () => {
  assert.deepEqual(addressWords('192.0.2.1'), [0xc000, 0x0201]);
  assert.deepEqual(addressWords('::1'), [0, 0, 0, 0, 0, 0, 0, 1]);
  assert.deepEqual(addressWords('2001:db8::5:6%eth0'), [0x2001, 0xdb8, 0, 0, 0, 0, 5, 6]);
  assert.deepEqual(addressWords('::ffff:192.0.2.1'), [0, 0, 0, 0, 0, 0xffff, 0xc000, 0x0201]);
});

it('the address that reaches a peer is that of the interface in its network', () => {
  const local = new LocalAddresses(() => 0);
  assert.equal(local.towards('127.0.0.1'), '127.0.0.1');
  assert.equal(local.towards('127.200.1.1'), '127.0.0.1');
  for (const { address, family, internal } of Object.values(networkInterfaces()).flatMap(
    (list) => list ?? [],
  )) {
    if (family === 'IPv4' && !internal) assert.equal(local.towards(address), address);
  }
});

it('other peers get an address of this machine, and a flood of them costs bounded look-ups', () => {
  const own = new Set(
    Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((i) => i.address)),
  );
  const local = new LocalAddresses(() => 0);
  for (let i = 0; i < 20_000; i++) {
    const address = local.towards(`${11 + (i % 80)}.${(i >> 3) & 255}.${i & 255}.9`);
    assert.ok(own.has(address), address);
  }
  assert.ok(own.has(local.towards('2001:db8:5::1')) || local.towards('2001:db8:5::1') === '::1');
});
