import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { classes, SPACE, skipClass, TOKEN } from './characters.ts';
import { defaultLimits } from './limits.ts';
import { noParams, readParams, serializeParams } from './params.ts';
import { nextComma, quoteText, skipQuoted, unquoteSlice } from './quoted.ts';
import type { NameAddr, Uri } from './types.ts';
import { readUri, serializeUri } from './uri.ts';

const less = 0x3c;
const greater = 0x3e;

const indexWithin = (text: string, code: number, from: number, end: number): number => {
  for (let i = from; i < end; i++) if (text.charCodeAt(i) === code) return i;
  return -1;
};

/** End of a bare addr-spec: the first space or semicolon; §20 wants `<>` around URIs with `,`, `?` or `;`. */
const bareEnd = (text: string, from: number, end: number): number => {
  let i = from;
  while (i < end) {
    const code = text.charCodeAt(i);
    if (code === 0x3b || (classes[code]! & SPACE) !== 0) return i;
    if (code === 0x3f || code === 0x2c) return -1;
    i++;
  }
  return i;
};

/**
 * Reads the name-addr or addr-spec with parameters that fills `text[from, end)` (RFC 3261 §25.1).
 *
 * An unquoted display name may hold characters beyond ASCII, which phones send though the grammar wants quotes.
 */
export const readNameAddr = (text: string, from: number, end: number, limit: number): NameAddr | string => {
  let i = skipClass(text, from, end, SPACE);
  const start = i;
  let display: string | undefined;
  if (text.charCodeAt(i) === 0x22 && i < end) {
    i = skipQuoted(text, i, end);
    if (i < 0) return 'unbalanced quotes in display name';
    display = unquoteSlice(text, start, i);
    i = skipClass(text, i, end, SPACE);
    if (i === end || text.charCodeAt(i) !== less) return 'no URI behind the display name';
  } else {
    while (i < end) {
      const code = text.charCodeAt(i);
      if (code < 0x80 && (classes[code]! & (TOKEN | SPACE)) === 0) break;
      i++;
    }
  }

  let uri: Uri | string;
  if (i < end && text.charCodeAt(i) === less) {
    if (display === undefined && i > start) {
      let behind = i;
      while ((classes[text.charCodeAt(behind - 1)]! & SPACE) !== 0) behind--;
      display = text.slice(start, behind);
    }
    const close = indexWithin(text, greater, i, end);
    if (close < 0) return 'no closing angle bracket';
    uri = readUri(text, i + 1, close, limit);
    i = close + 1;
  } else {
    i = bareEnd(text, start, end);
    if (i < 0) return 'URI with comma or question mark outside angle brackets';
    uri = readUri(text, start, i, limit);
  }
  if (typeof uri === 'string') return uri;
  const params = readParams(text, i, end, limit);
  if (typeof params === 'string') return params;
  return display === undefined ? { uri, params } : { display, uri, params };
};

/** What can be made of a malformed name-addr to echo it in a refusal: the URI in brackets and the tag. */
export const salvageNameAddr = (text: string): NameAddr | undefined => {
  const open = text.indexOf('<');
  const close = text.indexOf('>', open + 1);
  if (open < 0 || close < 0) return undefined;
  let from = open + 1;
  let end = close;
  while (from < end && (classes[text.charCodeAt(from)]! & SPACE) !== 0) from++;
  while (end > from && (classes[text.charCodeAt(end - 1)]! & SPACE) !== 0) end--;
  const uri = readUri(text, from, end, defaultLimits.paramCount);
  if (typeof uri === 'string') return undefined;
  const params = readParams(text, close + 1, text.length, defaultLimits.paramCount);
  return { uri, params: typeof params === 'string' ? noParams : params };
};

/** Reads one value of From, To, Contact, Route or Record-Route; the error says what is wrong with it. */
export const parseNameAddr = (text: string): Result<NameAddr, string> => {
  const value = readNameAddr(text, 0, text.length, defaultLimits.paramCount);
  return typeof value === 'string' ? err(value) : ok(value);
};

/** Most values that `parseNameAddrList` takes from one text. */
const listLimit = 128;

/** Reads a comma list of them; an empty member or more than 128 are an error. */
export const parseNameAddrList = (text: string): Result<readonly NameAddr[], string> => {
  const list: NameAddr[] = [];
  let from = 0;
  for (;;) {
    const comma = nextComma(text, from, text.length);
    const value = readNameAddr(text, from, comma, defaultLimits.paramCount);
    if (typeof value === 'string') return err(value);
    if (list.length === listLimit) return err('too many values');
    list.push(value);
    if (comma === text.length) return ok(list);
    from = comma + 1;
  }
};

/** The value as text, URI always in angle brackets. Throws `MisuseError` on what cannot stand in a header. */
export const serializeNameAddr = (value: NameAddr): string => {
  const uri = serializeUri(value.uri);
  const params = serializeParams(value.params);
  return value.display === undefined ? `<${uri}>${params}` : `${quoteText(value.display)} <${uri}>${params}`;
};
