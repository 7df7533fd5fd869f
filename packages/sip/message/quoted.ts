import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { classes, SPACE } from './characters.ts';

const quote = 0x22;
const backslash = 0x5c;

/**
 * Index behind the quoted-string that starts at `from` (RFC 3261 §25.1), or -1 where it does not end before `end`
 * or holds a control character that no backslash escapes.
 */
export const skipQuoted = (text: string, from: number, end: number): number => {
  for (let i = from + 1; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code === quote) return i + 1;
    if (code === backslash) {
      i++;
      // quoted-pair = "\" (%x00-09 / %x0B-0C / %x0E-7F)
      if (i < end) {
        const escaped = text.charCodeAt(i);
        if (escaped === 13 || escaped === 10) return -1;
      }
    } else if ((code < 0x20 && code !== 9) || code === 0x7f) return -1;
  }
  return -1;
};

/** Content of the quoted-string `text[from, end)`, quotes included in the range, escapes removed. */
export const unquoteSlice = (text: string, from: number, end: number): string => {
  const inner = text.slice(from + 1, end - 1);
  let mark = inner.indexOf('\\');
  if (mark < 0) return inner;
  let out = '';
  let start = 0;
  while (mark >= 0) {
    out += inner.slice(start, mark);
    start = mark + 1;
    mark = inner.indexOf('\\', start + 1);
  }
  return out + inner.slice(start);
};

/** True if the whole text is one quoted-string. */
export const isQuoted = (text: string): boolean =>
  text.charCodeAt(0) === quote && skipQuoted(text, 0, text.length) === text.length;

/** Content of a quoted-string; any other text comes back as it is. */
export const unquote = (text: string): string => (isQuoted(text) ? unquoteSlice(text, 0, text.length) : text);

/**
 * The text as quoted-string: quotes, backslashes and control characters become quoted-pairs.
 *
 * Throws `MisuseError` (`header-injection`) on CR or LF, which no quoted-pair can hold.
 */
export const quoteText = (text: string): string => {
  let plain = true;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 13 || code === 10) throw new MisuseError('header-injection', 'CR or LF in a quoted string');
    if (code === quote || code === backslash || (code < 0x20 && code !== 9) || code === 0x7f) plain = false;
  }
  if (plain) return `"${text}"`;
  let out = '"';
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === quote || code === backslash || (code < 0x20 && code !== 9) || code === 0x7f) out += '\\';
    out += text[i];
  }
  return `${out}"`;
};

/** Index of the next comma outside quotes and angle brackets in `[from, end)`, or `end`; linear, one pass. */
export const nextComma = (text: string, from: number, end: number): number => {
  let angle = false;
  for (let i = from; i < end; i++) {
    switch (text.charCodeAt(i)) {
      case 0x2c:
        if (!angle) return i;
        break;
      case 0x3c:
        angle = true;
        break;
      case 0x3e:
        angle = false;
        break;
      case quote: {
        if (angle) break;
        const behind = skipQuoted(text, i, end);
        if (behind < 0) return end;
        i = behind - 1;
        break;
      }
    }
  }
  return end;
};

const isSpace = (text: string, i: number): boolean => (classes[text.charCodeAt(i)]! & SPACE) !== 0;

/** Appends the trimmed members of a comma list to `into`; empty members are left out. */
export const splitList = (text: string, into: string[]): string[] => {
  const end = text.length;
  let from = 0;
  while (from <= end) {
    const comma = nextComma(text, from, end);
    let a = from;
    let b = comma;
    while (a < b && isSpace(text, a)) a++;
    while (b > a && isSpace(text, b - 1)) b--;
    if (b > a) into.push(text.slice(a, b));
    from = comma + 1;
  }
  return into;
};
