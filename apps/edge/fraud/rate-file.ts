import { createReadStream, existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import type { Rate } from '@ringfence/tariff/rate.ts';
import { RateSheetReader, type SheetOptions, type SheetProblem } from '@ringfence/tariff/rate-sheet.ts';
import { RateTable, RateTableBuilder } from '@ringfence/tariff/rate-table.ts';

/** In the data folder: beside the store, so that an import of millions of rows holds up no call record. */
export const rateFile = (home: string): string => join(home, 'rates.db');

export interface Sheet {
  readonly name: string;
  readonly currency: string;
  readonly rows: number;
  /** Unix ms. */
  readonly importedAt: number;
  readonly source: string;
}

export interface ImportOutcome {
  readonly rows: number;
  /** Empty: it is in place of the sheet of that name. Else nothing has changed. */
  readonly problems: readonly SheetProblem[];
  readonly problemCount: number;
}

export interface ImportOptions extends SheetOptions {
  readonly sheet: string;
  readonly encoding: string;
  /** Unix ms. */
  readonly now: number;
}

export function openRates(file: string, create: boolean): DatabaseSync | undefined {
  if (!create && !existsSync(file)) return undefined;
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  const database = new DatabaseSync(file, { timeout: 5000 });
  database.exec(`
    PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-16384;
    CREATE TABLE IF NOT EXISTS sheets (
      name TEXT PRIMARY KEY, currency TEXT NOT NULL, rows INTEGER NOT NULL, imported_at INTEGER NOT NULL,
      source TEXT NOT NULL
    ) STRICT, WITHOUT ROWID;
    -- money in millionths of the currency
    CREATE TABLE IF NOT EXISTS rates (
      sheet TEXT NOT NULL, prefix TEXT NOT NULL, per_minute INTEGER NOT NULL, connection INTEGER NOT NULL,
      initial INTEGER NOT NULL, next INTEGER NOT NULL, PRIMARY KEY (sheet, prefix)
    ) STRICT, WITHOUT ROWID;`);
  return database;
}

/**
 * Reads a sheet into the place of the one of that name: the whole of it, or, where anything is wrong, nothing.
 *
 * Memory does not grow with the sheet: rows go into a transaction as they are read.
 */
export async function importSheet(
  database: DatabaseSync,
  path: string,
  options: ImportOptions,
): Promise<ImportOutcome> {
  database.exec('BEGIN IMMEDIATE');
  try {
    database.prepare('DELETE FROM rates WHERE sheet = ?').run(options.sheet);
    const insert = database.prepare('INSERT OR IGNORE INTO rates VALUES (?, ?, ?, ?, ?, ?)');
    const reader: RateSheetReader = new RateSheetReader(options, (rate, row) => {
      const { prefix, perMinute, connection, initial, next } = rate;
      const { changes } = insert.run(options.sheet, prefix, perMinute, connection, initial, next);
      if (Number(changes) === 0) reader.problem('prefix', `${prefix} stands in the sheet twice`, row);
    });
    await readText(path, options.encoding, reader);
    const well = reader.end();
    if (well) {
      database
        .prepare('INSERT OR REPLACE INTO sheets VALUES (?, ?, ?, ?, ?)')
        .run(options.sheet, options.currency, reader.rows, options.now, path);
      database.exec('COMMIT');
    } else database.exec('ROLLBACK');
    return { rows: reader.rows, problems: reader.problems, problemCount: reader.problemCount };
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

async function readText(path: string, encoding: string, reader: RateSheetReader): Promise<void> {
  let decoder: InstanceType<typeof TextDecoder> | undefined;
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 262_144 })) {
      const bytes = chunk as Uint8Array;
      decoder ??= new TextDecoder(encoding === '' ? markedEncoding(bytes) : encoding, { fatal: true });
      reader.push(decoder.decode(bytes, { stream: true }));
    }
    if (decoder !== undefined) reader.push(decoder.decode());
  } catch (error) {
    if ((error as { code?: string }).code !== 'ERR_ENCODING_INVALID_ENCODED_DATA') throw error;
    reader.problem(
      '',
      `from here on the text is not ${decoder?.encoding ?? 'utf-8'}: save it as UTF-8, or name its encoding, such as \`--encoding windows-1252\``,
    );
  }
}

/** By its byte order mark; UTF-8 where there is none. */
const markedEncoding = ([a, b]: Uint8Array): string =>
  a === 0xff && b === 0xfe ? 'utf-16le' : a === 0xfe && b === 0xff ? 'utf-16be' : 'utf-8';

export const listSheets = (database: DatabaseSync): Sheet[] =>
  database
    .prepare('SELECT * FROM sheets ORDER BY name')
    .all()
    .map((row) => ({
      name: String(row.name),
      currency: String(row.currency),
      rows: Number(row.rows),
      importedAt: Number(row.imported_at),
      source: String(row.source),
    }));

export function removeSheet(database: DatabaseSync, name: string): boolean {
  database.exec('BEGIN IMMEDIATE');
  database.prepare('DELETE FROM rates WHERE sheet = ?').run(name);
  const { changes } = database.prepare('DELETE FROM sheets WHERE name = ?').run(name);
  database.exec('COMMIT');
  return Number(changes) > 0;
}

/** Rows of a sheet that begin with these digits, in their order; at most `limit`. */
export const ratesOf = (database: DatabaseSync, sheet: string, prefix: string, limit: number): Rate[] =>
  database
    .prepare(
      "SELECT * FROM rates WHERE sheet = ?1 AND prefix >= ?2 AND prefix < ?2 || ':' ORDER BY prefix LIMIT ?3",
    )
    .all(sheet, prefix, limit)
    .map(rateOf);

const rateOf = (row: Readonly<Record<string, unknown>>): Rate => ({
  prefix: String(row.prefix),
  perMinute: Number(row.per_minute),
  connection: Number(row.connection),
  initial: Number(row.initial),
  next: Number(row.next),
});

/** Rows that are read in one go; calls are dealt with in between. */
const atOnce = 5_000;
/** Prefixes in memory, of all sheets together: 21 octets each. */
const mostPrefixes = 12_000_000;

/** All sheets in memory, for lookups. Those of another currency than the caps are in are left out, and told. */
export async function loadSheets(
  file: string,
  currency: string,
): Promise<{ readonly sheets: ReadonlyMap<string, RateTable>; readonly left: readonly string[] }> {
  const sheets = new Map<string, RateTable>();
  const left: string[] = [];
  const database = openRates(file, false);
  if (database === undefined) return { sheets, left };
  try {
    let all = 0;
    for (const { name, currency: own, rows } of listSheets(database)) {
      all += rows;
      if (own !== currency || all > mostPrefixes) {
        left.push(
          own === currency ? `${name} has too many rows` : `${name} is in ${own}, caps are in ${currency}`,
        );
        continue;
      }
      const builder = new RateTableBuilder(rows);
      let read = 0;
      for (const row of database
        .prepare('SELECT * FROM rates WHERE sheet = ? ORDER BY prefix')
        .iterate(name)) {
        builder.add(rateOf(row));
        read += 1;
        if (read % atOnce === 0) await new Promise((done) => setImmediate(done));
      }
      sheets.set(name, RateTable.built(builder));
    }
    return { sheets, left };
  } finally {
    database.close();
  }
}
