import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, test } from 'node:test';
import { checkHead, decodeHead } from '@ringfence/ledger/head.ts';
import type { LedgerEntry, LedgerProblem } from './contract.ts';
import { openSigningKey } from './keys.ts';
import { openLedger, type RunningLedger } from './open.ts';
import { openSqlite } from './sqlite.ts';
import { timestampRequest, timestampToken } from './timestamp.ts';
import { verifyLedger } from './verify.ts';
import { tellWitnesses } from './witness.ts';

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function newHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'ringfence-ledger-'));
  folders.push(home);
  mkdirSync(join(home, 'keys'), { mode: 0o700 });
  writeFileSync(join(home, 'keys', 'store.key'), 'ef'.repeat(32), { mode: 0o600 });
  return home;
}

const open = (home: string): Promise<RunningLedger> =>
  openLedger({
    home,
    place: { kind: 'sqlite', file: join(home, 'ledger.db') },
    retention: [],
    witness: { file: join(home, 'heads.jsonl'), everyMinutes: 60 },
    commitMilliseconds: 5,
    now: Date.now,
  });

const entry = (n: number, body: LedgerEntry['body'] = {}): LedgerEntry => ({
  class: 'security',
  tenant: 'example.test',
  time: Date.now(),
  body: { n, ...body },
});

const acts = async (home: string): Promise<Record<string, unknown>[]> => {
  const backend = openSqlite({ file: join(home, 'ledger.db'), create: false });
  const { damages } = await verifyLedger(backend, { key: createPublicKey(openSigningKey(home)) });
  assert.deepEqual(damages, []);
  const bodies = (await backend.entries(0, 100_000)).map(
    ({ body }) => JSON.parse(Buffer.from(body ?? []).toString()) as Record<string, unknown>,
  );
  await backend.close();
  return bodies;
};

test('entries are numbered in their order, and a closed ledger has all of them and a witnessed head', async () => {
  const home = newHome();
  const ledger = await open(home);
  assert.deepEqual(await Promise.all([0, 1, 2].map((n) => ledger.appended(entry(n)))), [0, 1, 2]);
  for (let n = 3; n < 500; n++) assert.ok(ledger.append(entry(n)));
  await ledger.close();
  assert.deepEqual(
    (await acts(home)).map(({ n }) => n),
    Array.from({ length: 500 }, (_, n) => n),
  );
  const lines = readFileSync(join(home, 'heads.jsonl'), 'utf8').trim().split('\n');
  const head = decodeHead(lines.at(-1) as string);
  assert.ok(head.ok);
  assert.equal(head.value.size, 500);
  assert.ok(checkHead(head.value, createPublicKey(openSigningKey(home))));
  assert.ok(!ledger.append(entry(1)));
  await assert.rejects(ledger.appended(entry(1)), { code: 'ledger-closed' });
});

test('an entry that cannot be recorded takes no other with it, and leaves a gap that is told of', async () => {
  const home = newHome();
  const ledger = await open(home);
  const outcome = await Promise.allSettled([
    ledger.appended(entry(1)),
    ledger.appended(entry(2, { text: 'x'.repeat(70_000) })),
    ledger.appended(entry(3)),
  ]);
  assert.deepEqual(
    outcome.map(({ status }) => status),
    ['fulfilled', 'rejected', 'fulfilled'],
  );
  await ledger.close();
  const bodies = await acts(home);
  assert.deepEqual(
    bodies.map(({ n, act }) => n ?? act),
    [1, 'gap', 3],
  );
});

