/**
 * What the ledger takes: durable entries a second with group commit, beside plain inserts of the same rows into the
 * same SQLite (one transaction for each group, same durability), and how long verification of a million entries takes.
 * Processor time stands beside, since that of a shared machine says more than its clock.
 *
 *     npm run bench:ledger -- [--entries 200000] [--group 1000] [--no-write]
 */
import { createPublicKey } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import type { LedgerEntry } from '@ringfence/edge/ledger/contract.ts';
import { openSigningKey, PersonKeys } from '@ringfence/edge/ledger/keys.ts';
import { openLedger } from '@ringfence/edge/ledger/open.ts';
import { openSqlite } from '@ringfence/edge/ledger/sqlite.ts';
import { verifyLedger } from '@ringfence/edge/ledger/verify.ts';
import { LedgerWriter } from '@ringfence/edge/ledger/writer.ts';
import { machine, type Row, revision, row, table, writeSection } from './results.ts';

const { values } = parseArgs({
  options: {
    entries: { type: 'string', default: '200000' },
    group: { type: 'string', default: '1000' },
    'no-write': { type: 'boolean', default: false },
  },
});
const count = Number(values.entries);
const group = Number(values.group);

/** A call as the edge records it: one side known, the other a number. */
const entry = (n: number): LedgerEntry => ({
  class: 'call',
  tenant: 'example.test',
  time: 1_790_000_000_000 + n,
  body: { event: 'call', call: `call-${n}`, disposition: 'answered', status: 200, cause: 'normal', ended: n },
  persons: [
    {
      person: `user${n % 1000}@example.test`,
      proven: true,
      data: { as: 'caller', device: 'desk', remote: '192.0.2.1:5061' },
    },
  ],
});

interface Timed {
  readonly seconds: number;
  /** Seconds of processors, of all threads. */
  readonly processor: number;
}

async function timed(work: () => Promise<void>): Promise<Timed> {
  const began = performance.now();
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return { seconds: (performance.now() - began) / 1000, processor: (user + system) / 1_000_000 };
}

const folder = mkdtempSync(join(tmpdir(), 'ringfence-bench-ledger-'));
try {
  mkdirSync(join(folder, 'keys'), { mode: 0o700 });
  writeFileSync(join(folder, 'keys', 'store.key'), 'ab'.repeat(32), { mode: 0o600 });
  const backend = openSqlite({ file: join(folder, 'ledger.db') });
  const signing = openSigningKey(folder);
  const writer = new LedgerWriter({ backend, signing, persons: PersonKeys.of(folder), now: Date.now });
  const groups = Array.from({ length: Math.ceil(count / group) }, (_, g) =>
    Array.from({ length: Math.min(group, count - g * group) }, (__, i) => entry(g * group + i)),
  );
  const appended = await timed(async () => {
    for (const entries of groups) await writer.append(entries);
  });
  const ours = Math.round(count / appended.seconds);

  // As the edge does it: the entries go to the thread, and each is acknowledged.
  const running = join(folder, 'running');
  mkdirSync(join(running, 'keys'), { recursive: true, mode: 0o700 });
  writeFileSync(join(running, 'keys', 'store.key'), 'ab'.repeat(32), { mode: 0o600 });
  const ledger = await openLedger({
    home: running,
    place: { kind: 'sqlite', file: join(running, 'ledger.db') },
    retention: [],
    witness: { everyMinutes: 60 },
    commitMilliseconds: 5,
    now: Date.now,
  });
  const acknowledged = await timed(async () => {
    for (let g = 0; g < groups.length; g += 8)
      await Promise.all(groups.slice(g, g + 8).flatMap((some) => some.map((one) => ledger.appended(one))));
  });
  await ledger.close();

  const plain = new DatabaseSync(join(folder, 'plain.db'));
  plain.exec(
    'PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE entries (n INTEGER PRIMARY KEY, body TEXT)',
  );
  const insert = plain.prepare('INSERT INTO entries VALUES (?, ?)');
  const inserted = await timed(async () => {
    let n = 0;
    for (const entries of groups) {
      plain.exec('BEGIN');
      for (const one of entries) insert.run(n++, JSON.stringify(one));
      plain.exec('COMMIT');
    }
  });
  const theirs = Math.round(count / inserted.seconds);
  plain.close();

  const threads = Math.min(4, availableParallelism());
  const verified = await timed(async () => {
    const { damages, entries } = await verifyLedger(backend, {
      key: createPublicKey(signing),
      place: { kind: 'sqlite', file: join(folder, 'ledger.db') },
      threads,
    });
    if (damages.length > 0 || entries !== count) throw new Error('the ledger does not verify');
  });
  await backend.close();
  const each = ({ processor }: Timed): string =>
    `${((processor / count) * 1_000_000).toFixed(1)} µs of a processor each`;
  const rows: Row[] = [
    row({
      bench: 'ledger',
      work: `append, groups of ${group}, durable (target 20000)`,
      unit: 'entries/s',
      ours,
      peer: 'SQLite, plain inserts',
      theirs,
      note: `${each(appended)}, theirs ${each(inserted)}`,
    }),
    row({
      bench: 'ledger',
      work: `the same as the edge does it: through its thread, each acknowledged (target 20000)`,
      unit: 'entries/s',
      ours: Math.round(count / acknowledged.seconds),
      peer: 'none',
      theirs: null,
      note: each(acknowledged),
    }),
    row({
      bench: 'ledger',
      work: 'verify (target 6 s: 10 million in a minute)',
      unit: 's per million',
      ours: Math.round((verified.seconds / count) * 1_000_000 * 100) / 100,
      peer: 'none',
      theirs: null,
      note: `${threads} threads, ${each(verified)}; no peer verifies`,
    }),
  ];
  const text = `## Ledger\n\n${machine()}, ${revision()}, ${count} entries.\n\n${table(rows)}`;
  console.log(text);
  if (!values['no-write']) writeSection('ledger', text);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
