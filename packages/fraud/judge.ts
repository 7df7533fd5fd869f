import { BoundedMap } from '@ringfence/bytes/bounded-map.ts';
import { type CallFacts, type IncomingCall, rangeOf } from './call-facts.ts';
import { gather, learnAttempt, running, type Scene, windows } from './evidence.ts';
import { Account, Acquaintance, type Bounds, Destination, Domain, defaultBounds, Range } from './profiles.ts';
import { type RuleSet, shippedRules } from './rules.ts';
import { decide, type FraudPart, type FraudVerdict } from './verdict.ts';
import { type LocalTime, localTime } from './working-hours.ts';

/** Cheaper ones are over before they matter; a call there is looked at again at such steps of its cost. */
const moneyStep = 0.4;
const leastLookMs = 5_000;
const mostLookMs = 300_000;
/** A call shorter than this was a try. */
const shortSeconds = 12;
const halfLifeOfUsual = 21 * 86_400_000;

/** A judged call while it goes on. */
interface LiveCall {
  readonly scene: Scene;
  /** What was found when it was asked for; money and company are looked at anew. */
  readonly fixed: readonly FraudPart[];
  answeredAt: number;
  charged: number;
  /** Not learned from: something was found, or somebody has lifted it. */
  suspicious: boolean;
}

const lifted: FraudVerdict = {
  action: 'pass',
  bits: 0,
  threshold: 0,
  parts: [],
  sentence: '',
};

export interface FraudJudgeOptions {
  /** Of a tenant; default: what the edge begins with. */
  readonly rules?: (domain: string) => RuleSet;
  readonly bounds?: Partial<Bounds>;
  /** An account or tenant that had to make room, by its key. */
  readonly forgotten?: (kind: 'account' | 'domain', key: string) => void;
}

/**
 * Judges calls by what they cost, where they go, and what their account and tenant usually do.
 *
 * Feed it calls in the order of time; every method takes the time of what it is told. Cheap calls within the country
 * are counted and nothing else: a call costs what it is worth judging. Tenants share nothing but memory.
 */
export class FraudJudge {
  readonly accounts: BoundedMap<string, Account>;
  readonly domains: BoundedMap<string, Domain>;
  readonly #calls: BoundedMap<string, LiveCall>;
  readonly bounds: Bounds;
  readonly #rules: (domain: string) => RuleSet;
  #last: { readonly name: string; readonly domain: Domain } | undefined;
  /** The call that was asked for last. */
  #asked: { readonly scene: Scene; readonly fixed: readonly FraudPart[] } | undefined;
  /** Accounts, tenants and calls that had to make room. */
  evicted = 0;

