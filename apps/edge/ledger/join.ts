import { createHash } from 'node:crypto';
import { untilNext } from '@ringfence/bytes/moment.ts';
import { canonicalJson } from '@ringfence/ledger/canonical-json.ts';
import type { Configuration } from '../config/schema.ts';
import type { EventBus } from '../events/bus.ts';
import type { Store } from '../store/contract.ts';
import { callEntry } from './call-entry.ts';
import type { LedgerEntry } from './contract.ts';
import { EntryRate, eventEntry } from './event-entry.ts';
import { mayPass } from './ledger-error.ts';
import { openLedger, type RunningLedger } from './open.ts';
import { ledgerOptions } from './settings.ts';

export interface LedgerSurroundings {
  readonly home: string;
  readonly config: Configuration;
  readonly bus: EventBus;
  /** Between two attempts to open it. Default: a minute. */
  readonly againMilliseconds?: number;
  now(): number;
}

const leftOutMs = 60_000;
const againMs = 60_000;

/** The ledger as part of the daemon: hears events, sees call records, keeps versions of the configuration. */
export class LedgerDesk {
  readonly #surroundings: LedgerSurroundings;
  readonly #rate = new EntryRate();
  readonly #problems: ((detail: string | undefined) => void)[] = [];
  #ledger: RunningLedger | undefined;
  /** Why it is not open, and what was lost since. */
  #shut: { readonly detail: string; readonly since: number; entries: number } | undefined;
  #stopHearing: () => void = () => undefined;
  #timer: NodeJS.Timeout | undefined;
  #again: NodeJS.Timeout | undefined;
  #closed = false;
  #config: Configuration;

  private constructor(surroundings: LedgerSurroundings) {
    this.#surroundings = surroundings;
    this.#config = surroundings.config;
    if (!surroundings.config.ledger.enabled) return;
    this.#stopHearing = surroundings.bus.subscribe((event, time, severity) => {
      const entry = eventEntry(event, time, severity);
      if (entry === undefined) return;
      const ours = entry.class === 'administration' || entry.class === 'configuration';
      if (ours || this.#rate.take(entry, time)) this.#append(entry);
      else this.#tellLeftOut();
    }, 'info');
  }

  /**
   * Opens the ledger; where it is not wanted, a desk that does nothing.
   *
   * One that cannot be opened is tried again every minute, and the gap is recorded, where calls are to go on without it
   * (`ledger.onFailure: go-on`); else this rejects. A wrong key is refused in any case: waiting does not mend it.
   */
  static async open(surroundings: LedgerSurroundings): Promise<LedgerDesk> {
    const desk = new LedgerDesk(surroundings);
    const { config } = surroundings;
    if (!config.ledger.enabled) return desk;
    try {
      await desk.#open();
    } catch (error) {
      desk.#stopHearing();
      if (config.ledger.onFailure !== 'go-on' || !mayPass(error)) throw error;
      const again = new LedgerDesk(surroundings);
      again.#fail(error);
      return again;
    }
    return desk;
  }

  async #open(): Promise<void> {
    const { home, config, bus, now } = this.#surroundings;
    const ledger = await openLedger({
      ...ledgerOptions(home, config),
      commitMilliseconds: config.ledger.commitMilliseconds,
      now,
      told: (where, detail) => bus.emit({ type: 'edge.error', where, detail }),
    });
    if (this.#closed) return ledger.close();
    this.#ledger = ledger;
    ledger.onProblem((problem) => this.#tell(problem?.detail));
    const shut = this.#shut;
    this.#shut = undefined;
    if (shut !== undefined) {
      const { entries, since, detail } = shut;
      const time = now();
      const body = { act: 'gap', entries, since, until: time, why: detail };
      ledger.append({ class: 'ledger', tenant: '', time, body });
      this.#tell(undefined);
    }
    this.configured(this.#config);
  }

  #fail(error: unknown): void {
    const detail = error instanceof Error ? error.message : String(error);
    this.#shut ??= { detail, since: this.#surroundings.now(), entries: 0 };
    this.#again = setTimeout(() => {
      this.#open().catch((failed: unknown) => this.#fail(failed));
    }, this.#surroundings.againMilliseconds ?? againMs).unref();
  }

  #append(entry: LedgerEntry): void {
    if (this.#ledger !== undefined) this.#ledger.append(entry);
    else if (this.#shut !== undefined) this.#shut.entries += 1;
  }

  #tell(detail: string | undefined): void {
    for (const tell of this.#problems) tell(detail);
  }

  /** Hears of the beginning and the end of a problem. */
  onProblem(tell: (detail: string | undefined) => void): void {
    this.#problems.push(tell);
    if (this.#shut !== undefined) tell(this.#shut.detail);
  }

  /** By policy no call may go unrecorded, and at the moment it would. */
  get blocks(): boolean {
    if (!this.#config.ledger.enabled || this.#config.ledger.onFailure !== 'refuse-calls') return false;
    return this.#shut !== undefined || this.#ledger?.problem !== undefined;
  }

  /** The store, with the ledger seeing the last record of every call. */
  seeing(store: Store): Store {
    if (!this.#config.ledger.enabled) return store;
    return new Proxy(store, {
      get: (target, name) => {
        if (name === 'putCall')
          return (...given: Parameters<Store['putCall']>) => {
            const [record] = given;
            if (record.endedAt !== undefined) this.#append(callEntry(record, record.endedAt));
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
    if (!this.#config.ledger.enabled) return;
    const text = canonicalJson(JSON.parse(JSON.stringify(value, redacted)));
    const counts = Object.entries(value).flatMap(([name, list]) =>
      Array.isArray(list) ? [[name, list.length] as const] : [],
    );
    this.#append({
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
          this.#append({
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
    this.#closed = true;
    this.#stopHearing();
    clearTimeout(this.#timer);
    clearTimeout(this.#again);
    await this.#ledger?.close();
  }
}

const redacted = (name: string, value: unknown): unknown =>
  typeof value === 'string' && /password|secret|token|apikey/i.test(name) && !/file$/i.test(name)
    ? '[redacted]'
    : value;
