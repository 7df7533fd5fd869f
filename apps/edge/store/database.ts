import { chmodSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { layoutVersion, migrations } from './migrations.ts';
import { asStoreError, damaged, StoreError } from './store-error.ts';

/** `RFNC`, so that `file(1)` and we know the database for ours. */
export const applicationId = 0x52464e43;
/** Up to this size the whole file is checked at every start; larger ones are checked as they are read. */
const checkedBytes = 16 * 1024 * 1024;

/**
 * Opens the database, creating it and bringing its layout up to date.
 *
 * WAL, `synchronous=NORMAL`: a commit survives the death of the process; loss of power may take the last ones with it,
 * and never damages the rest. One process may write while others read.
 * Throws `StoreError`: newer than this program, another program's, damaged, locked, not writable. A database that is
 * refused is left as it was.
 */
export function openDatabase(
  file: string,
  options: { readonly create?: boolean; readonly now?: number } = {},
): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    const exists = existsSync(file);
    if (!exists) {
      if (options.create === false) {
        throw new StoreError(
          'store-unwritable',
          `there is no database ${file} yet; run \`ringfence up\` once, or check RINGFENCE_HOME`,
        );
      }
      mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    }
    database = new DatabaseSync(file, { timeout: 5000, enableForeignKeyConstraints: true });
    if (!exists) chmodSync(file, 0o600);
    refuseForeign(database, file);
    database.exec(
      'PRAGMA journal_mode=WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size=-1024; PRAGMA journal_size_limit=8388608',
    );
    prepareDatabase(database, file, options.now ?? Date.now());
    if (exists && statSync(file).size <= checkedBytes) {
      const [found] = database.prepare('PRAGMA quick_check(1)').all();
      const verdict = String(Object.values(found ?? {})[0]);
      if (verdict !== 'ok') throw damaged(file, verdict);
    }
    return database;
  } catch (error) {
    database?.close();
    throw asStoreError(error, file);
  }
}

function refuseForeign(database: DatabaseSync, file: string): void {
  const { application_id: id } = database.prepare('PRAGMA application_id').get() as {
    application_id: number;
  };
  if (id === applicationId) return;
  const { tables } = database.prepare('SELECT count(*) AS tables FROM sqlite_schema').get() as {
    tables: number;
  };
  if (tables > 0 || id !== 0) {
    throw new StoreError(
      'store-foreign',
      `${file} is another program's database; name another file in \`store.file\``,
    );
  }
}

/**
 * Opens the database of an edge, which may run, so that nothing in it can be changed.
 * Throws `StoreError`: missing, newer or older than this program, another program's, damaged, locked.
 */
export function openReadOnly(file: string): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    if (!existsSync(file))
      throw new StoreError('store-unwritable', `there is no database ${file}; check RINGFENCE_HOME`);
    database = new DatabaseSync(file, { readOnly: true, timeout: 5000 });
    refuseForeign(database, file);
    const found = layoutOf(database);
    refuseNewer(found, file);
    if (found < layoutVersion)
      throw new StoreError(
        'store-unwritable',
        `${file} was written by an older Ringfence (layout ${found}, this program reads ${layoutVersion}); start the edge once, which brings it up to date`,
      );
    return database;
  } catch (error) {
    database?.close();
    throw asStoreError(error, file);
  }
}

function layoutOf(database: DatabaseSync): number {
  const row = database
    .prepare("SELECT count(*) AS there FROM sqlite_schema WHERE name = 'migrations'")
    .get() as { there: number };
  if (row.there === 0) return 0;
  const { version } = database
    .prepare('SELECT coalesce(max(version), 0) AS version FROM migrations')
    .get() as { version: number };
  return version;
}

function refuseNewer(found: number, file: string): void {
  if (found <= layoutVersion) return;
  throw new StoreError(
    'store-newer',
    `${file} was written by a newer Ringfence (layout ${found}, this program knows ${layoutVersion}); install that version, or restore the backup from before the upgrade`,
  );
}

/** Brings the layout up to date, each step in its own transaction. */
export function prepareDatabase(database: DatabaseSync, file: string, now: number): void {
  const current = (): number => layoutOf(database);
  const found = current();
  refuseNewer(found, file);
  for (const migration of migrations) {
    if (migration.version <= found) continue;
    inTransaction(database, () => {
      // another process may have been faster
      if (current() >= migration.version) return;
      if (migration.version === 1) {
        database.exec(
          `PRAGMA application_id=${applicationId};
           CREATE TABLE migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL) STRICT`,
        );
      }
      database.exec(migration.sql);
      database.prepare('INSERT INTO migrations VALUES (?, ?, ?)').run(migration.version, migration.name, now);
    });
  }
}

/** All or nothing; takes the write lock at once, so that it never fails half-way for being second. */
export function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}