  constructor({ rules = () => shippedRules, bounds = {}, forgotten }: FraudJudgeOptions = {}) {
    this.bounds = { ...defaultBounds, ...bounds };
    this.#rules = rules;
    const onEvict =
      (kind: 'account' | 'domain') =>
      (key: string): void => {
        this.evicted += 1;
        forgotten?.(kind, key);
      };
    this.accounts = new BoundedMap({ capacity: this.bounds.accounts, onEvict: onEvict('account') });
    this.domains = new BoundedMap({ capacity: this.bounds.domains, onEvict: onEvict('domain') });
    this.#calls = new BoundedMap({
      capacity: this.bounds.calls,
      order: 'insertion',
      onEvict: (_id, { scene }) => {
        this.evicted += 1;
        scene.account.live = Math.max(0, scene.account.live - 1);
      },
    });
  }

  /** Judged calls that go on. */
  get live(): number {
    return this.#calls.size;
  }

  /**
   * Somebody asks for a call; undefined: it is not worth judging. Whoever lets it go on says so with `began`.
   */
  attempt(facts: CallFacts): FraudVerdict | undefined {
    const { at } = facts;
    const set = this.#rules(facts.domain);
    const domain = this.domain(facts.domain);
    const time = localTime(at, set.calendar);
    const cheap = facts.risk === 'home' && facts.rate < set.cheap;
    // Whoever calls at home only is never in the way of those who are judged.
    const account =
      (cheap ? this.accounts.peek(keyOf(facts)) : undefined) ?? this.account(facts.domain, facts.account);
    account.all.add(at, windows.day, 1);
    domain.all.add(at, windows.day, 1);
    this.#asked = undefined;
    if (cheap) {
      domain.hours.learn(at, time);
      return undefined;
    }
    const scene = this.#scene(facts, set, account, domain, time);
    const fixed = gather(scene);
    learnAttempt(scene);
    this.#asked = { scene, fixed };
    if (account.liftedUntil > at) return lifted;
    const verdict = decide([...fixed, ...running(scene, at, account.live + 1)], set, false);
    if (verdict.action === 'block' || verdict.action === 'challenge') this.#found(scene, verdict, at);
    else if (verdict.action === 'pass') domain.hours.learn(at, time);
    return verdict;
  }

  /** It goes out, in the same turn as it was asked for; it is followed until `ended`. */
  began(facts: CallFacts): void {
    const asked = this.#asked;
    if (asked?.scene.facts.id === facts.id) this.#follow(asked.scene, asked.fixed);
  }

  /**
   * Somebody who was asked has proven himself: the call begins, and the destination is known from now on.
   * Its costs go on to count.
   */
  proved(facts: CallFacts): void {
    const { at } = facts;
    const set = this.#rules(facts.domain);
    const account = this.account(facts.domain, facts.account);
    const domain = this.domain(facts.domain);
    const scene = this.#scene(facts, set, account, domain, localTime(at, set.calendar));
    const { known, destination } = scene;
    known.first ||= at;
    known.proven = true;
    destination.first ||= at;
    destination.days += daysOfProof;
    for (const leaky of [account.novelty, account.fresh, account.short, account.sequence])
      leaky.add(at, windows.hour, -leaky.read(at, windows.hour));
    account.found.add(at, windows.found, -account.found.read(at, windows.found));
    domain.found.add(at, windows.found, -1);
    this.#follow(scene, [{ rule: 'destination', text: 'the caller has proven himself', bits: -8 }]);
  }

  answered(id: string, at: number): void {
    const call = this.#calls.peek(id);
    if (call !== undefined && call.answeredAt === 0) call.answeredAt = at;
  }

  /**
   * What is found now that the call has gone on and cost money; undefined: nothing.
   * @param cost of the whole call so far; default: by its rate.
   */
  look(id: string, at: number, cost?: number): FraudVerdict | undefined {
    const call = this.#calls.peek(id);
    if (call === undefined || call.answeredAt === 0) return undefined;
    this.#charge(call, at, cost);
    const { scene } = call;
    if (scene.account.liftedUntil > at) return undefined;
    const verdict = decide([...call.fixed, ...running(scene, at, scene.account.live)], scene.set, true);
    if (verdict.action === 'pass') return undefined;
    if (verdict.action === 'cut-off') {
      call.suspicious = true;
      this.#found(scene, verdict, at);
    }
    return verdict;
  }

  /** When it should be looked at again, Unix ms; undefined: no more, it is not judged. */
  nextLook(id: string, at: number): number | undefined {
    const call = this.#calls.peek(id);
    if (call === undefined || call.answeredAt === 0) return undefined;
    const { rate } = call.scene.facts;
    const step = rate <= 0 ? mostLookMs : (moneyStep / rate) * 60_000;
    return at + Math.max(leastLookMs, Math.min(mostLookMs, step));
  }

  /** It is over; `answered`: somebody picked up. Calls that are not judged are passed over. */
  ended(id: string, at: number, cost?: number): void {
    const call = this.#calls.peek(id);
    if (call === undefined) return;
    this.#calls.delete(id);
    const { account, domain, destination, known, range, facts, set } = call.scene;
    account.live = Math.max(0, account.live - 1);
    const seconds = call.answeredAt === 0 ? 0 : (at - call.answeredAt) / 1000;
    if (call.answeredAt !== 0) this.#charge(call, at, cost);
    const short = seconds < shortSeconds;
    account.short.add(at, windows.hour, short ? 1 : -1);
    if (short) range.probes.add(at, windows.week, 1);
    if (call.suspicious) return;
    account.usual.learn(at, call.charged, halfLifeOfUsual);
    destination.usual.learn(at, call.charged, halfLifeOfUsual);
    if (call.charged > 0 && !account.spends) {
      account.spends = true;
      domain.spenders += 1;
    }
    domain.usual.learn(at, call.charged, halfLifeOfUsual);
    const { date } = localTime(facts.at, set.calendar);
    if (!short) {
      destination.met(facts.at, date);
      known.met(facts.at, date);
    }
  }

  /** A call from outside. */
  incoming({ domain, account }: IncomingCall): void {
    this.account(domain, account).incoming += 1;
  }

  /** It is over. Who hung up before anybody could answer may want to be called back. */
  incomingEnded({ at, domain, account, caller }: IncomingCall, answered: boolean): void {
    const of = this.accounts.peek(keyOf({ domain, account }));
    if (of !== undefined) of.incoming = Math.max(0, of.incoming - 1);
    if (!answered && caller.length >= 7)
      this.#range(this.domain(domain), rangeOf(caller)).missed.add(at, windows.day, 1);
  }

  /** An administrator has lifted what was found: nothing is judged until then, and nothing of it is learned. */
  lift(domain: string, account: string, until: number): void {
    this.account(domain, account).liftedUntil = until;
  }

  account(domain: string, name: string): Account {
    const key = keyOf({ domain, account: name });
    let found = this.accounts.get(key);
    if (found === undefined) {
      found = new Account(this.bounds.perAccount);
      this.accounts.set(key, found);
    }
    return found;
  }

  domain(name: string): Domain {
    if (this.#last?.name === name) return this.#last.domain;
    let found = this.domains.get(name);
    if (found === undefined) {
      found = new Domain(this.bounds);
      this.domains.set(name, found);
    }
    this.#last = { name, domain: found };
    return found;
  }

  #range(domain: Domain, name: string): Range {
    let found = domain.ranges.get(name);
    if (found === undefined) {
      found = new Range();
      domain.ranges.set(name, found);
    }
    return found;
  }

  #scene(facts: CallFacts, set: RuleSet, account: Account, domain: Domain, time: LocalTime): Scene {
    const name = destinationOf(facts);
    let destination = domain.destinations.get(name);
    if (destination === undefined) {
      destination = new Destination();
      domain.destinations.set(name, destination);
    }
    let known = account.destinations.get(name);
    if (known === undefined) {
      known = new Acquaintance();
      account.destinations.set(name, known);
    }
    const range = this.#range(domain, rangeOf(facts.called));
    return { facts, set, account, domain, destination, known, range, time };
  }

  /** What was found for other reasons than having found something before is remembered. */
  #found({ account, domain, set }: Scene, { parts }: FraudVerdict, at: number): void {
    let bits = 0;
    for (const part of parts) if (part.rule !== 'found-before') bits += part.bits;
    if (bits < set.bits.challenge) return;
    account.found.add(at, windows.found, 1);
    domain.found.add(at, windows.found, 1);
  }

  #follow(scene: Scene, fixed: readonly FraudPart[]): void {
    const { account, facts } = scene;
    if (this.#calls.has(facts.id)) return;
    account.live += 1;
    const { at } = facts;
    const suspicious = account.liftedUntil > at;
    if (!suspicious) {
      const most = account.most.read(at, windows.month);
      if (account.live > most) account.most.add(at, windows.month, account.live - most);
    }
    this.#calls.set(facts.id, { scene, fixed, answeredAt: 0, charged: 0, suspicious });
  }

  #charge(call: LiveCall, at: number, cost?: number): void {
    const { facts, account, destination } = call.scene;
    const whole = cost ?? (Math.max(0, at - call.answeredAt) / 60_000) * facts.rate;
    const more = whole - call.charged;
    if (more <= 0) return;
    call.charged = whole;
    account.quarter.add(at, windows.quarter, more);
    account.hour.add(at, windows.hour, more);
    account.day.add(at, windows.day, more);
    destination.hour.add(at, windows.hour, more);
    destination.day.add(at, windows.day, more);
    destination.week.add(at, windows.week, more);
  }
}

/** A proof is worth so many days of calls to the other accounts of the tenant. */
const daysOfProof = 6;

const keyOf = ({ domain, account }: { domain: string; account: string }): string => `${domain}\n${account}`;

/** What is learned of: a country, and where none is known the prefix; premium numbers apart from the others. */
export const destinationOf = ({ country, prefix, risk }: CallFacts): string =>
  `${country === '' ? prefix : country}/${risk}`;
