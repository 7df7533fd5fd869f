import type { CallFacts, Risk } from './call-facts.ts';
import type { Account, Acquaintance, Destination, Domain, Range } from './profiles.ts';
import type { FraudRule, RuleSet } from './rules.ts';
import { clock, money, nth, place, spell } from './say.ts';
import type { Prior } from './usual.ts';
import type { FraudPart } from './verdict.ts';
import type { LocalTime } from './working-hours.ts';

const minute = 60_000;
/** Time constants of what fades, ms. */
export const windows = {
  burst: 20 * minute,
  quarter: 15 * minute,
  hour: 60 * minute,
  day: 24 * 60 * minute,
  week: 7 * 24 * 60 * minute,
  found: 6 * 60 * minute,
  month: 30 * 24 * 60 * minute,
} as const;

/** Hours of observation that the population is worth beside what an account or destination has shown itself. */
const priorHours = 3;

/** A call, and all that is remembered of those who have to do with it. */
export interface Scene {
  readonly facts: CallFacts;
  readonly set: RuleSet;
  readonly account: Account;
  readonly domain: Domain;
  readonly destination: Destination;
  readonly known: Acquaintance;
  readonly range: Range;
  readonly time: LocalTime;
}

/** How much likelier a destination of that class is under fraud than without, in bits. */
const riskBits: Readonly<Record<Risk, number>> = {
  home: -2,
  ordinary: -1,
  raised: 1,
  high: 2.5,
  premium: 3.5,
};

/**
 * Novelty as a sequential probability ratio test (Wald): a destination new to an account comes with 15 % of usual calls
 * and 70 % of fraudulent ones, the values that TFPS ships for its own.
 */
const newDestination = Math.log2(0.7 / 0.15);
const oldDestination = Math.log2(0.3 / 0.85);

const bounded = (value: number, most: number): number => Math.min(most, value);

/** How well both know it: the account itself counts most. */
export const trustIn = ({
  known,
  destination,
  facts,
}: Pick<Scene, 'known' | 'destination' | 'facts'>): number =>
  Math.max(known.trust(facts.risk), destination.trust(facts.risk) * 0.7);

