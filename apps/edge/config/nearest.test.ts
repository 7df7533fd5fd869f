import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { editDistance, nearest } from './nearest.ts';

test('distance counts insertion, deletion, change and the swap of neighbours', () => {
  assert.equal(editDistance('port', 'port', 9), 0);
  assert.equal(editDistance('prot', 'port', 9), 1);
  assert.equal(editDistance('listners', 'listeners', 9), 1);
  assert.equal(editDistance('', 'abc', 9), 3);
  assert.equal(editDistance('abcdef', 'uvwxyz', 3), 4);
});

test('distance is symmetric and bounded', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
      assert.equal(editDistance(a, b, 20), editDistance(b, a, 20));
      assert.ok(editDistance(a, b, 3) <= 4);
    }),
    { numRuns: 300 },
  );
});

test('the nearest name is found whatever its case; a far one is not', () => {
  assert.equal(nearest('Listeners', ['listeners', 'media']), 'listeners');
  assert.equal(nearest('transprot', ['address', 'transport']), 'transport');
  assert.equal(nearest('zebra', ['listeners', 'media']), undefined);
  assert.equal(nearest('x'.repeat(1000), ['x']), undefined);
});
