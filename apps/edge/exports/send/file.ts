import { appendFile } from 'node:fs/promises';
import type { Sender } from '../outbox.ts';

/** Appends; the file is opened for each batch, so that it may be moved away (logrotate) at any time. */
export class FileSender implements Sender {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  send(batch: readonly Uint8Array[]): Promise<void> {
    return appendFile(this.#file, Buffer.concat(batch), { mode: 0o640 });
  }

  close(): void {
    // Nothing is open between batches.
  }
}
