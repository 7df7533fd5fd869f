import { readFileSync, statSync, utimes, writeFileSync } from 'node:fs';

/** In the data folder: who is running, and when it last was. */
export const aliveFile = 'alive';

/** What stands in the file: the process that beats, and which start of it. */
export interface Alive {
  readonly pid: number;
  /** Unix ms. */
  readonly since: number;
  readonly version: string;
}

/**
 * A file whose time of change says when the edge was last alive: calls that it leaves behind ended then, not when
 * somebody starts it again.
 */
export class Heartbeat {
  /** Unix ms of the last beat of the process before; undefined where there was none. */
  readonly last: number | undefined;
  readonly #file: string;
  readonly #self: Alive;

  constructor(file: string, self: Alive) {
    this.#file = file;
    this.#self = self;
    this.last = lastBeat(file);
  }

  /** Says who is alive now. */
  begin(): void {
    try {
      writeFileSync(this.#file, JSON.stringify(this.#self), { mode: 0o600 });
    } catch {
      // A full disk: then calls of this process end, for their records, when the next one starts.
    }
  }

  /** Milliseconds since the last beat of the process before; Infinity where there was none, or the clock went back. */
  age(now: number): number {
    return this.last === undefined || this.last > now ? Number.POSITIVE_INFINITY : now - this.last;
  }

  /** Off the signalling thread; a disk that is full or slow costs precision, nothing else. */
  beat(): void {
    const now = new Date();
    utimes(this.#file, now, now, () => undefined);
  }
}

/** Who beats in that file, dead or alive; undefined where nobody ever did. */
export function readAlive(file: string): Alive | undefined {
  try {
    const { pid, since, version } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Alive>;
    return pid === undefined || since === undefined || version === undefined
      ? undefined
      : { pid, since, version };
  } catch {
    return undefined;
  }
}

function lastBeat(file: string): number | undefined {
  try {
    return Math.round(statSync(file).mtimeMs);
  } catch {
    return undefined;
  }
}
