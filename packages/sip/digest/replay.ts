interface Uses {
  readonly at: number;
  /** Highest count seen. */
  highest: number;
  /** Bit n set: `highest - n` was seen. */
  seen: number;
}

/** Counts below the highest that may still come, since UDP reorders. */
const window = 32;

export type ReplayVerdict = 'fresh' | 'replay' | 'forgotten';

/**
 * Remembers which counts of which nonces were used (RFC 7616 §3.4, `nc`), at most `max` nonces at a time.
 *
 * Only counts of authenticated requests may come here. What is forgotten for want of room is refused for good:
 * every nonce not newer than a forgotten one counts as stale, so a full memory costs a new challenge and never
 * admits a replay.
 */
export class ReplayMemory {
  readonly #max: number;
  readonly #lifetime: number;
  readonly #uses = new Map<string, Uses>();
  #forgottenUntil = Number.NEGATIVE_INFINITY;

  constructor(max: number, lifetime: number) {
    this.#max = max;
    this.#lifetime = lifetime;
  }

  get size(): number {
    return this.#uses.size;
  }

  /** Marks a count as used; anything but `fresh` must be refused. */
  use(nonce: string, at: number, count: number, now: number): ReplayVerdict {
    const uses = this.#uses.get(nonce);
    if (uses === undefined) {
      if (at <= this.#forgottenUntil) return 'forgotten';
      this.#makeRoom(now);
      this.#uses.set(nonce, { at, highest: count, seen: 1 });
      return 'fresh';
    }
    const ahead = count - uses.highest;
    if (ahead > 0) {
      uses.seen = ahead >= window ? 1 : ((uses.seen << ahead) | 1) >>> 0;
      uses.highest = count;
      return 'fresh';
    }
    if (ahead <= -window) return 'replay';
    const bit = (1 << -ahead) >>> 0;
    if ((uses.seen & bit) !== 0) return 'replay';
    uses.seen = (uses.seen | bit) >>> 0;
    return 'fresh';
  }

  #makeRoom(now: number): void {
    // In the order of their first use, which is nearly that of their making.
    for (const [nonce, uses] of this.#uses) {
      const expired = uses.at + this.#lifetime < now;
      if (!expired && this.#uses.size < this.#max) return;
      this.#uses.delete(nonce);
      if (!expired) this.#forgottenUntil = Math.max(this.#forgottenUntil, uses.at);
    }
  }
}
