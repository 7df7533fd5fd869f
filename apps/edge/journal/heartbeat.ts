import { closeSync, openSync, statSync, utimes } from 'node:fs';

/**
 * A file whose time of change says when the edge was last alive: calls that it leaves behind ended then, not when
 * somebody starts it again.
 */
export class Heartbeat {
  /** Unix ms of the last beat of the process before; undefined where there was none. */
  readonly last: number | undefined;
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
    this.last = lastBeat(file);
  }

  /** Milliseconds since the last beat of the process before; Infinity where there was none, or the clock went back. */
  age(now: number): number {
    return this.last === undefined || this.last > now ? Number.POSITIVE_INFINITY : now - this.last;
  }

  /** Off the signalling thread; a disk that is full or slow costs precision, nothing else. */
  beat(): void {
    const now = new Date();
    utimes(this.#file, now, now, (error) => {
      if (error?.code === 'ENOENT') create(this.#file);
    });
  }
}

function create(file: string): void {
  try {
    closeSync(openSync(file, 'a', 0o600));
  } catch {
    // A full disk, a folder that is gone: then calls of this process end when the next one starts.
  }
}

function lastBeat(file: string): number | undefined {
  try {
    return Math.round(statSync(file).mtimeMs);
  } catch {
    return undefined;
  }
}
