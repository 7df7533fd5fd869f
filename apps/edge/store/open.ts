import { Worker } from 'node:worker_threads';
import { untilNext } from '@ringfence/bytes/moment.ts';
import type { Ban } from '../admission/bans/types.ts';
import type { Incident } from '../incidents/types.ts';
import type { Objects } from '../objects/types.ts';
import type { KnownPeer } from '../policy/known-peers.ts';
import type { AccountRow } from './account-rows.ts';
import type { BanWrite } from './ban-rows.ts';
import type { Binding, CallRecord, OpenCall, Store, StoreProblem } from './contract.ts';
import type { FactorName, FactorRow } from './factor-rows.ts';
import { assembleObjects } from './object-rows.ts';
import { packCall, unpackCall } from './pack-call.ts';
import { type Batch, lengthOf, type Reply, type Request, type WorkerOptions, Write } from './protocol.ts';
import type { SpendRow } from './spend-rows.ts';
import { isPassing, StoreError, type StoreErrorCode } from './store-error.ts';
import type { ZrtpPeer } from './zrtp-rows.ts';

export interface StoreOptions {
  /** SQLite database; created with mode 0600 where it is missing. */
  readonly file: string;
  /** Key that passwords are sealed under. */
  readonly keyFile: string;
  /** How long registrations are gathered into one commit; default 10. */
  readonly commitMilliseconds?: number;
  /** How long call records are, where no registration comes first; default 100. */
  readonly callCommitMilliseconds?: number;
  /** Makes the key file where there is none and nothing has been sealed yet; default true. */
  readonly createKey?: boolean;
  /** How often to look for changes by other processes; default 500. */
  readonly watchMilliseconds?: number;
}

/** Writes waiting for the disk; above it they are refused, so that a stalled disk cannot eat the memory. */
const maximumWaiting = 200_000;
/** Call records that wait in memory for a disk that takes nothing, some 2 kB each; further ones are lost. */
const maximumKept = 20_000;
const retryMs = 1_000;

type Gathering = {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
};

