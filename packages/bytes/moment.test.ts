import assert from 'node:assert/strict';
import { test } from 'node:test';
import { untilNext } from './moment.ts';

test('timers set at different times within a period fall together', () => {
  assert.equal(1003 + untilNext(1003, 50), 1050);
  assert.equal(1049.5 + untilNext(1049.5, 50), 1050);
  assert.equal(1050 + untilNext(1050, 50), 1100);
});
