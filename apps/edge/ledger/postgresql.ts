import { randomBytes } from 'node:crypto';
import { type EntryClass, entryClasses } from '@ringfence/ledger/entry.ts';
import type { SignedHead } from '@ringfence/ledger/head.ts';
import type { StoredEntry } from '@ringfence/ledger/verify-chunk.ts';
import { Client } from 'pg';
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

const layout = `
  CREATE TABLE ledger (
    one smallint PRIMARY KEY CHECK (one = 1), id text NOT NULL, size bigint NOT NULL, time bigint NOT NULL,
    previous bytea NOT NULL, subtrees bytea NOT NULL, erasures bigint NOT NULL, indexed bigint NOT NULL
  );
  CREATE TABLE entries (sequence bigint PRIMARY KEY, header bytea NOT NULL, body bytea, sealed bytea);
  CREATE TABLE heads (size bigint PRIMARY KEY, time bigint NOT NULL, root bytea NOT NULL, signature bytea NOT NULL);
  CREATE TABLE nodes (level smallint NOT NULL, place bigint NOT NULL, hash bytea NOT NULL, PRIMARY KEY (level, place));
  CREATE TABLE persons (
    id bytea PRIMARY KEY, tenant text NOT NULL, name bytea NOT NULL, sealed bytea NOT NULL, UNIQUE (tenant, name)
  );
  CREATE TABLE settings (name text PRIMARY KEY, value text NOT NULL);
  CREATE TABLE words (sequence bigint PRIMARY KEY, words text[] NOT NULL);
  CREATE INDEX words_found ON words USING gin (words);
`;

export interface PostgresqlOptions {
  /** `postgresql://user:password@host/database?sslmode=verify-full` */
  readonly url: string;
  /** Default `ringfence_ledger`. */
  readonly schema?: string;
  /** Default true. */
  readonly create?: boolean;
}

/** Opens, and where there is none makes, a ledger in a schema of a PostgreSQL database. */
export async function openPostgresql(options: PostgresqlOptions): Promise<LedgerBackend> {
  const schema = options.schema ?? 'ringfence_ledger';
  const connection = new Connection(options.url, schema);
  try {
    const backend = new PostgresqlBackend(
      connection,
      await prepare(connection, schema, options.create ?? true),
    );
    return backend;
  } catch (error) {
    await connection.close();
    throw error;
  }
}

async function prepare(connection: Connection, schema: string, create: boolean): Promise<string> {
  const there = async (): Promise<boolean> =>
    (await connection.query('SELECT to_regclass($1) IS NOT NULL AS there', [`"${schema}".ledger`]))[0]
      ?.there === true;
  if (!(await there())) {
    if (!create)
      throw new LedgerError(
        'ledger-missing',
        `there is no ledger in ${schema} yet; \`ringfence up\` makes it`,
      );
    await connection.whole(async () => {
      // of two nodes that start at once, one makes it
      await connection.query('SELECT pg_advisory_xact_lock(1380340293)');
      if (await there()) return;
      await connection.query(`CREATE SCHEMA IF NOT EXISTS "${schema}"`);
      await connection.query(`SET LOCAL search_path = "${schema}"`);
      await connection.query(layout);
      await connection.query('INSERT INTO ledger VALUES (1, $1, 0, 0, $2, $3, 0, 0)', [
        randomBytes(16).toString('hex'),
        Buffer.alloc(32),
        Buffer.alloc(0),
      ]);
    });
  }
  await connection.settle();
  const [row] = await connection.query('SELECT id FROM ledger');
  return String(row?.id);
}

type Row = Readonly<Record<string, unknown>>;

/** One connection, made again when it broke; a transaction that it broke in was not committed. */
class Connection {
  readonly #url: string;
  readonly #schema: string;
  #client: Client | undefined;
  #settled = false;
  #open = false;

  constructor(url: string, schema: string) {
    this.#url = url;
    this.#schema = schema;
  }

