import { ChangePoints } from './change-points.ts';
import { Cusum } from './cusum.ts';
import { tenths } from './evidence.ts';
import { type Finding, makeFinding } from './rules.ts';

/** What of the edge's traffic is counted each second. */
export const kinds = [
  'REGISTER without proof',
  'INVITE without proof',
  'OPTIONS without proof',
  'other requests without proof',
  'requests of known senders',
  'wrong passwords',
  'messages dropped unparsed',
  'malformed messages',
] as const;
export const kind = {
  register: 0,
  invite: 1,
  options: 2,
  other: 3,
  known: 4,
  failed: 5,
  dropped: 6,
  malformed: 7,
} as const;

/** A rise from nothing to a handful is no surge. */
const leastRise = 20;
const threshold = 20;
/** A surge that goes on is told of again after so long. */
const retellSeconds = 300;
/** Seconds after silence that are gone through one by one. */
const longestGap = 15;

/**
 * Change points of the whole traffic: cumulative sums say that more comes than usual, and of which kind; the Bayesian
 * model says that it began just now. Both must agree, so that a busy morning is no attack.
 *
 * Counting costs an addition; the judgement is made once a second, in about a tenth of a millisecond.
 */
export class TrafficWatch {
  readonly #counts = new Uint32Array(kinds.length);
  readonly #sums = kinds.map(() => new Cusum({ slack: 1.5, threshold: 10, memory: 300, leastDeviation: 5 }));
  readonly #changes = new ChangePoints({ kinds: kinds.length });
  #second = 0;
  #changedAt = Number.NEGATIVE_INFINITY;
  #changeBits = 0;
  #toldAt = Number.NEGATIVE_INFINITY;

  count(of: number, number = 1): void {
    this.#counts[of] = this.#counts[of]! + number;
  }

  /** Closes all seconds before this one; called at any time, at least once a second while anything comes. */
  tick(second: number): Finding | undefined {
    if (second <= this.#second) return undefined;
    const gap = this.#second === 0 ? 1 : Math.min(longestGap, second - this.#second);
    this.#second = second;
    let finding = this.#close(second);
    this.#counts.fill(0);
    for (let i = 1; i < gap; i += 1) finding ??= this.#close(second);
    return finding;
  }

  #close(second: number): Finding | undefined {
    const verdict = this.#changes.step(this.#counts);
    if (verdict.probability > 0.5) {
      this.#changedAt = second;
      this.#changeBits = verdict.bits;
    }
    let worst = -1;
    for (let i = 0; i < kinds.length; i += 1) {
      const sum = this.#sums[i]!;
      const usual = sum.mean;
      sum.step(this.#counts[i]!);
      // Calls and refreshes of known senders rise every morning.
      if (i === kind.known || !sum.alarmed || this.#counts[i]! - usual < leastRise) continue;
      if (worst < 0 || this.#counts[i]! - usual > this.#counts[worst]! - this.#sums[worst]!.mean) worst = i;
    }
    if (worst < 0 || second - this.#changedAt > 10 || second - this.#toldAt < retellSeconds) return undefined;
    const { mean, sum } = this.#sums[worst]!;
    const finding = makeFinding('surge', threshold, [
      {
        text: `${kinds[worst]}: ${this.#counts[worst]} a second, usual are ${tenths(mean)} (${tenths(sum)} standard deviations in sum).`,
        bits: tenths(Math.min(30, sum * Math.LOG2E)),
      },
      {
        text: 'Amount or mix of all traffic changed within the last seconds.',
        bits: tenths(Math.min(30, this.#changeBits)),
      },
    ]);
    if (finding.bits < threshold) return undefined;
    this.#toldAt = second;
    return finding;
  }
}
