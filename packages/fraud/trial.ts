import type { CallFacts } from './call-facts.ts';
import type { LabelledCall, Outcome } from './simulate/types.ts';
import type { FraudVerdict } from './verdict.ts';

/** Whoever judges calls in a trial: this judge, or rules of others beside it. */
export interface Contestant {
  /** Undefined: not judged; nothing more is told of it. */
  attempt(facts: CallFacts): FraudVerdict | undefined;
  began(facts: CallFacts): void;
  proved(facts: CallFacts): void;
  answered(id: string, at: number): void;
  look(id: string, at: number): FraudVerdict | undefined;
  nextLook(id: string, at: number): number | undefined;
  ended(id: string, at: number): void;
  incoming(call: { at: number; domain: string; account: string; caller: string }): void;
  incomingEnded(
    call: { at: number; domain: string; account: string; caller: string },
    answered: boolean,
  ): void;
}

/** A call of a trial that came to something. */
export interface TrialEvent {
  readonly call: LabelledCall;
  readonly at: number;
  readonly verdict: FraudVerdict;
  /** What the call has cost until then, and would have cost. */
  readonly cost: number;
  readonly whole: number;
  /** A caller who was asked has proven himself. */
  readonly proved: boolean;
}

interface Due {
  readonly at: number;
  readonly call: LabelledCall;
  readonly end: number;
  readonly incoming: boolean;
}

/**
 * Gives calls to a contestant in the order of time, with their ends and with looks at those that go on, and tells what
 * became of them. Calls that are stopped do not go on. Memory: the calls that go on at a time.
 */
export class Trial {
  /** Due first comes first. */
  readonly #heap: Due[] = [];
  readonly #judge: Contestant;
  readonly #stopped: (event: TrialEvent) => void;
  readonly #passed: (call: LabelledCall, cost: number) => void;
  readonly #later: (call: LabelledCall, at: number) => void;
  #now = 0;

  constructor(
    judge: Contestant,
    told: {
      /** Refused, asked, cut off, or watched. */
      found: (event: TrialEvent) => void;
      /** It came to its own end. */
      passed: (call: LabelledCall, cost: number) => void;
      /** It was cut off. */
      later?: (call: LabelledCall, at: number) => void;
    },
  ) {
    this.#judge = judge;
    this.#stopped = told.found;
    this.#passed = told.passed;
    this.#later = told.later ?? (() => undefined);
  }

  take(call: LabelledCall): Outcome {
    const { facts, seconds, setupSeconds } = call;
    // Rows may come a little out of order; time does not run back for those who judge.
    this.#now = Math.max(this.#now, facts.at);
    this.#until(this.#now);
    const judge = this.#judge;
    const answerAt = this.#now + setupSeconds * 1_000;
    const end = answerAt + seconds * 1_000;
    if (call.incoming) {
      judge.incoming({ ...facts, at: this.#now });
      this.#push({ at: end, call, end, incoming: true });
      return 'passed';
    }
    const verdict = judge.attempt(facts);
    const whole = (seconds / 60) * facts.rate;
    if (verdict === undefined) {
      this.#passed(call, whole);
      return 'passed';
    }
    if (verdict.action !== 'pass') {
      const asked = verdict.action === 'challenge';
      const proved = asked && call.proves;
      this.#stopped({ call, at: facts.at, verdict, cost: 0, whole, proved });
      if (asked && !proved) return 'refused';
      if (verdict.action === 'block') return 'refused';
      if (proved) judge.proved(facts);
      else judge.began(facts);
    } else judge.began(facts);
    if (seconds > 0) judge.answered(facts.id, answerAt);
    const look = seconds > 0 ? judge.nextLook(facts.id, answerAt) : undefined;
    this.#push({ at: look !== undefined && look < end ? look : end, call, end, incoming: false });
    return 'passed';
  }

  /** Lets all calls end. */
  finish(): void {
    this.#until(Number.POSITIVE_INFINITY);
  }

  #until(now: number): void {
    for (let due = this.#heap[0]; due !== undefined && due.at <= now; due = this.#heap[0]) {
      this.#pop();
      const { call, at, end } = due;
      const { facts } = call;
      if (due.incoming) this.#judge.incomingEnded({ ...facts, at }, call.seconds > 0);
      else if (at >= end) {
        this.#judge.ended(facts.id, at);
        this.#passed(call, (call.seconds / 60) * facts.rate);
      } else this.#look(due);
    }
  }

  #look({ call, at, end }: Due): void {
    const { id, rate } = call.facts;
    const verdict = this.#judge.look(id, at);
    if (verdict !== undefined) {
      const cost = Math.max(0, call.seconds - (end - at) / 1_000) * (rate / 60);
      this.#stopped({ call, at, verdict, cost, whole: (call.seconds / 60) * rate, proved: false });
      if (verdict.action === 'cut-off') {
        this.#judge.ended(id, at);
        this.#passed(call, cost);
        this.#later(call, at);
        return;
      }
    }
    const next = this.#judge.nextLook(id, at) ?? end;
    this.#push({ at: Math.min(next, end), call, end, incoming: false });
  }

  #push(due: Due): void {
    const heap = this.#heap;
    heap.push(due);
    for (let i = heap.length - 1; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (heap[parent]!.at <= due.at) break;
      heap[i] = heap[parent]!;
      heap[parent] = due;
      i = parent;
    }
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    heap[0] = last;
    for (let i = 0; ; ) {
      const left = 2 * i + 1;
      if (left >= heap.length) break;
      const child = left + 1 < heap.length && heap[left + 1]!.at < heap[left]!.at ? left + 1 : left;
      if (heap[child]!.at >= last.at) break;
      heap[i] = heap[child]!;
      heap[child] = last;
      i = child;
    }
  }
}