  async #connect(): Promise<Client> {
    if (this.#client !== undefined) return this.#client;
    const client = new Client({
      connectionString: this.#url,
      connectionTimeoutMillis: 5_000,
      application_name: 'ringfence ledger',
    });
    client.on('error', () => this.#lost(client));
    await client.connect();
    this.#client = client;
    if (this.#settled) await this.settle();
    return client;
  }

  #lost(client: Client): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    client.end().catch(() => undefined);
  }

  /** What is acknowledged is on disk, whatever the server's default is. */
  async settle(): Promise<void> {
    this.#settled = true;
    await this.query(`SET search_path = "${this.#schema}"`);
    await this.query('SET synchronous_commit = on');
    await this.query('SET statement_timeout = 0');
  }

  async query(text: string, values?: readonly unknown[]): Promise<Row[]> {
    if (this.#open && this.#client === undefined) throw away('the connection broke');
    try {
      const client = await this.#connect();
      const { rows } = await client.query(text, values === undefined ? undefined : [...values]);
      return rows as Row[];
    } catch (error) {
      throw this.#asLedgerError(error);
    }
  }

  async whole<T>(work: () => Promise<T>): Promise<T> {
    await this.query('BEGIN');
    this.#open = true;
    try {
      const result = await work();
      await this.query('COMMIT');
      return result;
    } catch (error) {
      if (this.#client !== undefined) await this.#client.query('ROLLBACK').catch(() => undefined);
      throw error;
    } finally {
      this.#open = false;
    }
  }

  async close(): Promise<void> {
    const client = this.#client;
    this.#client = undefined;
    await client?.end().catch(() => undefined);
  }

  #asLedgerError(error: unknown): Error {
    if (error instanceof LedgerError) return error;
    const { code = '', message = String(error) } = error as { code?: string; message?: string };
    // Class 53: insufficient resources, 53100 a full disk; 25006: read only (a standby).
    if (code.startsWith('53') || code === '25006')
      return new LedgerError('ledger-unwritable', `PostgreSQL takes nothing (${message}); check its disk`);
    if (code === '40P01' || code === '55P03' || code === '40001')
      return new LedgerError('ledger-busy', `PostgreSQL is locked by another program (${message})`);
    if (code === '28P01' || code === '28000' || code === '3D000' || code === '42501')
      return new LedgerError('ledger-key', `PostgreSQL lets the ledger not in: ${message}`);
    // Class 57: operator intervention; 08: connection. Node has words of its own.
    if (
      /^(?:57|08)/.test(code) ||
      /^E[A-Z]+$/.test(code) ||
      /terminated|timeout|closed|not queryable/i.test(message)
    ) {
      if (this.#client !== undefined) this.#lost(this.#client);
      return away(message === '' ? code : message);
    }
    return error instanceof Error ? error : new Error(message);
  }
}

const away = (why: string): LedgerError =>
  new LedgerError(
    'ledger-unreachable',
    `PostgreSQL does not answer (${why}); the ledger goes on when it does`,
  );

const packedEntries = `
  SELECT string_agg(
    int8send(sequence) || int4send(length(header)) || int4send(coalesce(length(body), -1))
    || int4send(coalesce(length(sealed), -1)) || '\\x00'::bytea || header || int4send(coalesce(length(body), 0))
    || coalesce(body, ''::bytea) || coalesce(sealed, ''::bytea), ''::bytea ORDER BY sequence
  ) AS packed
  FROM (SELECT * FROM entries WHERE sequence >= $1 ORDER BY sequence LIMIT $2) AS page`;

class PostgresqlBackend implements LedgerBackend {
  readonly ledger: string;
  readonly #connection: Connection;

  constructor(connection: Connection, ledger: string) {
    this.#connection = connection;
    this.ledger = ledger;
  }

  transaction<T>(work: (open: LedgerTransaction) => Promise<T>): Promise<T> {
    return this.#connection.whole(async () => {
      const open: LedgerTransaction = {
        end: await this.#end('SELECT * FROM ledger FOR UPDATE'),
        person: (tenant, name) => this.person(tenant, name),
        write: (commit) => this.#write(commit),
        removeContent: async (sequences) => {
          await this.#query('UPDATE entries SET body = NULL, sealed = NULL WHERE sequence = ANY($1)', [
            sequences,
          ]);
        },
        removePerson: async (id) => {
          await this.#query('DELETE FROM persons WHERE id = $1', [id]);
        },
        value: (name) => this.value(name),
      };
      return work(open);
    });
  }

  async #write({ entries, nodes, end, head, keepHead, persons, values = {} }: LedgerCommit): Promise<void> {
    // Everything in few statements, each sent once: the way to the server and back costs more than the rows.
    if (persons.length > 0)
      await this.#query(
        'INSERT INTO persons SELECT * FROM unnest($1::bytea[], $2::text[], $3::bytea[], $4::bytea[])',
        [
          persons.map(({ id }) => id),
          persons.map(({ tenant }) => tenant),
          persons.map(({ name }) => name),
          persons.map(({ sealed }) => sealed),
        ],
      );
    await this.#query(
      'INSERT INTO entries SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[])',
      [
        entries.map(({ sequence }) => sequence),
        entries.map(({ header }) => header),
        entries.map(({ body }) => body),
        entries.map(({ sealed }) => sealed),
      ],
    );
    if (nodes.length > 0)
      await this.#query(
        'INSERT INTO nodes SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[]) ON CONFLICT DO NOTHING',
        [nodes.map(({ level }) => level), nodes.map(({ index }) => index), nodes.map(({ hash }) => hash)],
      );
    if (!keepHead) await this.#query('DELETE FROM heads WHERE size = (SELECT max(size) FROM heads)');
    await this.#query(
      'INSERT INTO heads VALUES ($1, $2, $3, $4) ON CONFLICT (size) DO UPDATE SET time = $2, root = $3, signature = $4',
      [head.size, head.time, head.root, head.signature],
    );
    for (const [name, value] of Object.entries(values))
      await this.#query('INSERT INTO settings VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2', [
        name,
        value,
      ]);
    await this.#query('UPDATE ledger SET size = $1, time = $2, previous = $3, subtrees = $4, erasures = $5', [
      end.size,
      end.time,
      end.previous,
      encodeSubtrees(end.subtrees),
      end.erasures,
    ]);
  }

  end(): Promise<LedgerEnd> {
    return this.#end('SELECT * FROM ledger');
  }

  async #end(query: string): Promise<LedgerEnd> {
    const [row] = await this.#query(query);
    if (row === undefined)
      throw new LedgerError('ledger-damaged', 'the ledger has lost its end; restore it from a backup');
    return {
      size: Number(row.size),
      time: Number(row.time),
      previous: row.previous as Uint8Array,
      subtrees: decodeSubtrees(row.subtrees as Uint8Array),
      erasures: Number(row.erasures),
    };
  }

  async entries(from: number, limit: number): Promise<StoredEntry[]> {
    const rows = await this.#query(
      'SELECT sequence, header, body, sealed FROM entries WHERE sequence >= $1 ORDER BY sequence LIMIT $2',
      [from, limit],
    );
    return rows.map(storedEntry);
  }

  async packed(from: number, limit: number): Promise<Buffer | undefined> {
    try {
      const [row] = await this.#query(packedEntries, [from, limit]);
      return row?.packed instanceof Buffer ? row.packed : Buffer.alloc(0);
    } catch (error) {
      // more than a thousand million octets in one answer
      if (/out of memory|invalid memory alloc|too large|exceeds/i.test((error as Error).message))
        return undefined;
      throw error;
    }
  }

  async ofClass(entryClass: EntryClass, from: number, limit: number): Promise<StoredEntry[]> {
    const rows = await this.#query(
      'SELECT sequence, header, body, sealed FROM entries WHERE sequence >= $1 AND substring(header FROM 2 FOR 1) = $2 ORDER BY sequence LIMIT $3',
      [from, Buffer.of(entryClasses.indexOf(entryClass)), limit],
    );
    return rows.map(storedEntry);
  }

  async some(sequences: readonly number[]): Promise<StoredEntry[]> {
    const rows = await this.#query(
      'SELECT sequence, header, body, sealed FROM entries WHERE sequence = ANY($1::bigint[])',
      [sequences],
    );
    return rows.map(storedEntry);
  }

  async heads(): Promise<SignedHead[]> {
    const rows = await this.#query('SELECT * FROM heads ORDER BY size');
    return rows.map((row) => ({
      ledger: this.ledger,
      size: Number(row.size),
      time: Number(row.time),
      root: row.root as Uint8Array,
      signature: row.signature as Uint8Array,
    }));
  }

  async node(level: number, index: number): Promise<Uint8Array | undefined> {
    const [row] = await this.#query('SELECT hash FROM nodes WHERE level = $1 AND place = $2', [level, index]);
    return row?.hash as Uint8Array | undefined;
  }

  async person(tenant: string, name: Uint8Array): Promise<PersonKey | undefined> {
    const [row] = await this.#query('SELECT * FROM persons WHERE tenant = $1 AND name = $2', [tenant, name]);
    return row as PersonKey | undefined;
  }

  async personById(id: Uint8Array): Promise<PersonKey | undefined> {
    const [row] = await this.#query('SELECT * FROM persons WHERE id = $1', [id]);
    return row as PersonKey | undefined;
  }

  async value(name: string): Promise<string | undefined> {
    const [row] = await this.#query('SELECT value FROM settings WHERE name = $1', [name]);
    return row?.value as string | undefined;
  }

  async indexed(): Promise<number> {
    const [row] = await this.#query('SELECT indexed FROM ledger');
    return Number(row?.indexed);
  }

  async index(words: readonly WordsOf[], upTo: number): Promise<void> {
    await this.#connection.whole(async () => {
      await this.#putWords(words);
      await this.#query('UPDATE ledger SET indexed = greatest(indexed, $1)', [upTo]);
    });
  }

  reindex(words: readonly WordsOf[]): Promise<void> {
    return this.#connection.whole(() => this.#putWords(words));
  }

  async #putWords(words: readonly WordsOf[]): Promise<void> {
    // Arrays of arrays must all be of one length in PostgreSQL: so each list goes as one text.
    await this.#query(
      `INSERT INTO words SELECT sequence, string_to_array(list, ' ')
         FROM unnest($1::bigint[], $2::text[]) AS given (sequence, list)
       ON CONFLICT (sequence) DO UPDATE SET words = excluded.words`,
      [words.map(({ sequence }) => sequence), words.map(({ words: list }) => list.join(' '))],
    );
  }

  async search(
    words: readonly string[],
    { from, before }: { readonly from: number; readonly before: number },
    limit: number,
  ): Promise<number[]> {
    const rows = await this.#query(
      'SELECT sequence FROM words WHERE words @> $1::text[] AND sequence >= $2 AND sequence < $3 ORDER BY sequence DESC LIMIT $4',
      [words, from, before, limit],
    );
    return rows.map(({ sequence }) => Number(sequence));
  }

  async scrub(): Promise<void> {
    for (const table of ['persons', 'words', 'entries']) await this.#query(`VACUUM ${table}`);
  }

  close(): Promise<void> {
    return this.#connection.close();
  }

  #query(text: string, values?: readonly unknown[]): Promise<Row[]> {
    return this.#connection.query(text, values);
  }
}

const storedEntry = (row: Row): StoredEntry => ({
  place: Number(row.sequence),
  header: row.header as Uint8Array,
  body: (row.body ?? undefined) as Uint8Array | undefined,
  sealed: (row.sealed ?? undefined) as Uint8Array | undefined,
});
