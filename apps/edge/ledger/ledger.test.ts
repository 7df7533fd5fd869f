import assert from 'node:assert/strict';
import { createPublicKey, type KeyObject } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import { leafHash } from '@ringfence/ledger/merkle.ts';
import { checkInclusion } from '@ringfence/ledger/merkle-proof.ts';
import { Client } from 'pg';
import type { LedgerBackend } from './backend.ts';
import type { LedgerEntry } from './contract.ts';
import { erasePerson } from './erasure.ts';
import { hold, listHolds, release } from './holds.ts';
import { Indexer } from './indexer.ts';
import { openSigningKey, PersonKeys } from './keys.ts';
import { openPostgresql } from './postgresql.ts';
import type { LedgerPlace } from './protocol.ts';
import { prove } from './prove.ts';
import { EntryReader } from './read.ts';
import { applyRetention } from './retention.ts';
import { type LedgerQuery, search } from './search.ts';
import { openSqlite } from './sqlite.ts';
import { type Postgres, postgresFolder, startPostgres } from './testing/postgres.ts';
import { verifyLedger } from './verify.ts';
import { LedgerWriter } from './writer.ts';

const bin = postgresFolder();
const tenant = 'example.test';
const start = Date.UTC(2026, 0, 1);
const day = 86_400_000;

interface Place {
  /** Opens the same ledger again, as another process would. */
  open(): Promise<LedgerBackend>;
  /** For threads that open it by themselves. */
  readonly where: LedgerPlace;
  /** What an intruder does to the database itself. */
  tamper(sql: string): Promise<void>;
  /** All octets on disk, for looking what is still there. */
  readonly files: (() => Buffer) | undefined;
}

interface Desk {
  readonly place: Place;
  readonly backend: LedgerBackend;
  readonly writer: LedgerWriter;
  readonly keys: PersonKeys;
  readonly signing: KeyObject;
  readonly indexer: Indexer;
}

const folders: string[] = [];
function newHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'ringfence-ledger-'));
  folders.push(home);
  mkdirSync(join(home, 'keys'), { mode: 0o700 });
  writeFileSync(join(home, 'keys', 'store.key'), 'ab'.repeat(32), { mode: 0o600 });
  return home;
}
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function sqlitePlace(): Place {
  const home = newHome();
  const file = join(home, 'ledger.db');
  return {
    open: async () => openSqlite({ file }),
    where: { kind: 'sqlite', file },
    tamper: async (sql) => {
      const database = new DatabaseSync(file);
      database.exec(sql);
      database.close();
    },
    files: () =>
      Buffer.concat(
        readdirSync(home)
          .filter((name) => name.startsWith('ledger.db'))
          .map((name) => readFileSync(join(home, name))),
      ),
  };
}

let schemas = 0;
function postgresPlace(server: string): Place {
  schemas += 1;
  const schema = `ledger_${schemas}`;
  const url = server;
  return {
    open: () => openPostgresql({ url, schema }),
    where: { kind: 'postgresql', url, schema },
    tamper: async (sql) => {
      const client = new Client({ connectionString: url });
      await client.connect();
      await client.query(`SET search_path = ${schema}; ${sql}`);
      await client.end();
    },
    files: undefined,
  };
}

const call = (n: number, more: Partial<LedgerEntry> = {}): LedgerEntry => ({
  class: 'call',
  tenant,
  time: start + n * 60_000,
  body: { event: 'call.ended', call: `call-${n}`, status: n % 2 === 0 ? 200 : 486, seconds: n },
  persons: [
    { person: `alice@${tenant}`, proven: true, data: { as: 'caller', device: 'desk', address: '192.0.2.7' } },
    { person: `+1202555${String(1000 + n)}`, proven: true, data: { as: 'callee' } },
  ],
  ...more,
});

