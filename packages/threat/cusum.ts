export interface CusumOptions {
  /** Standard deviations by which a rise has to go beyond the mean to count at all. Default 1. */
  readonly slack?: number;
  /** Sum of them at which it is a change. Default 8. */
  readonly threshold?: number;
  /** Seconds after which half of what is usual is forgotten. Default 60. */
  readonly memory?: number;
  /** Least deviation, so that silence makes no single request an event. Default 2. */
  readonly leastDeviation?: number;
}

/**
 * Cumulative sums (Page 1954) of how far a count lies above what is usual, which it learns as it goes.
 *
 * While something is rising nothing is learned of it but slowly, so that a flood does not become usual while it lasts.
 */
export class Cusum {
  readonly #slack: number;
  readonly #threshold: number;
  readonly #leastDeviation: number;
  readonly #memory: number;
  #mean = 0;
  #variance = 0;
  #sum = 0;
  #seen = 0;

  constructor({ slack = 1, threshold = 8, memory = 60, leastDeviation = 2 }: CusumOptions = {}) {
    this.#slack = slack;
    this.#threshold = threshold;
    this.#memory = 1 - 2 ** (-1 / memory);
    this.#leastDeviation = leastDeviation;
  }

  get mean(): number {
    return this.#mean;
  }

  /** The sum so far, in standard deviations. */
  get sum(): number {
    return this.#sum;
  }

  get alarmed(): boolean {
    return this.#sum >= this.#threshold;
  }

  /** A second's count; true where it becomes a change with this one. */
  step(count: number): boolean {
    const deviation = Math.max(this.#leastDeviation, Math.sqrt(this.#variance));
    const before = this.alarmed;
    const distance = (count - this.#mean) / deviation;
    // No more than twice the threshold, so that the end of a flood is seen soon after it.
    if (this.#seen >= 5)
      this.#sum = Math.max(0, Math.min(2 * this.#threshold, this.#sum + distance - this.#slack));
    this.#seen += 1;
    const rate =
      this.#seen < 30 ? 1 / this.#seen : this.#sum > this.#threshold / 2 ? this.#memory / 20 : this.#memory;
    const off = count - this.#mean;
    this.#mean += rate * off;
    this.#variance += rate * (off * off - this.#variance);
    return this.alarmed && !before;
  }
}
