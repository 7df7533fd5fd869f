import { parseAuthParams } from '@ringfence/sip/message/auth-params.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import { serializeUri } from '@ringfence/sip/message/uri.ts';
import type { Condition } from './schema.ts';

/** Octets of the head that are looked at as they came. */
const rawOctets = 8_192;
const sdpOctets = 32_768;

/** A request as it came, and as it was read; what could not be read is only looked at as octets. */
export interface Seen {
  readonly bytes: Uint8Array;
  readonly request: SipRequest | undefined;
  /** Lines of the head, made when the first condition asks for them. */
  lines?: readonly Line[];
  body?: string;
}

interface Line {
  /** With whatever stands before the colon. */
  readonly name: string;
  readonly value: string;
}

export type Test = (seen: Seen) => boolean;

const latin1 = (bytes: Uint8Array, most: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, most)).toString('latin1');

function linesOf(seen: Seen): readonly Line[] {
  if (seen.lines !== undefined) return seen.lines;
  const text = latin1(seen.bytes, rawOctets);
  const end = text.indexOf('\r\n\r\n');
  const lines: Line[] = [];
  for (const line of (end === -1 ? text : text.slice(0, end)).split('\n').slice(1)) {
    const colon = line.indexOf(':');
    // A line that begins with a blank goes on with the one before it (RFC 3261 §7.3.1).
    if (colon > 0 && line[0] !== ' ' && line[0] !== '\t')
      lines.push({ name: line.slice(0, colon), value: line.slice(colon + 1).trim() });
  }
  seen.lines = lines;
  return lines;
}

function bodyOf(seen: Seen, { body }: SipRequest): string {
  seen.body ??= latin1(body, sdpOctets);
  return seen.body;
}

const lower = (texts: readonly string[]): readonly string[] => texts.map((text) => text.toLowerCase());
const hasOne = (text: string, wanted: readonly string[]): boolean => {
  const folded = text.toLowerCase();
  return wanted.some((one) => folded.includes(one));
};

const isDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;
const isWord = (code: number): boolean =>
  isDigit(code) || (code >= 0x41 && code <= 0x5a) || (code >= 0x61 && code <= 0x7a);
const longestNumber = 40;

/** The largest number that stands alone in a text, between anything but letters and digits; -1 where there is none. */
function largest(text: string): number {
  let most = -1;
  let start = 0;
  let onlyDigits = true;
  for (let i = 0; i <= text.length; i += 1) {
    const code = i < text.length ? text.charCodeAt(i) : 0x20;
    if (isWord(code)) {
      onlyDigits &&= isDigit(code);
      continue;
    }
    if (i > start && onlyDigits)
      most = Math.max(
        most,
        i - start > longestNumber ? Number.POSITIVE_INFINITY : Number(text.slice(start, i)),
      );
    start = i + 1;
    onlyDigits = true;
  }
  return most;
}

const header = ({ name, absent, moreThan, longerThan, contains }: NonNullable<Condition['header']>): Test => {
  const wanted = contains === undefined ? undefined : lower(contains);
  return ({ request }) => {
    if (request === undefined) return false;
    if (!request.headers.has(name)) return absent === true;
    if (absent === true) return false;
    const values = moreThan === undefined ? request.headers.all(name) : request.headers.values(name);
    if (moreThan !== undefined && values.length <= moreThan) return false;
    if (longerThan !== undefined && !values.some(({ length }) => length > longerThan)) return false;
    return wanted === undefined || values.some((value) => hasOne(value, wanted));
  };
};

const anyHeader = ({ contains }: NonNullable<Condition['anyHeader']>): Test => {
  const wanted = lower(contains);
  return (seen) => linesOf(seen).some(({ value }) => hasOne(value, wanted));
};

const isControl = (code: number): boolean => (code < 0x20 && code !== 0x09) || code === 0x7f;

const line = (wish: NonNullable<Condition['line']>): Test => {
  const { nameEndsIn, moreThan, longerThan, numberAbove } = wish;
  const name = wish.name?.toLowerCase();
  return (seen) => {
    let count = 0;
    for (const one of linesOf(seen)) {
      if (name !== undefined && one.name.trim().toLowerCase() !== name) continue;
      const last = one.name.charCodeAt(one.name.length - 1);
      if (nameEndsIn === 'space' && last !== 0x20 && last !== 0x09) continue;
      if (nameEndsIn === 'control' && !isControl(last)) continue;
      if (longerThan !== undefined && one.value.length <= longerThan) continue;
      if (numberAbove !== undefined && largest(one.value) <= numberAbove) continue;
      count += 1;
    }
    return count > (moreThan ?? 0);
  };
};

