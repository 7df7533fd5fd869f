import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { type Calendar, type RuleSet, shippedRuleSets, shippedRules } from '@ringfence/fraud/rules.ts';
import type { BehaviourSettings } from '../../config/fraud-behaviour.ts';
import { formatProblem } from '../../config/problem.ts';
import { readRuleFile } from './rule-file.ts';

/** What the site says of its hours of work. */
export interface SiteHours {
  /** Minutes east of UTC now. */
  readonly offset: number;
  /** 1 is Monday, 7 is Sunday. */
  readonly days: readonly number[];
  /** `07:00` */
  readonly from: string;
  readonly to: string;
  readonly holidays: readonly string[];
}

/** Rules of all tenants, read once at the start and after a reload. */
export class RuleSets {
  #settings: BehaviourSettings | undefined;
  #usual: RuleSet = shippedRules;
  #tenants = new Map<string, RuleSet>();

  /** @throws MisuseError with file, line and what to write instead; what held before goes on to hold */
  configure(settings: BehaviourSettings, hours: SiteHours): void {
    const calendar = calendarOf(hours);
    const read = (name: string): RuleSet => ({ ...readRules(name), calendar });
    const usual = read(settings.rules);
    const tenants = new Map(settings.tenants.map(({ domain, rules }) => [domain.toLowerCase(), read(rules)]));
    this.#settings = settings;
    this.#usual = usual;
    this.#tenants = tenants;
  }

  of(domain: string): RuleSet {
    return this.#tenants.get(domain) ?? this.#usual;
  }

  get enabled(): boolean {
    return this.#settings?.enabled === true;
  }

  /** As a share of 1. */
  get mostTouched(): number {
    return (this.#settings?.mostTouched ?? 0) / 10_000;
  }
}

const calendarOf = ({ offset, days, from, to, holidays }: SiteHours): Calendar => ({
  offset,
  days: days.map((day) => day % 7),
  from: Number(from.slice(0, 2)),
  until: Number(to.slice(0, 2)) + (to.endsWith(':00') ? 0 : 1),
  holidays,
});

function readRules(name: string): RuleSet {
  const shipped = shippedRuleSets.find((set) => set.name === name);
  if (shipped !== undefined) return shipped;
  const read = readRuleFile(name);
  if (!read.ok) throw new MisuseError('fraud-rules-invalid', read.error.map(formatProblem).join('\n'));
  return read.value;
}
