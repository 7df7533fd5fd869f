import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import type { ChainedEntry } from '@ringfence/ledger/chain.ts';
import { type EntryClass, entryClasses } from '@ringfence/ledger/entry.ts';
import type { SignedHead } from '@ringfence/ledger/head.ts';
import type { StoredEntry } from '@ringfence/ledger/verify-chunk.ts';
import type {
  LedgerBackend,
  LedgerCommit,
  LedgerEnd,
  LedgerTransaction,
  PersonKey,
  WordsOf,
} from './backend.ts';
import { decodeSubtrees, encodeSubtrees } from './end-bytes.ts';
import { LedgerError } from './ledger-error.ts';

/** `RFLE` */
const applicationId = 0x52464c45;
const layout = `
  CREATE TABLE ledger (
    one INTEGER PRIMARY KEY CHECK (one = 1), id TEXT NOT NULL, size INTEGER NOT NULL, time INTEGER NOT NULL,
    previous BLOB NOT NULL, subtrees BLOB NOT NULL, erasures INTEGER NOT NULL, indexed INTEGER NOT NULL
  ) STRICT;
  -- body and sealed are NULL where retention has taken them
  CREATE TABLE entries (sequence INTEGER PRIMARY KEY, header BLOB NOT NULL, body BLOB, sealed BLOB) STRICT;
  CREATE TABLE heads (
    size INTEGER PRIMARY KEY, time INTEGER NOT NULL, root BLOB NOT NULL, signature BLOB NOT NULL
  ) STRICT;
  CREATE TABLE nodes (
    level INTEGER NOT NULL, place INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, place)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE persons (
    id BLOB PRIMARY KEY, tenant TEXT NOT NULL, name BLOB NOT NULL, sealed BLOB NOT NULL, UNIQUE (tenant, name)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE VIRTUAL TABLE words USING fts5(
    list, content = '', contentless_delete = 1, detail = none,
    tokenize = "unicode61 remove_diacritics 0"
  );
  INSERT INTO words (words, rank) VALUES ('secure-delete', 1);
`;

export interface SqliteOptions {
  readonly file: string;
  /** Default true. */
  readonly create?: boolean;
}

/** Opens, and where there is none makes, a ledger in a file. */
export function openSqlite({ file, create = true }: SqliteOptions): LedgerBackend {
  try {
    const exists = existsSync(file);
    if (!exists && !create)
      throw new LedgerError('ledger-missing', `there is no ledger ${file} yet; \`ringfence up\` makes it`);
    if (!exists) mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
    const database = new DatabaseSync(file, { timeout: 5000 });
    try {
      if (!exists) chmodSync(file, 0o600);
      prepare(database, file);
      return new SqliteBackend(database, file);
    } catch (error) {
      database.close();
      throw error;
    }
  } catch (error) {
    throw asLedgerError(error, file);
  }
}

function prepare(database: DatabaseSync, file: string): void {
  const { application_id: id } = database.prepare('PRAGMA application_id').get() as {
    application_id: number;
  };
  const { tables } = database.prepare('SELECT count(*) AS tables FROM sqlite_schema').get() as {
    tables: number;
  };
  if (id !== applicationId && (id !== 0 || tables > 0))
    throw new LedgerError('ledger-foreign', `${file} is no ledger; name another file in \`ledger.file\``);
  // FULL: what was acknowledged survives a loss of power too. Deleted content is overwritten.
  database.exec(
    'PRAGMA journal_mode=WAL; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON; PRAGMA cache_size=-4096; PRAGMA journal_size_limit=16777216; PRAGMA wal_autocheckpoint=4000',
  );
  if (tables > 0) return;
  database.exec('BEGIN IMMEDIATE');
  try {
    const made = database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'ledger'").get();
    if (made === undefined) {
      database.exec(`PRAGMA application_id=${applicationId}; ${layout}`);
      database
        .prepare('INSERT INTO ledger VALUES (1, ?, 0, 0, ?, ?, 0, 0)')
        .run(randomBytes(16).toString('hex'), new Uint8Array(32), new Uint8Array(0));
    }
    database.exec('COMMIT');
  } catch (error) {
    if (database.isTransaction) database.exec('ROLLBACK');
    throw error;
  }
}

type Row = Record<string, unknown>;

/** A join of texts takes octets as they are, 0x00 included; only what it is called is changed, and changed back. */
const packedEntries = `
  SELECT CAST(group_concat(
    unhex(printf('%016x%08x%08x%08x', sequence, length(header), ifnull(length(body), 4294967295), ifnull(length(sealed), 4294967295)))
    || x'00' || header || unhex(printf('%08x', ifnull(length(body), 0))) || ifnull(body, x'') || ifnull(sealed, x''), ''
  ) AS BLOB) AS packed
  FROM (SELECT * FROM entries WHERE sequence >= ? ORDER BY sequence LIMIT ?)`;

/** Rows of one statement: a call for each costs more than the row. */
const rowsTogether = 16;
const insertTogether = `INSERT INTO entries VALUES ${Array(rowsTogether).fill('(?, ?, ?, ?)').join(', ')}`;

