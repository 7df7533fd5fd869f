import { readFileSync, renameSync } from 'node:fs';
import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { BookState } from './alert.ts';

const fileName = 'alerts.json';

/** Alerts that somebody has yet to hear of, in the data folder: written beside, synced and renamed. */
export class AlertFile {
  readonly #file: string;
  readonly #failed: (error: unknown) => void;
  #next: (() => BookState) | undefined;
  #writing: Promise<void> | undefined;
  #failing = false;

  constructor(home: string, failed: (error: unknown) => void) {
    this.#file = join(home, fileName);
    this.#failed = failed;
  }

  /** What a process before has left; a damaged file is put aside. */
  read(): BookState | undefined {
    let text: string;
    try {
      text = readFileSync(this.#file, 'utf8');
    } catch {
      return undefined;
    }
    try {
      const state = JSON.parse(text) as BookState;
      if (state.version === 1 && Array.isArray(state.alerts) && Array.isArray(state.notices)) return state;
      throw new Error('it has another form');
    } catch (error) {
      renameSync(this.#file, `${this.#file}.damaged`);
      this.#failed(new Error(`${fileName} was damaged and is now ${fileName}.damaged: ${String(error)}`));
      return undefined;
    }
  }

  /** One write at a time; what changes meanwhile is in the next. */
  save(state: () => BookState): void {
    this.#next = state;
    this.#writing ??= this.#write();
  }

  async settled(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  async #write(): Promise<void> {
    while (this.#next !== undefined) {
      const text = JSON.stringify(this.#next());
      this.#next = undefined;
      try {
        const file = await open(`${this.#file}.new`, 'w', 0o600);
        try {
          await file.writeFile(text);
          await file.sync();
        } finally {
          await file.close();
        }
        await rename(`${this.#file}.new`, this.#file);
        this.#failing = false;
      } catch (error) {
        // Once: it may be an alert itself, which is to be written.
        if (!this.#failing) this.#failed(error);
        this.#failing = true;
      }
    }
    this.#writing = undefined;
  }
}
