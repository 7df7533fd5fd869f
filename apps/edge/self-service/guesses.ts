import { BoundedMap } from '@ringfence/bytes/bounded-map.ts';

export interface GuessBounds {
  /** Wrong ones that are looked at within `windowMs`; then none for `lockMs`, doubled each time up to `longestMs`. */
  readonly free: number;
  readonly windowMs: number;
  readonly lockMs: number;
  readonly longestMs: number;
}

interface Tally {
  failures: number;
  since: number;
  until: number;
  locks: number;
}

/** 150 octets each. */
const mostRemembered = 10_000;
/** Whoever behaves for so long begins anew. */
const forgivenMs = 86_400_000;

/** Counts wrong guesses for each key, a source or an account, and says for how long no more are looked at. */
export class Guesses {
  readonly #bounds: GuessBounds;
  readonly #tallies = new BoundedMap<string, Tally>({ capacity: mostRemembered });

  constructor(bounds: GuessBounds) {
    this.#bounds = bounds;
  }

  /** Milliseconds for which this key is not looked at; 0: it is. */
  locked(key: string, now: number): number {
    return Math.max(0, (this.#tallies.get(key)?.until ?? 0) - now);
  }

  /** A wrong one; gives the milliseconds of the lock that it has brought, or 0. */
  failed(key: string, now: number): number {
    const { free, windowMs, lockMs, longestMs } = this.#bounds;
    const tally = this.#tallies.get(key) ?? { failures: 0, since: now, until: 0, locks: 0 };
    if (now - Math.max(tally.since, tally.until) > forgivenMs) tally.locks = 0;
    if (now - tally.since > windowMs) {
      tally.failures = 0;
      tally.since = now;
    }
    tally.failures += 1;
    this.#tallies.set(key, tally);
    if (tally.failures < free) return 0;
    const lock = Math.min(longestMs, lockMs * 2 ** Math.min(tally.locks, 20));
    tally.failures = 0;
    tally.locks += 1;
    tally.since = now;
    tally.until = now + lock;
    return lock;
  }

  passed(key: string): void {
    this.#tallies.delete(key);
  }
}
