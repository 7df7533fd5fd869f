import { randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import type { SignedHead } from '@ringfence/ledger/head.ts';
import type { LedgerBackend } from './backend.ts';
import type { LedgerEntry } from './contract.ts';
import { Indexer } from './indexer.ts';
import { openSigningKey, PersonKeys } from './keys.ts';
import { isPassing } from './ledger-error.ts';
import { openPlace } from './place.ts';
import type { Reply, Request, WorkerOptions } from './protocol.ts';
import { type RetentionRule, retention } from './retention.ts';
import { tellWitnesses } from './witness.ts';
import { LedgerWriter } from './writer.ts';

const retentionMs = 3_600_000;
const indexMs = 250;

/** The thread that writes: entries first, then the index, now and then retention and witnesses. */
class LedgerThread {
  readonly #port: MessagePort;
  readonly #options: WorkerOptions;
  readonly #backend: LedgerBackend;
  readonly #writer: LedgerWriter;
  readonly #indexer: Indexer;
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #batches: string[] = [];
  #rules: readonly RetentionRule[];
  #running = false;
  #closing = false;
  #index = true;
  /** Something was appended that the index does not know. */
  #fresh = false;
  #retain = true;
  #retaining: AsyncGenerator<number> | undefined;
  #witness = false;
  #telling = false;
  /** Entries of the thread's own. */
  readonly #own: LedgerEntry[] = [];
  #witnessed = -1;

  constructor(port: MessagePort, options: WorkerOptions, backend: LedgerBackend) {
    this.#port = port;
    this.#options = options;
    this.#backend = backend;
    this.#rules = options.retention;
    const persons = PersonKeys.of(options.home);
    this.#writer = new LedgerWriter({
      backend,
      signing: openSigningKey(options.home),
      persons,
      now: Date.now,
    });
    this.#indexer = new Indexer(backend, persons);
    port.on('message', (request: Request) => this.#receive(request));
    const every = (milliseconds: number, mark: () => void): void => {
      this.#timers.push(
        setInterval(() => {
          mark();
          void this.#run();
        }, milliseconds),
      );
    };
    every(indexMs, () => {
      this.#index ||= this.#fresh;
      this.#fresh = false;
    });
    every(retentionMs, () => {
      this.#retain = true;
    });
    every(options.witness.everyMinutes * 60_000, () => {
      this.#witness = true;
    });
  }

  #receive(request: Request): void {
    if (request.kind === 'append') this.#batches.push(request.entries);
    else if (request.kind === 'retention') {
      this.#rules = request.rules;
      this.#retain = true;
    } else this.#closing = true;
    void this.#run();
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    for (;;) {
      const batch = this.#batches.shift();
      if (batch !== undefined) await this.#append(JSON.parse(batch) as LedgerEntry[]);
      else if (this.#closing) return this.#close();
      else if (!(await this.#rest())) break;
      // messages come in only here: SQLite itself never waits
      await turn();
    }
    this.#running = false;
    if (this.#batches.length > 0 || this.#closing) void this.#run();
  }

  async #append(entries: readonly LedgerEntry[]): Promise<void> {
    try {
      const sequences = await this.#writer.append(entries);
      this.#fresh = true;
      this.#reply({ kind: 'committed', sequences: sequences.slice(0, entries.length) });
    } catch (error) {
      const { code = 'ledger-unknown', message } = error as { code?: string; message: string };
      if (code === 'ledger-value' || code === 'ledger-tenant') await this.#appendEach(entries);
      else this.#reply({ kind: 'uncommitted', code, message });
    }
  }

  /** One entry that cannot be recorded must not take the others with it; that it was left out is recorded. */
  async #appendEach(entries: readonly LedgerEntry[]): Promise<void> {
    const sequences: number[] = [];
    for (const entry of entries) {
      try {
        sequences.push((await this.#writer.append([entry]))[0] ?? -1);
      } catch (error) {
        const detail = error instanceof Error ? error.message : String(error);
        sequences.push(-1);
        this.#reply({ kind: 'told', where: 'ledger', detail: `an entry was left out: ${detail}` });
        await this.#writer
          .append([
            {
              class: 'ledger',
              tenant: '',
              time: Date.now(),
              body: { act: 'gap', entries: 1, since: Date.now(), until: Date.now(), why: detail },
            },
          ])
          .catch(() => undefined);
      }
    }
    this.#reply({ kind: 'committed', sequences });
  }

  /** What is done when nothing waits; false where nothing is left to do. */
  async #rest(): Promise<boolean> {
    try {
      if (this.#index) {
        this.#index = await this.#indexer.step();
        return true;
      }
      if (this.#own.length > 0) {
        await this.#writer.append(this.#own);
        this.#own.length = 0;
        return true;
      }
      if (this.#retain) {
        this.#retaining ??= retention(this.#backend, this.#writer, this.#rules, Date.now());
        const { done } = await this.#retaining.next();
        if (done !== true) return true;
        this.#retaining = undefined;
        this.#retain = false;
      }
      if (this.#witness && !this.#telling) {
        this.#witness = false;
        const head = (await this.#backend.heads()).at(-1);
        // Not waited for: a witness may be slow.
        if (head !== undefined && head.size !== this.#witnessed) void this.#tell(head);
      }
    } catch (error) {
      // A full disk or a server that is away is told of by the appending.
      if (!isPassing(error))
        this.#reply({
          kind: 'told',
          where: 'ledger',
          detail: error instanceof Error ? error.message : String(error),
        });
      this.#index = false;
      this.#retain = false;
      this.#retaining = undefined;
    }
    return false;
  }

  async #tell(head: SignedHead): Promise<void> {
    this.#telling = true;
    const { problems, token } = await tellWitnesses(head, this.#options.witness, randomBytes(8));
    this.#telling = false;
    for (const problem of problems) this.#reply({ kind: 'told', where: 'ledger witness', detail: problem });
    if (problems.length === 0) this.#witnessed = head.size;
    if (token === undefined) return;
    this.#own.push({
      class: 'ledger',
      tenant: '',
      time: Date.now(),
      body: {
        act: 'timestamp',
        size: head.size,
        root: Buffer.from(head.root).toString('hex'),
        time: head.time,
        signature: Buffer.from(head.signature).toString('base64'),
        token: Buffer.from(token).toString('base64'),
      },
    });
    // The entry itself is no reason to ask again.
    this.#witnessed = head.size + 1;
    void this.#run();
  }

  async #close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    // The last head of this run is the one that a cut off end is shown by.
    const { witness } = this.#options;
    const head = await this.#backend
      .heads()
      .then((heads) => heads.at(-1))
      .catch(() => undefined);
    if (head !== undefined && witness.file !== undefined)
      await tellWitnesses(head, { file: witness.file, everyMinutes: witness.everyMinutes }, randomBytes(8));
    await this.#backend.close().catch(() => undefined);
    this.#reply({ kind: 'closed' });
    this.#port.close();
  }

  #reply(reply: Reply): void {
    this.#port.postMessage(reply);
  }
}

async function begin(port: MessagePort, options: WorkerOptions): Promise<void> {
  try {
    const backend = await openPlace(options.place, true);
    new LedgerThread(port, options, backend);
    port.postMessage({ kind: 'opened' } satisfies Reply);
  } catch (error) {
    const { code = 'ledger-unknown', message } = error as { code?: string; message: string };
    port.postMessage({ kind: 'refused', code, message } satisfies Reply);
    port.close();
  }
}

// imported outside a thread, to be compiled, it does nothing
if (parentPort !== null) void begin(parentPort, workerData as WorkerOptions);
