import { BoundedMap } from '@ringfence/bytes/bounded-map.ts';
import type { CallFacts } from '@ringfence/fraud/call-facts.ts';
import { FraudJudge as Judge } from '@ringfence/fraud/judge.ts';
import type { FraudRule, Mode, RuleSet } from '@ringfence/fraud/rules.ts';
import type { FraudVerdict as Found } from '@ringfence/fraud/verdict.ts';
import type { EdgeEvent } from '../../events/types.ts';
import type { CallOutcome, FraudJudge, FraudVerdict, OutgoingCall } from '../gate.ts';
import { ProfileKeeper, type ProfileRow, type ProfileStore, withModes } from './keep.ts';
import { riskOf } from './risk.ts';
import { Touched } from './touched.ts';

export interface BehaviourParts {
  /** Of a tenant, before modes that were set by command. */
  rules(domain: string): RuleSet;
  /** Money a minute that stands for all countries without a price of their own. */
  usualPrice(): number;
  isEnabled(): boolean;
  now(): number;
  readonly store: ProfileStore;
  readonly rows: readonly ProfileRow[];
  after(milliseconds: number, run: () => void): () => void;
  failed(error: unknown): void;
}

/** A verdict of a call that was judged lately, for `ringfence fraud why`. */
export interface Judged {
  readonly call: string;
  readonly at: number;
  readonly domain: string;
  readonly account: string;
  readonly number: string;
  readonly rules: string;
  readonly verdict: Found;
}

const million = 1_000_000;
const mostJudged = 1_000;
const mostIncoming = 20_000;

/**
 * Judges calls that leave by a trunk by what their account and tenant usually do; one of the judges of the gate.
 *
 * Memory: `Bounds` of the judge, the last 1,000 verdicts that said something, and 20,000 calls from outside that go on.
 */
export class Behaviour implements FraudJudge {
  readonly judgeOf: Judge;
  readonly touched = new Touched();
  readonly #parts: BehaviourParts;
  readonly #keeper: ProfileKeeper;
  readonly #judged = new BoundedMap<string, Judged>({ capacity: mostJudged, order: 'insertion' });
  readonly #incoming = new BoundedMap<string, { domain: string; account: string; caller: string }>({
    capacity: mostIncoming,
    order: 'insertion',
  });
  readonly #sets = new BoundedMap<string, { from: RuleSet; set: RuleSet }>({ capacity: 500 });

  constructor(parts: BehaviourParts) {
    this.#parts = parts;
    this.judgeOf = new Judge({
      rules: (domain) => this.rulesOf(domain),
      forgotten: (kind, key) => this.#keeper.forget(kind, key),
    });
    this.#keeper = new ProfileKeeper(this.judgeOf, parts);
  }

  /** With the modes that were set by command. */
  rulesOf(domain: string): RuleSet {
    const from = this.#parts.rules(domain);
    const known = this.#sets.peek(domain);
    if (known?.from === from) return known.set;
    const set = withModes(from, this.#keeper.modes(domain));
    this.#sets.set(domain, { from, set });
    return set;
  }

  setMode(domain: string, rule: FraudRule, mode: Mode): void {
    this.#keeper.setMode(domain, rule, mode);
    this.#sets.delete(domain);
  }

  judge(call: OutgoingCall): FraudVerdict | undefined {
    if (!this.#parts.isEnabled()) return undefined;
    const facts = this.#factsOf(call);
    const found = this.judgeOf.attempt(facts);
    const set = this.rulesOf(call.domain);
    const goes = found === undefined || found.action === 'pass' || found.action === 'watch';
    if (goes) this.touched.count(call.domain, call.at, set, found);
    if (found === undefined) return undefined;
    this.#keeper.changed(facts);
    return this.#told(call, found, set);
  }

  began(call: OutgoingCall): void {
    if (this.#parts.isEnabled() && !call.lifted) this.judgeOf.began(this.#factsOf(call));
  }

  answered(call: OutgoingCall, at: number): undefined {
    this.judgeOf.answered(call.id, at);
  }

  cost(call: OutgoingCall, cost: number, at: number): FraudVerdict | undefined {
    const found = this.judgeOf.look(call.id, at, cost / million);
    // What is only watched was told of when the call began.
    return found === undefined || found.action === 'watch'
      ? undefined
      : this.#told(call, found, this.rulesOf(call.domain));
  }

  ended(call: OutgoingCall, { at, cost }: CallOutcome): void {
    this.judgeOf.ended(call.id, at, cost / million);
    this.#keeper.changed(call);
  }

  /** Calls from outside: who rang and hung up, and who is connected to somebody from outside. */
  readonly take = (event: EdgeEvent): void => {
    if (event.type === 'call.started') {
      if (!event.principal.startsWith('trunk:') || !event.route.startsWith('user:')) return;
      const { call, domain } = event;
      const account = `user:${event.route.slice(5).split('@')[0]?.toLowerCase()}@${domain}`;
      const incoming = { domain, account, caller: event.caller.replaceAll(/[^0-9]/g, '').slice(0, 18) };
      this.#incoming.set(call, incoming);
      this.judgeOf.incoming({ ...incoming, at: this.#parts.now() });
    } else if (event.type === 'call.ended') {
      const incoming = this.#incoming.peek(event.call);
      if (incoming === undefined) return;
      this.#incoming.delete(event.call);
      this.judgeOf.incomingEnded({ ...incoming, at: this.#parts.now() }, event.disposition === 'answered');
    } else if (event.type === 'fraud.lifted' && event.what === 'account') {
      // Calls in progress are left alone, too.
      const domain = event.value.slice(event.value.lastIndexOf('@') + 1);
      this.judgeOf.lift(domain, event.value, event.until);
    }
  };

  /** What was found about a call, or about the last calls of an account. */
  why(what: string): readonly Judged[] {
    const one = this.#judged.peek(what);
    if (one !== undefined) return [one];
    return [...this.#judged.entries()]
      .map(([, judged]) => judged)
      .filter(({ account, number }) => account === what || number === what)
      .slice(-20);
  }

  /** Writes what has changed. */
  flush(): void {
    this.#keeper.flush();
  }

  #told(call: OutgoingCall, found: Found, set: RuleSet): FraudVerdict | undefined {
    const { action, rule, sentence, parts } = found;
    if (action === 'pass') return undefined;
    this.#judged.set(call.id, {
      call: call.id,
      at: call.at,
      domain: call.domain,
      account: call.account,
      number: call.number,
      rules: `${set.name} ${set.version}`,
      verdict: found,
    });
    return {
      action,
      rule: `fraud.${rule ?? 'behaviour'}`,
      sentence: `${sentence.slice(0, 1).toUpperCase()}${sentence.slice(1)}.`,
      parts: parts.map(({ text, bits }) => ({ text, bits })),
    };
  }

  #factsOf({
    id,
    at,
    domain,
    account,
    caller,
    number,
    dialled,
    destination,
    perMinute,
    by,
  }: OutgoingCall): CallFacts {
    const rate = perMinute / million;
    return {
      id,
      at,
      domain,
      account,
      caller,
      called: (number === '' ? dialled : number).replace('+', ''),
      country: destination.country,
      prefix: destination.prefix.replace('+', ''),
      risk: riskOf(destination.class, rate, this.#parts.usualPrice()),
      rate,
      forwarded: by !== 'call',
    };
  }
}
