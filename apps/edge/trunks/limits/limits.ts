import { type CallLimit, Counter } from './counter.ts';

/** Something that a call counts for. */
export interface Claim {
  /** `trunk:carrier@example.test`, `domain:example.test`, `user:alice@example.test`. */
  readonly key: string;
  readonly limit: CallLimit;
}

/** A trunk's limit, and what is to be done with calls above it. */
export interface TrunkLimit extends CallLimit {
  /** Calls that may wait for a place; 0: none. */
  readonly queue: number;
  readonly queueSeconds: number;
}

/** What stands in the way. */
export interface Full {
  readonly key: string;
  readonly what: 'calls' | 'rate';
  readonly threshold: number;
}

/** For people. */
export interface UsageReport {
  readonly key: string;
  readonly calls: number;
  readonly waiting: number;
}

export interface LimitServices {
  now(): number;
  after(milliseconds: number, run: () => void): () => void;
}

interface Waiting {
  readonly call: string;
  readonly limit: TrunkLimit;
  readonly stop: () => void;
  readonly done: (granted: boolean) => void;
}

interface Line {
  readonly waiting: Waiting[];
  stop: (() => void) | undefined;
}

/**
 * Counts calls against the limits of trunks, domains and users, and lets calls wait for a trunk.
 *
 * A call holds what it took until `release`, whatever becomes of it; a trunk until it goes on to the next one. Only
 * what has a limit is counted, so calls without limits cost nothing.
 */
export class Limits {
  readonly #services: LimitServices;
  readonly #counters = new Map<string, Counter>();
  readonly #lines = new Map<string, Line>();
  readonly #held = new Map<string, { keys: string[]; trunk: string | undefined }>();

  constructor(services: LimitServices) {
    this.#services = services;
  }

  /** The first that has no place for one more; takes nothing. */
  full(claims: readonly Claim[]): Full | undefined {
    const now = this.#services.now();
    for (const { key, limit } of claims) {
      const what = this.#counters.get(key)?.full(limit, now) ?? (limit.calls === 0 ? 'calls' : undefined);
      if (what === undefined) continue;
      return { key, what, threshold: (what === 'calls' ? limit.calls : limit.callsPerSecond) ?? 0 };
    }
    return undefined;
  }

  /** Counts a call for all of these until it is released. */
  take(call: string, claims: readonly Claim[]): void {
    if (claims.length === 0) return;
    const held = this.#holding(call);
    for (const { key, limit } of claims) {
      this.#counter(key).take(limit, this.#services.now());
      held.keys.push(key);
    }
  }

  /** Takes a place on a trunk in place of the one that the call has; false where there is none. Forced: always. */
  takeTrunk(call: string, { key, limit }: Claim, forced: boolean): boolean {
    this.leaveTrunk(call);
    if (!forced && (this.full([{ key, limit }]) !== undefined || this.waiting(key) > 0)) return false;
    this.#enter(call, key, limit);
    return true;
  }

  leaveTrunk(call: string): void {
    const held = this.#held.get(call);
    const trunk = held?.trunk;
    if (held === undefined || trunk === undefined) return;
    held.trunk = undefined;
    if (held.keys.length === 0) this.#held.delete(call);
    this.#counters.get(trunk)?.give();
    this.#pump(trunk);
  }

  waiting(key: string): number {
    return this.#lines.get(key)?.waiting.length ?? 0;
  }

  /** Waits for a place on a trunk, behind those who wait already; false where none came in time, or no room to wait. */
  wait(call: string, key: string, limit: TrunkLimit): Promise<boolean> {
    if (this.waiting(key) >= limit.queue) return Promise.resolve(false);
    const line = this.#lines.get(key) ?? { waiting: [], stop: undefined };
    this.#lines.set(key, line);
    return new Promise((done) => {
      const stop = this.#services.after(limit.queueSeconds * 1000, () => this.#leaveLine(key, call));
      line.waiting.push({ call, limit, stop, done });
      this.#pump(key);
    });
  }

  /** The call is over. */
  release(call: string): void {
    for (const key of this.#lines.keys()) this.#leaveLine(key, call);
    this.leaveTrunk(call);
    const held = this.#held.get(call);
    if (held === undefined) return;
    this.#held.delete(call);
    for (const key of held.keys) {
      this.#counters.get(key)?.give();
      this.#pump(key);
    }
  }

  /** Forgets counters that are at rest. */
  sweep(): void {
    const now = this.#services.now();
    for (const [key, counter] of this.#counters)
      if (counter.idle(now) && this.waiting(key) === 0) this.#counters.delete(key);
  }

  usage(): UsageReport[] {
    const reports: UsageReport[] = [];
    for (const [key, { calls }] of this.#counters) {
      const waiting = this.waiting(key);
      if (calls > 0 || waiting > 0) reports.push({ key, calls, waiting });
    }
    return reports;
  }

  #holding(call: string): { keys: string[]; trunk: string | undefined } {
    const known = this.#held.get(call);
    if (known !== undefined) return known;
    const held = { keys: [], trunk: undefined };
    this.#held.set(call, held);
    return held;
  }

  #counter(key: string): Counter {
    const known = this.#counters.get(key);
    if (known !== undefined) return known;
    const counter = new Counter();
    this.#counters.set(key, counter);
    return counter;
  }

  #enter(call: string, key: string, limit: CallLimit): void {
    this.#counter(key).take(limit, this.#services.now());
    this.#holding(call).trunk = key;
  }

  #leaveLine(key: string, call: string): void {
    const line = this.#lines.get(key);
    const place = line?.waiting.findIndex((one) => one.call === call) ?? -1;
    const [gone] = place === -1 ? [] : (line as Line).waiting.splice(place, 1);
    if (gone === undefined) return;
    gone.stop();
    gone.done(false);
    this.#tidy(key);
  }

  /** Lets in who waits, as far as there is room; looks again when the rate admits the next. */
  #pump(key: string): void {
    const line = this.#lines.get(key);
    if (line === undefined) return;
    line.stop?.();
    line.stop = undefined;
    for (let first = line.waiting[0]; first !== undefined; first = line.waiting[0]) {
      const { call, limit, stop, done } = first;
      const full = this.full([{ key, limit }]);
      if (full !== undefined) {
        if (full.what === 'rate') {
          const wait = Math.max(1, this.#counter(key).wait(limit, this.#services.now()));
          line.stop = this.#services.after(wait, () => this.#pump(key));
        }
        break;
      }
      line.waiting.shift();
      stop();
      this.#enter(call, key, limit);
      done(true);
    }
    this.#tidy(key);
  }

  #tidy(key: string): void {
    const line = this.#lines.get(key);
    if (line === undefined || line.waiting.length > 0) return;
    line.stop?.();
    this.#lines.delete(key);
  }
}
