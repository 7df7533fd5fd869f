import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { openSigningKey } from './keys.ts';
import { openSqlite } from './sqlite.ts';
import { verifyLedger } from './verify.ts';

/** A hundred with RINGFENCE_TEST_KILLS=100. */
const kills = Number(process.env.RINGFENCE_TEST_KILLS ?? '8');
const writer = fileURLToPath(new URL('./testing/writer.ts', import.meta.url));

/** Lets the writer run for a while once it is open, kills it, and gives what it had been promised. */
async function killAfter(folder: string, run: number, milliseconds: number): Promise<string[]> {
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', writer, folder, String(run)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_COMPILE_CACHE: join(folder, 'cache') },
    },
  );
  let output = '';
  child.stdout.setEncoding('latin1').on('data', (text: string) => {
    if (output === '') setTimeout(() => child.kill('SIGKILL'), milliseconds);
    output += text;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL', `the writer ended by itself with ${code}`);
  // a line cut off by the kill was never read as a promise
  return output.slice(0, output.lastIndexOf('\n')).split('\n').slice(1);
}

test(`entries that were acknowledged survive kill -9, and the ledger verifies (${kills} times)`, {
  timeout: 300_000,
}, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-ledger-kill-'));
  mkdirSync(join(folder, 'keys'), { mode: 0o700 });
  writeFileSync(join(folder, 'keys', 'store.key'), 'cd'.repeat(32), { mode: 0o600 });
  const promised = new Map<number, string>();
  try {
    for (let run = 0; run < kills; run++) {
      for (const line of await killAfter(folder, run, (run * 17) % 90)) {
        const [sequence = '', name = ''] = line.split(' ');
        assert.ok(!promised.has(Number(sequence)), `entry ${sequence} was promised twice`);
        promised.set(Number(sequence), name);
      }
    }
    const backend = openSqlite({ file: join(folder, 'ledger.db'), create: false });
    const { damages, entries } = await verifyLedger(backend, {
      key: createPublicKey(openSigningKey(folder)),
    });
    assert.deepEqual(damages, []);
    for (const row of await backend.entries(0, 1_000_000)) {
      const name = promised.get(row.place);
      if (name === undefined) continue;
      assert.equal((JSON.parse(Buffer.from(row.body ?? []).toString()) as { name: string }).name, name);
      promised.delete(row.place);
    }
    assert.equal(promised.size, 0, 'acknowledged entries are lost');
    assert.ok(entries > kills, 'hardly anything was written');
    t.diagnostic(`${kills} kills, ${entries} entries`);
    await backend.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
