/**
 * What the ledger takes: durable entries a second with group commit, beside plain inserts of the same rows into the
 * same SQLite (one transaction for each group, same durability), and how long verification of a million entries takes.
 *
 *     npm run bench:ledger -- [--entries 200000] [--group 1000] [--no-write]
 */
import { createPublicKey } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { parseArgs } from 'node:util';
import type { LedgerEntry } from '@ringfence/edge/ledger/contract.ts';
import { openSigningKey, PersonKeys } from '@ringfence/edge/ledger/keys.ts';
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
  let began = performance.now();
  for (const entries of groups) await writer.append(entries);
  const ours = Math.round(count / ((performance.now() - began) / 1000));

  const plain = new DatabaseSync(join(folder, 'plain.db'));
  plain.exec(
    'PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; CREATE TABLE entries (n INTEGER PRIMARY KEY, body TEXT)',
  );
  const insert = plain.prepare('INSERT INTO entries VALUES (?, ?)');
  began = performance.now();
  let n = 0;
  for (const entries of groups) {
    plain.exec('BEGIN');
    for (const one of entries) insert.run(n++, JSON.stringify(one));
    plain.exec('COMMIT');
  }
  const theirs = Math.round(count / ((performance.now() - began) / 1000));
  plain.close();

  began = performance.now();
  const { damages, entries } = await verifyLedger(backend, { key: createPublicKey(signing) });
  const seconds = (performance.now() - began) / 1000;
  if (damages.length > 0 || entries !== count) throw new Error('the ledger does not verify');
  await backend.close();
  const rows: Row[] = [
    row({
      bench: 'ledger',
      work: `append, groups of ${group}, durable (target 20000)`,
      unit: 'entries/s',
      ours,
      peer: 'SQLite, plain inserts',
      theirs,
    }),
    row({
      bench: 'ledger',
      work: 'verify (target 6 s: 10 million in a minute)',
      unit: 's per million',
      ours: Math.round((seconds / count) * 1_000_000 * 100) / 100,
      peer: 'none',
      theirs: null,
      note: 'no peer verifies',
    }),
  ];
  const text = `${machine()}, ${revision()}, ${count} entries.\n\n${table(rows)}`;
  console.log(text);
  if (!values['no-write']) writeSection('ledger', text);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
