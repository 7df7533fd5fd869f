import type { DatabaseSync } from 'node:sqlite';
import type { Sealer, SecretPlace } from './seal.ts';
import { StoreError } from './store-error.ts';

/** Something by which a user proves to be himself beside the password, or an administrator's leave to set one up. */
export interface FactorRow {
  readonly domain: string;
  /** Lower case. */
  readonly user: string;
  /** Unguessable; names the row. */
  readonly id: string;
  readonly kind: 'totp' | 'passkey' | 'recovery' | 'invite';
  /** What its user calls it. */
  readonly label: string;
  /** Unix ms. */
  readonly since: number;
  /** When it was last used; 0: never. */
  readonly used: number;
  /** JSON of its kind, UTF-8. Sealed under the store's key, and overwritten in the store's thread. */
  readonly secret: Uint8Array;
}

export type FactorName = Pick<FactorRow, 'domain' | 'user' | 'id'>;

/** Sealed for its row and kind alone: a secret that was moved to another account opens there no more. */
const placeOf = ({ domain, user, id, kind }: Omit<FactorRow, 'secret' | 'label'>): SecretPlace => ({
  kind: 'factor',
  domain,
  name: user,
  algorithm: `${kind} ${id}`,
});

/** A row that does not open is left out, as if nobody had set it up. */
export function listFactors(database: DatabaseSync, sealer: Sealer): FactorRow[] {
  const rows: FactorRow[] = [];
  for (const row of database.prepare('SELECT * FROM account_factors ORDER BY since').all()) {
    const known = {
      domain: String(row.domain),
      user: String(row.user),
      id: String(row.id),
      kind: String(row.kind) as FactorRow['kind'],
      label: String(row.label),
      since: Number(row.since),
      used: Number(row.used),
    };
    try {
      const secret = Uint8Array.from(sealer.open(placeOf(known), row.sealed as Uint8Array));
      rows.push({ ...known, secret });
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
    }
  }
  return rows;
}

/** Both or neither; the caller holds no transaction. */
export function writeFactors(
  database: DatabaseSync,
  sealer: Sealer,
  put: readonly FactorRow[],
  remove: readonly FactorName[],
): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    const gone = database.prepare('DELETE FROM account_factors WHERE domain = ? AND user = ? AND id = ?');
    for (const { domain, user, id } of remove) gone.run(domain, user, id);
    const insert = database.prepare('INSERT OR REPLACE INTO account_factors VALUES (?,?,?,?,?,?,?,?)');
    for (const row of put) {
      const { domain, user, id, kind, label, since, used, secret } = row;
      insert.run(domain, user, id, kind, label, since, used, sealer.seal(placeOf(row), secret));
    }
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  } finally {
    for (const { secret } of put) secret.fill(0);
  }
}
