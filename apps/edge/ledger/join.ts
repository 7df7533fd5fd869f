import { createHash } from 'node:crypto';
import { untilNext } from '@ringfence/bytes/moment.ts';
import { canonicalJson } from '@ringfence/ledger/canonical-json.ts';
import type { Configuration } from '../config/schema.ts';
import type { EventBus } from '../events/bus.ts';
import type { Store } from '../store/contract.ts';
import { callEntry } from './call-entry.ts';
import { EntryRate, eventEntry } from './event-entry.ts';
import { openLedger, type RunningLedger } from './open.ts';
import { ledgerOptions } from './settings.ts';

export interface LedgerSurroundings {
  readonly home: string;
  readonly config: Configuration;
  readonly bus: EventBus;
  now(): number;
}

const leftOutMs = 60_000;

/** The ledger as part of the daemon: hears events, sees call records, keeps versions of the configuration. */
export class LedgerDesk {
  readonly #surroundings: LedgerSurroundings;
  readonly #ledger: RunningLedger | undefined;
  readonly #rate = new EntryRate();
  readonly #stopHearing: () => void;
  #timer: NodeJS.Timeout | undefined;
  #config: Configuration;

  private constructor(surroundings: LedgerSurroundings, ledger: RunningLedger | undefined) {
    this.#surroundings = surroundings;
    this.#config = surroundings.config;
    this.#ledger = ledger;
    this.#stopHearing =
      ledger === undefined
        ? () => undefined
        : surroundings.bus.subscribe((event, time, severity) => {
            const entry = eventEntry(event, time, severity);
            if (entry === undefined) return;
            if (entry.class === 'administration' || entry.class === 'configuration' || this.#rate.take(time))
              ledger.append(entry);
            else this.#tellLeftOut();
          }, 'info');
  }

  /** Opens the ledger; where it is not wanted, a desk that does nothing. */
  static async open(surroundings: LedgerSurroundings): Promise<LedgerDesk> {
    const { home, config, bus, now } = surroundings;
    if (!config.ledger.enabled) return new LedgerDesk(surroundings, undefined);
    const ledger = await openLedger({
      ...ledgerOptions(home, config),
      commitMilliseconds: config.ledger.commitMilliseconds,
      now,
      told: (where, detail) => bus.emit({ type: 'edge.error', where, detail }),
    });
    const desk = new LedgerDesk(surroundings, ledger);
    desk.configured(config);
    return desk;
  }

  /** Hears of the beginning and the end of a problem. */
  onProblem(tell: (detail: string | undefined) => void): void {
    this.#ledger?.onProblem((problem) => tell(problem?.detail));
  }

  /** By policy no call may go unrecorded, and at the moment it would. */
  get blocks(): boolean {
    return this.#config.ledger.onFailure === 'refuse-calls' && this.#ledger?.problem !== undefined;
  }

  /** The store, with the ledger seeing the last record of every call. */
  seeing(store: Store): Store {
    const ledger = this.#ledger;
    if (ledger === undefined) return store;
    return new Proxy(store, {
      get: (target, name) => {
        if (name === 'putCall')
          return (...given: Parameters<Store['putCall']>) => {
            const [record] = given;
            if (record.endedAt !== undefined) ledger.append(callEntry(record, record.endedAt));
            return target.putCall(...given);
          };
        const value: unknown = Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  /** A version of the configuration; secrets are in files that it names, or redacted. */
  configured(config: Configuration): void {
    this.#config = config;
    this.#ledger?.retain(config.ledger.retention);
    this.#version('ringfence.yaml', config, true);
  }

  /** A version of the domain objects: its hash, with secrets redacted, and how many there are. */
  objects(objects: object): void {
    this.#version('objects', objects, false);
  }

  #version(what: string, value: object, whole: boolean): void {
    if (this.#ledger === undefined) return;
    const text = canonicalJson(JSON.parse(JSON.stringify(value, redacted)));
    const counts = Object.entries(value).flatMap(([name, list]) =>
      Array.isArray(list) ? [[name, list.length] as const] : [],
    );
    this.#ledger.append({
      class: 'configuration',
      tenant: '',
      time: this.#surroundings.now(),
      body: {
        event: 'configuration.version',
        what,
        sha256: createHash('sha256').update(text).digest('hex'),
        ...(whole && text.length < 60_000 ? { value: JSON.parse(text) as unknown } : {}),
        ...(whole ? {} : { counts: Object.fromEntries(counts) }),
      },
    });
  }

  /** What a flood left out is told once a minute. */
  #tellLeftOut(): void {
    this.#timer ??= setTimeout(
      () => {
        this.#timer = undefined;
        const entries = this.#rate.leftOut();
        if (entries > 0)
          this.#ledger?.append({
            class: 'security',
            tenant: '',
            time: this.#surroundings.now(),
            body: {
              event: 'ledger.left-out',
              entries,
              why: 'more events than the ledger takes of strangers',
            },
          });
      },
      untilNext(performance.now(), leftOutMs),
    ).unref();
  }

  async close(): Promise<void> {
    this.#stopHearing();
    clearTimeout(this.#timer);
    await this.#ledger?.close();
  }
}

const redacted = (name: string, value: unknown): unknown =>
  typeof value === 'string' && /password|secret|token|apikey/i.test(name) && !/file$/i.test(name)
    ? '[redacted]'
    : value;
