import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressKind, isIp4, isIp6, isMulticast } from './address.ts';

test('literals, names, and what is neither', () => {
  assert.equal(addressKind('IP4', '192.0.2.1'), 'IP4');
  assert.equal(addressKind('IP6', '2001:db8::1'), 'IP6');
  assert.equal(addressKind('IP4', 'sip.example.com'), 'name');
  for (const bad of [
    '',
    '.',
    'a..b',
    '-a',
    'a.',
    '999.1.1.1',
    '1.2.3.4.5',
    '0x7f.1',
    '127.1',
    'a b',
    'é',
    `${'a'.repeat(64)}.b`,
  ])
    assert.equal(addressKind('IP4', bad), undefined, bad);
  assert.equal(addressKind('IP4', '::1'), undefined);
  assert.equal(addressKind('IP6', '192.0.2.1'), undefined);
  assert.equal(addressKind('IP6', 'fe80::1%eth0'), undefined);
});

test('multicast of both families', () => {
  assert.ok(isMulticast('IP4', '224.0.0.1') && isMulticast('IP4', '239.255.255.255'));
  assert.ok(!isMulticast('IP4', '223.255.255.255') && !isMulticast('IP4', '240.0.0.1'));
  assert.ok(!isMulticast('IP4', '224.example.com'));
  assert.ok(isMulticast('IP6', 'ff02::1') && isMulticast('IP6', 'FF0E::1') && !isMulticast('IP6', 'fe80::1'));
});

test('property: literals are what node:net says, zones apart', () => {
  const group = fc.oneof(
    fc.stringMatching(/^[0-9a-f]{0,5}$/),
    fc.constantFrom('', '0', '1.2.3.4', '255.255.255.256'),
  );
  const text = fc.oneof(
    fc.ipV4(),
    fc.ipV6(),
    fc.array(group, { maxLength: 9 }).map((groups) => groups.join(':')),
    fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 5 }).map((octets) => octets.join('.')),
    fc.string({ maxLength: 20 }),
  );
  fc.assert(
    fc.property(text, (address) => {
      if (address.includes('%')) return;
      assert.equal(isIp4(address), isIP(address) === 4);
      assert.equal(isIp6(address), isIP(address) === 6);
    }),
    { numRuns: 3000 },
  );
});
