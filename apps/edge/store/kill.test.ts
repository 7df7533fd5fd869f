import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { listBindings } from './binding-rows.ts';
import { listCalls } from './call-rows.ts';
import { openDatabase } from './database.ts';

const kills = 100;
/** About 25 s on two idle cores; a busy machine may take longer. */
const enoughMs = 480_000;
const writer = fileURLToPath(new URL('./testing/writer.ts', import.meta.url));

interface Acknowledged {
  readonly bound: Set<string>;
  readonly live: Set<string>;
  readonly ended: Set<string>;
}

/** Lets the writer run for `milliseconds` once it is open, kills it, and takes down what it had been promised. */
async function killAfter(
  folder: string,
  run: number,
  milliseconds: number,
  seen: Acknowledged,
): Promise<number> {
  const child: ChildProcess = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', writer, folder, String(run)],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, NODE_COMPILE_CACHE: join(folder, 'cache') },
    },
  );
  let output = '';
  child.stdout!.setEncoding('latin1').on('data', (text: string) => {
    if (output === '') setTimeout(() => child.kill('SIGKILL'), milliseconds);
    output += text;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null];
  assert.equal(signal, 'SIGKILL', `the writer ended by itself with ${code}: ${output.slice(0, 200)}`);
  // a line cut off by the kill was never read as a promise
  const lines = output.slice(0, output.lastIndexOf('\n')).split('\n').slice(1);
  for (const line of lines) {
    const [what, name = ''] = line.split(' ');
    seen[what as keyof Acknowledged].add(name);
  }
  return lines.length;
}

test(`registrations and call records survive kill -9 (${kills} times)`, { timeout: 540_000 }, async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-kill-'));
  const seen: Acknowledged = { bound: new Set(), live: new Set(), ended: new Set() };
  const began = performance.now();
  let acknowledged = 0;
  let done = 0;
  try {
    // two at a time, each with a database of its own: the machine's two cores are there to be used
    const lanes = [0, 1].map(async (lane) => {
      const mine: Acknowledged = { bound: new Set(), live: new Set(), ended: new Set() };
      const home = join(folder, String(lane));
      for (let run = lane; run < kills && performance.now() - began < enoughMs; run += 2) {
        acknowledged += await killAfter(home, run, (run * 11) % 100, mine);
        done += 1;
        if (run % 10 < 2 || run >= kills - 2) verify(join(home, 'ringfence.db'), mine);
      }
      verify(join(home, 'ringfence.db'), mine);
      for (const key of ['bound', 'live', 'ended'] as const)
        for (const name of mine[key]) seen[key].add(`${lane} ${name}`);
    });
    await Promise.all(lanes);
    t.diagnostic(
      `${done} kills, ${acknowledged} acknowledged writes, ${((performance.now() - began) / 1000).toFixed(1)} s`,
    );
    assert.equal(done, kills, 'too slow to kill a hundred times');
    assert.ok(seen.bound.size > kills, 'hardly anything was written');
    assert.ok(seen.ended.size > kills, 'hardly any call ended');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

function verify(file: string, seen: Acknowledged): void {
  const database = openDatabase(file, { create: false });
  try {
    assert.deepEqual(
      database
        .prepare('PRAGMA integrity_check')
        .all()
        .map((row) => ({ ...row })),
      [{ integrity_check: 'ok' }],
    );
    const users = new Set(listBindings(database).map((b) => b.user));
    for (const name of seen.bound) assert.ok(users.has(name), `registration ${name} is lost`);
    const calls = new Map(listCalls(database, { limit: 1_000_000 }).map((c) => [c.id, c]));
    for (const id of seen.live) assert.equal(calls.get(id)?.legs.length, 2, `call ${id} is lost`);
    for (const id of seen.ended) {
      const found = calls.get(id);
      assert.ok(
        found?.disposition === 'answered' || found?.disposition === 'refused',
        `end of call ${id} is lost: ${found?.disposition}`,
      );
    }
    const { ids, rows } = database
      .prepare('SELECT count(DISTINCT id) AS ids, count(*) AS rows FROM calls')
      .get() as { ids: number; rows: number };
    assert.equal(ids, rows, 'a call was recorded twice');
  } finally {
    database.close();
  }
}