const usernameOf = (request: SipRequest): 'absent' | 'unreadable' | { readonly name: string | undefined } => {
  const values = [...request.headers.all('Authorization'), ...request.headers.all('Proxy-Authorization')];
  if (values.length === 0) return 'absent';
  let name: string | undefined;
  for (const value of values) {
    const parsed = parseAuthParams(value);
    if (!parsed.ok) return 'unreadable';
    name ??= parsed.value.params.get('username');
  }
  return { name };
};

const credentials = (wish: NonNullable<Condition['credentials']>): Test => {
  return ({ request }) => {
    if (request === undefined) return false;
    const found = usernameOf(request);
    if (typeof found === 'string') return found === wish;
    const { uri } = request.from;
    const user = 'user' in uri ? uri.user : undefined;
    return wish === 'not-of-from' && found.name?.toLowerCase() !== user?.toLowerCase();
  };
};

const uri = ({ longerThan, contains }: NonNullable<Condition['uri']>): Test => {
  const wanted = contains === undefined ? undefined : lower(contains);
  return ({ request }) => {
    if (request === undefined) return false;
    const text = serializeUri(request.uri);
    if (longerThan !== undefined && text.length <= longerThan) return false;
    return wanted === undefined || hasOne(text, wanted);
  };
};

const typeOf = (request: SipRequest): string => {
  const type = request.headers.get('Content-Type') ?? '';
  const semicolon = type.indexOf(';');
  return (semicolon === -1 ? type : type.slice(0, semicolon)).trim().toLowerCase();
};

const body = ({ type, contains, longerThan }: NonNullable<Condition['body']>): Test => {
  const types = type === undefined ? undefined : lower(type);
  const wanted = contains === undefined ? undefined : lower(contains);
  return (seen) => {
    const { request } = seen;
    if (request === undefined || request.body.length === 0) return false;
    const own = typeOf(request);
    if (types !== undefined && !types.some((one) => (one.endsWith('/') ? own.startsWith(one) : own === one)))
      return false;
    if (longerThan !== undefined && request.body.length <= longerThan) return false;
    return wanted === undefined || hasOne(bodyOf(seen, request), wanted);
  };
};

const sdp = (wish: NonNullable<Condition['sdp']>): Test => {
  const { line: start, lacks, longerThan, numberAbove, moreThan } = wish;
  const wanted = wish.contains === undefined ? undefined : lower(wish.contains);
  return (seen) => {
    const { request } = seen;
    if (request === undefined || request.body.length === 0 || typeOf(request) !== 'application/sdp')
      return false;
    let count = 0;
    for (const one of bodyOf(seen, request).split('\n')) {
      if (!one.startsWith(start)) continue;
      if (wanted !== undefined && !hasOne(one, wanted)) continue;
      if (lacks !== undefined && one.includes(lacks)) continue;
      if (longerThan !== undefined && one.length <= longerThan) continue;
      if (numberAbove !== undefined && largest(one) <= numberAbove) continue;
      count += 1;
    }
    return count > (moreThan ?? 0);
  };
};

/** A condition as a function; its texts are folded once. */
export function compile(condition: Condition): Test {
  const tests: Test[] = [];
  if (condition.header !== undefined) tests.push(header(condition.header));
  if (condition.anyHeader !== undefined) tests.push(anyHeader(condition.anyHeader));
  if (condition.line !== undefined) tests.push(line(condition.line));
  if (condition.credentials !== undefined) tests.push(credentials(condition.credentials));
  if (condition.uri !== undefined) tests.push(uri(condition.uri));
  if (condition.body !== undefined) tests.push(body(condition.body));
  if (condition.sdp !== undefined) tests.push(sdp(condition.sdp));
  const { fromTag, branch } = condition;
  if (fromTag !== undefined)
    tests.push(({ request }) => String(request?.from.params.get('tag') ?? '').length > fromTag.longerThan);
  if (branch !== undefined)
    tests.push(({ request }) => {
      const own = request?.via[0]?.branch;
      if (request === undefined) return false;
      if (branch.absent === true) return own === undefined;
      return (own ?? '').length > (branch.longerThan ?? Number.POSITIVE_INFINITY);
    });
  return (seen) => tests.every((test) => test(seen));
}