function suite(name: string, place: () => Place): void {
  const desk = async (): Promise<Desk> => {
    const here = place();
    const home = newHome();
    const backend = await here.open();
    const keys = PersonKeys.of(home);
    const signing = openSigningKey(home);
    const writer = new LedgerWriter({ backend, signing, persons: keys, now: () => start });
    return { place: here, backend, writer, keys, signing, indexer: new Indexer(backend, keys) };
  };
  const found = async ({ backend, signing }: Desk): Promise<string[]> => {
    const { damages } = await verifyLedger(backend, { key: createPublicKey(signing) });
    return damages.map(({ kind, from, to }) => `${kind} ${from}-${to}`);
  };
  const numbers = async ({ backend, keys }: Desk, query: Partial<LedgerQuery>): Promise<number[]> => {
    const list: number[] = [];
    for await (const { sequence } of search(backend, keys, { limit: 100, ...query })) list.push(sequence);
    return list;
  };
  const filled = async (count: number): Promise<Desk> => {
    const made = await desk();
    for (let n = 0; n < count; n += 25)
      await made.writer.append(Array.from({ length: Math.min(25, count - n) }, (_, i) => call(n + i)));
    return made;
  };
  const end = async ({ backend }: Desk): Promise<void> => backend.close();

  test(`${name}: entries get their numbers, verify, and come back with what is said of persons`, async () => {
    const made = await filled(60);
    assert.deepEqual(await found(made), []);
    const reader = new EntryReader(made.backend, made.keys);
    const [row] = await made.backend.entries(7, 1);
    assert.ok(row);
    const entry = await reader.read(row);
    assert.equal(entry?.sequence, 7);
    assert.equal(entry.body?.call, 'call-7');
    assert.deepEqual(entry.persons[0], {
      as: 'caller',
      address: '192.0.2.7',
      device: 'desk',
      person: `alice@${tenant}`,
    });
    const closed = await new EntryReader(made.backend, undefined).read(row);
    assert.deepEqual(closed?.persons, []);
    assert.equal(closed?.erased, 2);
    // names and numbers stand nowhere in the clear
    if (made.place.files !== undefined) assert.ok(!made.place.files().includes('alice@'));
    await end(made);
  });

  test(`${name}: two processes append to one ledger, and it stays one chain`, async () => {
    const made = await desk();
    const other = await made.place.open();
    const second = new LedgerWriter({
      backend: other,
      signing: made.signing,
      persons: made.keys,
      now: () => start,
    });
    for (let n = 0; n < 20; n++) await (n % 2 === 0 ? made.writer : second).append([call(n), call(n)]);
    assert.equal((await made.backend.end()).size, 40);
    assert.deepEqual(await found(made), []);
    await other.close();
    await end(made);
  });

  test(`${name}: what an intruder edits, drops, reorders or cuts off is named`, async () => {
    const cases: readonly (readonly [sql: string, expected: readonly string[]])[] = [
      [
        'UPDATE entries SET body = (SELECT body FROM entries WHERE sequence = 3) WHERE sequence = 12',
        ['edited 12-12'],
      ],
      [
        'UPDATE entries SET sealed = (SELECT sealed FROM entries WHERE sequence = 3) WHERE sequence = 12',
        ['edited 12-12'],
      ],
      [
        'UPDATE entries SET header = (SELECT header FROM entries WHERE sequence = 3) WHERE sequence = 12',
        ['edited 12-12', 'reordered 12-12', 'dropped 12-12'],
      ],
      ['DELETE FROM entries WHERE sequence = 30', ['dropped 30-30']],
      ['DELETE FROM entries WHERE sequence BETWEEN 10 AND 20', ['dropped 10-20']],
      ['DELETE FROM entries WHERE sequence >= 44', ['truncated 44-49']],
      [
        'UPDATE entries SET sequence = -1 WHERE sequence = 5; UPDATE entries SET sequence = 5 WHERE sequence = 9; UPDATE entries SET sequence = 9 WHERE sequence = -1',
        ['reordered 5-5', 'reordered 9-9'],
      ],
      ['UPDATE entries SET body = NULL, sealed = NULL WHERE sequence = 8', ['removed 8-8']],
      ['DELETE FROM heads', ['unsigned 0-49']],
      [
        'UPDATE heads SET root = previous FROM ledger WHERE heads.size = 50',
        ['head-forged 49-49', 'unsigned 25-49'],
      ],
    ];
    for (const [sql, expected] of cases) {
      const made = await filled(50);
      await made.place.tamper(sql);
      assert.deepEqual((await found(made)).sort(), [...expected].sort(), sql);
      await end(made);
    }
  });

  test(`${name}: several threads find in many parts what one reader finds in one`, async () => {
    const made = await filled(200);
    await made.place.tamper(`
      UPDATE entries SET body = (SELECT body FROM entries WHERE sequence = 3) WHERE sequence IN (12, 47, 48);
      UPDATE entries SET body = NULL WHERE sequence BETWEEN 60 AND 70;
      DELETE FROM entries WHERE sequence BETWEEN 90 AND 140;
      UPDATE entries SET header = (SELECT header FROM entries WHERE sequence = 31) WHERE sequence = 160;
      DELETE FROM entries WHERE sequence >= 195`);
    const options = { key: createPublicKey(made.signing), place: made.place.where };
    const done: number[] = [];
    const progress = (at: number): unknown => done.push(at);
    const whole = await verifyLedger(made.backend, options);
    const parts = await verifyLedger(made.backend, { ...options, partLength: 16, progress });
    const threads = await verifyLedger(made.backend, { ...options, partLength: 16, threads: 2 });
    assert.deepEqual(parts, whole);
    assert.deepEqual(threads, whole);
    assert.deepEqual(
      whole.damages.map(({ kind, from, to }) => `${kind} ${from}-${to}`).sort(),
      ['dropped 160-160', 'dropped 90-140', 'edited 12-12', 'edited 160-160', 'edited 47-48']
        .concat('removed 60-70', 'reordered 160-160', 'truncated 195-199')
        .sort(),
    );
    assert.match(whole.damages.find(({ from }) => from === 60)?.text ?? '', /entries 60 to 70/);
    assert.deepEqual(done, [16, 32, 48, 64, 80, 90, 144, 160, 176, 192, 195]);
    await end(made);
  });

  test(`${name}: an entry put in far away keeps nobody from verifying`, async () => {
    const made = await filled(50);
    await made.place.tamper(`
      UPDATE ledger SET size = 2000000000001;
      UPDATE entries SET sequence = 2000000000000 WHERE sequence = 49`);
    const list = await found(made);
    assert.ok(list.includes('reordered 2000000000000-2000000000000'), String(list));
    assert.ok(list.includes('dropped 50-2000000000000'), String(list));
    await end(made);
  });

  test(`${name}: words, fields, class, tenant and time find entries, indexed or not yet`, async () => {
    const made = await filled(50);
    await made.writer.append([
      call(60, {
        class: 'login',
        body: { event: 'registration.added', note: 'Größe Zürich' },
        tenant: 'other.test',
      }),
    ]);
    const look = async (): Promise<void> => {
      assert.deepEqual(await numbers(made, { text: 'call-17' }), [17]);
      assert.deepEqual(await numbers(made, { text: '+12025551017' }), [17]);
      assert.deepEqual(await numbers(made, { text: 'zürich' }), [50]);
      assert.deepEqual(await numbers(made, { text: 'zürich', tenant }), []);
      assert.deepEqual(await numbers(made, { class: 'login' }), [50]);
      assert.deepEqual(await numbers(made, { tenant: 'other.test' }), [50]);
      assert.deepEqual(await numbers(made, { fields: { call: 'call-3' } }), [3]);
      assert.deepEqual(await numbers(made, { fields: { person: '+12025551003' } }), [3]);
      assert.equal((await numbers(made, { fields: { status: '486' } })).length, 25);
      assert.deepEqual(
        await numbers(made, { since: start + 10 * 60_000, until: start + 13 * 60_000 }),
        [12, 11, 10],
      );
      assert.deepEqual(await numbers(made, { text: 'alice', limit: 2 }), [50, 49]);
      assert.deepEqual(await numbers(made, { text: '" OR "1' }), []);
    };
    await look();
    while (await made.indexer.step());
    assert.equal(await made.backend.indexed(), 51);
    await look();
    await end(made);
  });

  test(`${name}: a person who is erased can be read and found no more, and the chain verifies`, async () => {
    const made = await filled(20);
    while (await made.indexer.step());
    const person = '+12025551004';
    const request = { tenant, person, by: 'root', reason: 'Art. 17', at: start };
    assert.equal(await erasePerson(made.backend, made.writer, made.keys, request), 1);
    assert.deepEqual(await found(made), []);
    assert.deepEqual(await numbers(made, { text: person }), []);
    const [row] = await made.backend.some([4]);
    assert.ok(row);
    const entry = await new EntryReader(made.backend, made.keys).read(row);
    assert.equal(entry?.erased, 1);
    assert.equal(entry?.body?.call, 'call-4', 'facts that name nobody stay');
    assert.deepEqual(await numbers(made, { text: 'erasure' }), [20]);
    await assert.rejects(erasePerson(made.backend, made.writer, made.keys, request), {
      code: 'ledger-unknown',
    });
    // who calls again gets a new key, which opens nothing of before
    await made.writer.append([call(4)]);
    assert.deepEqual(await numbers(made, { text: person }), [21]);
    await made.writer.append([
      call(5, { persons: [{ person: `zebedee@${tenant}`, proven: true, data: { as: 'caller' } }] }),
    ]);
    while (await made.indexer.step());
    assert.deepEqual(await numbers(made, { text: 'zebedee' }), [22]);
    if (made.place.files !== undefined)
      assert.ok(made.place.files().includes('zebedee'), 'the index has words');
    await erasePerson(made.backend, made.writer, made.keys, { ...request, person: `zebedee@${tenant}` });
    if (made.place.files !== undefined) assert.ok(!made.place.files().includes('zebedee'));
    assert.deepEqual(await found(made), []);
    await end(made);
  });

  test(`${name}: names that nobody has proven make no keys; known persons keep theirs`, async () => {
    const made = await filled(1);
    const claims = Array.from({ length: 30 }, (_, i) =>
      call(100 + i, {
        class: 'security',
        persons: [
          {
            person: i === 0 ? `alice@${tenant}` : `${100 + i}@${tenant}`,
            proven: false,
            data: { address: '198.51.100.1' },
          },
        ],
      }),
    );
    await made.writer.append(claims);
    const ids = new Set<string>();
    for (const row of await made.backend.entries(1, 100))
      for (const id of (await new EntryReader(made.backend, made.keys).read(row))?.personIds ?? [])
        ids.add(id);
    assert.equal(ids.size, 2, 'one key of strangers, and that of alice');
    await erasePerson(made.backend, made.writer, made.keys, {
      tenant,
      person: `alice@${tenant}`,
      by: 'root',
      reason: 'x',
      at: start,
    });
    assert.deepEqual(await numbers(made, { text: `alice` }), []);
    assert.equal((await numbers(made, { text: '198.51.100.1' })).length, 29);
    await end(made);
  });

  test(`${name}: retention takes content by class and tenant, a legal hold keeps it, the chain verifies`, async () => {
    const made = await filled(30);
    const others = [call(31, { class: 'login' }), call(32, { tenant: 'other.test' })];
    await made.writer.append(others);
    while (await made.indexer.step());
    const rules = [
      { class: 'call' as const, days: 30 },
      { class: 'call' as const, tenant: 'other.test', days: 400 },
    ];
    const later = start + 31 * day;
    const held = await hold(made.backend, made.writer, made.keys, {
      tenant,
      person: '+12025551003',
      reason: 'case 7',
      by: 'root',
      at: later,
    });
    await assert.rejects(
      erasePerson(made.backend, made.writer, made.keys, {
        tenant,
        person: '+12025551003',
        by: 'root',
        reason: 'x',
        at: later,
      }),
      { code: 'ledger-held' },
    );
    assert.equal(await applyRetention(made.backend, made.writer, rules, later), 29);
    assert.equal(await applyRetention(made.backend, made.writer, rules, later), 0);
    assert.deepEqual(await found(made), []);
    assert.deepEqual(await numbers(made, { class: 'call', text: 'alice' }), [31, 3]);
    assert.deepEqual(await numbers(made, { class: 'login' }), [30]);
    assert.equal((await listHolds(made.backend)).length, 1);
    await release(made.backend, made.writer, { id: held.id, by: 'root', reason: 'closed', at: later });
    assert.equal(await applyRetention(made.backend, made.writer, rules, later), 1);
    assert.deepEqual(await found(made), []);
    // taken by an act, and then more by somebody else
    await made.place.tamper('UPDATE entries SET body = NULL WHERE sequence = 30');
    assert.deepEqual(await found(made), ['removed 30-30']);
    await end(made);
  });

  test(`${name}: an entry is proven to be under a signed head, across kept nodes`, async () => {
    const made = await desk();
    for (let n = 0; n < 12; n++)
      await made.writer.append(Array.from({ length: 50 }, (_, i) => call(50 * n + i)));
    const newest = made.writer.newest;
    assert.ok(newest);
    for (const index of [0, 255, 256, 511, 599]) {
      const [row] = await made.backend.some([index]);
      assert.ok(row);
      const [proof] = await prove(made.backend, [index], newest.size);
      assert.ok(proof);
      assert.ok(checkInclusion(leafHash(row.header), index, newest.size, proof, newest.root));
      assert.ok(!checkInclusion(leafHash(row.header), index ^ 1, newest.size, proof, newest.root));
    }
    await end(made);
  });
}

describe('ledger in SQLite', () => suite('SQLite', sqlitePlace));

describe('ledger in PostgreSQL', { skip: bin === undefined ? 'postgresql is not installed' : false }, () => {
  let server: Postgres;
  before(async () => {
    server = await startPostgres(bin as string);
  });
  after(() => server?.stop());
  suite('PostgreSQL', () => postgresPlace(server.url));

  test('PostgreSQL: a server that dies and comes back has what it acknowledged, and is written to again', async () => {
    const home = newHome();
    const backend = await postgresPlace(server.url).open();
    const signing = openSigningKey(home);
    const writer = new LedgerWriter({ backend, signing, persons: PersonKeys.of(home), now: () => start });
    await writer.append([call(0), call(1)]);
    await server.kill();
    await assert.rejects(writer.append([call(2)]), { code: 'ledger-unreachable' });
    await server.start();
    assert.deepEqual(await writer.append([call(3)]), [2]);
    assert.deepEqual((await verifyLedger(backend, { key: createPublicKey(signing) })).damages, []);
    await backend.close();
  });
});
