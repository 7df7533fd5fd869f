import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { noSmallDisk, onSmallDisk } from '../testing/small-disk.ts';

const program = fileURLToPath(new URL('./testing/full-disk.ts', import.meta.url));

for (const policy of ['go-on', 'refuse-calls'])
  test(`a disk that is full (${policy}): nothing is spoiled, what was lost is recorded as a gap, the ledger goes on`, {
    skip: noSmallDisk,
    timeout: 120_000,
  }, async () => {
    const seen = await onSmallDisk(program, 48, policy);
    assert.match(String(seen.first), /ledger\.db cannot be written .*free space/);
    assert.equal(seen.stillTold, true, 'it is over only when there is room');
    assert.deepEqual(seen.blocked, [false, policy === 'refuse-calls', false]);
    assert.deepEqual(seen.damages, []);
    assert.equal(seen.integrity, 'ok');
    assert.ok(Number(seen.lost) > 0, 'more came than can wait');
    assert.ok(Number(seen.gaps) > 0);
    assert.equal(Number(seen.recorded) + Number(seen.lost), seen.emitted, 'every entry is there or counted');
  });
