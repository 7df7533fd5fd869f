import assert from 'node:assert/strict';
import { it } from 'node:test';
import fc from 'fast-check';
import { describeSource, isLoopback, SourceKey } from './source.ts';

const keyOf = (address: string): string => {
  const key = new SourceKey().read(address);
  return `${(key.high >>> 0).toString(16)}:${(key.low >>> 0).toString(16)}`;
};

it('IPv4 addresses and IPv6 /64s are sources (RFC 4291 §2.2 forms)', () => {
  assert.equal(keyOf('192.0.2.255'), '0:c00002ff');
  assert.equal(keyOf('0.0.0.0'), '0:0');
  assert.equal(keyOf('2001:db8:1:2:3:4:5:6'), '20010db8:10002'.replace(/^/, ''));
  assert.equal(keyOf('2001:db8::1'), '20010db8:0');
  assert.equal(keyOf('2001:db8:0:7::'), '20010db8:7');
  assert.equal(keyOf('::1'), '0:0');
  assert.equal(keyOf('::'), '0:0');
  assert.equal(keyOf('::2:3:4:5:6:7'), '0:20003');
  assert.equal(keyOf('1::4:5:6:7:8'), '10000:4');
  assert.equal(keyOf('fe80::1%eth0'), 'fe800000:0');
  assert.equal(keyOf('FE80::1%veth:2'), 'fe800000:0');
  assert.equal(keyOf('::ffff:192.0.2.1'), '0:c0000201');
});

it('property: however an IPv6 address is written, its source is its first 64 bits', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 }),
      (groups) => {
        const full = groups.map((g) => g.toString(16)).join(':');
        const short = new URL(`http://[${full}]`).hostname.slice(1, -1);
        const word = (i: number): number => ((groups[i]! << 16) | groups[i + 1]!) >>> 0;
        const expected = `${word(0).toString(16)}:${word(2).toString(16)}`;
        assert.equal(keyOf(full), expected);
        assert.equal(keyOf(short), expected);
        assert.equal(keyOf(short.toUpperCase()), expected);
      },
    ),
    { numRuns: 2000 },
  );
});

it('sources are named for people, and loopback is known', () => {
  assert.equal(describeSource('192.0.2.1'), '192.0.2.1');
  assert.equal(describeSource('2001:db8:1:2::9'), '2001:db8:1:2::/64');
  assert.equal(describeSource('::ffff:192.0.2.1'), '192.0.2.1');
  assert.deepEqual(['127.0.0.1', '127.9.9.9', '::1', '128.0.0.1', '::2', '1.127.0.0'].map(isLoopback), [
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
});
