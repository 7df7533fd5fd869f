import { writeSync } from 'node:fs';
import { openLedger } from '../open.ts';

/**
 * Program for the kill test: appends entries as fast as they are acknowledged, and tells of each acknowledgement on
 * standard output, unbuffered. Arguments: folder, number of the run.
 */
const [folder = '', run = '0'] = process.argv.slice(2);
const ledger = await openLedger({
  home: folder,
  place: { kind: 'sqlite', file: `${folder}/ledger.db` },
  retention: [],
  witness: { everyMinutes: 60 },
  commitMilliseconds: 1,
  now: Date.now,
});

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
for (let n = 0; ; n++)
  await Promise.all(
    Array.from({ length: 5 }, async (_, i) => {
      const name = `${run}-${n}-${i}`;
      const sequence = await ledger.appended({
        class: 'call',
        tenant: 'example.test',
        time: Date.now(),
        body: { name },
        persons: [{ person: `user${i}@example.test`, proven: true, data: { name } }],
      });
      tell(`${sequence} ${name}`);
    }),
  );