test('while the disk takes nothing entries wait, within bounds; what was lost is recorded as a gap', async () => {
  const home = newHome();
  const ledger = await open(home);
  await ledger.appended(entry(0));
  const told: (LedgerProblem | undefined)[] = [];
  ledger.onProblem((problem) => told.push(problem));
  // The disk is full for this database: no page more.
  const blocker = new DatabaseSync(join(home, 'ledger.db'));
  blocker.exec('BEGIN IMMEDIATE');
  let taken = 0;
  for (let n = 1; n <= 20_100; n++) if (ledger.append(entry(n))) taken += 1;
  assert.ok(taken <= 20_000 && taken > 19_000, String(taken));
  assert.equal(ledger.problem?.what, 'overload');
  blocker.exec('ROLLBACK');
  blocker.close();
  await ledger.appended(entry(30_000)).catch(() => undefined);
  while (ledger.waiting > 0) await new Promise((resolve) => setTimeout(resolve, 20));
  assert.equal(ledger.problem, undefined);
  assert.equal(told.at(-1), undefined);
  await ledger.close();
  const bodies = await acts(home);
  const gap = bodies.find(({ act }) => act === 'gap');
  assert.ok(gap);
  assert.equal(bodies.filter(({ n }) => typeof n === 'number' && n > 0 && n <= 20_100).length, taken);
  assert.ok(Number(gap.entries) >= 20_100 - taken);
});

test('a witness over HTTP gets signed heads; one that fails is named', async () => {
  const home = newHome();
  const ledger = await open(home);
  await ledger.appended(entry(1));
  await ledger.close();
  const backend = openSqlite({ file: join(home, 'ledger.db') });
  const head = (await backend.heads()).at(-1);
  assert.ok(head);
  await backend.close();
  const heard: string[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (text) => (body += String(text)));
    request.on('end', () => {
      heard.push(body);
      response.writeHead(request.url === '/no' ? 503 : 204).end();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const told = await tellWitnesses(head, { url: `${base}/yes`, everyMinutes: 1 }, Buffer.alloc(8));
  assert.deepEqual(told.problems, []);
  const back = decodeHead(heard[0] as string);
  assert.ok(back.ok && checkHead(back.value, createPublicKey(openSigningKey(home))));
  const failed = await tellWitnesses(
    head,
    { url: `${base}/no`, timestamps: `${base}/yes`, everyMinutes: 1 },
    Buffer.alloc(8),
  );
  assert.match(failed.problems[0] as string, /answers 503/);
  assert.match(failed.problems[1] as string, /no time stamp/);
  server.close();
  server.closeAllConnections();
});

test('time stamps: the answer must be to this head and this question (RFC 3161 §2.4.2)', async () => {
  const head = {
    ledger: 'aa'.repeat(16),
    size: 1,
    root: Buffer.alloc(32),
    time: 5,
    signature: Buffer.alloc(64),
  };
  const nonce = Buffer.from('0102030405060708', 'hex');
  const question = timestampRequest(head, nonce);
  assert.equal(question[0], 0x30);
  const wrap = (tag: number, content: Uint8Array): Buffer =>
    Buffer.concat([Buffer.of(tag, 0x81, content.length), content]);
  const answer = (status: number, content: Uint8Array): Buffer =>
    wrap(0x30, Buffer.concat([Buffer.from([0x30, 3, 2, 1, status]), content]));
  const granted = timestampToken(answer(0, wrap(0x30, question)), head, nonce);
  assert.ok(granted.ok);
  assert.ok(!timestampToken(answer(2, wrap(0x30, question)), head, nonce).ok);
  assert.ok(!timestampToken(answer(0, new Uint8Array(0)), head, nonce).ok);
  assert.ok(!timestampToken(answer(0, wrap(0x30, question)), { ...head, size: 2 }, nonce).ok);
  assert.ok(!timestampToken(answer(0, wrap(0x30, question)), head, Buffer.alloc(8)).ok);
  for (let length = 0; length < 12; length++)
    assert.ok(!timestampToken(answer(0, question).subarray(0, length), head, nonce).ok);
});

test('a ledger whose keys or file are not its own is refused in words', async () => {
  const home = newHome();
  writeFileSync(join(home, 'ledger.db'), 'no database at all, and long enough to look like one'.repeat(20));
  await assert.rejects(open(home), { code: 'ledger-damaged' });
  rmSync(join(home, 'ledger.db'));
  const other = new DatabaseSync(join(home, 'ledger.db'));
  other.exec('CREATE TABLE a (b)');
  other.close();
  await assert.rejects(open(home), { code: 'ledger-foreign' });
  rmSync(join(home, 'ledger.db'));
  await (await open(home)).close();
  writeFileSync(join(home, 'keys', 'ledger-signing.key'), 'no key');
  await assert.rejects(open(home), { code: 'ledger-key' });
});
