import type { Destination } from '@ringfence/tariff/destination.ts';

/** What is done about a call, mildest first. */
export const fraudActions = ['pass', 'watch', 'challenge', 'block', 'cut-off'] as const;
export type FraudAction = (typeof fraudActions)[number];

/** One thing that speaks for or against a call, as an administrator reads it. */
export interface FraudPart {
  readonly text: string;
  /** Tenths; absent for what is no matter of likelihood. */
  readonly bits?: number;
}

export interface FraudVerdict {
  readonly action: FraudAction;
  /** Stable, dotted: `fraud.spend-cap`, `fraud.destination-closed`, ... */
  readonly rule: string;
  /** One sentence for an administrator, made of the parts. */
  readonly sentence: string;
  /** What the caller is told, which names nothing of the inside; default: that fraud is suspected. */
  readonly told?: string;
  readonly parts: readonly FraudPart[];
}

/** A call that is to leave by a trunk. */
export interface OutgoingCall {
  readonly id: string;
  readonly domain: string;
  /** Who pays, e.g. `user:alice@example.test`, `trunk:pbx@example.test`. */
  readonly account: string;
  /** How it came to leave: called, or sent there by REFER or a redirection. */
  readonly by: 'call' | 'transfer' | 'forwarding';
  /** Number or name that the called side sees as the caller. */
  readonly caller: string;
  readonly dialled: string;
  /** + and digits; empty where what was dialled is none. */
  readonly number: string;
  /** It was dialled so that it does not look like what it is. */
  readonly disguised: boolean;
  readonly destination: Destination;
  /** The trunk that is tried first, e.g. `trunk:carrier@example.test`. */
  readonly trunk: string;
  /** Address and port that the request came from. */
  readonly source: string;
  /** Millionths of `currency` for one minute. */
  readonly perMinute: number;
  readonly currency: string;
  /** An administrator has lifted what stands against it: nobody is asked, and nobody shall learn from it. */
  readonly lifted: boolean;
  /** Unix milliseconds. */
  readonly at: number;
}

export interface CallOutcome {
  /** Unix milliseconds. */
  readonly at: number;
  readonly answeredAt: number | undefined;
  readonly seconds: number;
  /** Millionths of the currency. */
  readonly cost: number;
  /** The final status; 200 where it was answered. */
  readonly status: number;
  readonly cause: string;
}

/**
 * Somebody who is asked before a call leaves by a trunk, and told how it goes on.
 *
 * Asked for each call that leaves, never for one within the house and never for an emergency call. It answers at once,
 * from what it has in memory, in bounded time and space. A verdict of `undefined` is `pass` without anything to say.
 */
export interface FraudJudge {
  /** Nothing may be counted here that the end of the call has to take back: it may still be refused by others. */
  judge(call: OutgoingCall): FraudVerdict | undefined;
  /** It goes out: nobody has refused it. */
  began?(call: OutgoingCall): void;
  /** A verdict of `cut-off` ends the call. */
  answered?(call: OutgoingCall, at: number): FraudVerdict | undefined;
  /** A further slice of it is paid for; `cost` is all of it so far. A verdict of `cut-off` ends the call. */
  cost?(call: OutgoingCall, cost: number, at: number): FraudVerdict | undefined;
  /** Told exactly once for every call that `began`. */
  ended?(call: OutgoingCall, outcome: CallOutcome): void;
}

const rank = (action: FraudAction): number => fraudActions.indexOf(action);

/** All judges, in the order that they were added. The severest verdict holds; parts of the others follow its own. */
export class FraudGate {
  readonly #judges: FraudJudge[] = [];

  add(judge: FraudJudge): void {
    this.#judges.push(judge);
  }

  judge(call: OutgoingCall): FraudVerdict | undefined {
    return this.#ask((judge) => judge.judge(call));
  }

  began(call: OutgoingCall): void {
    for (const judge of this.#judges) judge.began?.(call);
  }

  answered(call: OutgoingCall, at: number): FraudVerdict | undefined {
    return this.#ask((judge) => judge.answered?.(call, at));
  }

  cost(call: OutgoingCall, cost: number, at: number): FraudVerdict | undefined {
    return this.#ask((judge) => judge.cost?.(call, cost, at));
  }

  ended(call: OutgoingCall, outcome: CallOutcome): void {
    for (const judge of this.#judges) judge.ended?.(call, outcome);
  }

  #ask(question: (judge: FraudJudge) => FraudVerdict | undefined): FraudVerdict | undefined {
    let worst: FraudVerdict | undefined;
    for (const judge of this.#judges) {
      const verdict = question(judge);
      if (verdict === undefined) continue;
      if (worst === undefined) worst = verdict;
      else {
        const [first, second] =
          rank(verdict.action) > rank(worst.action) ? [verdict, worst] : [worst, verdict];
        worst = { ...first, parts: [...first.parts, ...second.parts] };
      }
    }
    return worst;
  }
}
