import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ClockWatch } from './clock-watch.ts';

test('a clock that is set forward or back is noticed once; one that drifts is not', () => {
  let steady = 1_000_000;
  let wall = 5_000_000;
  const watch = new ClockWatch(
    () => steady,
    () => wall,
  );
  const pass = (ms: number, drift = 0): number => {
    steady += ms;
    wall += ms + drift;
    return watch.look();
  };
  assert.equal(pass(5_000), 0);
  for (let i = 0; i < 100; i++) assert.equal(pass(5_000, 10), 0, 'slow drift adds up to a second');
  assert.ok(pass(5_000, 3_600_000) > 3_590_000);
  assert.equal(pass(5_000), 0);
  assert.ok(pass(5_000, -86_400_000) < -86_390_000);
  assert.equal(pass(5_000), 0);
  assert.ok(Math.abs(watch.offset - (4_000_000 + 3_601_000 - 86_400_000)) < 1);
});