class SqliteBackend implements LedgerBackend {
  readonly ledger: string;
  readonly #database: DatabaseSync;
  readonly #file: string;
  readonly #statements = new Map<string, StatementSync>();

  constructor(database: DatabaseSync, file: string) {
    this.#database = database;
    this.#file = file;
    this.ledger = String(this.#get('SELECT id FROM ledger')?.id);
  }

  async transaction<T>(work: (open: LedgerTransaction) => Promise<T>): Promise<T> {
    try {
      this.#database.exec('BEGIN IMMEDIATE');
      const open: LedgerTransaction = {
        end: this.#end(),
        person: (tenant, name) => this.person(tenant, name),
        write: async (commit) => this.#write(commit),
        removeContent: async (sequences) => {
          for (const sequence of sequences)
            this.#run('UPDATE entries SET body = NULL, sealed = NULL WHERE sequence = ?', sequence);
        },
        removePerson: async (id) => {
          this.#run('DELETE FROM persons WHERE id = ?', id);
        },
        value: (name) => this.value(name),
      };
      const result = await work(open);
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw asLedgerError(error, this.#file);
    }
  }

  #write({ entries, nodes, end, head, keepHead, persons, values = {} }: LedgerCommit): void {
    for (const { id, tenant, name, sealed } of persons)
      this.#run('INSERT INTO persons VALUES (?, ?, ?, ?)', id, tenant, name, sealed);
    let at = 0;
    for (; at + rowsTogether <= entries.length; at += rowsTogether) {
      const values: SQLInputValue[] = [];
      for (let i = at; i < at + rowsTogether; i++) {
        const { sequence, header, body, sealed } = entries[i] as ChainedEntry;
        values.push(sequence, header, body, sealed);
      }
      this.#run(insertTogether, ...values);
    }
    for (const { sequence, header, body, sealed } of entries.slice(at))
      this.#run('INSERT INTO entries VALUES (?, ?, ?, ?)', sequence, header, body, sealed);
    for (const { level, index, hash } of nodes)
      this.#run('INSERT OR REPLACE INTO nodes VALUES (?, ?, ?)', level, index, hash);
    if (!keepHead) this.#run('DELETE FROM heads WHERE size = (SELECT max(size) FROM heads)');
    this.#run(
      'INSERT OR REPLACE INTO heads VALUES (?, ?, ?, ?)',
      head.size,
      head.time,
      head.root,
      head.signature,
    );
    for (const [name, value] of Object.entries(values))
      this.#run('INSERT OR REPLACE INTO settings VALUES (?, ?)', name, value);
    this.#run(
      'UPDATE ledger SET size = ?, time = ?, previous = ?, subtrees = ?, erasures = ?',
      end.size,
      end.time,
      end.previous,
      encodeSubtrees(end.subtrees),
      end.erasures,
    );
  }

  async end(): Promise<LedgerEnd> {
    return this.#end();
  }

  #end(): LedgerEnd {
    const row = this.#get('SELECT * FROM ledger');
    if (row === undefined)
      throw new LedgerError('ledger-damaged', `${this.#file} has lost its end; restore it from a backup`);
    return {
      size: Number(row.size),
      time: Number(row.time),
      previous: row.previous as Uint8Array,
      subtrees: decodeSubtrees(row.subtrees as Uint8Array),
      erasures: Number(row.erasures),
    };
  }

  async entries(from: number, limit: number): Promise<StoredEntry[]> {
    return this.#all(
      'SELECT sequence, header, body, sealed FROM entries WHERE sequence >= ? ORDER BY sequence LIMIT ?',
      from,
      limit,
    ).map(storedEntry);
  }

  async packed(from: number, limit: number): Promise<Buffer | undefined> {
    try {
      const row = this.#statement(packedEntries).get(from, limit);
      return row?.packed instanceof Uint8Array
        ? Buffer.from(row.packed.buffer, row.packed.byteOffset, row.packed.length)
        : Buffer.alloc(0);
    } catch (error) {
      // SQLITE_TOOBIG: more than a thousand million octets
      if ((error as { errcode?: number }).errcode === 18) return undefined;
      throw asLedgerError(error, this.#file);
    }
  }

  async ofClass(entryClass: EntryClass, from: number, limit: number): Promise<StoredEntry[]> {
    return this.#all(
      'SELECT sequence, header, body, sealed FROM entries WHERE sequence >= ? AND substr(header, 2, 1) = ? ORDER BY sequence LIMIT ?',
      from,
      Buffer.of(entryClasses.indexOf(entryClass)),
      limit,
    ).map(storedEntry);
  }

  async some(sequences: readonly number[]): Promise<StoredEntry[]> {
    return sequences.flatMap((sequence) => {
      const row = this.#get(
        'SELECT sequence, header, body, sealed FROM entries WHERE sequence = ?',
        sequence,
      );
      return row === undefined ? [] : [storedEntry(row)];
    });
  }

  async heads(): Promise<SignedHead[]> {
    return this.#all('SELECT * FROM heads ORDER BY size').map((row) => ({
      ledger: this.ledger,
      size: Number(row.size),
      time: Number(row.time),
      root: row.root as Uint8Array,
      signature: row.signature as Uint8Array,
    }));
  }

  async node(level: number, index: number): Promise<Uint8Array | undefined> {
    return this.#get('SELECT hash FROM nodes WHERE level = ? AND place = ?', level, index)?.hash as
      | Uint8Array
      | undefined;
  }

  async person(tenant: string, name: Uint8Array): Promise<PersonKey | undefined> {
    return this.#get('SELECT * FROM persons WHERE tenant = ? AND name = ?', tenant, name) as
      | PersonKey
      | undefined;
  }

  async personById(id: Uint8Array): Promise<PersonKey | undefined> {
    return this.#get('SELECT * FROM persons WHERE id = ?', id) as PersonKey | undefined;
  }

  async value(name: string): Promise<string | undefined> {
    return this.#get('SELECT value FROM settings WHERE name = ?', name)?.value as string | undefined;
  }

  async indexed(): Promise<number> {
    return Number(this.#get('SELECT indexed FROM ledger')?.indexed);
  }

  async index(words: readonly WordsOf[], upTo: number): Promise<void> {
    await this.#whole(() => {
      for (const { sequence, words: list } of words)
        this.#run('INSERT INTO words (rowid, list) VALUES (?, ?)', sequence, list.join(' '));
      this.#run('UPDATE ledger SET indexed = ?', upTo);
    });
  }

  async reindex(words: readonly WordsOf[]): Promise<void> {
    await this.#whole(() => {
      for (const { sequence, words: list } of words) {
        this.#run('DELETE FROM words WHERE rowid = ?', sequence);
        this.#run('INSERT INTO words (rowid, list) VALUES (?, ?)', sequence, list.join(' '));
      }
    });
  }

  async search(
    words: readonly string[],
    { from, before }: { readonly from: number; readonly before: number },
    limit: number,
  ): Promise<number[]> {
    return this.#all(
      'SELECT rowid AS sequence FROM words WHERE words MATCH ? AND rowid >= ? AND rowid < ? ORDER BY rowid DESC LIMIT ?',
      words.map((word) => `"${word}"`).join(' AND '),
      from,
      before,
      limit,
    ).map(({ sequence }) => Number(sequence));
  }

  async scrub(): Promise<void> {
    try {
      this.#database.exec("INSERT INTO words (words) VALUES ('optimize')");
      this.#database.exec('PRAGMA wal_checkpoint(TRUNCATE)');
    } catch (error) {
      throw asLedgerError(error, this.#file);
    }
  }

  async close(): Promise<void> {
    this.#statements.clear();
    this.#database.close();
  }

  async #whole(work: () => void): Promise<void> {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#database.exec('COMMIT');
    } catch (error) {
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw asLedgerError(error, this.#file);
    }
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #run(sql: string, ...values: SQLInputValue[]): void {
    this.#statement(sql).run(...values);
  }

  #get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    try {
      return this.#statement(sql).get(...values);
    } catch (error) {
      throw asLedgerError(error, this.#file);
    }
  }

  #all(sql: string, ...values: SQLInputValue[]): Row[] {
    try {
      return this.#statement(sql).all(...values);
    } catch (error) {
      throw asLedgerError(error, this.#file);
    }
  }
}

