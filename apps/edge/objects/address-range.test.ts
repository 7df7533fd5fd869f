import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { overlap, readRange } from './address-range.ts';

test('addresses and blocks are read; host bits, zones and words are not', () => {
  for (const text of [
    '192.0.2.1',
    '192.0.2.0/24',
    '0.0.0.0/0',
    '::1',
    '2001:db8::/32',
    '::ffff:192.0.2.1',
    '::/0',
    'fd00:1:2:3:4:5:6:7',
  ])
    assert.ok(readRange(text), text);
  for (const text of [
    '',
    '192.0.2.1/24',
    '192.0.2.1/33',
    '192.0.2.0/-1',
    '192.0.2.0/024',
    '192.0.2.0/',
    '2001:db8::1/32',
    'fe80::1%eth0',
    'a.example',
    '1.2.3',
    '1.2.3.4/5/6',
  ])
    assert.equal(readRange(text), undefined, text);
});

test('ranges hold what BlockList says they hold', () => {
  const groups = fc.array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 });
  fc.assert(
    fc.property(groups, groups, fc.integer({ min: 0, max: 128 }), (a, b, prefix) => {
      const text = (words: number[]) => words.map((word) => word.toString(16)).join(':');
      const bits = a.map(
        (word, i) => word & (0xffff << Math.max(0, Math.min(16, 16 - (prefix - i * 16)))) & 0xffff,
      );
      const range = readRange(`${text(bits)}/${prefix}`);
      assert.ok(range);
      const list = new BlockList();
      list.addSubnet(text(bits), prefix, 'ipv6');
      for (const address of [a, b])
        assert.equal(overlap(range, readRange(text(address))!), list.check(text(address), 'ipv6'));
    }),
    { numRuns: 300 },
  );
});
