import { FraudJudge } from '@ringfence/fraud/judge.ts';
import type { FraudRule, RuleSet } from '@ringfence/fraud/rules.ts';
import type { LabelledCall } from '@ringfence/fraud/simulate/types.ts';
import { Trial, type TrialEvent } from '@ringfence/fraud/trial.ts';

/** What rules would have done with calls that were. Money is in the currency of the prices. */
export interface ReplayResult {
  readonly calls: number;
  readonly incoming: number;
  /** Money of all calls. */
  readonly cost: number;
  /** Calls that would have been refused, asked to prove themselves, or cut off; watched ones apart. */
  readonly stopped: { readonly challenge: number; readonly block: number; readonly 'cut-off': number };
  readonly watched: number;
  /** Money that these would not have cost. */
  readonly saved: number;
  /** By the rule that said most. */
  readonly byRule: Readonly<Partial<Record<FraudRule, { readonly calls: number; readonly saved: number }>>>;
  /** Where the records say which calls were fraud; undefined where none does. */
  readonly labelled:
    | {
        readonly frauds: number;
        readonly fraudCalls: number;
        readonly fraudCallsStopped: number;
        readonly fraudCost: number;
        readonly fraudCostLeft: number;
        readonly falseAlarms: number;
      }
    | undefined;
  /** Stopped calls that no record calls fraud, as a share of all such calls. */
  readonly touchedShare: number;
  /** The first ones, in words. */
  readonly examples: readonly Example[];
  readonly evicted: number;
  /** Sets that calls were judged by. */
  readonly rules: readonly { readonly name: string; readonly version: number }[];
}

export interface Example {
  readonly at: number;
  readonly domain: string;
  readonly account: string;
  readonly called: string;
  readonly action: string;
  readonly sentence: string;
  readonly saved: number;
  readonly fraud: string;
}

const mostExamples = 20;
const mostSets = 1_001;
const mostFrauds = 100_000;

/** Gives calls to the judge one after the other; memory does not grow with their number. */
export class Replay {
  readonly #trial: Trial;
  readonly #judge: FraudJudge;
  readonly #stopped = { challenge: 0, block: 0, 'cut-off': 0 };
  readonly #byRule = new Map<FraudRule, { calls: number; saved: number }>();
  readonly #frauds = new Set<string>();
  readonly #examples: Example[] = [];
  readonly #told = new Set<string>();
  readonly #sets = new Map<string, RuleSet>();
  #last: RuleSet | undefined;
  #calls = 0;
  #incoming = 0;
  #cost = 0;
  #saved = 0;
  #watched = 0;
  #fraudCalls = 0;
  #fraudStopped = 0;
  #fraudCost = 0;
  #fraudSaved = 0;
  #falseAlarms = 0;

  constructor(rules: (domain: string) => RuleSet) {
    this.#judge = new FraudJudge({
      rules: (domain) => {
        const set = rules(domain);
        if (set !== this.#last) this.#used(set);
        return set;
      },
    });
    this.#trial = new Trial(this.#judge, { found: (event) => this.#found(event), passed: () => undefined });
  }

  #used(set: RuleSet): void {
    this.#last = set;
    if (this.#sets.size < mostSets) this.#sets.set(`${set.name} ${set.version}`, set);
  }

  get calls(): number {
    return this.#calls;
  }

  take(call: LabelledCall): void {
    if (call.incoming) this.#incoming += 1;
    else {
      this.#calls += 1;
      const cost = (call.seconds / 60) * call.facts.rate;
      this.#cost += cost;
      if (call.fraud !== '') {
        this.#fraudCalls += 1;
        this.#fraudCost += cost;
        if (this.#frauds.size < mostFrauds) this.#frauds.add(call.fraud);
      }
    }
    this.#trial.take(call);
  }

  finish(): ReplayResult {
    this.#trial.finish();
    const touched =
      this.#stopped.challenge + this.#stopped.block + this.#stopped['cut-off'] - this.#fraudStopped;
    return {
      calls: this.#calls,
      incoming: this.#incoming,
      cost: this.#cost,
      stopped: this.#stopped,
      watched: this.#watched,
      saved: this.#saved,
      byRule: Object.fromEntries([...this.#byRule].sort(([, a], [, b]) => b.calls - a.calls)),
      labelled:
        this.#fraudCalls === 0
          ? undefined
          : {
              frauds: this.#frauds.size,
              fraudCalls: this.#fraudCalls,
              fraudCallsStopped: this.#fraudStopped,
              fraudCost: this.#fraudCost,
              fraudCostLeft: this.#fraudCost - this.#fraudSaved,
              falseAlarms: this.#falseAlarms,
            },
      touchedShare: touched / Math.max(1, this.#calls - this.#fraudCalls),
      examples: this.#examples,
      evicted: this.#judge.evicted,
      rules: [...this.#sets.values()].map(({ name, version }) => ({ name, version })),
    };
  }

  #found({ call, at, verdict, cost, whole, proved }: TrialEvent): void {
    const { action, rule, sentence } = verdict;
    if (action === 'pass') return;
    if (action === 'watch') {
      this.#watched += 1;
      return;
    }
    const saved = proved ? 0 : Math.max(0, whole - cost);
    this.#stopped[action] += 1;
    this.#saved += saved;
    if (call.fraud === '') this.#falseAlarms += 1;
    else {
      this.#fraudStopped += 1;
      this.#fraudSaved += saved;
    }
    if (rule !== undefined) {
      const of = this.#byRule.get(rule) ?? { calls: 0, saved: 0 };
      of.calls += 1;
      of.saved += saved;
      this.#byRule.set(rule, of);
    }
    const { domain, account, called } = call.facts;
    // The first of each account: the others say the same.
    const who = `${domain}\n${account}`;
    if (this.#examples.length < mostExamples && !this.#told.has(who)) {
      this.#told.add(who);
      this.#examples.push({ at, domain, account, called, action, sentence, saved, fraud: call.fraud });
    }
  }
}
