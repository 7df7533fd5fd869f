import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { logGamma, logPredictive } from './gamma-poisson.ts';

export interface ChangePointOptions {
  /** Kinds that are counted. */
  readonly kinds: number;
  /** How likely it is that things change from one second to the next. Default 1 in 100,000. */
  readonly hazard?: number;
  /** Explanations kept beside each other. Default 48. */
  readonly explanations?: number;
  /**
   * How much more than chance alone the traffic varies while nothing happens; counts and what is learned of them weigh
   * so much less. Default 8, for sums over phones that dial in bursts.
   */
  readonly spread?: number;
  /** Seconds after which half of what was learned is forgotten. Default 120. */
  readonly memory?: number;
}

export interface ChangeVerdict {
  /** That a change happened within the last three seconds, 0 to 1. */
  readonly probability: number;
  /** What speaks for that, beyond how likely changes are anyhow: the Bayes factor in bits. */
  readonly bits: number;
  /** What is usual a second since the last change, as the likeliest explanation has it. */
  readonly usual: number;
}

/** One explanation: the last change was then, and this was learned since. */
interface Explanation {
  /** Logarithm of its weight. */
  weight: number;
  age: number;
  shape: number;
  rate: number;
  readonly mix: Float64Array;
  total: number;
}

const recent = 3;
const prior = { shape: 0.5, rate: 0.05, mix: 0.5 } as const;

/**
 * Bayesian multiple change points over how much comes and of what kinds: Gamma-Poisson for the sum, Dirichlet-
 * multinomial for the mix, a forward filter over when the last change was (Adams and MacKay 2007; the model is that of
 * Çemgil, Kurt and others for SIP floods, 2018).
 *
 * One step a second, at a cost bounded by `explanations` times `kinds`.
 */
export class ChangePoints {
  readonly #options: Required<ChangePointOptions>;
  readonly #keep: number;
  #explanations: Explanation[] = [];

  constructor(options: ChangePointOptions) {
    if (!(options.kinds >= 1)) throw new MisuseError('change-points-kinds', 'something is counted');
    this.#options = { hazard: 1e-5, explanations: 48, spread: 8, memory: 120, ...options };
    this.#keep = 2 ** (-1 / this.#options.memory);
  }

  /** What was counted in a second, one number for each kind. */
  step(counts: ArrayLike<number>): ChangeVerdict {
    const { kinds, hazard, spread } = this.#options;
    const scaled = new Float64Array(kinds);
    let sum = 0;
    for (let i = 0; i < kinds; i += 1) {
      scaled[i] = (counts[i] ?? 0) / spread;
      sum += scaled[i]!;
    }
    const old = this.#explanations;
    const fresh = this.#begin();
    fresh.weight = old.length === 0 ? 0 : Math.log(hazard) + logSum(old.map(({ weight }) => weight));
    for (const explanation of old) explanation.weight += Math.log1p(-hazard);
    const all = [fresh, ...old];
    for (const explanation of all) this.#learn(explanation, scaled, sum);
    const norm = logSum(all.map(({ weight }) => weight));
    for (const explanation of all) explanation.weight -= norm;
    this.#explanations = this.#prune(all);
    let probability = 0;
    let best = this.#explanations[0]!;
    for (const explanation of this.#explanations) {
      if (explanation.age <= recent) probability += Math.exp(explanation.weight);
      if (explanation.weight > best.weight) best = explanation;
    }
    const p = Math.min(1 - 1e-12, Math.max(1e-12, probability));
    const expected = recent * hazard;
    const bits = Math.log2(p / (1 - p)) - Math.log2(expected / (1 - expected));
    return { probability: p, bits, usual: (best.shape / best.rate) * spread };
  }

  #begin(): Explanation {
    const mix = new Float64Array(this.#options.kinds).fill(prior.mix);
    return {
      weight: 0,
      age: 0,
      shape: prior.shape,
      rate: prior.rate,
      mix,
      total: prior.mix * this.#options.kinds,
    };
  }

  #learn(e: Explanation, counts: Float64Array, sum: number): void {
    let likelihood = logPredictive(sum, e.shape, e.rate);
    likelihood += logGamma(e.total) - logGamma(e.total + sum) + logGamma(sum + 1);
    for (let i = 0; i < counts.length; i += 1) {
      const n = counts[i]!;
      const a = e.mix[i]!;
      if (n > 0) likelihood += logGamma(a + n) - logGamma(a) - logGamma(n + 1);
      e.mix[i] = prior.mix + (a - prior.mix) * this.#keep + n;
    }
    e.weight += likelihood;
    e.age += 1;
    e.shape = prior.shape + (e.shape - prior.shape) * this.#keep + sum;
    e.rate = prior.rate + (e.rate - prior.rate) * this.#keep + 1;
    e.total = prior.mix * counts.length + (e.total - prior.mix * counts.length) * this.#keep + sum;
  }

  /** The likeliest go on; the newest always does, or no change would ever be seen. */
  #prune(all: Explanation[]): Explanation[] {
    const { explanations } = this.#options;
    if (all.length <= explanations) return all;
    const [newest, ...rest] = all;
    rest.sort((a, b) => b.weight - a.weight);
    return [newest!, ...rest.slice(0, explanations - 1)];
  }
}

function logSum(values: readonly number[]): number {
  const most = Math.max(...values);
  if (most === Number.NEGATIVE_INFINITY) return most;
  let sum = 0;
  for (const value of values) sum += Math.exp(value - most);
  return most + Math.log(sum);
}
