import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { classes, consistsOf, SPACE, skipClass, TOKEN, UPPER, VALUE } from './characters.ts';
import { isQuoted, quoteText, skipQuoted } from './quoted.ts';
import type { Params } from './types.ts';

/** The one parameter list of everything that has none. */
export const noParams: Params = new Map<string, never>();

/** Where the branch of a Via goes. */
export interface TakenBranch {
  branch: string | true | undefined;
}

/**
 * Reads `*( SEMI generic-param )` from `text[from, end)` to its end (RFC 3261 §25.1).
 *
 * Returns the parameters, or text saying what is wrong: an empty or repeated parameter (§7.3.1 forbids the
 * latter), a value that is neither token, host nor quoted-string, or more than `limit` of them. Quoted values
 * keep their quotes; `unquote` removes them. With `taken`, a branch goes there and not into the list.
 */
export const readParams = (
  text: string,
  from: number,
  end: number,
  limit: number,
  taken?: TakenBranch,
): Params | string => {
  let params: Map<string, string | true> | undefined;
  let i = skipClass(text, from, end, SPACE);
  while (i < end) {
    if (text.charCodeAt(i) !== 0x3b) return 'no semicolon before a parameter';
    const start = skipClass(text, i + 1, end, SPACE);
    i = start;
    let seen = 0;
    while (i < end) {
      const flags = classes[text.charCodeAt(i)]!;
      if ((flags & TOKEN) === 0) break;
      seen |= flags;
      i++;
    }
    if (i === start) return 'parameter without name';
    const name = (seen & UPPER) === 0 ? text.slice(start, i) : text.slice(start, i).toLowerCase();
    let value: string | true = true;
    i = skipClass(text, i, end, SPACE);
    if (i < end && text.charCodeAt(i) === 0x3d) {
      const valueStart = skipClass(text, i + 1, end, SPACE);
      i =
        text.charCodeAt(valueStart) === 0x22
          ? skipQuoted(text, valueStart, end)
          : skipClass(text, valueStart, end, VALUE);
      if (i <= valueStart) return 'parameter value that is neither token, host nor quoted string';
      value = text.slice(valueStart, i);
      i = skipClass(text, i, end, SPACE);
    }
    if (taken !== undefined && name === 'branch') {
      if (taken.branch !== undefined) return 'repeated parameter';
      taken.branch = value;
      continue;
    }
    if (params === undefined) {
      params = new Map();
    } else {
      if (params.has(name)) return 'repeated parameter';
      if (params.size >= limit) return 'too many parameters';
    }
    params.set(name, value);
  }
  return params ?? noParams;
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
