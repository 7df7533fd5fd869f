import type { DatabaseSync } from 'node:sqlite';
import type { Ban } from '../admission/bans/types.ts';
import { inTransaction } from './database.ts';

/** What is written about bans at a time. */
export interface BanWrite {
  readonly put: readonly Ban[];
  /** Names of those that were lifted. */
  readonly remove: readonly string[];
  /** Unix ms; those that ended before are of no interest any more. */
  readonly forgetBefore: number;
}

export function writeBans(database: DatabaseSync, { put, remove, forgetBefore }: BanWrite): void {
  inTransaction(database, () => {
    const insert = database.prepare('INSERT OR REPLACE INTO bans VALUES (?,?,?)');
    for (const ban of put) insert.run(ban.source, ban.until, JSON.stringify(ban));
    const drop = database.prepare('DELETE FROM bans WHERE source = ?');
    for (const source of remove) drop.run(source);
    database.prepare('DELETE FROM bans WHERE until < ?').run(forgetBefore);
  });
}

/** All of them, ended ones too, the oldest end first. */
export const listBans = (database: DatabaseSync): Ban[] =>
  database
    .prepare('SELECT ban FROM bans ORDER BY until')
    .all()
    .map(({ ban }) => JSON.parse(String(ban)) as Ban);
