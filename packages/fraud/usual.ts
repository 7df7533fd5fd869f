import { logPredictive } from '@ringfence/threat/gamma-poisson.ts';

const hour = 3_600_000;

/** How much of something is usual in an hour, before anything was learned. */
export interface Prior {
  /** Counts an hour. */
  readonly mean: number;
  /** Hours of observation that it is worth; the fewer, the sooner it gives way, and the less surprises. */
  readonly hours: number;
}

/**
 * How often something happens in an hour: Gamma-Poisson with a population prior, so that the first call can be judged,
 * and exponential forgetting. Hours without anything count as such once they have gone by.
 */
export class Usual {
  #extra = 0;
  #hours = 0;
  #at = 0;

  /** A count, with the hours since the last one. @param halfLife ms after which half is forgotten */
  learn(at: number, count: number, halfLife: number): void {
    if (this.#at === 0) this.#at = at;
    const passed = Math.max(0, at - this.#at);
    if (passed > 0) {
      const left = 2 ** (-passed / halfLife);
      // An hour long ago weighs less: the integral of the fading over the time that has passed.
      this.#hours = this.#hours * left + ((1 - left) * halfLife) / Math.LN2 / hour;
      this.#extra *= left;
      this.#at = at;
    }
    this.#extra += count;
  }

  mean(prior: Prior, at: number): number {
    return (prior.mean * prior.hours + this.#extra) / (prior.hours + this.#watched(at));
  }

  /**
   * Bits of surprise at so many within a window.
   *
   * @param window ms @param busy how much more than on average is usual at this time of the week
   */
  surprise(count: number, window: number, prior: Prior, at: number, busy = 1): number {
    const whole = Math.floor(count);
    if (whole <= 0) return 0;
    const known = prior.mean * prior.hours + this.#extra;
    const watched = prior.hours + this.#watched(at);
    const expected = (known / watched) * (window / hour) * busy;
    if (whole <= expected) return 0;
    // Money and calls come in lumps and by the time of day: however long it was watched, it varies by half its mean.
    const shape = Math.min(mostShape, known);
    const rate = shape / expected;
    return Math.max(0, Math.min(mostBits, tail(whole, shape, rate)));
  }

  #watched(at: number): number {
    return this.#at === 0 ? 0 : this.#hours + Math.max(0, at - this.#at) / hour;
  }

  get kept(): readonly [extra: number, hours: number, at: number] {
    return [this.#extra, this.#hours, this.#at];
  }

  restore(extra: number, hours: number, at: number): void {
    this.#extra = Math.max(0, extra);
    this.#hours = Math.max(0, hours);
    this.#at = at;
  }
}

/**
 * Bits of `P(X >= count)` above the mean: the terms of the tail fall nearly by the same ratio from there on, so that
 * its first term and that ratio give it within a few tenths of a bit.
 */
function tail(count: number, shape: number, rate: number): number {
  const ratio = Math.min(0.999, (shape + count) / ((count + 1) * (rate + 1)));
  return -(logPredictive(count, shape, rate) - Math.log(1 - ratio)) * Math.LOG2E;
}

const mostShape = 4;
/** More says nothing more, and must not outweigh everything else for ever. */
const mostBits = 30;
