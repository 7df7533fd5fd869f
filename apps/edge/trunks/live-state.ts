import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TargetReport } from './health/monitor.ts';
import type { UsageReport } from './limits/limits.ts';
import type { RegistrationReport } from './registration/registrations.ts';

/** What only the running edge knows of its trunks. */
export interface LiveState {
  /** Process of the edge. */
  readonly pid: number;
  /** When it was written, Unix ms. */
  readonly at: number;
  readonly targets: readonly TargetReport[];
  /** Calls that count against a limit. */
  readonly usage: readonly UsageReport[];
  readonly registrations: readonly RegistrationReport[];
}

const fileName = 'trunks.json';

/**
 * Keeps a file in the data folder that says how trunks are, for the command line.
 *
 * Written beside and renamed, one write at a time, and only where something has changed: signalling never waits for it.
 */
export class LiveStateFile {
  readonly #file: string;
  readonly #read: () => Omit<LiveState, 'pid' | 'at'>;
  readonly #now: () => number;
  readonly #failed: (error: unknown) => void;
  #last = '';
  #writing = false;

  constructor(
    home: string,
    read: () => Omit<LiveState, 'pid' | 'at'>,
    now: () => number,
    failed: (error: unknown) => void,
  ) {
    this.#file = join(home, fileName);
    this.#read = read;
    this.#now = now;
    this.#failed = failed;
  }

  /** Writes what has changed since the last time. */
  update(): void {
    if (this.#writing) return;
    const state = this.#read();
    const text = JSON.stringify(state);
    if (text === this.#last) return;
    this.#last = text;
    this.#writing = true;
    void this.#write(JSON.stringify({ pid: process.pid, at: this.#now(), ...state })).finally(() => {
      this.#writing = false;
    });
  }

  async #write(text: string): Promise<void> {
    try {
      await writeFile(`${this.#file}.new`, text, { mode: 0o600 });
      await rename(`${this.#file}.new`, this.#file);
    } catch (error) {
      this.#failed(error);
    }
  }
}

/** What the running edge has written; undefined where none runs. */
export function readLiveState(home: string): LiveState | undefined {
  let state: LiveState;
  try {
    state = JSON.parse(readFileSync(join(home, fileName), 'utf8')) as LiveState;
  } catch {
    return undefined;
  }
  return runs(state.pid) ? state : undefined;
}

/** Signal 0 asks only whether there is such a process; one of somebody else may not be asked, but is there. */
function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