const storedEntry = (row: Row): StoredEntry => ({
  place: Number(row.sequence),
  header: row.header as Uint8Array,
  body: (row.body ?? undefined) as Uint8Array | undefined,
  sealed: (row.sealed ?? undefined) as Uint8Array | undefined,
});

/** What SQLite and the file system report, in words that an administrator can act on. */
function asLedgerError(error: unknown, file: string): Error {
  if (error instanceof LedgerError) return error;
  const { errcode, code, message } = error as { errcode?: number; code?: string; message?: string };
  switch ((errcode ?? 0) & 0xff) {
    case 5: // SQLITE_BUSY
    case 6: // SQLITE_LOCKED
      return new LedgerError(
        'ledger-busy',
        `${file} is locked by another program for more than 5 seconds; stop that program`,
      );
    case 11: // SQLITE_CORRUPT
    case 26: // SQLITE_NOTADB
      return new LedgerError(
        'ledger-damaged',
        `${file} is damaged (${message ?? 'unreadable'}). Nothing was changed. \`ringfence verify ledger\` names what can be read; restore it from a backup, or move it away to begin a new one`,
      );
    case 8: // SQLITE_READONLY
    case 10: // SQLITE_IOERR
    case 13: // SQLITE_FULL
    case 14: // SQLITE_CANTOPEN
      return unwritable(file, message ?? '');
  }
  if (code === 'EACCES' || code === 'EROFS' || code === 'ENOSPC' || code === 'ENOTDIR' || code === 'EPERM')
    return unwritable(file, code);
  return error instanceof Error ? error : new Error(String(error));
}

const unwritable = (file: string, why: string): LedgerError =>
  new LedgerError(
    'ledger-unwritable',
    `${file} cannot be written (${why}); check the folder's owner and mode, and the free space`,
  );
