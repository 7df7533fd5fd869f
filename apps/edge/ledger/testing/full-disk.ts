import { createPublicKey } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as later } from 'node:timers/promises';
import { EventBus } from '../../events/bus.ts';
import { testConfiguration } from '../../testing/configuration.ts';
import { fillDisk } from '../../testing/filler.ts';
import { LedgerDesk } from '../join.ts';
import { openSigningKey } from '../keys.ts';
import { openSqlite } from '../sqlite.ts';
import { verifyLedger } from '../verify.ts';

/**
 * Program for the test of a full disk: the ledger of an edge on a disk that is filled and then emptied, with more
 * entries meanwhile than wait in memory. Arguments: the small disk, a folder on another, the policy.
 */
const [disk = '', home = '', policy = ''] = process.argv.slice(2);
const whileFull = 21_000;
const file = join(disk, 'ledger.db');
mkdirSync(join(home, 'keys'), { mode: 0o700 });
writeFileSync(join(home, 'keys', 'store.key'), 'ef'.repeat(32), { mode: 0o600 });
const base = testConfiguration();
const onFailure = policy === 'refuse-calls' ? 'refuse-calls' : 'go-on';
const bus = new EventBus(Date.now);
const desk = await LedgerDesk.open({
  home,
  config: { ...base, ledger: { ...base.ledger, enabled: true, file, onFailure } },
  bus,
  now: Date.now,
});

const told: string[] = [];
desk.onProblem((detail) => told.push(detail ?? 'over'));
let emitted = 0;
const emit = (): void => {
  // no class of entries that is cut short where there are many
  bus.emit({ type: 'administration.command', command: 'call end', what: '{}', by: 'root', refused: '' });
  emitted += 1;
};
const size = async (): Promise<number> => {
  const reader = openSqlite({ file, create: false });
  const { size: entries } = await reader.end();
  await reader.close();
  return entries;
};
const until = async (done: () => boolean | Promise<boolean>): Promise<void> => {
  while (!(await done())) await later(20);
};

for (let i = 0; i < 50; i++) emit();
await until(async () => (await size()) >= 50);
const blockedBefore = desk.blocks;
const makeRoom = fillDisk(disk);
// Old pages may have some room left: a few entries may still find it.
await until(() => {
  for (let i = 0; i < 20; i++) emit();
  return told.length > 0;
});
const blockedWhileFull = desk.blocks;
for (let i = 0; i < whileFull; i++) emit();
await later(1_500);
const stillTold = told.at(-1) !== 'over';
makeRoom();
await until(() => told.at(-1) === 'over');
emit();
await desk.close();

const backend = openSqlite({ file, create: false });
const { damages } = await verifyLedger(backend, { key: createPublicKey(openSigningKey(home)) });
let recorded = 0;
let lost = 0;
let gaps = 0;
for (const { body } of await backend.entries(0, 100_000)) {
  const { event, act, entries } = JSON.parse(Buffer.from(body ?? []).toString()) as Record<string, unknown>;
  if (event === 'administration.command') recorded += 1;
  if (act !== 'gap') continue;
  gaps += 1;
  lost += Number(entries);
}
await backend.close();
const database = new DatabaseSync(file);
const { integrity_check: integrity } = database.prepare('PRAGMA integrity_check').get() as {
  integrity_check: string;
};
database.close();
const blocked = [blockedBefore, blockedWhileFull, desk.blocks];
console.log(
  JSON.stringify({ first: told[0], stillTold, blocked, emitted, recorded, lost, gaps, damages, integrity }),
);
