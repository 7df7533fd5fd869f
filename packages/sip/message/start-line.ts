import { CONTROL, classes, skipClass, TOKEN } from './characters.ts';
import type { Uri } from './types.ts';
import { readUri } from './uri.ts';

/** What the first line says (RFC 3261 §7.1, §7.2); `problem` is set where it must be refused. */
export interface StartLine {
  readonly kind: 'request' | 'response';
  readonly method: string;
  readonly uri: Uri | undefined;
  readonly status: number;
  readonly reason: string;
  readonly problem: string | undefined;
  /** Status of the refusal of a request: 400, or 505 for a version that is not ours. */
  readonly refusal: number;
}

const unreadableUri: Uri = { scheme: 'other', text: 'invalid:' };

const request = (method: string, uri: Uri, problem: string | undefined, refusal = 400): StartLine => ({
  kind: 'request',
  method,
  uri,
  status: 0,
  reason: '',
  problem,
  refusal,
});

const response = (status: number, reason: string, problem: string | undefined): StartLine => ({
  kind: 'response',
  method: '',
  uri: undefined,
  status,
  reason,
  problem,
  refusal: 0,
});

const isVersion = (text: string, from: number, end: number): boolean =>
  end - from === 7 && (text.startsWith('SIP/2.0', from) || text.slice(from, end).toUpperCase() === 'SIP/2.0');

/** SIP/<digits>.<digits> of another version than 2.0. */
const isOtherVersion = (text: string, from: number, end: number): boolean => {
  if (end - from < 7 || text.slice(from, from + 4).toUpperCase() !== 'SIP/') return false;
  return text.charCodeAt(from + 4) !== 0x20 && skipClass(text, from + 4, end, TOKEN) === end;
};

const readStatusLine = (text: string, from: number, end: number): StartLine => {
  // Status-Line = SIP-Version SP 3DIGIT SP Reason-Phrase; the phrase may be empty, its space may not be missing.
  const i = from + 8;
  let status = 0;
  for (let k = i; k < i + 3; k++) {
    const digit = text.charCodeAt(k) - 0x30;
    if (k >= end || digit < 0 || digit > 9) return response(0, '', 'status code is not three digits');
    status = status * 10 + digit;
  }
  if (i + 3 >= end || text.charCodeAt(i + 3) !== 0x20)
    return response(0, '', 'no space behind the status code');
  if (status < 100 || status > 699) return response(0, '', 'status code is not 100 to 699');
  for (let k = i + 4; k < end; k++) {
    const code = text.charCodeAt(k);
    if ((classes[code]! & CONTROL) !== 0 && code !== 9)
      return response(0, '', 'control character in reason phrase');
  }
  return response(status, text.slice(i + 4, end), undefined);
};

/** Reads the start line in `text[from, end)`; `undefined` if it is neither request nor response. */
export const readStartLine = (
  text: string,
  from: number,
  end: number,
  paramLimit: number,
): StartLine | undefined => {
  const firstSpace = text.indexOf(' ', from);
  if (firstSpace <= from || firstSpace >= end) return undefined;
  if (isVersion(text, from, firstSpace)) return readStatusLine(text, from, end);
  if (skipClass(text, from, firstSpace, TOKEN) !== firstSpace) return undefined;
  const method = text.slice(from, firstSpace);

  // Request-Line = Method SP Request-URI SP SIP-Version, with exactly one space each and none at the end.
  let uriEnd = firstSpace + 1;
  while (uriEnd < end && text.charCodeAt(uriEnd) !== 0x20) uriEnd++;
  const plain = uriEnd > firstSpace + 1 && isVersion(text, uriEnd + 1, end);
  if (!plain) {
    let versionStart = end;
    while (versionStart > uriEnd && text.charCodeAt(versionStart - 1) !== 0x20) versionStart--;
    if (isOtherVersion(text, versionStart, end) && !isVersion(text, versionStart, end)) {
      return request(method, unreadableUri, 'SIP version is not 2.0', 505);
    }
    // Only what names SIP is worth a refusal: a stray HTTP request gets none.
    const trimmed = text.slice(uriEnd, end).trimEnd();
    if (!trimmed.toUpperCase().endsWith(' SIP/2.0')) return undefined;
    return request(method, unreadableUri, 'spaces in the request line');
  }
  const uri = readUri(text, firstSpace + 1, uriEnd, paramLimit);
  if (typeof uri === 'string') return request(method, unreadableUri, uri);
  if ((uri.scheme === 'sip' || uri.scheme === 'sips') && uri.headers.size > 0) {
    // §19.1.1: headers are not allowed in a Request-URI; acting on them would let a peer inject a route.
    return request(method, uri, 'headers in the Request-URI');
  }
  return request(method, uri, undefined);
};
