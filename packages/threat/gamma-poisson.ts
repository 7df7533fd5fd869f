/** Natural logarithm of the gamma function for x > 0 (Lanczos, g = 7, nine terms; 15 digits). */
export function logGamma(x: number): number {
  if (x < 0.5) return Math.log(Math.PI / Math.sin(Math.PI * x)) - logGamma(1 - x);
  const z = x - 1;
  let sum = 0.99999999999980993;
  for (let i = 0; i < lanczos.length; i += 1) sum += lanczos[i]! / (z + i + 1);
  const t = z + 7.5;
  return 0.9189385332046727 + (z + 0.5) * Math.log(t) - t + Math.log(sum);
}

const lanczos = [
  676.5203681218851, -1259.1392167224028, 771.32342877765313, -176.61502916214059, 12.507343278686905,
  -0.13857109526572012, 9.9843695780195716e-6, 1.5056327351493116e-7,
];

/**
 * Logarithm of how likely `count` is where a Poisson rate is known as Gamma(`shape`, `rate`): the negative binomial.
 */
export function logPredictive(count: number, shape: number, rate: number): number {
  return (
    logGamma(shape + count) -
    logGamma(shape) -
    logGamma(count + 1) +
    shape * Math.log(rate / (rate + 1)) -
    count * Math.log(rate + 1)
  );
}

/** Terms of the tail that are added up; beyond them it is a geometric series. */
const terms = 256;

/** Bits of surprise at `count` or more: `-log2 P(X >= count)`. 0 for nothing. */
export function tailSurprise(count: number, shape: number, rate: number): number {
  if (count <= 0) return 0;
  const mean = shape / rate;
  // Below the mean nothing is surprising, and the tail is most of the distribution.
  if (count <= mean) return 0;
  let term = logPredictive(count, shape, rate);
  const first = term;
  let sum = 0;
  for (let i = 0; i < terms; i += 1) {
    const part = Math.exp(term - first);
    sum += part;
    if (part < 1e-9) break;
    const x = count + i;
    term += Math.log((shape + x) / (x + 1)) - Math.log(rate + 1);
  }
  return Math.max(0, -(first + Math.log(sum)) * Math.LOG2E);
}

/**
 * How often something happens in a window, learned by itself: Gamma-Poisson with exponential forgetting.
 *
 * It begins with what most sites see (`mean`), weighed as `windows` windows, so that it can judge from the start.
 */
export class UsualCount {
  readonly #floor: { readonly shape: number; readonly rate: number };
  readonly #memory: number;
  #shape: number;
  #rate: number;

  /** @param memory windows after which half is forgotten. */
  constructor(mean: number, windows: number, memory: number) {
    this.#floor = { shape: mean * windows, rate: windows };
    this.#shape = this.#floor.shape;
    this.#rate = this.#floor.rate;
    this.#memory = 2 ** (-1 / memory);
  }

  get mean(): number {
    return this.#shape / this.#rate;
  }

  surprise(count: number): number {
    return tailSurprise(count, this.#shape, this.#rate);
  }

  /** A window has ended with that count. What was surprising is not learned as usual: it counts as `most` at the most. */
  learn(count: number, most = Number.POSITIVE_INFINITY): void {
    const { shape, rate } = this.#floor;
    this.#shape = shape + (this.#shape - shape) * this.#memory + Math.min(count, most);
    this.#rate = rate + (this.#rate - rate) * this.#memory + 1;
  }
}
