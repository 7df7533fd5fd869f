import { sipMethods } from '../hygiene/sip-methods.ts';

/** Reads just enough of a message, on bytes, to decide whether parsing it is worth anything. */

type Slice = (this: Uint8Array, from: number, to: number) => string;
const { latin1Slice } = Buffer.prototype as unknown as { latin1Slice: Slice };

/** Text of octets, one character each; at half the cost of TextDecoder for a few octets. */
const latin1 = (bytes: Uint8Array, from: number, to: number): string => latin1Slice.call(bytes, from, to);

/** Methods let through by default: those of RFC 3261, 3262, 3311, 6086, 3515, 6665, 3428 and 3903. */
export const knownMethods: readonly string[] = sipMethods;

const longestMethod = 32;

/**
 * Length of the method when the first line begins as a request does, 0 for a response, -1 for anything else.
 *
 * A method here is 1 to 32 capital letters, digits, `-`, `.` or `_` that begin with a capital letter (RFC 3261 §7.1
 * allows more, but nothing in use has it); a response begins `SIP/2.0 ` and three digits.
 */
export const methodLength = (bytes: Uint8Array): number => {
  if (isResponse(bytes)) return 0;
  const first = bytes[0]!;
  if (!(first >= 65 && first <= 90)) return -1;
  const end = Math.min(bytes.length, longestMethod + 1);
  for (let i = 1; i < end; i++) {
    const c = bytes[i]!;
    if (c === 32) return bytes.length > i + 1 && bytes[i + 1]! > 32 ? i : -1;
    if (!((c >= 65 && c <= 90) || (c >= 48 && c <= 57) || c === 45 || c === 46 || c === 95)) return -1;
  }
  return -1;
};

/** The method whose length `methodLength` told. */
export const methodText = (bytes: Uint8Array, length: number): string => latin1(bytes, 0, length);

const isResponse = (b: Uint8Array): boolean =>
  b.length > 12 &&
  b[0] === 83 &&
  b[1] === 73 &&
  b[2] === 80 &&
  b[3] === 47 &&
  b[4] === 50 &&
  b[5] === 46 &&
  b[6] === 48 &&
  b[7] === 32 &&
  b[8]! >= 49 &&
  b[8]! <= 54 &&
  isDigit(b[9]!) &&
  isDigit(b[10]!);

const isDigit = (c: number): boolean => c >= 48 && c <= 57;

/** Only CR, LF and blanks: a keepalive over UDP (RFC 5626 leaves it to streams, phones send it all the same). */
export const isBlank = (bytes: Uint8Array): boolean => {
  if (bytes.length > 16) return false;
  for (let i = 0; i < bytes.length; i++) {
    const c = bytes[i]!;
    if (c !== 13 && c !== 10 && c !== 0 && c !== 32) return false;
  }
  return true;
};

/** STUN and other protocols that share a port by RFC 7983: the first byte is below any letter. */
export const isStun = (bytes: Uint8Array): boolean => bytes.length >= 20 && bytes[0]! < 4;

const name = [117, 115, 101, 114, 45, 97, 103, 101, 110, 116];

/** One expression for all marks, each taken literally; undefined for none. Alternatives of literals cannot backtrack. */
export const marksOf = (texts: readonly string[]): RegExp | undefined => {
  const literals = texts.filter((text) => text !== '').map((text) => text.replace(/[^A-Za-z0-9]/g, escaped));
  return literals.length === 0 ? undefined : new RegExp(literals.join('|'), 'i');
};

const escaped = (character: string): string => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;

/**
 * True when a User-Agent header field contains one of the marks, wherever in the header it stands.
 *
 * Follows folded lines, takes blanks before the colon, looks at every such field, stops at the empty line. Goes from
 * line to line by `indexOf`, which is native and faster than looking at every octet here.
 */
export const carriesMark = (bytes: Uint8Array, marks: RegExp): boolean => {
  for (let i = bytes.indexOf(10); i >= 0; i = bytes.indexOf(10, i + 1)) {
    const c = bytes[i + 1];
    if (c === 13 || c === 10) return false;
    if (c !== 85 && c !== 117) continue;
    let n = 1;
    while (n < name.length && (bytes[i + 1 + n]! | 32) === name[n]) n++;
    if (n < name.length) continue;
    let at = i + 1 + n;
    while (bytes[at] === 32 || bytes[at] === 9) at++;
    if (bytes[at] !== 58) continue;
    const from = at + 1;
    let end = bytes.indexOf(10, from);
    while (end >= 0 && (bytes[end + 1] === 32 || bytes[end + 1] === 9)) end = bytes.indexOf(10, end + 1);
    if (end < 0) end = bytes.length;
    if (marks.test(latin1(bytes, from, end))) return true;
    i = end - 1;
  }
  return false;
};

/**
 * The called number of a request that begins `INVITE`, as `sip:911@...`, `sips:911`, `tel:911;...`; or `sos` for
 * `urn:service:sos` and its sub-services (RFC 5031). Visual separators are left out. Undefined for everything else.
 */
export const invitedNumber = (bytes: Uint8Array): string | undefined => {
  const text = latin1(bytes, 0, Math.min(bytes.length, 160));
  if (!text.startsWith('INVITE ')) return undefined;
  const uri = text.slice(7).toLowerCase();
  if (uri.startsWith('urn:service:sos')) return 'sos';
  const from = uri.startsWith('sip:') || uri.startsWith('tel:') ? 4 : uri.startsWith('sips:') ? 5 : 0;
  if (from === 0) return undefined;
  let number = '';
  for (let i = from; i < uri.length; i++) {
    const c = uri.charCodeAt(i);
    if (isDigit(c) || c === 43 || c === 42 || c === 35) number += uri[i];
    else if (c !== 45 && c !== 46 && c !== 40 && c !== 41)
      return c === 64 || c === 59 || c === 32 || c === 58 ? number : undefined;
  }
  return undefined;
};
