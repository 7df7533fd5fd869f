/** Takes a batch; rejects where the receiver does not have it. `RefusedBatch`: it never will. */
export interface Sender {
  send(batch: readonly Uint8Array[]): Promise<void>;
  close(): void;
}

/** The receiver is there and does not want this batch, whenever it comes. */
export class RefusedBatch extends Error {}

export interface OutboxOptions {
  readonly sender: Sender;
  /** Items that wait at most. */
  readonly most: number;
  /** Octets that wait at most. */
  readonly mostBytes?: number;
  /** How long items are gathered into one batch. */
  readonly gatherMs?: number;
  readonly onFailing: (why: string) => void;
  /** The receiver has something again; so many items were lost since it last had. */
  readonly onRecovered: (lost: number) => void;
}

const firstPauseMs = 500;
const longestPauseMs = 30_000;
const batchItems = 500;
const batchBytes = 512 * 1024;

/**
 * What waits for one receiver. In order, each item until the receiver has it; while it is away, with pauses that double
 * from half a second to 30 s. What is more than the bounds pushes out the oldest, and is counted.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #mostBytes: number;
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  #lost = 0;
  #pauseMs = firstPauseMs;
  #failing = false;
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #stopped = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#mostBytes = options.mostBytes ?? 64 * 1024 * 1024;
  }

  get size(): number {
    return this.#waiting.length;
  }

  push(item: Uint8Array): void {
    if (this.#stopped) return;
    this.#waiting.push(item);
    this.#bytes += item.length;
    this.#bound();
    if (this.#sending === undefined) this.#schedule(this.#options.gatherMs ?? 50);
  }

  /** Tries to hand over what waits, for so long at most. */
  async stop(milliseconds = 2_000): Promise<void> {
    const until = performance.now() + milliseconds;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    while (this.#waiting.length > 0 || this.#sending !== undefined) {
      const left = until - performance.now();
      if (left <= 0) break;
      this.#sending ??= this.#send();
      await Promise.race([this.#sending, pause(left)]);
      if (this.#failing) break;
    }
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#options.sender.close();
  }

  #bound(): void {
    const { most } = this.#options;
    let dropped = 0;
    while (this.#waiting.length - dropped > most || this.#bytes > this.#mostBytes) {
      this.#bytes -= this.#waiting[dropped]?.length ?? 0;
      dropped += 1;
    }
    if (dropped === 0) return;
    this.#waiting.splice(0, dropped);
    this.#lost += dropped;
  }

  #schedule(milliseconds: number): void {
    if (this.#stopped || this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#sending ??= this.#send();
    }, milliseconds);
    this.#timer.unref();
  }

  async #send(): Promise<void> {
    let count = 0;
    let bytes = 0;
    for (const item of this.#waiting) {
      if (count === batchItems || (count > 0 && bytes + item.length > batchBytes)) break;
      count += 1;
      bytes += item.length;
    }
    const batch = this.#waiting.splice(0, count);
    this.#bytes -= bytes;
    try {
      if (count > 0) await this.#options.sender.send(batch);
      this.#sent();
    } catch (error) {
      if (error instanceof RefusedBatch) {
        this.#lost += count;
        this.#fail(error.message);
        this.#pauseMs = firstPauseMs;
      } else {
        this.#waiting.unshift(...batch);
        this.#bytes += bytes;
        this.#bound();
        this.#fail(error instanceof Error ? error.message : String(error));
      }
    }
    this.#sending = undefined;
    if (this.#waiting.length > 0) this.#schedule(this.#failing ? this.#nextPause() : 0);
  }

  #sent(): void {
    const lost = this.#lost;
    const failing = this.#failing;
    this.#lost = 0;
    this.#failing = false;
    this.#pauseMs = firstPauseMs;
    if (failing || lost > 0) this.#options.onRecovered(lost);
  }

  #fail(why: string): void {
    if (this.#failing) return;
    this.#failing = true;
    this.#options.onFailing(why);
  }

  #nextPause(): number {
    const milliseconds = this.#pauseMs;
    this.#pauseMs = Math.min(longestPauseMs, milliseconds * 2);
    return milliseconds;
  }
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => {
    setTimeout(resolve, milliseconds).unref();
  });
