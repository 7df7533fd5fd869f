import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { consistsOf, lowerSlice, SPACE, skipClass, TOKEN, VALUE } from './characters.ts';
import { isQuoted, quoteText, skipQuoted } from './quoted.ts';
import type { Params } from './types.ts';

/** The one parameter list of everything that has none. */
export const noParams: Params = new Map<string, never>();

/**
 * Reads `*( SEMI generic-param )` from `text[from, end)` to its end (RFC 3261 §25.1).
 *
 * Returns the parameters, or text saying what is wrong: an empty or repeated parameter (§7.3.1 forbids the
 * latter), a value that is neither token, host nor quoted-string, or more than `limit` of them. Quoted values
 * keep their quotes; `unquote` removes them.
 */
export const readParams = (text: string, from: number, end: number, limit: number): Params | string => {
  let i = skipClass(text, from, end, SPACE);
  if (i === end) return noParams;
  const params = new Map<string, string | true>();
  while (i < end) {
    if (text.charCodeAt(i) !== 0x3b) return 'no semicolon before a parameter';
    if (params.size >= limit) return 'too many parameters';
    const start = skipClass(text, i + 1, end, SPACE);
    i = skipClass(text, start, end, TOKEN);
    if (i === start) return 'parameter without name';
    const name = lowerSlice(text, start, i);
    if (params.has(name)) return 'repeated parameter';
    i = skipClass(text, i, end, SPACE);
    if (i < end && text.charCodeAt(i) === 0x3d) {
      const value = skipClass(text, i + 1, end, SPACE);
      i = text.charCodeAt(value) === 0x22 ? skipQuoted(text, value, end) : skipClass(text, value, end, VALUE);
      if (i <= value) return 'parameter value that is neither token, host nor quoted string';
      params.set(name, text.slice(value, i));
      i = skipClass(text, i, end, SPACE);
    } else {
      params.set(name, true);
    }
  }
  return params;
};

/** One parameter as text with its semicolon; a value that needs quotes and has none gets them. */
export const writeParam = (name: string, value: string | true): string => {
  if (!consistsOf(name, TOKEN)) throw new MisuseError('header-injection', 'parameter name is not a token');
  if (value === true) return `;${name}`;
  return `;${name}=${consistsOf(value, VALUE) || isQuoted(value) ? value : quoteText(value)}`;
};

/** The parameters as text, each with its semicolon. Throws `MisuseError` (`header-injection`). */
export const serializeParams = (params: Params): string => {
  if (params.size === 0) return '';
  let text = '';
  for (const [name, value] of params) text += writeParam(name, value);
  return text;
};
