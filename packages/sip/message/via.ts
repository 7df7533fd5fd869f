import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { classes, consistsOf, SPACE, skipClass, TOKEN } from './characters.ts';
import { readHost, readPort, skipHost } from './host.ts';
import { defaultLimits } from './limits.ts';
import { noParams, readParams, type TakenBranch, writeParam } from './params.ts';
import { nextComma } from './quoted.ts';
import type { Params, Via } from './types.ts';
import { checkPort, serializeHost } from './uri.ts';

/** RFC 3261 §8.1.1.7: what the branch of a transaction of this RFC begins with. */
export const magicCookie = 'z9hG4bK';

const makeVia = (
  transport: string,
  host: string,
  port: number | undefined,
  branch: string | undefined,
  params: Params,
): Via => {
  if (branch === undefined) {
    return port === undefined ? { transport, host, params } : { transport, host, port, params };
  }
  return port === undefined ? { transport, host, branch, params } : { transport, host, port, branch, params };
};

/** Index behind `SIP/2.0/` with any space around the slashes, or -1. */
const skipProtocol = (text: string, from: number, end: number, anyVersion: boolean): number => {
  if (text.startsWith('SIP/2.0/', from)) return from + 8;
  let i = skipClass(text, from, end, TOKEN);
  if (text.slice(from, i).toUpperCase() !== 'SIP') return -1;
  i = skipClass(text, i, end, SPACE);
  if (i >= end || text.charCodeAt(i) !== 0x2f) return -1;
  const version = skipClass(text, i + 1, end, SPACE);
  i = skipClass(text, version, end, TOKEN);
  if (text.slice(version, i) !== '2.0' && !anyVersion) return -1;
  i = skipClass(text, i, end, SPACE);
  return i < end && text.charCodeAt(i) === 0x2f ? i + 1 : -1;
};

/** Reads the Via value that fills `text[from, end)`; with `salvage`, wrong versions and parameters are passed over. */
export const readVia = (
  text: string,
  from: number,
  end: number,
  limit: number,
  salvage = false,
): Via | string => {
  let i = skipProtocol(text, skipClass(text, from, end, SPACE), end, salvage);
  if (i < 0) return 'Via without SIP/2.0';
  i = skipClass(text, i, end, SPACE);
  const transportEnd = skipClass(text, i, end, TOKEN);
  if (transportEnd === i) return 'Via without transport';
  const transport = text.slice(i, transportEnd);
  const hostStart = skipClass(text, transportEnd, end, SPACE);
  if (hostStart === transportEnd) return 'no space before the sent-by of Via';
  i = skipHost(text, hostStart, end);
  const host = readHost(text, hostStart, i);
  if (host === undefined) return 'bad host in Via';
  i = skipClass(text, i, end, SPACE);
  let port: number | undefined;
  if (i < end && text.charCodeAt(i) === 0x3a) {
    const start = skipClass(text, i + 1, end, SPACE);
    i = start;
    while (i < end && text.charCodeAt(i) !== 0x3b && (classes[text.charCodeAt(i)]! & SPACE) === 0) i++;
    port = readPort(text, start, i);
    if (port < 0) return 'bad port in Via';
  }
  const taken: TakenBranch = { branch: undefined };
  const params = readParams(text, i, end, limit, taken);
  if (typeof params === 'string') {
    return salvage ? makeVia(transport, host, port, undefined, noParams) : params;
  }
  const { branch } = taken;
  if (branch === undefined) return makeVia(transport, host, port, undefined, params);
  if (branch === true || !consistsOf(branch, TOKEN)) {
    return salvage ? makeVia(transport, host, port, undefined, params) : 'branch is not a token';
  }
  return makeVia(transport, host, port, branch, params);
};

/** Reads a Via header value, one or a comma list; the error says what is wrong with it (RFC 3261 §20.42). */
export const parseVia = (text: string): Result<readonly Via[], string> => {
  const list: Via[] = [];
  let from = 0;
  for (;;) {
    const comma = nextComma(text, from, text.length);
    const value = readVia(text, from, comma, defaultLimits.paramCount);
    if (typeof value === 'string') return err(value);
    if (list.length === defaultLimits.viaCount) return err('too many Via values');
    list.push(value);
    if (comma === text.length) return ok(list);
    from = comma + 1;
  }
};

/** The value as text. Throws `MisuseError` (`header-injection`, `bad-host`, `bad-port`). */
export const serializeVia = (via: Via): string => {
  if (!consistsOf(via.transport, TOKEN))
    throw new MisuseError('header-injection', 'transport is not a token');
  let text = `SIP/2.0/${via.transport} ${serializeHost(via.host)}`;
  if (via.port !== undefined) text += `:${checkPort(via.port)}`;
  if (via.branch !== undefined) {
    if (!consistsOf(via.branch, TOKEN)) throw new MisuseError('header-injection', 'branch is not a token');
    text += `;branch=${via.branch}`;
  }
  if (via.params.size === 0) return text;
  for (const [name, value] of via.params) text += writeParam(name, value);
  return text;
};
