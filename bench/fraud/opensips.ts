import type { CallFacts } from '@ringfence/fraud/call-facts.ts';
import type { Contestant } from '@ringfence/fraud/trial.ts';
import type { FraudVerdict } from '@ringfence/fraud/verdict.ts';

/** Critical thresholds of one profile row. */
export interface Thresholds {
  readonly callsPerMinute: number;
  readonly totalCalls: number;
  readonly concurrent: number;
  readonly sequential: number;
}

/**
 * Values of the order that administrators write: the documentation gives none. The ROC curve multiplies them by 1/8 to
 * 8.
 */
export const usualThresholds: Thresholds = {
  callsPerMinute: 5,
  totalCalls: 30,
  concurrent: 5,
  sequential: 12,
};

interface Counted {
  readonly minute: number[];
  total: number;
  day: number;
  live: number;
}

const dayMs = 86_400_000;
const refused: FraudVerdict = { action: 'block', bits: 0, threshold: 0, parts: [], sentence: '' };
const passed: FraudVerdict = { ...refused, action: 'pass' };

/**
 * Rules in the manner of OpenSIPS' fraud_detection, written from its documentation (opensips.org, module
 * fraud_detection): for each user and each prefix of the profile, calls in a gliding minute, calls in the interval of
 * the rule, calls at once, and calls one after the other to that prefix, each against a critical threshold. The script
 * refuses critical calls. The length of a call is only reported when it is over, so that it stops nothing. Rules are
 * written for every country but the own.
 */
export class ThresholdRules implements Contestant {
  readonly #thresholds: Thresholds;
  readonly #counted = new Map<string, Counted>();
  readonly #calls = new Map<string, Counted>();
  readonly #last = new Map<string, { prefix: string; count: number }>();
  #asked: Counted | undefined;

  constructor(thresholds: Thresholds) {
    this.#thresholds = thresholds;
  }

  attempt({ at, domain, account, country, prefix, risk, rate }: CallFacts): FraudVerdict | undefined {
    this.#asked = undefined;
    if (risk === 'home' && rate < 0.15) return undefined;
    const user = `${domain} ${account}`;
    const to = country === '' ? prefix : country;
    const key = `${user} ${to}`;
    let counted = this.#counted.get(key);
    if (counted === undefined) {
      counted = { minute: [], total: 0, day: 0, live: 0 };
      this.#counted.set(key, counted);
    }
    const day = Math.floor(at / dayMs);
    if (counted.day !== day) {
      counted.day = day;
      counted.total = 0;
    }
    while (counted.minute.length > 0 && counted.minute[0]! <= at - 60_000) counted.minute.shift();
    counted.minute.push(at);
    counted.total += 1;
    const last = this.#last.get(user);
    const count = last?.prefix === to ? last.count + 1 : 1;
    this.#last.set(user, { prefix: to, count });
    const { callsPerMinute, totalCalls, concurrent, sequential } = this.#thresholds;
    if (
      counted.minute.length >= callsPerMinute ||
      counted.total >= totalCalls ||
      counted.live + 1 >= concurrent ||
      count >= sequential
    )
      return refused;
    this.#asked = counted;
    return passed;
  }

  began({ id }: CallFacts): void {
    if (this.#asked === undefined) return;
    this.#asked.live += 1;
    this.#calls.set(id, this.#asked);
  }

  ended(id: string): void {
    const counted = this.#calls.get(id);
    if (counted === undefined) return;
    this.#calls.delete(id);
    counted.live -= 1;
  }

  proved(): void {}
  answered(): void {}
  look(): undefined {}
  nextLook(): undefined {}
  incoming(): void {}
  incomingEnded(): void {}
}
