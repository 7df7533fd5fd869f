import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { skipClass, URI, URI_HEADER, URI_HEADER_PLAIN, USER, USER_PLAIN } from './characters.ts';
import { decodeEscapes, encodeEscapes } from './escapes.ts';
import { isHost, readHost, readPort, skipHost } from './host.ts';
import { defaultLimits } from './limits.ts';
import { noParams } from './params.ts';
import { readTelUri, writeTelUri } from './tel-uri.ts';
import type { OtherUri, Params, SipUri, Uri } from './types.ts';
import { readUriParams, writeUriParams } from './uri-params.ts';

const noHeaders: ReadonlyMap<string, string> = new Map<string, never>();

/** `hname=hvalue` pairs behind `?`, decoded, names in lower case; a repeated name is refused. */
const readUriHeaders = (
  text: string,
  from: number,
  end: number,
  limit: number,
): ReadonlyMap<string, string> | string => {
  const headers = new Map<string, string>();
  let i = from;
  for (;;) {
    if (headers.size >= limit) return 'too many URI headers';
    const nameEnd = skipClass(text, i, end, URI_HEADER);
    if (nameEnd === i || nameEnd === end || text.charCodeAt(nameEnd) !== 0x3d) return 'bad URI header';
    const name = decodeEscapes(text, i, nameEnd)?.toLowerCase();
    i = skipClass(text, nameEnd + 1, end, URI_HEADER);
    const value = decodeEscapes(text, nameEnd + 1, i);
    if (name === undefined || value === undefined) return 'bad escape in URI header';
    if (headers.has(name)) return 'repeated URI header';
    headers.set(name, value);
    if (i === end) return headers;
    if (text.charCodeAt(i) !== 0x26) return 'bad character in URI header';
    i++;
  }
};

/** Reads a sip or sips URI whose scheme and colon end before `from`. */
const readSipUri = (
  scheme: 'sip' | 'sips',
  text: string,
  from: number,
  end: number,
  limit: number,
): SipUri | string => {
  let user: string | undefined;
  let password: string | undefined;
  // `@` is in no other part of the URI, so the first one ends userinfo, whatever `;` or `?` stands before it.
  let i = skipClass(text, from, end, USER);
  if (i < end && text.charCodeAt(i) === 0x40) {
    let colon = from;
    let escaped = false;
    while (colon < i && text.charCodeAt(colon) !== 0x3a) colon++;
    for (let k = from; k < i && !escaped; k++) escaped = text.charCodeAt(k) === 0x25;
    if (colon === from) return 'empty user in URI';
    user = escaped ? decodeEscapes(text, from, colon) : text.slice(from, colon);
    if (user === undefined) return 'bad escape in user of URI';
    if (colon < i) {
      password = escaped ? decodeEscapes(text, colon + 1, i) : text.slice(colon + 1, i);
      if (password === undefined) return 'bad escape in password of URI';
    }
    i++;
  } else {
    i = from;
  }

  const hostEnd = skipHost(text, i, end);
  const host = readHost(text, i, hostEnd);
  if (host === undefined) return 'bad host in URI';
  i = hostEnd;
  let port: number | undefined;
  if (i < end && text.charCodeAt(i) === 0x3a) {
    const start = i + 1;
    i = start;
    while (i < end && text.charCodeAt(i) !== 0x3b && text.charCodeAt(i) !== 0x3f) i++;
    port = readPort(text, start, i);
    if (port < 0) return 'bad port in URI';
  }

  let params: Params = noParams;
  let headers = noHeaders;
  if (i < end) {
    let question = i;
    while (question < end && text.charCodeAt(question) !== 0x3f) question++;
    const read = readUriParams(text, i, question, limit);
    if (typeof read === 'string') return read;
    params = read;
    if (question < end) {
      const found = readUriHeaders(text, question + 1, end, limit);
      if (typeof found === 'string') return found;
      headers = found;
    }
  }
  // One literal for each shape: the fields that are missing stay absent.
  if (user === undefined)
    return port === undefined ? { scheme, host, params, headers } : { scheme, host, port, params, headers };
  if (password !== undefined)
    return port === undefined
      ? { scheme, user, password, host, params, headers }
      : { scheme, user, password, host, port, params, headers };
  return port === undefined
    ? { scheme, user, host, params, headers }
    : { scheme, user, host, port, params, headers };
};

const isSchemeStart = (code: number): boolean => {
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x7a;
};

const isSchemeCharacter = (code: number): boolean =>
  isSchemeStart(code) || (code >= 0x30 && code <= 0x39) || code === 0x2b || code === 0x2d || code === 0x2e;

