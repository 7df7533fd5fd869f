import { join } from 'node:path';
import { setTimeout as later } from 'node:timers/promises';
import { fillDisk } from '../../testing/filler.ts';
import { listCalls } from '../call-rows.ts';
import { openDatabase } from '../database.ts';
import { openStore } from '../open.ts';
import { binding, call } from './records.ts';

/**
 * Program for the test of a full disk: registrations and call records on a disk that is filled and then emptied.
 * Arguments: the small disk, a folder on another.
 */
const [disk = '', folder = ''] = process.argv.slice(2);
const file = join(disk, 'ringfence.db');
const options = { file, keyFile: join(folder, 'keys', 'store.key'), callCommitMilliseconds: 10 };
const store = await openStore(options);
await store.closeInterrupted(1);
const told: string[] = [];
let failure = '';
store.onTrouble((problem) => told.push(problem?.what ?? 'over'));
store.onFailure((reason) => {
  failure = reason;
});

const acknowledged: string[] = [];
const handed: string[] = [];
const put = (id: string): Promise<void> => {
  handed.push(id);
  return store.putCall(call(id, { endedAt: 1_790_000_002_000 })).then(
    () => void acknowledged.push(id),
    () => undefined,
  );
};
await store.putCall(call('through'));
await store.putBindings([binding(1)], []);
for (let n = 0; n < 50; n++) await put(`before-${n}`);

const makeRoom = fillDisk(disk);
for (let n = 0; told.length === 0; n++) await put(`filling-${n}`);
const refused = await store.putBindings([binding(2)], []).then(
  () => '',
  (error: { code: string }) => error.code,
);
for (let n = 0; n < 200; n++) void put(`full-${n}`);
void store.putCall(call('through', { endedAt: 1_790_000_002_000 })).catch(() => undefined);
await later(1_500);
const stillTold = told.at(-1) === 'disk';
makeRoom();
while (told.at(-1) !== 'over') await later(20);
await store.putBindings([binding(3)], []);
await put('after');
await store.close();

const again = await openStore(options);
const bindings = (await again.bindings()).map(({ user }) => user);
const open = await again.openCalls();
await again.close();
const database = openDatabase(file, { create: false });
const { integrity_check: integrity } = database.prepare('PRAGMA integrity_check').get() as {
  integrity_check: string;
};
const there = new Set(listCalls(database, { limit: 100_000 }).map(({ id }) => id));
database.close();
console.log(
  JSON.stringify({
    first: told[0],
    stillTold,
    refused,
    failure,
    bindings,
    live: open.length,
    integrity,
    repaired: again.repaired ?? '',
    acknowledged: acknowledged.length,
    missing: handed.filter((id) => !there.has(id)),
  }),
);
