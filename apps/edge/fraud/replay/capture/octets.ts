import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';

/** Octets of a file in their order, in memory of what is asked for at a time and a chunk. */
export class Octets {
  readonly #chunks: AsyncIterator<Buffer>;
  readonly #progress: (read: number) => void;
  #rest: Buffer = Buffer.alloc(0);
  #read = 0;

  private constructor(chunks: AsyncIterator<Buffer>, progress: (read: number) => void) {
    this.#chunks = chunks;
    this.#progress = progress;
  }

  /** @param progress told how many octets are read, of how many. */
  static async of(
    file: string,
    progress: (read: number, of: number) => void = () => undefined,
  ): Promise<Octets> {
    const handle = await open(file);
    const { size } = await handle.stat();
    const stream = createReadStream('', { fd: handle, highWaterMark: 256 * 1024 });
    return new Octets(stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>, (read) =>
      progress(read, size),
    );
  }

  /** So many octets; fewer where the file ends before. They hold until the next call. */
  async take(count: number): Promise<Buffer> {
    while (this.#rest.length < count) {
      const { value, done } = await this.#chunks.next();
      if (done === true) break;
      this.#read += value.length;
      this.#progress(this.#read);
      this.#rest = this.#rest.length === 0 ? value : Buffer.concat([this.#rest, value]);
    }
    const taken = this.#rest.subarray(0, count);
    this.#rest = this.#rest.subarray(taken.length);
    return taken;
  }

  async close(): Promise<void> {
    await this.#chunks.return?.();
  }
}
