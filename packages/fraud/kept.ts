import type { Leaky } from './leaky.ts';
import { Account, Acquaintance, type Bounds, Destination, Domain } from './profiles.ts';
import type { Usual } from './usual.ts';

/**
 * Profiles as JSON, so that a restart forgets nothing but ranges of numbers that rang or were tried lately and calls
 * that go on. What cannot be read is left as it was: at worst something is learned anew.
 */
const accountLeaks = [
  'quarter',
  'hour',
  'day',
  'calls',
  'novelty',
  'fresh',
  'short',
  'sequence',
  'shown',
  'through',
  'all',
  'found',
  'most',
] as const;
const accountUsuals = ['usual', 'usualCalls', 'usualShown'] as const;
const placeLeaks = ['hour', 'day', 'week'] as const;
const domainLeaks = ['novelty', 'fresh', 'all', 'found'] as const;

type Row = readonly number[];
const version = 1;

/** Six digits are enough, and half as long; times keep their milliseconds. */
const short = (value: number): number =>
  Math.abs(value) > 1e6 ? Math.round(value) : Number(value.toPrecision(6));
const leaksOf = <N extends string>(of: Readonly<Record<N, Leaky>>, names: readonly N[]): Row =>
  names.flatMap((name) => of[name].kept.map(short));
const usualsOf = <N extends string>(of: Readonly<Record<N, Usual>>, names: readonly N[]): Row =>
  names.flatMap((name) => of[name].kept.map(short));
const knownOf = ({ first, days, lastDay, proven }: Acquaintance): Row => [
  first,
  days,
  lastDay,
  proven ? 1 : 0,
];

export const keepAccount = (account: Account): string =>
  JSON.stringify({
    version,
    leaks: leaksOf(account, accountLeaks),
    usuals: usualsOf(account, accountUsuals),
    callers: account.callers,
    called: account.lastCalled,
    spends: account.spends,
    known: [...account.destinations.entries()].map(([name, known]) => [name, ...knownOf(known)]),
  });

export const keepDomain = (domain: Domain): string =>
  JSON.stringify({
    version,
    leaks: leaksOf(domain, domainLeaks),
    usual: domain.usual.kept.map(short),
    hours: domain.hours.kept.map(short),
    spenders: domain.spenders,
    places: [...domain.destinations.entries()].map(([name, place]) => [
      name,
      ...knownOf(place),
      ...leaksOf(place, placeLeaks),
      ...place.usual.kept.map(short),
    ]),
  });

const numbers = (value: unknown, count: number): Row | undefined =>
  Array.isArray(value) &&
  value.length === count &&
  value.every((one) => typeof one === 'number' && Number.isFinite(one))
    ? (value as Row)
    : undefined;

function restoreLeaks<N extends string>(of: Readonly<Record<N, Leaky>>, names: readonly N[], row: Row): void {
  for (const [i, name] of names.entries()) of[name].restore(row[i * 2]!, row[i * 2 + 1]!);
}

function restoreKnown(known: Acquaintance, [first = 0, days = 0, lastDay = 0, proven = 0]: Row): void {
  known.first = first;
  known.days = days;
  known.lastDay = lastDay;
  known.proven = proven === 1;
}

function read(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || (value as { version?: unknown }).version !== version)
      return undefined;
    return value as Readonly<Record<string, unknown>>;
  } catch {
    return undefined;
  }
}

/** Undefined: what was kept is of no use. */
export function restoreAccount(
  text: string,
  { perAccount }: Pick<Bounds, 'perAccount'>,
): Account | undefined {
  const kept = read(text);
  const leaks = numbers(kept?.leaks, accountLeaks.length * 2);
  const usuals = numbers(kept?.usuals, accountUsuals.length * 3);
  if (kept === undefined || leaks === undefined || usuals === undefined) return undefined;
  const account = new Account(perAccount);
  restoreLeaks(account, accountLeaks, leaks);
  for (const [i, name] of accountUsuals.entries())
    account[name].restore(usuals[i * 3]!, usuals[i * 3 + 1]!, usuals[i * 3 + 2]!);
  account.spends = kept.spends === true;
  if (typeof kept.called === 'string') account.lastCalled = kept.called;
  for (const caller of list(kept.callers).slice(0, 8))
    if (typeof caller === 'string') account.callers.push(caller);
  for (const row of list(kept.known)) {
    const [name, ...values] = list(row);
    const of = numbers(values, 4);
    if (typeof name !== 'string' || of === undefined) continue;
    const known = new Acquaintance();
    restoreKnown(known, of);
    account.destinations.set(name, known);
  }
  return account;
}

/** Undefined: what was kept is of no use. */
export function restoreDomain(text: string, bounds: Bounds): Domain | undefined {
  const kept = read(text);
  const leaks = numbers(kept?.leaks, domainLeaks.length * 2);
  const usual = numbers(kept?.usual, 3);
  if (kept === undefined || leaks === undefined || usual === undefined) return undefined;
  const domain = new Domain(bounds);
  restoreLeaks(domain, domainLeaks, leaks);
  domain.usual.restore(usual[0]!, usual[1]!, usual[2]!);
  domain.hours.restore(list(kept.hours).filter((one): one is number => typeof one === 'number'));
  if (typeof kept.spenders === 'number') domain.spenders = kept.spenders;
  const width = 4 + placeLeaks.length * 2 + 3;
  for (const row of list(kept.places)) {
    const [name, ...values] = list(row);
    const of = numbers(values, width);
    if (typeof name !== 'string' || of === undefined) continue;
    const place = new Destination();
    restoreKnown(place, of);
    restoreLeaks(place, placeLeaks, of.slice(4));
    place.usual.restore(of[width - 3]!, of[width - 2]!, of[width - 1]!);
    domain.destinations.set(name, place);
  }
  return domain;
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