/** What is found once, when a call is asked for. `parts` are in no order. */
export function gather(scene: Scene): FraudPart[] {
  const { facts, set, account, domain, destination, known, range, time } = scene;
  const { at } = facts;
  const parts: FraudPart[] = [];
  const trust = trustIn(scene);
  const add = (rule: FraudRule, bits: number, text: string): void => {
    const { mode, weight } = set.rules[rule];
    const weighed = Math.round(bits * weight * 10) / 10;
    if (mode !== 'off' && weighed !== 0) parts.push({ rule, bits: weighed, text });
  };

  const where = place(facts);
  add(
    'destination',
    riskBits[facts.risk] - 3 * trust,
    trust > 0.4 ? `${where} is called from here` : `${where} costs ${money(facts.rate)} a minute`,
  );

  const freshHere = destination.first === 0 ? 1 : 0;
  const newness =
    known.first !== 0 ? oldDestination : freshHere ? newDestination : 1 - 2 * destination.trust(facts.risk);
  const walk = bounded(account.novelty.read(at, windows.burst), 8) + newness;
  const ofDomain = bounded(domain.novelty.read(at, windows.hour), 8) + (freshHere ? 1.5 : -0.7);
  const count = Math.round(account.fresh.read(at, windows.burst)) + 1;
  add(
    'novelty',
    Math.max(0, walk, freshHere ? ofDomain : 0),
    walk >= ofDomain || !freshHere
      ? count > 1
        ? `${nth(count)} new destination in 20 minutes`
        : 'never called before'
      : 'one destination after the other that nobody here has called',
  );

  const calls = account.calls.read(at, windows.quarter) + 1;
  const busy = account.all.read(at, windows.day) / 24;
  const perHour: Prior = { mean: set.usual.callsPerHour + busy * abroadShare, hours: priorHours };
  add(
    'velocity',
    bounded(account.usualCalls.surprise(calls, windows.quarter, perHour, at) / 2, 6) * (1 - trust / 2),
    `${spell(Math.round(calls))} such calls in a quarter of an hour`,
  );

  const sequence = account.sequence.read(at, windows.burst) + step(account.lastCalled, facts.called);
  add('sequential', bounded(sequence * 1.2, 5), 'numbers called one after the other');

  const short = account.short.read(at, windows.hour);
  add('short-calls', short < 1.5 ? 0 : bounded((short - 1) * 0.8, 4), 'calls that end at once');

  const hours = domain.hours.bits(time, set.calendar);
  add('off-hours', hours * 0.8 * (1 - trust / 2), clock(time));

  if (facts.forwarded)
    add('forward', trust > 0.5 ? 0.5 : 2, 'a phone of yours sends on calls from outside there');

  const missed = range.missed.read(at, windows.day);
  if (missed > 0.2)
    add(
      'call-back',
      (facts.risk === 'ordinary' || facts.risk === 'home' ? 0.5 : 2) +
        bounded(Math.max(0, Math.log2(missed)) * 1.5, 4) -
        trust,
      missed > 1.5
        ? `${spell(Math.round(missed))} calls from that range rang and hung up`
        : 'somebody of that range rang and hung up',
    );

  const probes = range.probes.read(at, windows.week);
  if (probes > 0.3)
    add(
      'probing',
      (1 + bounded(Math.log2(1 + probes), 3)) * (1 - trust),
      `${probes < 1.5 ? 'a short call' : 'short calls'} to that range before`,
    );

  const shown = account.shown.read(at, windows.hour) + (account.callers.includes(facts.caller) ? 0 : 1);
  const oneNumber: Prior = { mean: 0.5 + busy * abroadShare, hours: priorHours };
  add(
    'rotation',
    shown < 2.5
      ? 0
      : bounded(account.usualShown.surprise(shown, windows.hour, oneNumber, at) * 0.7, 5) * (1 - trust),
    `${spell(Math.round(shown))} different numbers shown`,
  );

  const found = account.found.read(at, windows.found);
  const near = domain.found.read(at, windows.found);
  const grave = facts.risk === 'high' || facts.risk === 'premium';
  const again = found > 0.1 ? bounded(1.5 + 1.5 * Math.log2(1 + found), 6) * (1 - trust) : 0;
  const around = near > 0.1 ? bounded(Math.log2(1 + near) * 1.6, grave ? 7 : 5) * (1 - trust) : 0;
  add(
    'found-before',
    Math.max(again, around) * (facts.risk === 'ordinary' ? 0.4 : 1),
    again >= around
      ? 'calls of this account were stopped lately'
      : 'calls of this tenant were stopped lately',
  );

  if (account.incoming > 0) {
    const through = account.through.read(at, windows.hour) + 1;
    add(
      'call-through',
      bounded(0.5 + through, 4) * (1 - trust),
      'while a call from outside is connected to it',
    );
  }
  return parts;
}

