import { BoundedMap } from '@ringfence/bytes/bounded-map.ts';

/** An address that goes on sending this many times its rate over loses what it has been trusted with. */
const excessFactor = 20;
const windowMilliseconds = 60_000;
export const demotedMilliseconds = 600_000;
const mostWatched = 10_000;

interface Excess {
  since: number;
  count: number;
}

/** Registered addresses that abuse their rate: they are back in probation for ten minutes. Bounded to 10,000. */
export class Demotions {
  readonly #excess = new BoundedMap<string, Excess>({ capacity: mostWatched });
  readonly #until = new BoundedMap<string, number>({ capacity: mostWatched });

  /** One message over the rate; true where it was the last straw. */
  exceeded(address: string, perSecond: number, now: number): boolean {
    let excess = this.#excess.get(address);
    if (excess === undefined || Math.abs(now - excess.since) > windowMilliseconds) {
      excess = { since: now, count: 0 };
      this.#excess.set(address, excess);
    }
    excess.count += 1;
    if (excess.count < excessFactor * perSecond) return false;
    this.#excess.delete(address);
    this.#until.set(address, now + demotedMilliseconds);
    return true;
  }

  isDemoted(address: string, now: number): boolean {
    const until = this.#until.peek(address);
    if (until === undefined) return false;
    if (until > now) return true;
    this.#until.delete(address);
    return false;
  }
}