/**
 * Opens the database in a worker thread.
 *
 * Writes within the window share one transaction and one promise; it resolves once they are on disk. A commit costs
 * about as much CPU as ten records (waking two threads, syncing), hence the longer window for what nobody waits for.
 * Rejects with `StoreError` where the database or its key is refused.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const workerOptions: WorkerOptions = {
    file: options.file,
    keyFile: options.keyFile,
    createKey: options.createKey ?? true,
    watchMilliseconds: options.watchMilliseconds ?? 500,
  };
  const worker = new Worker(new URL('./worker.ts', import.meta.url), {
    name: 'store',
    workerData: workerOptions,
    execArgv: ['--disable-warning=ExperimentalWarning'],
    resourceLimits: { maxYoungGenerationSizeMb: 2, maxOldGenerationSizeMb: 256 },
  });
  const opened = await new Promise<Extract<Reply, { kind: 'opened' }>>((resolve, reject) => {
    worker.once('message', (reply: Reply) => {
      if (reply.kind === 'opened') resolve(reply);
      else if (reply.kind === 'refused') reject(new StoreError(reply.code as StoreErrorCode, reply.message));
    });
    worker.once('error', reject);
    worker.once('exit', (code) =>
      reject(new StoreError('store-down', `the store's thread ended with ${code}`)),
    );
  });
  return new ThreadedStore(worker, opened, options);
}

class ThreadedStore implements Store {
  readonly #worker: Worker;
  readonly #bindingWindow: number;
  readonly #callWindow: number;
  readonly #live = new Map<string, number>();
  /** Calls of the last process, until it is said which go on. */
  readonly #open = new Map<string, number>();
  readonly #answers = new Map<number, { resolve(reply: Reply): void; reject(error: Error): void }>();
  readonly #inFlight: Gathering[] = [];
  readonly #objectListeners: (() => void)[] = [];
  readonly #failureListeners: ((reason: string) => void)[] = [];
  /** Writes of the batches in flight, in their order. */
  readonly #sent: Batch[] = [];
  readonly #troubleListeners: ((problem: StoreProblem | undefined) => void)[] = [];
  readonly repaired: string | undefined;
  #kept: (number | string)[] = [];
  #retry: NodeJS.Timeout | undefined;
  #troubled = false;
  #sequence: number;
  #nextId = 1;
  #writes: (number | string)[] = [];
  #count = 0;
  #waiting = 0;
  #counts: number[] = [];
  #gathering: Gathering | undefined;
  #timer: NodeJS.Timeout | undefined;
  #window = 0;
  #due = false;
  #down: StoreError | undefined;

  constructor(
    worker: Worker,
    { sequence, repaired }: Extract<Reply, { kind: 'opened' }>,
    options: StoreOptions,
  ) {
    this.#worker = worker;
    this.#sequence = sequence;
    this.repaired = repaired;
    this.#bindingWindow = options.commitMilliseconds ?? 10;
    this.#callWindow = Math.max(this.#bindingWindow, options.callCommitMilliseconds ?? 100);
    worker.removeAllListeners('exit').removeAllListeners('error');
    worker.on('message', (reply: Reply) => this.#receive(reply));
    worker.on('error', (error: Error) => this.#fail(`the store's thread failed: ${error.message}`));
    worker.on('exit', (code) => this.#fail(`the store's thread ended with ${code}`));
  }

  async objects(): Promise<Objects> {
    const reply = await this.#ask((id) => ({ kind: 'objects', id }));
    if (reply.kind !== 'objects') throw new StoreError('store-down', 'the store gave no objects');
    return assembleObjects(reply.objects);
  }

  async bindings(): Promise<readonly Binding[]> {
    const reply = await this.#ask((id) => ({ kind: 'bindings', id }));
    return reply.kind === 'bindings' ? reply.bindings : [];
  }

  async zrtpPeers(): Promise<readonly ZrtpPeer[]> {
    const reply = await this.#ask((id) => ({ kind: 'zrtp-peers', id }));
    return reply.kind === 'zrtp-peers' ? reply.peers : [];
  }

  async knownPeers(): Promise<readonly KnownPeer[]> {
    const reply = await this.#ask((id) => ({ kind: 'known-peers', id }));
    return reply.kind === 'known-peers' ? reply.peers : [];
  }

  async putKnownPeer(peer: KnownPeer, forget: readonly string[]): Promise<void> {
    await this.#ask((id) => ({ kind: 'put-known-peer', id, peer, forget }));
  }

  async putZrtpPeer(peer: ZrtpPeer): Promise<void> {
    await this.#ask((id) => ({ kind: 'put-zrtp-peer', id, peer }));
    // The thread has a copy of its own, which it overwrites.
    peer.rs1.fill(0);
    peer.rs2.fill(0);
  }

  async bans(): Promise<readonly Ban[]> {
    const reply = await this.#ask((id) => ({ kind: 'bans', id }));
    return reply.kind === 'bans' ? reply.bans : [];
  }

  async putBans(write: BanWrite): Promise<void> {
    await this.#ask((id) => ({ kind: 'put-bans', id, write }));
  }

  async accounts(): Promise<readonly AccountRow[]> {
    const reply = await this.#ask((id) => ({ kind: 'accounts', id }));
    return reply.kind === 'accounts' ? reply.rows : [];
  }

  async putAccounts(put: readonly AccountRow[], remove: readonly AccountRow[]): Promise<void> {
    await this.#ask((id) => ({ kind: 'put-accounts', id, put, remove }));
  }

  async factors(): Promise<readonly FactorRow[]> {
    const reply = await this.#ask((id) => ({ kind: 'factors', id }));
    return reply.kind === 'factors' ? reply.factors : [];
  }

  async putFactors(put: readonly FactorRow[], remove: readonly FactorName[]): Promise<void> {
    await this.#ask((id) => ({ kind: 'put-factors', id, put, remove }));
  }

  async incidents(): Promise<readonly Incident[]> {
    const reply = await this.#ask((id) => ({ kind: 'incidents', id }));
    return reply.kind === 'incidents' ? reply.incidents : [];
  }

  async putIncident(incident: Incident): Promise<void> {
    await this.#ask((id) => ({ kind: 'put-incident', id, incident }));
  }

  async spend(): Promise<readonly SpendRow[]> {
    const reply = await this.#ask((id) => ({ kind: 'spend', id }));
    return reply.kind === 'spend' ? reply.rows : [];
  }

  async putSpend(put: readonly SpendRow[], remove: readonly string[]): Promise<void> {
    await this.#ask((id) => ({ kind: 'put-spend', id, put, remove }));
  }

  async openCalls(): Promise<readonly OpenCall[]> {
    const reply = await this.#ask((id) => ({ kind: 'open-calls', id }));
    if (reply.kind !== 'open-calls') return [];
    const calls: OpenCall[] = [];
    for (const { sequence, record, state } of reply.calls) {
      const call = unpackCall(record);
      if (call === undefined) continue;
      this.#open.set(call.id, sequence);
      calls.push({ record: call, journal: state });
    }
    return calls;
  }

  async closeInterrupted(at: number, keep: ReadonlySet<string> = new Set()): Promise<number> {
    const kept: number[] = [];
    for (const [callId, sequence] of this.#open) {
      if (!keep.has(callId)) continue;
      this.#live.set(callId, sequence);
      kept.push(sequence);
    }
    this.#open.clear();
    const reply = await this.#ask((id) => ({ kind: 'close-interrupted', id, now: at, keep: kept }));
    return reply.kind === 'count' ? reply.count : 0;
  }

  putBindings(
    put: readonly Binding[],
    remove: readonly { domain: string; user: string; key: string }[],
  ): Promise<void> {
    const refused = this.#refusal();
    if (refused !== undefined) return refused;
    for (const binding of put) this.#writes.push(Write.bind, JSON.stringify(binding));
    for (const { domain, user, key } of remove) this.#writes.push(Write.unbind, domain, user, key);
    return this.#gather(put.length + remove.length, this.#bindingWindow);
  }

  putCall(record: CallRecord, journal = ''): Promise<void> {
    const refused = this.#refusal();
    if (refused !== undefined) return refused;
    const known = this.#live.get(record.id);
    if (record.endedAt !== undefined) {
      this.#live.delete(record.id);
      this.#writes.push(Write.ended, known ?? 0, packCall(record));
    } else {
      const sequence = known ?? this.#sequence++;
      if (known === undefined) this.#live.set(record.id, sequence);
      this.#writes.push(Write.live, sequence, packCall(record), journal);
    }
    return this.#gather(1, this.#callWindow);
  }

  onObjectsChanged(listener: () => void): void {
    this.#objectListeners.push(listener);
  }

  onTrouble(listener: (problem: StoreProblem | undefined) => void): void {
    this.#troubleListeners.push(listener);
  }

  onFailure(listener: (reason: string) => void): void {
    this.#failureListeners.push(listener);
  }

  async close(): Promise<void> {
    if (this.#down !== undefined) return;
    const closed = this.#ask((id) => ({ kind: 'close', id }));
    this.#down = new StoreError('store-closed', 'the store is closed');
    const exit = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()));
    clearTimeout(this.#retry);
    await closed;
    await exit;
  }

  #refusal(): Promise<never> | undefined {
    if (this.#down !== undefined) return Promise.reject(this.#down);
    if (this.#waiting < maximumWaiting) return undefined;
    return Promise.reject(
      new StoreError(
        'store-overloaded',
        `${this.#waiting} writes wait for the disk; check its speed and free space`,
      ),
    );
  }

  #gather(count: number, window: number): Promise<void> {
    this.#count += count;
    this.#waiting += count;
    if (this.#gathering === undefined) {
      this.#gathering = Promise.withResolvers<void>();
      this.#arm(window);
    } else if (window < this.#window) this.#arm(window);
    return this.#gathering.promise;
  }

  #arm(window: number): void {
    clearTimeout(this.#timer);
    this.#window = window;
    this.#timer = setTimeout(() => this.#elapsed(), untilNext(performance.now(), window));
  }

  /** One commit at a time: while the disk is slow, the next batch grows instead of a queue of batches. */
  #elapsed(): void {
    if (this.#inFlight.length === 0) this.#send();
    else this.#due = true;
  }

  #send(): void {
    if (this.#gathering === undefined) return;
    clearTimeout(this.#timer);
    this.#due = false;
    this.#inFlight.push(this.#gathering);
    this.#counts.push(this.#count);
    this.#gathering = undefined;
    this.#count = 0;
    const writes = this.#kept.length === 0 ? this.#writes : this.#kept.concat(this.#writes);
    this.#kept = [];
    this.#sent.push(writes);
    this.#worker.postMessage({ kind: 'batch', writes } satisfies Request);
    this.#writes = [];
  }

  /** Call records of a batch that could not be written wait for the next one; bindings do not, their phones ask again. */
  #keep(writes: Batch): void {
    for (let at = 0; at < writes.length && this.#kept.length < 4 * maximumKept; ) {
      const length = lengthOf[writes[at] as number] ?? writes.length;
      if (writes[at] === Write.live || writes[at] === Write.ended)
        for (let i = at; i < at + length; i++) this.#kept.push(writes[i] as number | string);
      at += length;
    }
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined;
      if (this.#kept.length === 0 || this.#down !== undefined) return;
      // Nobody waits for this one.
      this.#gather(0, this.#callWindow).catch(() => undefined);
    }, retryMs);
  }

  #tellTrouble(problem: StoreProblem | undefined): void {
    if (problem === undefined && !this.#troubled) return;
    this.#troubled = problem !== undefined;
    for (const listener of this.#troubleListeners) listener(problem);
  }

  #ask(request: (id: number) => Request): Promise<Reply> {
    if (this.#down !== undefined) return Promise.reject(this.#down);
    // what was written before is seen by what is asked after
    this.#send();
    const id = this.#nextId++;
    return new Promise((resolve, reject) => {
      this.#answers.set(id, { resolve, reject });
      this.#worker.postMessage(request(id));
    });
  }

  #receive(reply: Reply): void {
    switch (reply.kind) {
      case 'committed':
      case 'uncommitted': {
        const batch = this.#inFlight.shift();
        const writes = this.#sent.shift() ?? [];
        this.#waiting -= this.#counts.shift() ?? 0;
        if (reply.kind === 'committed') {
          this.#tellTrouble(undefined);
          batch?.resolve();
        } else {
          const error = new StoreError(reply.code as StoreErrorCode, reply.message);
          if (isPassing(error)) {
            this.#keep(writes);
            const what = error.code === 'store-busy' ? 'database' : 'disk';
            this.#tellTrouble({ what, detail: error.message });
          }
          batch?.reject(error);
        }
        if (this.#due && this.#inFlight.length === 0) this.#send();
        return;
      }
      case 'objects-changed':
        for (const listener of this.#objectListeners) listener();
        return;
      case 'failed':
        this.#answers.get(reply.id)?.reject(new StoreError(reply.code as StoreErrorCode, reply.message));
        this.#answers.delete(reply.id);
        return;
      case 'objects':
      case 'bindings':
      case 'open-calls':
      case 'zrtp-peers':
      case 'known-peers':
      case 'bans':
      case 'accounts':
      case 'factors':
      case 'incidents':
      case 'spend':
      case 'count':
        this.#answers.get(reply.id)?.resolve(reply);
        this.#answers.delete(reply.id);
    }
  }

  #fail(reason: string): void {
    const closing = this.#down !== undefined;
    this.#down ??= new StoreError('store-down', `${reason}; restart the edge`);
    clearTimeout(this.#timer);
    for (const batch of this.#inFlight.splice(0)) batch.reject(this.#down);
    this.#gathering?.reject(this.#down);
    this.#gathering = undefined;
    for (const { reject } of this.#answers.values()) reject(this.#down);
    this.#answers.clear();
    if (!closing) for (const listener of this.#failureListeners) listener(reason);
  }
}
