import { isUtf8 } from 'node:buffer';
import { classes } from './characters.ts';

const hexDigit = (code: number): number => {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
};

const utf8Decoder = new TextDecoder();
const utf8Encoder = new TextEncoder();

/**
 * `text[from, end)` with `%HH` decoded (RFC 3261 §19.1.2), or `undefined` if an escape is cut short or the escaped
 * octets are not UTF-8.
 */
export const decodeEscapes = (text: string, from: number, end: number): string | undefined => {
  const octets = new Uint8Array(end - from);
  let length = 0;
  for (let i = from; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f) return undefined;
    if (code !== 0x25) {
      octets[length++] = code;
      continue;
    }
    if (i + 2 >= end) return undefined;
    const high = hexDigit(text.charCodeAt(i + 1));
    const low = hexDigit(text.charCodeAt(i + 2));
    if (high < 0 || low < 0) return undefined;
    octets[length++] = high * 16 + low;
    i += 2;
  }
  const decoded = octets.subarray(0, length);
  return isUtf8(decoded) ? utf8Decoder.decode(decoded) : undefined;
};

const hex = '0123456789ABCDEF';

/** The text with everything but the characters of the class `plain` as `%HH` of its UTF-8 octets. */
export const encodeEscapes = (text: string, plain: number): string => {
  let i = 0;
  while (i < text.length && (classes[text.charCodeAt(i)]! & plain) !== 0) i++;
  if (i === text.length) return text;
  let out = '';
  for (const octet of utf8Encoder.encode(text)) {
    out +=
      (classes[octet]! & plain) !== 0 ? String.fromCharCode(octet) : `%${hex[octet >> 4]}${hex[octet & 15]}`;
  }
  return out;
};
