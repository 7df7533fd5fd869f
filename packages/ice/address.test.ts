import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressOctets, addressText, canonicalAddress } from './address.ts';

test('RFC 5952: one form for each address', () => {
  const cases: [string, string][] = [
    ['192.0.2.1', '192.0.2.1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['::ffff:c000:201', '::ffff:192.0.2.1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
    ['1:2:3:4:5:6:7.8.9.10', '1:2:3:4:5:6:708:90a'],
  ];
  for (const [text, form] of cases) assert.equal(canonicalAddress(text), form, text);
});

test('what is no address reads as undefined', () => {
  for (const text of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.',
    'example.org',
    ':',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7::8',
    '1:2:3:4:5:6:7:1.2.3.4',
    '12345::',
    'g::',
    ':1::',
    '1.2.3.4:5',
    'fe80::1%eth0',
    '1'.repeat(60),
  ])
    assert.equal(addressOctets(text), undefined, text);
});

test('property: text and octets go round, and the text is an address to others', () => {
  const octets = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 4 }),
    fc
      .array(fc.constantFrom(0, 0, 0, 1, 255), { minLength: 16, maxLength: 16 })
      .map((a) => Uint8Array.from(a)),
  );
  fc.assert(
    fc.property(octets, (value) => {
      const text = addressText(value);
      assert.equal(isIP(text), value.length === 4 ? 4 : 6, text);
      assert.deepEqual(addressOctets(text), value);
    }),
    { numRuns: 500 },
  );
});

test('property: what is taken for an address is one to others, whatever the text', () => {
  let taken = 0;
  fc.assert(
    fc.property(
      fc
        .array(fc.constantFrom('1', '0', 'f', ':', '::', '.', '2.3'), { maxLength: 16 })
        .map((a) => a.join('')),
      (text) => {
        const ours = addressOctets(text) !== undefined;
        if (ours) taken += 1;
        assert.equal(ours, isIP(text) !== 0, text);
      },
    ),
    { numRuns: 3000, examples: [['1.2.3.4'], ['::1']] },
  );
  assert.ok(taken > 0);
});