/** Index behind `sip:` or `sips:` in any case, or 0. */
const skipSipScheme = (text: string, from: number, end: number): number => {
  if ((text.charCodeAt(from) | 0x20) !== 0x73 || (text.charCodeAt(from + 1) | 0x20) !== 0x69) return 0;
  if ((text.charCodeAt(from + 2) | 0x20) !== 0x70 || from + 4 > end) return 0;
  const next = text.charCodeAt(from + 3);
  if (next === 0x3a) return from + 4;
  return (next | 0x20) === 0x73 && from + 5 <= end && text.charCodeAt(from + 4) === 0x3a ? from + 5 : 0;
};

/** Reads the URI that fills `text[from, end)`; text instead of a URI says what is wrong. */
export const readUri = (text: string, from: number, end: number, limit: number): Uri | string => {
  const sip = skipSipScheme(text, from, end);
  if (sip > 0) return readSipUri(sip - from === 5 ? 'sips' : 'sip', text, sip, end, limit);
  let colon = from;
  while (colon < end && isSchemeCharacter(text.charCodeAt(colon))) colon++;
  if (colon === from || colon >= end || text.charCodeAt(colon) !== 0x3a) return 'URI without scheme';
  const first = text.charCodeAt(from) | 0x20;
  if (first === 0x74 && colon - from === 3 && text.slice(from, colon).toLowerCase() === 'tel') {
    return readTelUri(text, colon + 1, end, limit);
  }
  if (!isSchemeStart(first) || skipClass(text, colon + 1, end, URI) !== end || colon + 1 === end) {
    return 'bad URI';
  }
  return { scheme: 'other', text: text.slice(from, end) };
};

/**
 * Reads a URI (RFC 3261 §19.1, RFC 3966); the error says what is wrong with it.
 *
 * `paramLimit` bounds parameters and headers, by default `defaultLimits.paramCount`.
 */
export const parseUri = (
  text: string,
  paramLimit: number = defaultLimits.paramCount,
): Result<Uri, string> => {
  const uri = readUri(text, 0, text.length, paramLimit);
  return typeof uri === 'string' ? err(uri) : ok(uri);
};

/** Host as in a URI or Via: an IPv6 address gets its brackets. Throws `MisuseError` (`bad-host`). */
export const serializeHost = (host: string): string => {
  if (!isHost(host)) throw new MisuseError('bad-host', 'not a host name or IP address');
  return host.includes(':') ? `[${host}]` : host;
};

/** Throws `MisuseError` (`bad-port`) unless it is an integer from 1 to 65535. */
export const checkPort = (port: number): number => {
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new MisuseError('bad-port', 'port is not an integer from 1 to 65535');
  }
  return port;
};

const writeSipUri = (uri: SipUri): string => {
  let text = uri.scheme === 'sips' ? 'sips:' : 'sip:';
  if (uri.user !== undefined) {
    if (uri.user === '') throw new MisuseError('bad-uri', 'empty user in a URI');
    text += encodeEscapes(uri.user, USER_PLAIN);
    if (uri.password !== undefined) text += `:${encodeEscapes(uri.password, USER_PLAIN)}`;
    text += '@';
  }
  text += serializeHost(uri.host);
  if (uri.port !== undefined) text += `:${checkPort(uri.port)}`;
  if (uri.params.size > 0) text += writeUriParams(uri.params);
  if (uri.headers.size === 0) return text;
  let separator = '?';
  for (const [name, value] of uri.headers) {
    if (name === '') throw new MisuseError('bad-uri', 'URI header without name');
    text += `${separator}${encodeEscapes(name, URI_HEADER_PLAIN)}=${encodeEscapes(value, URI_HEADER_PLAIN)}`;
    separator = '&';
  }
  return text;
};

const writeOtherUri = (uri: OtherUri): string => {
  if (skipClass(uri.text, 0, uri.text.length, URI) !== uri.text.length || uri.text === '') {
    throw new MisuseError(
      'header-injection',
      'URI holds space, control characters, quotes or angle brackets',
    );
  }
  return uri.text;
};

/** The URI as text. Throws `MisuseError` (`header-injection`, `bad-uri`, `bad-host`, `bad-port`). */
export const serializeUri = (uri: Uri): string => {
  if (uri.scheme === 'other') return writeOtherUri(uri);
  return uri.scheme === 'tel' ? writeTelUri(uri) : writeSipUri(uri);
};

/** A sip URI from its parts; scheme `sip` unless said otherwise. */
export const sipUri = (parts: {
  readonly scheme?: 'sip' | 'sips';
  readonly user?: string;
  readonly host: string;
  readonly port?: number;
  readonly params?: Params;
}): SipUri => {
  const { user, port } = parts;
  const scheme = parts.scheme ?? 'sip';
  const host = parts.host.toLowerCase();
  const params = parts.params ?? noParams;
  const headers = noHeaders;
  // One literal for each shape, as the reader makes them.
  if (user === undefined)
    return port === undefined ? { scheme, host, params, headers } : { scheme, host, port, params, headers };
  return port === undefined
    ? { scheme, user, host, params, headers }
    : { scheme, user, host, port, params, headers };
};

export { uriEquals } from './uri-equality.ts';
