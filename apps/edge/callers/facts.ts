import { assertedIdentities } from '@ringfence/sip/headers/asserted-identity.ts';
import { parseNameAddrList } from '@ringfence/sip/message/name-addr.ts';
import type { NameAddr, SipRequest, Uri } from '@ringfence/sip/message/types.ts';
import { parsePhoneNumberFromString } from 'libphonenumber-js/max';
import { forwardingsOf } from '../headers/forwardings.ts';
import type { CallerIdentity } from '../headers/identity.ts';
import type { Trunk } from '../objects/types.ts';
import type { DomainDirectory } from '../routing/directory.ts';
import type { Dialled } from '../routing/find-route.ts';
import { digitsOf, type Numbers } from '../routing/numbers.ts';
import type { CallerFacts } from './judge.ts';
import { NumberPatterns } from './patterns.ts';

const remembered = 4096;
/** Shorter ones are extensions and service numbers, which only their own network can judge. */
const shortest = 7;
const mostClaims = 8;

/** E.164 §6.2: at most 15 digits. */
const international = /^\+[1-9]\d{6,14}$/;

const valid = new Map<string, boolean>();

/** Some country has given out numbers of that form, as far as libphonenumber knows. */
function isGivenOut(number: string): boolean {
  const known = valid.get(number);
  if (known !== undefined) return known;
  const answer = parsePhoneNumberFromString(number)?.isValid() === true;
  if (valid.size >= remembered) valid.clear();
  valid.set(number, answer);
  return answer;
}

const compiled = new WeakMap<readonly string[], NumberPatterns>();

function patternsOf(list: readonly string[]): NumberPatterns {
  let patterns = compiled.get(list);
  if (patterns === undefined) {
    patterns = new NumberPatterns(list);
    compiled.set(list, patterns);
  }
  return patterns;
}

const within = (list: readonly string[] | undefined, number: string): boolean =>
  list !== undefined && list.length > 0 && patternsOf(list).has(number);

/** What a request from a trunk says about its caller, held against what is known here. */
export function callerFacts(
  directory: DomainDirectory,
  trunk: Trunk,
  request: Pick<SipRequest, 'from' | 'headers'>,
  identity: CallerIdentity,
  dialled: Dialled,
  numbers: Numbers,
): CallerFacts {
  const e164 = (text: string): string | undefined => {
    const digits = digitsOf(text);
    if (digits === undefined || digits.length < shortest) return undefined;
    // Mostly it is in this form already, and need not be read for that.
    return international.test(digits) ? digits : numbers.e164(digits);
  };
  const text = userOf(identity.number.uri);
  const shown = e164(text);
  const digits = digitsOf(text);
  const claims = claimsOf(request).flatMap(({ header, uri }) => {
    const number = e164(userOf(uri));
    return number === undefined ? [] : [{ header, number }];
  });
  const own = trunk.callers?.numbers;
  return {
    trunk: trunk.name,
    shown,
    text,
    hidden: identity.hidden,
    claims,
    diverted: diverted(request).flatMap((uri) => e164(userOf(uri)) ?? []),
    called: dialled.e164,
    ownerOf: (number) => {
      const user = directory.numbers.get(number);
      if (user !== undefined) return `user ${user.name}`;
      return within(directory.callers?.numbers, number) ? `domain ${directory.name}` : undefined;
    },
    ofTrunk: own === undefined ? undefined : (number) => within(own, number),
    possible:
      digits === undefined || digits.length < shortest ? undefined : shown !== undefined && isGivenOut(shown),
    doNotOriginate: (number) => within(directory.callers?.doNotOriginate, number),
    attestation: 'none',
  };
}

interface Claim {
  readonly header: string;
  readonly uri: Uri;
}

function claimsOf({ from, headers }: Pick<SipRequest, 'from' | 'headers'>): Claim[] {
  const claims: Claim[] = [{ header: 'From', uri: from.uri }];
  if (headers.has('P-Asserted-Identity'))
    for (const { uri } of assertedIdentities(headers.all('P-Asserted-Identity')))
      claims.push({ header: 'P-Asserted-Identity', uri });
  if (headers.has('Remote-Party-ID'))
    for (const field of headers.all('Remote-Party-ID').slice(0, 2)) {
      const parsed = parseNameAddrList(field);
      for (const { uri } of parsed.ok ? (parsed.value as readonly NameAddr[]) : [])
        claims.push({ header: 'Remote-Party-ID', uri });
    }
  return claims.slice(0, mostClaims);
}

const diverted = ({ headers }: Pick<SipRequest, 'headers'>): Uri[] =>
  headers.has('Diversion') || headers.has('History-Info')
    ? forwardingsOf(headers)
        .slice(0, mostClaims)
        .map(({ from }) => from.uri)
    : [];

function userOf(uri: Uri): string {
  if (uri.scheme === 'tel') return uri.number;
  if (uri.scheme === 'other') return '';
  const user = uri.user ?? '';
  const semicolon = user.indexOf(';');
  return semicolon < 0 ? user : user.slice(0, semicolon);
}
