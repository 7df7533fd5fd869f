import { writeSync } from 'node:fs';
import { openStore } from '../open.ts';
import { binding, call } from './records.ts';

/**
 * Program for the kill test: writes registrations and call records as fast as they are acknowledged, and tells of
 * each acknowledgement on standard output, unbuffered. Arguments: folder, number of the run.
 */
const [folder = '', run = '0'] = process.argv.slice(2);
const store = await openStore({
  file: `${folder}/ringfence.db`,
  keyFile: `${folder}/keys/store.key`,
  commitMilliseconds: 1,
  callCommitMilliseconds: 2,
});
await store.closeInterrupted(1);
/** Waits while the pipe is full. */
function tell(line: string): void {
  for (;;) {
    try {
      writeSync(1, `${line}\n`);
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
    }
  }
}
tell('open');
const say = (line: string) => () => tell(line);
for (let n = 0; ; n++) {
  const user = Number(run) * 100_000 + n;
  const id = `${run}-${n}`;
  const work = [
    store.putBindings([binding(user)], []).then(say(`bound user${user}`)),
    store.putCall(call(id)).then(say(`live ${id}`)),
  ];
  if (n >= 3)
    work.push(
      store
        .putCall(call(`${run}-${n - 3}`, { endedAt: 1_790_000_002_000 }))
        .then(say(`ended ${run}-${n - 3}`)),
    );
  // some more in the same batch, none of them waited for
  if (n % 7 === 0)
    work.push(
      store
        .putCall(call(`${id}-refused`, { endedAt: 1_790_000_000_100, legs: [], disposition: 'refused' }))
        .then(say(`ended ${id}-refused`)),
    );
  await Promise.all(work);
}