/** What changes while calls go on: money, company, and the others who call there. */
export function running(scene: Scene, at: number, live: number): FraudPart[] {
  const { facts, set, account, domain, destination, range } = scene;
  const parts: FraudPart[] = [];
  const trust = trustIn(scene);
  const add = (rule: FraudRule, bits: number, text: () => string): void => {
    const { mode, weight } = set.rules[rule];
    const weighed = Math.round(bits * weight * 10) / 10;
    if (mode !== 'off' && weighed !== 0) parts.push({ rule, bits: weighed, text: text() });
  };

  // Money that goes where hardly anybody calls counts twice.
  const unit = facts.risk === 'high' || facts.risk === 'premium' ? 0.5 : 1;
  let most = 0;
  let said = '';
  // Whoever calls much spends much: what all its calls would cost if one in twenty went abroad.
  const perHour = account.all.read(at, windows.day) / 24;
  const ofAll = domain.all.read(at, windows.day) / 24;
  // The population that an account comes from is its tenant: what the others there spend is what it may.
  const peers = domain.spenders < 3 ? 0 : domain.usual.mean(nothing, at) / domain.spenders;
  const ofAccount: Prior = {
    mean: Math.max(set.usual.accountSpend, peers) + perHour * spendPerCall,
    hours: priorHours,
  };
  const busy = 2 ** -Math.max(-1.6, Math.min(1.6, domain.hours.bits(scene.time, set.calendar)));
  const ofPlace: Prior = {
    mean: set.usual.destinationSpend * (facts.risk === 'ordinary' ? 12 : 1) + (ofAll * spendPerCall) / 20,
    hours: priorHours,
  };
  const look = (bits: number, words: () => string): void => {
    if (bits <= most) return;
    most = bits;
    said = words();
  };
  for (const [leaky, window, words] of [
    [account.quarter, windows.quarter, 'a quarter of an hour'],
    [account.hour, windows.hour, 'an hour'],
    [account.day, windows.day, 'a day'],
  ] as const) {
    const spent = leaky.read(at, window);
    if (spent >= unit)
      look(
        account.usual.surprise(spent / unit, window, ofAccount, at, window <= windows.hour ? busy : 1),
        () => `${money(spent)} by this account in ${words}`,
      );
  }
  for (const [leaky, window, words] of [
    [destination.hour, windows.hour, 'an hour'],
    [destination.day, windows.day, 'a day'],
    [destination.week, windows.week, 'a week'],
  ] as const) {
    const spent = leaky.read(at, window);
    if (spent >= unit)
      look(
        destination.usual.surprise(spent / unit, window, ofPlace, at, window <= windows.hour ? busy : 1),
        () => `${money(spent)} to ${place(facts)} in ${words}`,
      );
  }
  add('spend', bounded(most, 20) * (1 - trust / 2), () => said);

  // As many at once as there usually are surprise nobody.
  const usualLive = Math.max(1, account.most.read(at, windows.month) * 0.9);
  add(
    'concurrency',
    live > usualLive ? bounded((live - usualLive) * 1.5, 8) : 0,
    () => `${spell(live)} calls at once`,
  );

  const calls = range.calls.read(at, windows.hour);
  const stake = Math.min(1.2, facts.rate / 0.3);
  add(
    'pumping',
    calls < 2
      ? 0
      : bounded(range.usual.surprise(calls, windows.hour, ofRange, at) / 2, 6) * stake * (1 - trust / 2),
    () => `${spell(Math.round(calls))} calls to one range of numbers in an hour`,
  );
  return parts;
}

/** One call in ten goes abroad, and costs 0.05 a minute for three minutes. */
const abroadShare = 0.1;
const spendPerCall = abroadShare * 0.15;
const nothing: Prior = { mean: 0, hours: priorHours };
const ofRange: Prior = { mean: 0.15, hours: 6 };

/** Called once for each call that is asked for, whatever becomes of it. */
export function learnAttempt({ facts, account, domain, destination, known, range }: Scene): void {
  const { at } = facts;
  const fresh = destination.first === 0;
  const newHere = known.first === 0;
  const walk = newHere ? (fresh ? newDestination : 1 - 2 * destination.trust(facts.risk)) : oldDestination;
  account.novelty.add(at, windows.burst, walk);
  if (newHere) account.fresh.add(at, windows.burst, 1);
  domain.novelty.add(at, windows.hour, fresh ? 1.5 : -0.7);
  account.calls.add(at, windows.quarter, 1);
  account.usualCalls.learn(at, 1, windows.month);
  account.sequence.add(at, windows.burst, step(account.lastCalled, facts.called));
  account.lastCalled = facts.called;
  if (!account.callers.includes(facts.caller)) {
    account.shown.add(at, windows.hour, 1);
    account.usualShown.learn(at, 1, windows.month);
    account.callers.push(facts.caller);
    if (account.callers.length > shownNumbers) account.callers.shift();
  }
  if (account.incoming > 0) account.through.add(at, windows.hour, 1);
  range.calls.add(at, windows.hour, 1);
  range.usual.learn(at, 1, windows.month);
  if (newHere) known.first = at;
  if (fresh) destination.first = at;
}

const shownNumbers = 8;

/** 1 for a number a few further on than the last one; what is not takes back a part. */
function step(last: string, called: string): number {
  if (last.length !== called.length || last === '' || last === called) return last === called ? 0 : -0.3;
  const head = called.length - 2;
  if (last.slice(0, head) !== called.slice(0, head)) return -0.3;
  return 1;
}
