import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { type EntryClass, entryClasses } from '@ringfence/ledger/entry.ts';
import { erasePerson } from '../ledger/erasure.ts';
import { csvHeader, csvLine, jsonLine, parquetOf } from '../ledger/export.ts';
import { hold, listHolds, release } from '../ledger/holds.ts';
import type { ReadableEntry } from '../ledger/read.ts';
import { type LedgerQuery, search } from '../ledger/search.ts';
import { noteAct } from './acts.ts';
import { flag, type Invocation, text, type Values } from './command.ts';
import { exitCode } from './exit-code.ts';
import { configurationOf } from './home.ts';
import { type OpenLedger, whoAsks, withLedger } from './ledger-place.ts';
import { print, printable, printJson, table } from './terminal.ts';
import { UsageError } from './usage-error.ts';

export function run(invocation: Invocation): Promise<number> {
  const { action, values, names } = invocation;
  const loaded = configurationOf(values);
  const tenant = (text(values, 'domain') ?? loaded.config.domain).toLowerCase();
  return withLedger(loaded, (open) => {
    switch (action) {
      case 'search':
        return find(open, names[0], values);
      case 'export':
        return exportAll(open, values);
      case 'holds':
        return showHolds(open, values);
      case 'hold':
        return begin(open, tenant, values);
      case 'release':
        return end(open, names[0] ?? '', values);
      default:
        return erase(open, tenant, names[0] ?? '', values);
    }
  });
}

async function find(
  { backend, keys }: OpenLedger,
  words: string | undefined,
  values: Values,
): Promise<number> {
  const query = queryOf(values, 50);
  const found = search(backend, keys, { ...query, ...(words === undefined ? {} : { text: words }) });
  const rows: string[][] = [];
  for await (const entry of found) {
    if (flag(values, 'json')) print(jsonLine(entry));
    else rows.push(row(entry));
  }
  if (flag(values, 'json')) return exitCode.done;
  print(
    rows.length === 0 ? 'Nothing was found.' : table(['ENTRY', 'TIME', 'CLASS', 'TENANT', 'CONTENT'], rows),
  );
  return exitCode.done;
}

const row = (entry: ReadableEntry): string[] => [
  String(entry.sequence),
  new Date(entry.time).toISOString().slice(0, 19).replace('T', ' '),
  entry.class,
  entry.tenant || '-',
  printable(
    [
      entry.body === undefined ? '(taken by retention)' : JSON.stringify(entry.body),
      ...entry.persons.map((person) => JSON.stringify(person)),
      ...(entry.erased > 0 ? [`(${entry.erased} erased)`] : []),
    ]
      .join(' ')
      .slice(0, 160),
  ),
];

/** Rows of a Parquet file are gathered in memory: so many at most. */
const mostParquet = 1_000_000;

async function exportAll({ backend, keys }: OpenLedger, values: Values): Promise<number> {
  const format = text(values, 'format') ?? 'jsonl';
  const out = text(values, 'out');
  const most = format === 'parquet' ? mostParquet : Number.MAX_SAFE_INTEGER;
  const found = search(backend, flag(values, 'without-persons') ? undefined : keys, queryOf(values, most));
  if (format === 'parquet') {
    if (out === undefined) throw new UsageError('a Parquet file needs a name: --out FILE', 'ledger');
    const entries: ReadableEntry[] = [];
    for await (const entry of found) entries.push(entry);
    noteExport(format, entries.length, values);
    await write(createWriteStream(resolve(out), { mode: 0o600 }), [parquetOf(entries)]);
    return exitCode.done;
  }
  if (format !== 'jsonl' && format !== 'csv')
    throw new UsageError('--format is jsonl, csv or parquet', 'ledger');
  const to = out === undefined ? process.stdout : createWriteStream(resolve(out), { mode: 0o600 });
  if (format === 'csv') to.write(csvHeader);
  let entries = 0;
  for await (const entry of found) {
    entries += 1;
    if (!to.write(format === 'csv' ? csvLine(entry) : `${jsonLine(entry)}\n`)) await once(to, 'drain');
  }
  noteExport(format, entries, values);
  if (to !== process.stdout) await write(to, []);
  return exitCode.done;
}

