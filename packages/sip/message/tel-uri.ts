import { MisuseError } from '@ringfence/bytes/misuse.ts';
import type { TelUri } from './types.ts';
import { readUriParams, writeUriParams } from './uri-params.ts';

const isSeparator = (code: number): boolean =>
  code === 0x2d || code === 0x2e || code === 0x28 || code === 0x29;

const isGlobalDigit = (code: number): boolean => code >= 0x30 && code <= 0x39;

/** phonedigit-hex of a local number: hexadecimal digit, `*` or `#`. */
const isLocalDigit = (code: number): boolean => {
  if (isGlobalDigit(code) || code === 0x2a || code === 0x23) return true;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66;
};

/** The number in `text[from, end)` without visual separators, or `undefined` (RFC 3966 §3, §5.1). */
const readNumber = (text: string, from: number, end: number): string | undefined => {
  const global = text.charCodeAt(from) === 0x2b;
  let digits = global ? '+' : '';
  for (let i = global ? from + 1 : from; i < end; i++) {
    const code = text.charCodeAt(i);
    if (isSeparator(code)) continue;
    if (!(global ? isGlobalDigit(code) : isLocalDigit(code))) return undefined;
    digits += text[i];
  }
  return digits.length > (global ? 1 : 0) ? digits : undefined;
};

/**
 * Reads a tel URI whose scheme ends before `from`.
 *
 * A local number without phone-context is accepted though RFC 3966 §5.1.5 forbids it: phones dial 112 that way.
 */
export const readTelUri = (text: string, from: number, end: number, limit: number): TelUri | string => {
  let i = from;
  while (i < end && text.charCodeAt(i) !== 0x3b) i++;
  const number = readNumber(text, from, i);
  if (number === undefined) return 'bad number in tel URI';
  const params = readUriParams(text, i, end, limit);
  return typeof params === 'string' ? params : { scheme: 'tel', number, params };
};

export const writeTelUri = (uri: TelUri): string => {
  if (readNumber(uri.number, 0, uri.number.length) !== uri.number) {
    throw new MisuseError('bad-uri', 'tel URI without a plain number');
  }
  return `tel:${uri.number}${writeUriParams(uri.params)}`;
};
