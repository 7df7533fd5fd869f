import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  estimateIndex,
  lastRtpIndex,
  packetIndex,
  rolloverCounterOf,
  sequenceOf,
  xorIndex48,
} from './packet-index.ts';

test('RFC 3711 3.3.1: the rollover counter is guessed around a wrap, both ways', () => {
  const at = (rolloverCounter: number, last: number, sequence: number) =>
    estimateIndex(packetIndex(rolloverCounter, last), sequence);
  assert.equal(at(5, 10, 11), packetIndex(5, 11));
  assert.equal(at(5, 0xffff, 0), packetIndex(6, 0));
  assert.equal(at(5, 3, 0xfffe), packetIndex(4, 0xfffe));
  assert.equal(at(5, 0x8000, 0), packetIndex(5, 0));
  assert.equal(at(5, 0x8001, 0), packetIndex(6, 0));
  assert.equal(at(5, 0x7fff, 0xffff), packetIndex(5, 0xffff));
  assert.equal(at(5, 0x7ffe, 0xffff), packetIndex(4, 0xffff));
});

test('RFC 3711 3.3.1: no index before the first and none behind the last', () => {
  assert.equal(estimateIndex(3, 0xfffe), undefined);
  assert.equal(estimateIndex(lastRtpIndex, 0), undefined);
  assert.equal(estimateIndex(lastRtpIndex, 0xffff), lastRtpIndex);
});

test('48 bits: octets of an index, beyond what 32 bits hold', () => {
  const octets = new Uint8Array(6);
  xorIndex48(octets, 0, 0x8123_4567_89ab);
  assert.deepEqual(octets, Uint8Array.of(0x81, 0x23, 0x45, 0x67, 0x89, 0xab));
  xorIndex48(octets, 0, 0x8123_4567_89ab);
  assert.deepEqual(octets, new Uint8Array(6));
});

test('property: within half the sequence space the true index is found, over all 48 bits', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: lastRtpIndex }),
      fc.integer({ min: -0x7fff, max: 0x7fff }),
      (highest, step) => {
        const index = highest + step;
        if (index < 0 || index > lastRtpIndex) return;
        assert.equal(estimateIndex(highest, sequenceOf(index)), index);
        assert.equal(packetIndex(rolloverCounterOf(index), sequenceOf(index)), index);
      },
    ),
    { numRuns: 2000 },
  );
});

test('property: the guess is the one that RFC 3711 appendix A computes with big integers', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: lastRtpIndex }),
      fc.integer({ min: 0, max: 0xffff }),
      (highest, sequence) => {
        const rollover = BigInt(highest) >> 16n;
        const last = BigInt(highest) & 0xffffn;
        let guess = rollover;
        if (last < 32768n) {
          if (BigInt(sequence) - last > 32768n) guess = rollover - 1n;
        } else if (last - 32768n > BigInt(sequence)) guess = rollover + 1n;
        const index = guess * 65536n + BigInt(sequence);
        const expected = guess < 0n || guess >= 1n << 32n ? undefined : Number(index);
        assert.equal(estimateIndex(highest, sequence), expected);
      },
    ),
    { numRuns: 2000 },
  );
});