/** Whoever takes data of persons out of the ledger stands in it. */
const noteExport = (format: string, entries: number, values: Values): void =>
  noteAct({
    what: {
      format,
      entries,
      persons: !flag(values, 'without-persons'),
      domain: text(values, 'domain') ?? 'all',
      file: text(values, 'out') ?? '-',
    },
  });

async function write(to: Writable, parts: readonly Uint8Array[]): Promise<void> {
  for (const part of parts) to.write(part);
  const done = once(to, 'finish');
  to.end();
  await done;
}

async function showHolds({ backend }: OpenLedger, values: Values): Promise<number> {
  const holds = await listHolds(backend);
  if (flag(values, 'json')) printJson(holds);
  else if (holds.length === 0) print('There are no legal holds.');
  else
    print(
      table(
        ['HOLD', 'TENANT', 'OF', 'BY', 'REASON'],
        holds.map((one) => [
          one.id,
          one.tenant,
          one.person === undefined ? 'everybody' : 'one person',
          one.by,
          printable(one.reason),
        ]),
      ),
    );
  return exitCode.done;
}

async function begin(open: OpenLedger, tenant: string, values: Values): Promise<number> {
  const person = text(values, 'person');
  const made = await hold(open.backend, open.writer, open.keys, {
    tenant,
    reason: reasonOf(values),
    by: whoAsks(),
    at: Date.now(),
    ...(person === undefined ? {} : { person }),
    ...timesOf(values),
  });
  if (flag(values, 'json')) printJson(made);
  else
    print(
      `Hold ${made.id}: nothing of ${person ?? tenant} is taken by retention or erased until it is released.`,
    );
  return exitCode.done;
}

async function end(open: OpenLedger, id: string, values: Values): Promise<number> {
  await release(open.backend, open.writer, { id, by: whoAsks(), reason: reasonOf(values), at: Date.now() });
  if (flag(values, 'json')) printJson({ released: id });
  else print(`Hold ${id} is released.`);
  return exitCode.done;
}

async function erase(open: OpenLedger, tenant: string, person: string, values: Values): Promise<number> {
  const entries = await erasePerson(open.backend, open.writer, open.keys, {
    tenant,
    person: person.includes('@') || /^\+?[0-9]+$/.test(person) ? person : `${person}@${tenant}`,
    reason: reasonOf(values),
    by: whoAsks(),
    at: Date.now(),
  });
  if (flag(values, 'json')) printJson({ erased: person, entries });
  else
    print(
      `What ${entries} entries said of ${person} can be read no more. Backups made before hold the key until they are deleted.`,
    );
  return exitCode.done;
}

function reasonOf(values: Values): string {
  const reason = text(values, 'reason');
  if (reason === undefined || reason.trim() === '')
    throw new UsageError('say why with --reason TEXT: it is recorded', 'ledger');
  return reason.slice(0, 1000);
}

function queryOf(values: Values, usual: number): LedgerQuery {
  const limit = Number(text(values, 'limit') ?? usual);
  if (!Number.isSafeInteger(limit) || limit < 1)
    throw new UsageError('--limit is a number above 0', 'ledger');
  const named = text(values, 'class');
  if (named !== undefined && !(entryClasses as readonly string[]).includes(named))
    throw new UsageError(`--class is one of ${entryClasses.join(', ')}`, 'ledger');
  const tenant = text(values, 'domain')?.toLowerCase();
  const field = text(values, 'field');
  const at = field?.indexOf('=') ?? -1;
  if (field !== undefined && at < 1)
    throw new UsageError('--field is NAME=VALUE, such as status=486', 'ledger');
  return {
    limit,
    ...(named === undefined ? {} : { class: named as EntryClass }),
    ...(tenant === undefined ? {} : { tenant }),
    ...(field === undefined ? {} : { fields: { [field.slice(0, at)]: field.slice(at + 1) } }),
    ...timesOf(values),
  };
}

function timesOf(values: Values): { readonly since?: number; readonly until?: number } {
  const times: { since?: number; until?: number } = {};
  for (const name of ['since', 'until'] as const) {
    const given = text(values, name);
    if (given === undefined) continue;
    const time = Date.parse(given);
    if (Number.isNaN(time))
      throw new UsageError(`--${name} is a time such as 2026-05-01 or 2026-05-01T08:00Z`, 'ledger');
    times[name] = time;
  }
  return times;
}
