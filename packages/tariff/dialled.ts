import { classify, type Destination, unknown } from './destination.ts';

/** E.161: letters on the keys of a telephone. */
const keys = '22233344455566677778889999';
/** Longest text that is read as a number. */
const mostCharacters = 64;
/** Digits before an international prefix: to get a line, or to hide what follows. */
const mostPadding = 6;

/**
 * Digits of a dialled text, with a leading + where it had one: letters as their keys (vanity numbers), separators and
 * percent signs dropped, anything behind `;` or `@` left alone. Empty where it holds none.
 */
export function digitsIn(text: string): string {
  let digits = '';
  const end = Math.min(text.length, mostCharacters);
  for (let i = 0; i < end; i += 1) {
    const c = text.charCodeAt(i);
    const lower = c | 0x20;
    if (c >= 0x30 && c <= 0x39) digits += text[i];
    else if (lower >= 0x61 && lower <= 0x7a) digits += keys[lower - 0x61];
    else if (c === 0x2b && digits === '') digits = '+';
    else if (c === 0x3b || c === 0x40) break;
  }
  return digits === '+' ? '' : digits;
}

/** `phone-context` of a tel URI or of the user part of a SIP URI, where it is a global one (RFC 3966 §5.1.5). */
export function contextOf(parameters: string): string {
  const at = parameters.toLowerCase().indexOf('phone-context=');
  if (at === -1) return '';
  const from = parameters.slice(at + 14, at + 14 + mostCharacters);
  const semicolon = from.indexOf(';');
  const value = (semicolon === -1 ? from : from.slice(0, semicolon)).replace('%2B', '+').replace('%2b', '+');
  return value.startsWith('+') ? digitsIn(value) : '';
}

/**
 * Every number that a switch behind a trunk could make of what was dialled, as + and digits: behind `00`, `011` or a
 * bare 0, each with up to six digits of any kind before it. `0119725…`, `9011…` and `0001442…` are read so.
 */
export function readings(digits: string): readonly string[] {
  if (digits.startsWith('+')) {
    const plain = digits.slice(1);
    return plain.startsWith('0') ? [...behindPrefixes(plain)] : [digits];
  }
  return [...behindPrefixes(digits)];
}

function behindPrefixes(digits: string): Set<string> {
  const found = new Set<string>();
  for (let i = 0; i <= mostPadding && i + 8 <= digits.length; i += 1) {
    const skip = digits.startsWith('011', i) ? 3 : digits.startsWith('00', i) ? 2 : 0;
    if (skip === 0) continue;
    let from = i + skip;
    while (digits.charCodeAt(from) === 0x30) from += 1;
    if (digits.length - from >= 6) found.add(`+${digits.slice(from, from + 15)}`);
  }
  return found;
}

export interface Reading {
  /** + and digits; empty where it is no number that could be placed. */
  readonly e164: string;
  readonly destination: Destination;
  /** It is not what the dialling rules of the country make of it. */
  readonly disguised: boolean;
}

/** How dear a class can become, for the choice among readings. */
const risk: Readonly<Record<Destination['class'], number>> = {
  emergency: 0,
  'toll-free': 0,
  domestic: 1,
  mobile: 2,
  unknown: 3,
  unallocated: 4,
  'shared-cost': 5,
  international: 6,
  'high-risk': 7,
  satellite: 8,
  premium: 9,
};

/**
 * Where a call leads that was dialled so, judged by the dearest of what it can be read as.
 *
 * @param text as dialled or as the trunk is told.
 * @param e164 what the dialling rules of the country make of it; taken as it stands where a numbering plan has it.
 * @param context of `contextOf`.
 * @param national reads digits by the dialling rules of the country: what stands behind a service code (`*31#`) or a digit
 *   for a line is tried by it.
 */
export function readDestination(
  text: string,
  e164: string | undefined,
  home: string,
  context = '',
  national: (digits: string) => string | undefined = () => undefined,
): Reading {
  const usual = e164 === undefined ? unknown : classify(e164, home);
  const known = usual.class !== 'unknown' && usual.class !== 'unallocated';
  if (known && context === '') return { e164: e164 as string, destination: usual, disguised: false };
  let best: Reading = { e164: known ? (e164 as string) : (e164 ?? ''), destination: usual, disguised: false };
  const digits = digitsIn(text);
  const tried = known ? [] : [...readings(digits)];
  if (!known) {
    const code = Math.max(text.lastIndexOf('#'), text.lastIndexOf('*'));
    const behind = code === -1 ? digits : digitsIn(text.slice(code + 1));
    for (const from of code === -1 ? [1, 2] : [0, 1]) {
      const number = behind.length - from < 6 ? undefined : national(behind.slice(from));
      if (number !== undefined) tried.push(number);
    }
  }
  if (context !== '')
    tried.push(`${context}${digits.startsWith('+') ? digits.slice(1) : digits}`.slice(0, 16));
  for (const one of tried) {
    const destination = classify(one, home);
    if (destination.class === 'unknown') continue;
    // A reading that no plan has says less than none.
    if (destination.kind === 'unallocated' && destination.class === 'unallocated' && best.e164 !== '')
      continue;
    if (risk[destination.class] > risk[best.destination.class])
      best = { e164: one, destination, disguised: true };
  }
  return best;
}
