import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { consistsOf, lowerSlice, SPACE, skipClass, TOKEN } from './characters.ts';
import { quoteText, skipQuoted, unquoteSlice } from './quoted.ts';

/** A challenge or credentials: WWW-Authenticate, Proxy-Authenticate, Authorization, Proxy-Authorization. */
export interface AuthParams {
  /** In lower case, e.g. `digest`. */
  readonly scheme: string;
  /** Names in lower case; values without quotes and escapes. */
  readonly params: ReadonlyMap<string, string>;
}

/** Most parameters taken from one value; Digest knows about a dozen. */
const paramLimit = 32;

/** Unquoted values may also hold what clients leave bare: `uri=sip:a@b` and base64. */
const bareEnd = (text: string, from: number): number => {
  let i = from;
  while (i < text.length) {
    const code = text.charCodeAt(i);
    if (code <= 0x20 || code >= 0x7f || code === 0x2c || code === 0x22 || code === 0x5c) break;
    i++;
  }
  return i;
};

/**
 * Reads one value of those headers, `Digest a="b", c=d` (RFC 3261 §25.1, RFC 7616 §3.3).
 *
 * A repeated parameter is an error, so that nothing can be checked against one value and used with the other.
 */
export const parseAuthParams = (text: string): Result<AuthParams, string> => {
  const end = text.length;
  const start = skipClass(text, 0, end, SPACE);
  const schemeEnd = skipClass(text, start, end, TOKEN);
  let i = skipClass(text, schemeEnd, end, SPACE);
  if (schemeEnd === start || (i === schemeEnd && i < end)) return err('no authentication scheme');
  const params = new Map<string, string>();
  while (i < end) {
    if (params.size >= paramLimit) return err('too many parameters');
    const nameEnd = skipClass(text, i, end, TOKEN);
    if (nameEnd === i) return err('parameter without name');
    const name = lowerSlice(text, i, nameEnd);
    if (params.has(name)) return err('repeated parameter');
    i = skipClass(text, nameEnd, end, SPACE);
    if (i === end || text.charCodeAt(i) !== 0x3d) return err('parameter without value');
    const value = skipClass(text, i + 1, end, SPACE);
    if (text.charCodeAt(value) === 0x22) {
      i = skipQuoted(text, value, end);
      if (i < 0) return err('unbalanced quotes');
      params.set(name, unquoteSlice(text, value, i));
    } else {
      i = bareEnd(text, value);
      if (i === value) return err('parameter without value');
      params.set(name, text.slice(value, i));
    }
    i = skipClass(text, i, end, SPACE);
    if (i === end) break;
    if (text.charCodeAt(i) !== 0x2c) return err('no comma between parameters');
    i = skipClass(text, i + 1, end, SPACE);
    if (i === end) return err('comma without parameter');
  }
  return ok({ scheme: lowerSlice(text, start, schemeEnd), params });
};

/** Parameters that RFC 7616 §3.4 and §3.5 want without quotes. */
const bareNames: ReadonlySet<string> = new Set(['algorithm', 'stale', 'nc']);

/**
 * A header value of that scheme: every value in quotes but those of `algorithm`, `stale`, `nc` and of `bare`.
 *
 * In credentials `qop` is bare, in a challenge it is quoted: pass it in `bare`. Throws `MisuseError`
 * (`header-injection`) where a name or a bare value is not a token, or a value holds CR or LF.
 */
export const serializeAuthParams = (
  scheme: string,
  params: Iterable<readonly [name: string, value: string]>,
  bare?: ReadonlySet<string>,
): string => {
  if (!consistsOf(scheme, TOKEN))
    throw new MisuseError('header-injection', 'authentication scheme is not a token');
  let text = scheme;
  let separator = ' ';
  for (const [name, value] of params) {
    if (!consistsOf(name, TOKEN)) throw new MisuseError('header-injection', 'parameter name is not a token');
    if (bareNames.has(name) || bare?.has(name) === true) {
      if (!consistsOf(value, TOKEN))
        throw new MisuseError('header-injection', `value of ${name} is not a token`);
      text += `${separator}${name}=${value}`;
    } else {
      text += `${separator}${name}=${quoteText(value)}`;
    }
    separator = ', ';
  }
  return text;
};
