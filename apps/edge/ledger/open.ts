import { Worker } from 'node:worker_threads';
import { untilNext } from '@ringfence/bytes/moment.ts';
import type { Ledger, LedgerEntry, LedgerProblem } from './contract.ts';
import { isPassing, LedgerError, type LedgerErrorCode } from './ledger-error.ts';
import type { Reply, Request, WorkerOptions } from './protocol.ts';
import type { RetentionRule } from './retention.ts';

export interface LedgerOptions extends WorkerOptions {
  /** How long entries are gathered into one commit. */
  readonly commitMilliseconds: number;
  /** Unix milliseconds. */
  now(): number;
  /** What went wrong beside the appending. */
  told?(where: string, detail: string): void;
}

/** Entries that wait for the disk, some 2 kB each; further ones are counted and make a gap. */
const mostWaiting = 20_000;
/** Entries of one commit: a larger one would keep those behind it waiting. */
const mostTogether = 4_000;
const retryMs = 1_000;

interface Waiting {
  /** JSON, made as it came: a batch of thousands at once would keep calls waiting. */
  readonly text: string;
  readonly resolve?: (sequence: number) => void;
  readonly reject?: (error: Error) => void;
}

/** What runs the ledger beyond appending. */
export interface RunningLedger extends Ledger {
  /** Takes effect at the next look, within an hour. */
  retain(rules: readonly RetentionRule[]): void;
  readonly waiting: number;
}

/** Opens the ledger in a thread of its own. Rejects with `LedgerError` where it or its keys are refused. */
export async function openLedger(options: LedgerOptions): Promise<RunningLedger> {
  const { home, place, retention, witness } = options;
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    name: 'ledger',
    workerData: { home, place, retention, witness } satisfies WorkerOptions,
    execArgv: ['--disable-warning=ExperimentalWarning'],
    // Below 8 MB for what is young, collecting it costs more than what it saves.
    resourceLimits: { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 384 },
  });
  await new Promise<void>((resolve, reject) => {
    worker.once('message', (reply: Reply) => {
      if (reply.kind === 'opened') resolve();
      else if (reply.kind === 'refused')
        reject(new LedgerError(reply.code as LedgerErrorCode, reply.message));
    });
    worker.once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the ledger's thread ended with ${code}`)));
  });
  return new ThreadedLedger(worker, options);
}

class ThreadedLedger implements RunningLedger {
  readonly #worker: Worker;
  readonly #window: number;
  readonly #now: () => number;
  readonly #told: (where: string, detail: string) => void;
  readonly #listeners: ((problem: LedgerProblem | undefined) => void)[] = [];
  #queue: Waiting[] = [];
  #sent: Waiting[] = [];
  #timer: NodeJS.Timeout | undefined;
  #problem: LedgerProblem | undefined;
  #gap: { entries: number; since: number; why: string } | undefined;
  #down: LedgerError | undefined;
  #closing: (() => void) | undefined;

