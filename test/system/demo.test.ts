import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ringfence } from './harness/command.ts';
import { Home } from './harness/place.ts';

test('`ringfence demo --json`: exit code 0, and its summary says that every row held', async () => {
  const home = new Home();
  try {
    const { code, out, complaint } = await ringfence(home.path, ['demo', '--json']);
    const lines = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    const rows = lines.filter((line) => 'call' in line);
    const summary = lines.at(-1);
    assert.deepEqual(
      rows.filter(({ held }) => held !== true),
      [],
      complaint,
    );
    assert.equal(code, 0, complaint);
    assert.equal(summary?.failed, 0);
    assert.equal(summary?.rows, rows.length);
    assert.equal(summary?.held, rows.length);
    assert.ok(rows.length >= 90, `${rows.length} rows`);
    assert.ok(Number(summary?.bitExact) >= 88, `${summary?.bitExact} with audio`);
  } finally {
    home.remove();
  }
});
