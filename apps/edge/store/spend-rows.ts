import type { DatabaseSync } from 'node:sqlite';

/** Something of money that outlives the process; what `key` begins with says what it is. */
export interface SpendRow {
  readonly key: string;
  /** JSON. */
  readonly value: string;
}

export const listSpend = (database: DatabaseSync): SpendRow[] =>
  database
    .prepare('SELECT key, value FROM spend')
    .all()
    .map(({ key, value }) => ({ key: String(key), value: String(value) }));

/** Both or neither; the caller holds no transaction. */
export function writeSpend(
  database: DatabaseSync,
  put: readonly SpendRow[],
  remove: readonly string[],
): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    const gone = database.prepare('DELETE FROM spend WHERE key = ?');
    for (const key of remove) gone.run(key);
    const insert = database.prepare('INSERT OR REPLACE INTO spend VALUES (?, ?)');
    for (const { key, value } of put) insert.run(key, value);
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}
