import type { Uri } from '@ringfence/sip/message/types.ts';
import type { Screening } from '../objects/screening-settings.ts';
import type { ScreeningFacts } from '../policy/screening.ts';
import type { Principal } from '../policy/types.ts';
import type { DomainDirectory } from '../routing/directory.ts';
import type { Destination } from '../routing/find-route.ts';
import { digitsOf, type Numbers } from '../routing/numbers.ts';
import { NumberPatterns } from './patterns.ts';

interface Lists {
  readonly block: (caller: readonly string[]) => string | undefined;
  readonly allow: ((caller: readonly string[]) => string | undefined) | undefined;
}

const compiled = new WeakMap<Screening, Lists>();

/** Finds what of a caller is on a list: its number, or its name as a user. */
function finder(list: readonly string[]): (caller: readonly string[]) => string | undefined {
  const numbers = new NumberPatterns(list.filter((one) => one.startsWith('+')));
  const names = new Set(list.filter((one) => !one.startsWith('+')).map((one) => one.toLowerCase()));
  return (caller) =>
    caller.find((one) => (one.startsWith('+') ? numbers.has(one) : names.has(one.toLowerCase())));
}

function listsOf(screening: Screening): Lists {
  let lists = compiled.get(screening);
  if (lists === undefined) {
    const { block = [], allow } = screening;
    lists = { block: finder(block), allow: allow === undefined ? undefined : finder(allow) };
    compiled.set(screening, lists);
  }
  return lists;
}

const userOf = (uri: Uri): string => ('user' in uri ? (uri.user ?? '') : '');

/**
 * What the called user has against the caller; undefined where there is nothing. RFC 5359 §2.13.
 *
 * `shown`: who calls, as the called side would see it, first its own name and then its number.
 */
export function screening(
  directory: DomainDirectory,
  destination: Destination,
  caller: {
    readonly principal: Principal;
    readonly shown: readonly Uri[];
    readonly hidden: boolean;
    /** What is shown is the principal itself, and no party that it sends on. */
    readonly itself: boolean;
  },
  numbers: Numbers,
): ScreeningFacts | undefined {
  if (destination.kind !== 'user') return undefined;
  const { user } = destination;
  if (user.screening === undefined) return undefined;
  const { principal, shown, hidden, itself } = caller;
  const own = principal.kind === 'device' ? directory.users.get(principal.user.toLowerCase()) : undefined;
  if (own === user) return undefined;
  // A number is what it is everywhere; a name is a user's only where this domain has proven it.
  const proven = itself && principal.kind === 'device';
  const numbersOf = new Set<string>();
  const names = new Set<string>();
  for (const uri of shown) {
    const text = userOf(uri);
    if (text === '') continue;
    const digits = digitsOf(text);
    const number = digits === undefined ? undefined : (numbers.e164(digits) ?? digits);
    if (number !== undefined) numbersOf.add(number);
    else names.add(text);
    const of = proven ? directory.users.get(text.toLowerCase())?.number : undefined;
    if (of !== undefined) numbersOf.add(of);
  }
  const all = [...names, ...numbersOf];
  const lists = listsOf(user.screening);
  const about = { user: user.name, caller: all[0] ?? '' };
  const blocked = lists.block(all);
  if (blocked !== undefined) return { ...about, rule: 'blocked', entry: blocked };
  if (hidden && user.screening.anonymous === 'block') return { ...about, rule: 'anonymous' };
  if (lists.allow !== undefined && lists.allow(proven ? all : [...numbersOf]) === undefined)
    return { ...about, rule: 'not-allowed' };
  return undefined;
}
