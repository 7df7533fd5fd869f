import type { DatabaseSync } from 'node:sqlite';

/**
 * How an account, one of its devices, or one device at one place stands.
 *
 * `known`: that place is confirmed. `pending`: that place waits for it. `quarantined`: the device, or with an empty
 * `device` the whole account, was put aside by somebody.
 */
export interface AccountRow {
  readonly domain: string;
  /** Lower case. */
  readonly user: string;
  /** Empty: all of the account. */
  readonly device: string;
  /** Empty: wherever it is. */
  readonly network: string;
  readonly phone: string;
  readonly state: 'known' | 'pending' | 'quarantined';
  /** Unix ms. */
  readonly since: number;
  readonly until?: number;
  readonly by: string;
  readonly why: string;
  readonly evidence: Readonly<Record<string, string | number | boolean>>;
}

type AccountKey = Pick<AccountRow, 'domain' | 'user' | 'device' | 'network' | 'phone'>;

export const accountKey = (row: AccountKey): string =>
  [row.domain, row.user, row.device, row.network, row.phone].join('\n');

export function listAccounts(database: DatabaseSync): AccountRow[] {
  return database
    .prepare('SELECT * FROM account_standings ORDER BY since')
    .all()
    .map((row) => ({
      domain: String(row.domain),
      user: String(row.user),
      device: String(row.device),
      network: String(row.network),
      phone: String(row.phone),
      state: String(row.state) as AccountRow['state'],
      since: Number(row.since),
      ...(row.until === null ? {} : { until: Number(row.until) }),
      by: String(row.by),
      why: String(row.why),
      evidence: JSON.parse(String(row.evidence)) as AccountRow['evidence'],
    }));
}

/** Both or neither; the caller holds no transaction. */
export function writeAccounts(
  database: DatabaseSync,
  put: readonly AccountRow[],
  remove: readonly AccountKey[],
): void {
  database.exec('BEGIN IMMEDIATE');
  try {
    const gone = database.prepare(
      'DELETE FROM account_standings WHERE domain = ? AND user = ? AND device = ? AND network = ? AND phone = ?',
    );
    for (const { domain, user, device, network, phone } of remove)
      gone.run(domain, user, device, network, phone);
    const insert = database.prepare(
      'INSERT OR REPLACE INTO account_standings VALUES (?,?,?,?,?,?,?,?,?,?,?)',
    );
    for (const row of put)
      insert.run(
        row.domain,
        row.user,
        row.device,
        row.network,
        row.phone,
        row.state,
        row.since,
        row.until ?? null,
        row.by,
        row.why,
        JSON.stringify(row.evidence),
      );
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}
