/** Character classes of RFC 8866 §9, by scanning: no regular expression meets an unbounded input. */

const tokenClass = new Uint8Array(128);
for (const character of "!#$%&'*+-.^_`{|}~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
  tokenClass[character.charCodeAt(0)] = 1;

/** `token` of RFC 8866 §9: one or more token characters. */
export function isToken(text: string): boolean {
  if (text.length === 0) return false;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c > 127 || tokenClass[c] === 0) return false;
  }
  return true;
}

/** Tokens joined by slashes: the `proto` of RFC 8866 §9. */
export function isProtocol(text: string): boolean {
  let length = 0;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c === 0x2f) {
      if (length === 0) return false;
      length = 0;
    } else if (c > 127 || tokenClass[c] === 0) return false;
    else length += 1;
  }
  return length > 0;
}

export function isDigits(text: string): boolean {
  if (text.length === 0) return false;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c < 0x30 || c > 0x39) return false;
  }
  return true;
}

/** Visible characters of ASCII, no blanks: what user names and addresses are made of. */
export function isVisible(text: string): boolean {
  if (text.length === 0) return false;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c <= 0x20 || c >= 0x7f) return false;
  }
  return true;
}

/** Printable ASCII with blanks. */
export function isPrintable(text: string): boolean {
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c < 0x20 || c >= 0x7f) return false;
  }
  return true;
}

/** Decimal digits of `text[from, to)` as a safe integer; `undefined` for anything else, signs and blanks too. */
export function parseDecimal(text: string, from: number, to: number): number | undefined {
  if (to <= from || to - from > 15) return undefined;
  let value = 0;
  for (let i = from; i < to; i += 1) {
    const c = text.charCodeAt(i);
    if (!(c >= 0x30 && c <= 0x39)) return undefined;
    value = value * 10 + (c - 0x30);
  }
  return value;
}
