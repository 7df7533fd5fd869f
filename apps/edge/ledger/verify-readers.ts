import { Worker } from 'node:worker_threads';
import type { ChunkFindings } from '@ringfence/ledger/verify-chunk.ts';
import type { LedgerBackend } from './backend.ts';
import { LedgerError, type LedgerErrorCode } from './ledger-error.ts';
import type { LedgerPlace } from './protocol.ts';
import { type Part, type PartOptions, verifyPart } from './verify-part.ts';
import type { VerifyThreadOptions, VerifyThreadReply } from './verify-thread.ts';

/** Look at parts, several at a time where there are several. */
export interface Readers {
  /** Parts that are worth being given out before the first is done. */
  readonly together: number;
  read(part: Part): Promise<ChunkFindings>;
  close(): Promise<void>;
}

/** In this thread, through this connection. */
export const readHere = (backend: LedgerBackend, options: PartOptions): Readers => ({
  together: 1,
  read: (part) => verifyPart(backend, part, options),
  close: async () => undefined,
});

/** Threads with connections of their own, which take turns. */
export function readInThreads(place: LedgerPlace, { sizes, removals }: PartOptions, count: number): Readers {
  const threads = Array.from({ length: count }, () => new Reader({ place, sizes, removals: removals.state }));
  let turn = 0;
  return {
    together: 2 * count,
    read: (part) => (threads[turn++ % count] as Reader).read(part),
    close: async () => {
      await Promise.all(threads.map((thread) => thread.close()));
    },
  };
}

interface Waiting {
  readonly resolve: (findings: ChunkFindings) => void;
  readonly reject: (error: Error) => void;
}

class Reader {
  readonly #worker: Worker;
  readonly #waiting: Waiting[] = [];

  constructor(options: VerifyThreadOptions) {
    this.#worker = new Worker(new URL('./verify-thread.ts', import.meta.url), {
      name: 'ledger verification',
      workerData: options,
      execArgv: ['--disable-warning=ExperimentalWarning'],
      resourceLimits: { maxYoungGenerationSizeMb: 8, maxOldGenerationSizeMb: 256 },
    });
    this.#worker.on('message', (reply: VerifyThreadReply) => {
      const waiting = this.#waiting.shift();
      if ('findings' in reply) waiting?.resolve(reply.findings);
      else
        waiting?.reject(
          reply.code.startsWith('ledger-')
            ? new LedgerError(reply.code as LedgerErrorCode, reply.message)
            : new Error(reply.message),
        );
    });
    this.#worker.on('error', (error: Error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail(new Error('a reader of the ledger ended')));
  }

  read(part: Part): Promise<ChunkFindings> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      this.#worker.postMessage(part);
    });
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
