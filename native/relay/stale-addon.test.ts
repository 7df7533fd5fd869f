import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { load } from './native.ts';

test('an addon of older sources is told in plain words, with what to run', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-stale-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const path = join(folder, 'old.cjs');
  writeFileSync(path, 'module.exports = { start() {}, stop() {} };');
  assert.throws(() => load(path), {
    code: 'relay-not-built',
    message: /older sources .*lacks .*request,.*Run: npm rebuild @ringfence\/relay/s,
  });
});
