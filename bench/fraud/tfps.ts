import type { CallFacts } from '@ringfence/fraud/call-facts.ts';
import type { Contestant } from '@ringfence/fraud/trial.ts';
import type { FraudVerdict } from '@ringfence/fraud/verdict.ts';
import { tailSurprise } from '@ringfence/threat/gamma-poisson.ts';

/** As TFPS ships them (sippulse/tfps, docs/anomaly-detection.md). */
const usual = 0.15;
const fraud = 0.7;
const halfLifeMs = 600_000;
/** `log2((1 - miss) / falseAlarm)` for 1e-2 and 1e-4. */
export const shippedBound = Math.log2(0.99 / 1e-4);
/** A block ends after so long; its documentation says that each has an end, and not which. */
const blockMs = 3_600_000;
const dayMs = 86_400_000;

interface Source {
  prefixes: Set<string>;
  novelty: number;
  completion: number;
  at: number;
  blockedUntil: number;
  day: number;
  today: number;
  shape: number;
  rate: number;
}

const refused: FraudVerdict = { action: 'block', bits: 0, threshold: 0, parts: [], sentence: '' };
const passed: FraudVerdict = { ...refused, action: 'pass' };
const up = Math.log2(fraud / usual);
const down = Math.log2((1 - fraud) / (1 - usual));

/**
 * A sequential test in the manner of TFPS, written from its description: for each source a walk over prefixes that it
 * has never called and one over calls that do not complete, both fading with a half-life of ten minutes, and the
 * surprise of its calls of the day (Gamma-Poisson, two a day before anything is known); their sum against one bound.
 * The source is the account: addresses are no part of call records.
 */
export class SequentialTest implements Contestant {
  readonly #bound: number;
  readonly #sources = new Map<string, Source>();
  readonly #calls = new Map<string, { source: Source; answered: boolean }>();
  #asked: Source | undefined;

  constructor(bound: number) {
    this.#bound = bound;
  }

  attempt({ at, domain, account, prefix, risk, rate }: CallFacts): FraudVerdict | undefined {
    this.#asked = undefined;
    if (risk === 'home' && rate < 0.15) return undefined;
    const name = `${domain} ${account}`;
    let source = this.#sources.get(name);
    if (source === undefined) {
      source = {
        prefixes: new Set(),
        novelty: 0,
        completion: 0,
        at,
        blockedUntil: 0,
        day: 0,
        today: 0,
        shape: 2,
        rate: 1,
      };
      this.#sources.set(name, source);
    }
    if (at < source.blockedUntil) return refused;
    this.#fade(source, at);
    const day = Math.floor(at / dayMs);
    if (day !== source.day) {
      if (source.day !== 0) {
        source.shape = source.shape * 0.95 + source.today;
        source.rate = source.rate * 0.95 + (day - source.day);
      }
      source.day = day;
      source.today = 0;
    }
    source.today += 1;
    source.novelty = Math.max(0, source.novelty + (source.prefixes.has(prefix) ? down : up));
    source.prefixes.add(prefix);
    const volume = tailSurprise(source.today, source.shape, source.rate);
    if (source.novelty + source.completion + volume >= this.#bound) {
      source.blockedUntil = at + blockMs;
      source.novelty = 0;
      source.completion = 0;
      return refused;
    }
    this.#asked = source;
    return passed;
  }

  #fade(source: Source, at: number): void {
    const left = 2 ** (-Math.max(0, at - source.at) / halfLifeMs);
    source.novelty *= left;
    source.completion *= left;
    source.at = at;
  }

  began({ id }: CallFacts): void {
    if (this.#asked !== undefined) this.#calls.set(id, { source: this.#asked, answered: false });
  }

  answered(id: string): void {
    const call = this.#calls.get(id);
    if (call !== undefined) call.answered = true;
  }

  ended(id: string, at: number): void {
    const call = this.#calls.get(id);
    if (call === undefined) return;
    this.#calls.delete(id);
    this.#fade(call.source, at);
    call.source.completion = Math.max(0, call.source.completion + (call.answered ? down : up));
  }

  proved(): void {}
  look(): undefined {}
  nextLook(): undefined {}
  incoming(): void {}
  incomingEnded(): void {}
}