  constructor(worker: Worker, { commitMilliseconds, now, told }: LedgerOptions) {
    this.#worker = worker;
    this.#window = commitMilliseconds;
    this.#now = now;
    this.#told = told ?? (() => undefined);
    worker.removeAllListeners('exit').removeAllListeners('error');
    worker.on('message', (reply: Reply) => this.#receive(reply));
    worker.on('error', (error: Error) => this.#fail(`the ledger's thread failed: ${error.message}`));
    worker.on('exit', (code) => this.#fail(`the ledger's thread ended with ${code}`));
  }

  get problem(): LedgerProblem | undefined {
    return this.#problem;
  }

  get waiting(): number {
    return this.#queue.length + this.#sent.length;
  }

  onProblem(listener: (problem: LedgerProblem | undefined) => void): void {
    this.#listeners.push(listener);
  }

  append(entry: LedgerEntry): boolean {
    return this.#take(entry);
  }

  appended(entry: LedgerEntry): Promise<number> {
    return new Promise((resolve, reject) => {
      if (!this.#take(entry, { resolve, reject }))
        reject(this.#down ?? new LedgerError('ledger-overloaded', 'too many entries wait for the disk'));
    });
  }

  retain(rules: readonly RetentionRule[]): void {
    if (this.#down === undefined) this.#worker.postMessage({ kind: 'retention', rules } satisfies Request);
  }

  async close(): Promise<void> {
    if (this.#down !== undefined) return;
    clearTimeout(this.#timer);
    // One more attempt with everything that waits; a disk that is full now stays so.
    const idle = (): boolean => this.#queue.length === 0 && this.#sent.length === 0;
    while (!idle() && this.#down === undefined && this.#problem === undefined) {
      this.#send();
      await new Promise((resolve) => setTimeout(resolve, 2));
    }
    if (this.#down !== undefined) return;
    this.#down = new LedgerError('ledger-closed', 'the ledger is closed');
    const closed = new Promise<void>((resolve) => {
      this.#closing = resolve;
    });
    this.#worker.postMessage({ kind: 'close' } satisfies Request);
    await closed;
  }

  #take(entry: LedgerEntry, promise: Omit<Waiting, 'text'> = {}): boolean {
    if (this.#down !== undefined) return false;
    if (this.waiting >= mostWaiting) {
      this.#gap ??= { entries: 0, since: this.#now(), why: this.#problem?.what ?? 'overload' };
      this.#gap.entries += 1;
      this.#set({
        what: this.#problem?.what ?? 'overload',
        detail: `${mostWaiting} entries wait for the disk; those that come now are lost, and the gap is recorded`,
      });
      return false;
    }
    this.#queue.push({ text: JSON.stringify(entry), ...promise });
    // A problem has its own, slower timer.
    if (this.#timer === undefined && this.#sent.length === 0)
      this.#timer = setTimeout(() => this.#send(), untilNext(performance.now(), this.#window));
    return true;
  }

  /** One commit at a time: while the disk is slow, the next one grows. */
  #send(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#sent.length > 0) return;
    if (this.#gap !== undefined && this.#queue.length < mostWaiting) {
      const { entries, since, why } = this.#gap;
      this.#gap = undefined;
      const time = this.#now();
      const body = { act: 'gap', entries, since, until: time, why };
      const entry: LedgerEntry = { class: 'ledger', tenant: '', time, body };
      this.#queue.push({ text: JSON.stringify(entry) });
    }
    if (this.#queue.length === 0) return;
    this.#sent = this.#queue.splice(0, mostTogether);
    this.#worker.postMessage({
      kind: 'append',
      entries: `[${this.#sent.map(({ text }) => text).join(',')}]`,
    } satisfies Request);
  }

  #receive(reply: Reply): void {
    switch (reply.kind) {
      case 'committed': {
        const sent = this.#sent;
        this.#sent = [];
        sent.forEach(({ resolve, reject }, i) => {
          const sequence = reply.sequences[i] ?? -1;
          if (sequence >= 0) resolve?.(sequence);
          else reject?.(new LedgerError('ledger-unknown', 'this cannot be recorded'));
        });
        this.#set(undefined);
        if (this.#queue.length > 0 || this.#gap !== undefined) this.#send();
        return;
      }
      case 'uncommitted': {
        const error = new LedgerError(reply.code as LedgerErrorCode, reply.message);
        this.#queue = [...this.#sent, ...this.#queue];
        this.#sent = [];
        this.#set({ what: reply.code === 'ledger-unwritable' ? 'disk' : 'database', detail: error.message });
        // What will not pass by itself is tried again all the same: an administrator may mend it meanwhile.
        this.#timer ??= setTimeout(() => this.#send(), isPassing(error) ? retryMs : 10 * retryMs);
        return;
      }
      case 'told':
        this.#told(reply.where, reply.detail);
        return;
      case 'closed':
        this.#closing?.();
    }
  }

  #set(problem: LedgerProblem | undefined): void {
    if (problem === undefined && this.#problem === undefined) return;
    const changed = problem?.what !== this.#problem?.what || problem === undefined;
    this.#problem = problem;
    if (changed) for (const listener of this.#listeners) listener(problem);
  }

  #fail(reason: string): void {
    clearTimeout(this.#timer);
    this.#closing?.();
    if (this.#down !== undefined) return;
    this.#down = new LedgerError('ledger-closed', `${reason}; restart the edge`);
    for (const { reject } of [...this.#sent, ...this.#queue]) reject?.(this.#down);
    this.#sent = [];
    this.#queue = [];
    this.#set({ what: 'database', detail: `${reason}; nothing is recorded until the edge is restarted` });
  }
}
