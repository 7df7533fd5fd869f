import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { applicationId, openDatabase } from './database.ts';
import { StoreError } from './store-error.ts';

/** What belongs to calls and to the layout itself is not copied: it grows, and says nothing about who may call. */
const left = new Set(['calls', 'legs', 'live_calls', 'migrations']);

/** Where SQLite keeps the number that `PRAGMA application_id` sets. */
const markOffset = 68;

const goodFile = (file: string): string => `${file}.good`;

/**
 * Copies domain objects, secrets (sealed as they are) and registrations beside the database, whole or not at all.
 *
 * Where the database is found damaged at a later start, the edge goes on with this copy.
 */
export function keepGoodCopy(database: DatabaseSync, file: string): void {
  const fresh = `${goodFile(file)}.new`;
  for (const end of ['', '-wal', '-shm']) rmSync(fresh + end, { force: true });
  // Its layout, indexes and constraints are those of every database of ours.
  openDatabase(fresh).close();
  database.prepare('ATTACH ? AS good').run(fresh);
  try {
    database.exec('BEGIN IMMEDIATE');
    for (const table of tablesOf(database)) {
      database.exec(`DELETE FROM good."${table}"`);
      database.exec(`INSERT INTO good."${table}" SELECT * FROM main."${table}"`);
    }
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  } finally {
    database.exec('DETACH good');
  }
  // Everything into one file, so that one rename puts it in place.
  const copy = openDatabase(fresh);
  copy.exec('PRAGMA journal_mode=DELETE');
  copy.close();
  renameSync(fresh, goodFile(file));
}

const tablesOf = (database: DatabaseSync): string[] =>
  database
    .prepare("SELECT name FROM main.sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
    .all()
    .map(({ name }) => String(name))
    .filter((name) => !left.has(name));

/**
 * Opens the database; one that is damaged is put aside under another name, with nothing changed in it, and its last
 * good copy, or an empty one, takes its place. `repaired` says so in words for the administrator.
 */
export function openOrRepair(file: string): { database: DatabaseSync; repaired: string | undefined } {
  try {
    return { database: openDatabase(file), repaired: undefined };
  } catch (error) {
    if (!(error instanceof StoreError) || error.code !== 'store-damaged' || !isOurs(file)) throw error;
    const aside = asideName(file);
    for (const end of ['', '-wal', '-shm']) if (existsSync(file + end)) renameSync(file + end, aside + end);
    const copied = existsSync(goodFile(file)) ? statSync(goodFile(file)).mtime.toISOString() : undefined;
    if (copied !== undefined) copyFileSync(goodFile(file), file);
    const database = openDatabase(file);
    const then = copied === undefined ? 'an empty one' : `the objects and registrations of ${copied}`;
    return {
      database,
      repaired: `${file} is damaged and was put aside as ${aside}, with its call records; the edge goes on with ${then}`,
    };
  }
}

/** Nothing is put aside that may be somebody else's file: ours has our mark, or had a good copy made of it. */
function isOurs(file: string): boolean {
  if (existsSync(goodFile(file))) return true;
  const header = Buffer.alloc(markOffset + 4);
  const descriptor = openSync(file, 'r');
  try {
    readSync(descriptor, header);
  } finally {
    closeSync(descriptor);
  }
  return header.readUInt32BE(markOffset) === applicationId;
}

function asideName(file: string): string {
  for (let i = 1; ; i++) {
    const name = `${file}.damaged-${i}`;
    if (!existsSync(name)) return name;
  }
}
