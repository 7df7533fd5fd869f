import { Worker } from 'node:worker_threads';
import type { Factor } from './factor-data.ts';

/** Of the site, as browsers hold it against the page (WebAuthn §5.1.3, §13.4.9). */
export interface Site {
  /** Host name. */
  readonly id: string;
  readonly origin: string;
}

export interface KeptPasskey {
  readonly credential: string;
  readonly publicKey: string;
  readonly counter: number;
  readonly transports: readonly string[];
}

export type PasskeyRequest =
  | {
      readonly kind: 'create-options';
      readonly site: Site;
      readonly account: string;
      readonly userId: string;
      readonly challenge: string;
      readonly known: readonly KeptPasskey[];
    }
  | { readonly kind: 'created'; readonly site: Site; readonly challenge: string; readonly response: unknown }
  | {
      readonly kind: 'get-options';
      readonly site: Site;
      readonly challenge: string;
      readonly known: readonly KeptPasskey[];
    }
  | {
      readonly kind: 'got';
      readonly site: Site;
      readonly challenge: string;
      readonly response: unknown;
      readonly known: KeptPasskey;
    };

export type PasskeyReply =
  | { readonly kind: 'options'; readonly options: unknown }
  | { readonly kind: 'created'; readonly passkey: KeptPasskey }
  | { readonly kind: 'got'; readonly counter: number }
  | { readonly kind: 'refused'; readonly detail: string };

export interface PasskeyCheck {
  ask(request: PasskeyRequest): Promise<PasskeyReply>;
}

/** Questions that wait for an answer; more are refused. */
const mostWaiting = 64;
/** Passkeys are rare: the thread and its 40 MB are given back after so long. */
const idleMs = 60_000;

/**
 * Asks the library for WebAuthn in a thread of its own: to load it takes 400 ms, which calls must not wait for, and what
 * browsers send as attestations is read by a large parser.
 */
export class PasskeyThread implements PasskeyCheck {
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #next = 0;
  readonly #waiting = new Map<number, (reply: PasskeyReply) => void>();

  ask(request: PasskeyRequest): Promise<PasskeyReply> {
    if (this.#waiting.size >= mostWaiting)
      return Promise.resolve({ kind: 'refused', detail: 'too many at a time' });
    const worker = this.#start();
    const id = ++this.#next;
    return new Promise((done) => {
      this.#waiting.set(id, done);
      worker.postMessage({ id, request });
    });
  }

  async stop(): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    this.#lost('stopped');
    await worker?.terminate();
  }

  #start(): Worker {
    clearTimeout(this.#idle);
    if (this.#worker !== undefined) return this.#worker;
    const worker = new Worker(new URL('./passkey-thread.ts', import.meta.url), {
      execArgv: ['--disable-warning=ExperimentalWarning'],
      resourceLimits: { maxOldGenerationSizeMb: 128 },
    });
    worker.unref();
    worker.on('message', ({ id, reply }: { readonly id: number; readonly reply: PasskeyReply }) => {
      this.#waiting.get(id)?.(reply);
      this.#waiting.delete(id);
      if (this.#waiting.size === 0) this.#idle = setTimeout(() => void this.stop(), idleMs).unref();
    });
    const over = (): void => {
      if (this.#worker === worker) this.#lost('the thread for passkeys ended');
    };
    worker.once('error', over);
    worker.once('exit', over);
    this.#worker = worker;
    return worker;
  }

  #lost(detail: string): void {
    this.#worker = undefined;
    for (const done of this.#waiting.values()) done({ kind: 'refused', detail });
    this.#waiting.clear();
  }
}

/** The passkeys of an account, as the library wants them. */
export const passkeysOf = (factors: readonly Factor[]): KeptPasskey[] =>
  factors.flatMap(({ data }) => (data.kind === 'passkey' ? [data] : [])).map(({ kind: _, ...kept }) => kept);
