import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import fc from 'fast-check';
import { lastRtpIndex } from './packet-index.ts';
import { ReplayWindow } from './replay-window.ts';

test('RFC 3711 3.3.2: each index once, in any order within the window, none older', () => {
  const window = new ReplayWindow(64);
  for (const index of [100, 102, 101, 40, 39]) {
    assert.ok(window.check(index), `${index}`);
    window.accept(index);
    assert.ok(!window.check(index), `${index} again`);
  }
  assert.equal(window.highest, 102);
  assert.ok(!window.check(38));
  assert.ok(window.check(103));
  window.accept(10_000);
  assert.ok(!window.check(102));
  assert.ok(window.check(9_999));
  window.accept(lastRtpIndex);
  assert.ok(!window.check(lastRtpIndex));
  assert.ok(window.check(lastRtpIndex - 63));
  assert.ok(!window.check(lastRtpIndex - 64));
});

test('checking moves nothing', () => {
  const window = new ReplayWindow();
  assert.ok(window.check(7));
  assert.ok(window.check(7));
  assert.equal(window.highest, -1);
});

test('RFC 3711 3.3.2: a window below 64 is misuse', () => {
  for (const size of [0, 32, 63, 65, 1e9, Number.NaN])
    assert.throws(
      () => new ReplayWindow(size),
      (error: unknown) => error instanceof MisuseError && error.code === 'srtp-window',
    );
});

test('property: the window says what a list of all indexes seen would say', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: lastRtpIndex - 4000 }),
      fc.array(fc.integer({ min: 0, max: 400 }), { maxLength: 300 }),
      fc.constantFrom(64, 96, 128),
      (base, offsets, size) => {
        const window = new ReplayWindow(size);
        const seen = new Set<number>();
        let highest = -1;
        for (const offset of offsets) {
          const index = base + offset;
          const expected = !seen.has(index) && (index > highest || highest - index < size);
          assert.equal(window.check(index), expected);
          if (!expected) continue;
          window.accept(index);
          seen.add(index);
          highest = Math.max(highest, index);
        }
      },
    ),
    { numRuns: 300 },
  );
});
