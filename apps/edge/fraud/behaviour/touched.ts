import { BoundedMap } from '@ringfence/bytes/bounded-map.ts';
import { type FraudRule, modes, type RuleSet } from '@ringfence/fraud/rules.ts';
import type { FraudVerdict } from '@ringfence/fraud/verdict.ts';

const dayMs = 86_400_000;
const mostTenants = 500;

interface Day {
  readonly date: number;
  /** Calls that went out. */
  calls: number;
  /** Of them, those that a rule in `watch` would have stopped together with the others. */
  readonly stopped: Map<FraudRule, number>;
}

/** What rules in `watch` would have done to the calls of today and yesterday, by the UTC day. */
export class Touched {
  readonly #tenants = new BoundedMap<string, { today: Day; before: Day | undefined }>({
    capacity: mostTenants,
  });

  /** A call that goes out, with its verdict where it was judged. */
  count(domain: string, at: number, set: RuleSet, verdict: FraudVerdict | undefined): void {
    const day = this.#day(domain, at).today;
    day.calls += 1;
    if (verdict === undefined || verdict.parts.length === 0) return;
    let acting = 0;
    for (const { rule, bits } of verdict.parts)
      if (modes.indexOf(set.rules[rule].mode) >= modes.indexOf('challenge')) acting += bits;
    if (acting >= set.bits.challenge) return;
    for (const { rule, bits } of verdict.parts)
      if (set.rules[rule].mode === 'watch' && acting + bits >= set.bits.challenge)
        day.stopped.set(rule, (day.stopped.get(rule) ?? 0) + 1);
  }

  /** Of yesterday's calls, or of today's where there were none; undefined: nothing is known yet. */
  share(
    domain: string,
    rule: FraudRule,
    at: number,
  ): { readonly calls: number; readonly stopped: number } | undefined {
    const { today, before } = this.#day(domain, at);
    const day = before !== undefined && before.calls > 0 ? before : today;
    return day.calls === 0 ? undefined : { calls: day.calls, stopped: day.stopped.get(rule) ?? 0 };
  }

  get tenants(): readonly string[] {
    return [...this.#tenants.entries()].map(([name]) => name);
  }

  #day(domain: string, at: number): { today: Day; before: Day | undefined } {
    const date = Math.floor(at / dayMs);
    let days = this.#tenants.get(domain);
    if (days === undefined) {
      days = { today: { date, calls: 0, stopped: new Map() }, before: undefined };
      this.#tenants.set(domain, days);
    } else if (days.today.date !== date) {
      days.before = days.today.date === date - 1 ? days.today : undefined;
      days.today = { date, calls: 0, stopped: new Map() };
    }
    return days;
  }
}
