import { err, ok, type Result } from '@ringfence/bytes/result.ts';

/** What one character must be. */
type Place = { readonly any: 'digit' | 'rest' } | { readonly of: string };

/**
 * A pattern for numbers, read.
 *
 * `x` is one digit, `[1-39]` one of a set, `*` at the end any rest, parentheses mark what a replacement can name.
 * Everything else stands for itself. Each place takes exactly one character, and only the last one takes more, so that
 * matching goes over a number once, whatever the number is.
 */
export interface Pattern {
  readonly places: readonly Place[];
  /** From and up to which place each capture goes. */
  readonly captures: readonly (readonly [from: number, to: number])[];
}

/** Longest pattern and most captures. */
const longest = 64;
const mostCaptures = 9;
/** Characters of numbers and of user parts that a carrier would use; `*` only in a set. */
const literal = (c: string): boolean => /^[0-9A-Za-z+#._~-]$/.test(c);

/** Reads a pattern; the error says what is wrong with it. */
export function parsePattern(text: string): Result<Pattern, string> {
  if (text.length === 0 || text.length > longest)
    return err(`has ${text.length} characters, not 1 to ${longest}`);
  const places: Place[] = [];
  const captures: [number, number][] = [];
  let open: number | undefined;
  let rest = false;
  for (let i = 0; i < text.length; i += 1) {
    const c = text[i] as string;
    if (rest && c !== ')') return err('has something behind `*`, which takes all the rest');
    if (c === '(') {
      if (open !== undefined) return err('has parentheses within parentheses');
      open = places.length;
    } else if (c === ')') {
      if (open === undefined) return err('closes a parenthesis that is not open');
      captures.push([open, places.length]);
      open = undefined;
    } else if (c === '*') {
      rest = true;
      places.push({ any: 'rest' });
    } else if (c === 'x' || c === 'X') places.push({ any: 'digit' });
    else if (c === '[') {
      const end = text.indexOf(']', i);
      const set = end === -1 ? undefined : readSet(text.slice(i + 1, end));
      if (set === undefined) return err('has a set that cannot be read; write it like `[1-39]`');
      places.push({ of: set });
      i = end;
    } else if (literal(c)) places.push({ of: c });
    else return err(`contains \`${c}\`, which no number contains`);
  }
  if (open !== undefined) return err('opens a parenthesis and does not close it');
  if (captures.length > mostCaptures) return err(`has more than ${mostCaptures} pairs of parentheses`);
  return ok({ places, captures });
}

/** All characters of a set such as `1-39`; undefined where it is none. */
function readSet(text: string): string | undefined {
  let set = '';
  for (let i = 0; i < text.length; i += 1) {
    const from = text[i] as string;
    if (!literal(from) && from !== '*') return undefined;
    if (text[i + 1] === '-' && i + 2 < text.length) {
      const to = text[i + 2] as string;
      if (!/^[0-9]$/.test(from) || !/^[0-9]$/.test(to) || from > to) return undefined;
      for (let digit = Number(from); digit <= Number(to); digit += 1) set += digit;
      i += 2;
    } else set += from;
  }
  return set === '' ? undefined : set;
}

/** What the parentheses hold, the whole first; undefined where the text does not match. */
export function matchPattern({ places, captures }: Pattern, text: string): readonly string[] | undefined {
  const last = places.at(-1);
  const open = last !== undefined && 'any' in last && last.any === 'rest';
  const fixed = open ? places.length - 1 : places.length;
  if (open ? text.length < fixed : text.length !== fixed) return undefined;
  for (let i = 0; i < fixed; i += 1) {
    const place = places[i] as Place;
    const c = text[i] as string;
    if ('of' in place ? !place.of.includes(c) : c < '0' || c > '9') return undefined;
  }
  return [text, ...captures.map(([from, to]) => text.slice(from, to > fixed ? text.length : to))];
}
