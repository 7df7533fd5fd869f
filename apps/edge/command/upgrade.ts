import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { aliveFile, readAlive } from '../journal/heartbeat.ts';
import { noteAct } from './acts.ts';
import { flag, type Invocation } from './command.ts';
import { exitCode } from './exit-code.ts';
import { configurationOf, homeFolder, RefusedError } from './home.ts';
import { complain, print, printJson } from './terminal.ts';

/** Calls in set-up may take a minute (emergency), the program a few seconds. */
const patienceMs = 90_000;
const lookMs = 50;

/** Asks the running edge to let the program on disk take its place, and waits until that one takes calls. */
export async function run({ values }: Invocation): Promise<number> {
  const json = flag(values, 'json');
  const file = join(homeFolder(), aliveFile);
  const before = readAlive(file);
  if (before === undefined || !isEdge(before.pid)) {
    complain(`No edge is running on ${homeFolder()}; start it with \`ringfence up\`.`);
    return exitCode.failed;
  }
  try {
    configurationOf(values);
  } catch (error) {
    if (!(error instanceof RefusedError)) throw error;
    complain(`${error.message}\nNothing was changed.`);
    return exitCode.configurationRefused;
  }
  const began = performance.now();
  process.kill(before.pid, 'SIGUSR2');
  while (performance.now() - began < patienceMs) {
    await new Promise((done) => {
      setTimeout(done, lookMs);
    });
    const now = readAlive(file);
    if (now !== undefined && now.since !== before.since) {
      const milliseconds = Math.round(performance.now() - began);
      noteAct({ what: { from: before.version, to: now.version } });
      if (json) printJson({ ok: true, from: before.version, to: now.version, pid: now.pid, milliseconds });
      else print(`Ringfence ${now.version} has taken over from ${before.version} in ${milliseconds} ms.`);
      return exitCode.done;
    }
    if (!isRunning(before.pid)) {
      complain(
        'The edge has ended instead of starting anew; its log says why. Live calls wait for `ringfence up`.',
      );
      return exitCode.failed;
    }
  }
  complain('The edge has not been replaced: its log says why (`config.refused`). It goes on as it was.');
  return exitCode.failed;
}

/** A number that somebody else has by now must not be signalled. */
function isEdge(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').includes('up');
  } catch {
    return false;
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
