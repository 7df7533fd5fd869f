import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { Configuration } from '../config/schema.ts';
import { EventBus } from '../events/bus.ts';
import { testConfiguration } from '../testing/configuration.ts';
import { EntryRate, eventEntry, openFields } from './event-entry.ts';
import { LedgerDesk } from './join.ts';
import { openSigningKey } from './keys.ts';
import { openSqlite } from './sqlite.ts';
import { verifyLedger } from './verify.ts';

const folders: string[] = [];
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function damaged(onFailure: 'go-on' | 'refuse-calls') {
  const home = mkdtempSync(join(tmpdir(), 'ringfence-ledger-'));
  folders.push(home);
  mkdirSync(join(home, 'keys'), { mode: 0o700 });
  writeFileSync(join(home, 'keys', 'store.key'), 'ef'.repeat(32), { mode: 0o600 });
  const config = testConfiguration();
  const file = join(home, config.ledger.file);
  writeFileSync(file, 'no database at all '.repeat(500));
  const bus = new EventBus(Date.now);
  const settings: Configuration = { ...config, ledger: { ...config.ledger, enabled: true, onFailure } };
  return {
    home,
    file,
    bus,
    surroundings: { home, config: settings, bus, againMilliseconds: 50, now: Date.now },
  };
}

test('a ledger that cannot be opened does not keep calls from going on: it is tried again, and the gap is recorded', async () => {
  const { home, file, bus, surroundings } = damaged('go-on');
  const desk = await LedgerDesk.open(surroundings);
  const told: (string | undefined)[] = [];
  const over = new Promise<void>((done) => {
    desk.onProblem((detail) => {
      told.push(detail);
      if (detail === undefined) done();
    });
  });
  assert.match(told[0] ?? '', /ledger/);
  assert.equal(desk.blocks, false);
  const failed = { type: 'authentication.failed', domain: 'example.test', reason: 'response' } as const;
  for (const username of ['alice', 'bob']) bus.emit({ ...failed, source: '192.0.2.1:5060', username });
  rmSync(file);
  await over;
  await desk.close();
  const backend = openSqlite({ file, create: false });
  const { damages } = await verifyLedger(backend, { key: createPublicKey(openSigningKey(home)) });
  assert.deepEqual(damages, []);
  const bodies = (await backend.entries(0, 100)).map(
    ({ body }) => JSON.parse(Buffer.from(body ?? []).toString()) as Record<string, unknown>,
  );
  await backend.close();
  const gap = bodies.find(({ act }) => act === 'gap');
  assert.equal(gap?.entries, 2);
});

test('where no call may go unrecorded, a ledger that cannot be opened is refused at the start', async () => {
  await assert.rejects(LedgerDesk.open(damaged('refuse-calls').surroundings), /ledger/);
});

test('a command to the running edge is recorded with who gave it; whom it was about is sealed', () => {
  const command = 'ban add';
  const what = '{"source":"198.51.100.7","why":"told by a neighbour"}';
  const event = { type: 'administration.command', command, what, by: 'ops', refused: '' } as const;
  const entry = eventEntry(event, 5, 'notice');
  assert.equal(entry?.class, 'administration');
  assert.deepEqual(entry.body, {
    event: 'administration.command',
    severity: 'notice',
    command,
    by: 'ops',
    refused: '',
  });
  assert.deepEqual(entry.persons?.[0]?.data, {
    what: { source: '198.51.100.7', why: 'told by a neighbour' },
  });
  assert.equal(entry.persons?.[0]?.proven, false, 'a command makes no keys of its own');
  const reload = eventEntry({ ...event, command: 'reload', what: '{}', by: 'signal' }, 5, 'notice');
  assert.equal(reload?.persons, undefined);
});

test('the manual lists the fields of events that are not sealed', () => {
  const manual = readFileSync(new URL('../../../docs/ledger.md', import.meta.url), 'utf8');
  const [, list = ''] = /\| every event \| ([^|]*) \|/.exec(manual) ?? [];
  assert.deepEqual(
    [...list.matchAll(/`([^`]+)`/g)].map(([, name]) => name).sort(),
    [...openFields].filter((name) => name !== 'type').sort(),
  );
});

test('a flood of one sort leaves no other sort out, and phones that all come back are recorded', () => {
  const rate = new EntryRate();
  const of = (entryClass: 'login' | 'security', proven: boolean) =>
    ({ class: entryClass, persons: [{ person: 'x', proven, data: {} }] }) as const;
  let failures = 0;
  for (let i = 0; i < 50_000; i++) if (rate.take(of('login', false), i / 100)) failures += 1;
  assert.ok(failures < 1_100, `${failures}`);
  assert.equal(rate.take(of('security', false), 500), true);
  for (let i = 0; i < 20_000; i++) assert.equal(rate.take(of('login', true), 500 + i / 100), true);
  assert.equal(rate.leftOut(), 50_000 - failures);
  assert.equal(rate.leftOut(), 0);
});
