import { readdir, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { Call } from '../call/call.ts';
import type { Configuration } from '../config/schema.ts';
import type { Outcome } from '../incidents/measures.ts';
import type { Incident } from '../incidents/types.ts';
import { ledgerOptions } from '../ledger/settings.ts';
import type { MessageTap } from '../transport/message-tap.ts';
import { MessageRing } from './message-ring.ts';
import type { FromWorker, ToWorker, WorkOrder } from './protocol.ts';
import { wantedBy } from './wanted.ts';

export interface EvidenceParts {
  readonly home: string;
  readonly config: Configuration;
  readonly version: string;
  now(): number;
  calls(): ReadonlyMap<string, Pick<Call, 'view' | 'callIds'>>;
  /** Who else sees messages at the same place. */
  beside(): MessageTap | undefined;
  /** Before a bundle that a playbook asks for: answers and records of what has just happened are then there. Default: 2 s. */
  readonly settleMilliseconds?: number;
}

export interface MadeFile {
  readonly file: string;
  /** SHA-256 of its manifest. */
  readonly id: string;
  readonly octets: number;
  readonly messages: number;
}

/** Of one bundle. */
const mostMessages = { messages: 4_000, octets: 16 * 1024 * 1024 };
const mostWaiting = 50;
const settleMs = 2_000;
const patienceMs = 120_000;
const stopMs = 5_000;
const mebibyte = 1024 * 1024;

/** Keeps the latest SIP messages and makes evidence bundles, one at a time, in a thread of its own. */
export class EvidenceDesk implements MessageTap {
  readonly #parts: EvidenceParts;
  readonly #folder: string;
  #config: Configuration;
  #ring: MessageRing | undefined;
  #last: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #worker: Worker | undefined;
  #closed = false;
  readonly #stopped = new AbortController();

  constructor(parts: EvidenceParts) {
    this.#parts = parts;
    this.#folder = join(parts.home, 'evidence');
    this.#config = parts.config;
    this.#ring = this.#newRing();
  }

  /** Takes effect at once; with another size, what was kept is gone. */
  configure(config: Configuration): void {
    const before = JSON.stringify(this.#config.evidence);
    this.#config = config;
    if (JSON.stringify(config.evidence) !== before) this.#ring = this.#newRing();
  }

  #newRing(): MessageRing | undefined {
    const { messages, megabytes } = this.#config.evidence;
    if (messages === 0) return undefined;
    return new MessageRing({ messages, octets: megabytes * mebibyte }, () => this.#parts.now());
  }

  received(flow: Flow, bytes: Uint8Array): void {
    this.#ring?.received(flow, bytes);
    this.#parts.beside()?.received(flow, bytes);
  }

  sent(flow: Flow, bytes: Uint8Array): void {
    this.#ring?.sent(flow, bytes);
    this.#parts.beside()?.sent(flow, bytes);
  }

  /** What the step `preserve` does. Never rejects. */
  async preserve(incident: () => Incident): Promise<Outcome> {
    const { folderMegabytes } = this.#config.evidence;
    try {
      const { signal } = this.#stopped;
      await delay(this.#parts.settleMilliseconds ?? settleMs, undefined, { signal }).catch(() => undefined);
      if ((await sizeOf(this.#folder)) >= folderMegabytes * mebibyte)
        return {
          done: false,
          detail: `${this.#folder} holds ${folderMegabytes} MiB: move bundles elsewhere, then run \`ringfence evidence make ${incident().id}\``,
        };
      const { file } = await this.make(incident, 'playbook');
      return { done: true, detail: file };
    } catch (error) {
      return { done: false, detail: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Rejects with a sentence for the administrator. */
  make(incident: () => Incident, by: string): Promise<MadeFile> {
    if (this.#waiting >= mostWaiting)
      return Promise.reject(new Error(`${mostWaiting} bundles are waiting to be made; try again later`));
    this.#waiting += 1;
    const made = this.#last.then(() => this.#make(incident(), by));
    this.#last = made
      .catch(() => undefined)
      .finally(() => {
        this.#waiting -= 1;
      });
    return made;
  }

  async #make(incident: Incident, by: string): Promise<MadeFile> {
    if (this.#closed) throw new Error('the edge has stopped');
    const { home, version, now } = this.#parts;
    const calls = this.#parts.calls();
    const live = incident.calls.names.flatMap((id) => calls.get(id) ?? []);
    const { ledger, store } = this.#config;
    const order: WorkOrder = {
      folder: this.#folder,
      request: {
        home,
        ledger: ledger.enabled ? ledgerOptions(home, this.#config).place : undefined,
        store: resolve(home, store.file),
        node: hostname(),
        version,
        by,
        incident,
        live: live.flatMap((call) => call.view() ?? []),
        callIds: live.flatMap(({ callIds }) => callIds),
        configuration: JSON.parse(JSON.stringify(this.#config)) as unknown,
        now: now(),
      },
    };
    const worker = new Worker(new URL('./worker.ts', import.meta.url), {
      name: 'evidence',
      workerData: JSON.parse(JSON.stringify(order)) as WorkOrder,
      execArgv: ['--disable-warning=ExperimentalWarning'],
      resourceLimits: { maxOldGenerationSizeMb: 512 },
    });
    this.#worker = worker;
    const timer = setTimeout(() => void worker.terminate(), patienceMs);
    try {
      return await new Promise<MadeFile>((resolve, reject) => {
        worker.on('message', (message: FromWorker) => {
          if (message.kind === 'find')
            void this.#find(incident, message.callIds).then((found) => worker.postMessage(found), reject);
          else if (message.kind === 'failed') reject(new Error(message.text));
          else resolve(message);
        });
        worker.once('error', reject);
        worker.once('exit', () => reject(new Error('the thread that makes evidence has ended')));
      });
    } catch (error) {
      // It may still wait for an answer that does not come.
      await worker.terminate();
      throw error;
    } finally {
      clearTimeout(timer);
      this.#worker = undefined;
    }
  }

  async #find(incident: Incident, callIds: readonly string[]): Promise<ToWorker> {
    const found = await this.#ring?.find(wantedBy(incident, new Set(callIds)), mostMessages, turn);
    return { kind: 'found', ...(found ?? { messages: [], left: 0 }) };
  }

  /** What is being made or waits has so long; what is not done by then is not made. */
  async stop(milliseconds: number = stopMs): Promise<void> {
    this.#stopped.abort();
    await turn();
    const timer = setTimeout(() => {
      this.#closed = true;
      void this.#worker?.terminate();
    }, milliseconds);
    await this.#last;
    clearTimeout(timer);
    this.#closed = true;
  }
}

async function sizeOf(folder: string): Promise<number> {
  let names: string[];
  try {
    names = await readdir(folder);
  } catch {
    return 0;
  }
  let sum = 0;
  for (const name of names) sum += (await stat(join(folder, name)).catch(() => undefined))?.size ?? 0;
  return sum;
}
