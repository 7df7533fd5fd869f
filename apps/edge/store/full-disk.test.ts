import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { noSmallDisk, onSmallDisk } from '../testing/small-disk.ts';

const program = fileURLToPath(new URL('./testing/full-disk.ts', import.meta.url));

test('a disk that is full: registrations are refused, call records wait, nothing is spoiled, and it goes on', {
  skip: noSmallDisk,
  timeout: 120_000,
}, async () => {
  const seen = await onSmallDisk(program, 24);
  assert.equal(seen.first, 'disk');
  assert.equal(seen.stillTold, true, 'it is over only when there is room');
  assert.equal(seen.refused, 'store-unwritable');
  assert.equal(seen.failure, '');
  assert.equal(seen.integrity, 'ok');
  assert.equal(seen.repaired, '');
  assert.deepEqual(seen.bindings, ['user1', 'user3']);
  assert.ok(Number(seen.acknowledged) > 50);
  assert.deepEqual(seen.missing, [], 'records that came while there was no room were written when there was');
  assert.equal(seen.live, 0, 'the call that ended meanwhile has ended');
});
