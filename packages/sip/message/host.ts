import { classes, DIGIT, HOST, lowerSlice, skipClass, UPPER } from './characters.ts';

const colon = 0x3a;
const dot = 0x2e;

/** The four octets of a dotted IPv4 address in `text[from, end)`, or -1; the value is its 32 bits unsigned. */
const readIpv4 = (text: string, from: number, end: number): number => {
  let octets = 0;
  let address = 0;
  let i = from;
  for (;;) {
    let octet = 0;
    const start = i;
    while (i < end && (classes[text.charCodeAt(i)]! & DIGIT) !== 0 && i - start < 4) {
      octet = octet * 10 + text.charCodeAt(i) - 0x30;
      i++;
    }
    if (i === start || i - start > 3 || octet > 255) return -1;
    address = address * 256 + octet;
    octets++;
    if (i === end) return octets === 4 ? address : -1;
    if (text.charCodeAt(i) !== dot || octets === 4) return -1;
    i++;
  }
};

const hexadecimal = (code: number): number => {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1;
};

/**
 * The eight groups of an IPv6 address without brackets (RFC 4291 §2.2), or `undefined`.
 *
 * Three colons before an IPv4 tail count as two: RFC 5118 §4.10 wants that bug of the RFC 3261 grammar tolerated.
 */
export const ipv6Groups = (text: string): readonly number[] | undefined => {
  if (text.length > 64) return undefined;
  const head: number[] = [];
  let tail: number[] | undefined;
  let i = 0;
  if (text.startsWith('::')) {
    tail = [];
    i = 2;
  }
  while (i < text.length) {
    const groups = tail ?? head;
    let group = 0;
    const start = i;
    while (i < text.length && i - start < 5) {
      const value = hexadecimal(text.charCodeAt(i));
      if (value < 0) break;
      group = group * 16 + value;
      i++;
    }
    if (i < text.length && text.charCodeAt(i) === dot) {
      const address = readIpv4(text, start, text.length);
      if (address < 0) return undefined;
      groups.push(Math.floor(address / 65536), address % 65536);
      i = text.length;
      break;
    }
    if (i === start || i - start > 4) return undefined;
    groups.push(group);
    if (i === text.length) break;
    if (text.charCodeAt(i) !== colon) return undefined;
    i++;
    if (i === text.length) return undefined;
    if (text.charCodeAt(i) === colon) {
      if (tail !== undefined) return undefined;
      tail = [];
      i++;
    }
  }
  const count = head.length + (tail?.length ?? 0);
  if (tail === undefined) return count === 8 ? head : undefined;
  if (count > 7) return undefined;
  return [...head, ...new Array<number>(8 - count).fill(0), ...tail];
};

/** Index behind the host at `from`: an IPv6 reference with its brackets, or a run of host characters. */
export const skipHost = (text: string, from: number, end: number): number => {
  if (text.charCodeAt(from) !== 0x5b) return skipClass(text, from, end, HOST);
  for (let i = from + 1; i < end && i - from < 66; i++) if (text.charCodeAt(i) === 0x5d) return i + 1;
  return from;
};

/**
 * The host in `text[from, end)` in lower case and without brackets, or `undefined` if it is none (RFC 3261 §25.1).
 *
 * A name whose last label starts with a digit must be an IPv4 address, so `1.2.3`, `0x7f.1` and `2130706433` are none.
 */
export const readHost = (text: string, from: number, end: number): string | undefined => {
  if (end <= from || end - from > 255) return undefined;
  if (text.charCodeAt(from) === 0x5b) {
    let address = lowerSlice(text, from + 1, end - 1);
    if (address.includes(':::') && address.includes('.')) address = address.replace(':::', '::');
    return ipv6Groups(address) === undefined ? undefined : address;
  }
  // No empty labels; one trailing dot is in the grammar.
  let label = from;
  let seen = 0;
  for (let i = from; i < end; i++) {
    const code = text.charCodeAt(i);
    if (code === dot) {
      if (i === label) return undefined;
      if (i + 1 < end) label = i + 1;
    } else {
      seen |= classes[code]!;
    }
  }
  if ((classes[text.charCodeAt(label)]! & DIGIT) !== 0 && readIpv4(text, from, end) < 0) return undefined;
  return (seen & UPPER) === 0 ? text.slice(from, end) : text.slice(from, end).toLowerCase();
};

/** A port in `text[from, end)`: 1 to 65535, at most five digits; -1 if it is none. */
export const readPort = (text: string, from: number, end: number): number => {
  if (end <= from || end - from > 5) return -1;
  let port = 0;
  for (let i = from; i < end; i++) {
    const digit = text.charCodeAt(i) - 0x30;
    if (digit < 0 || digit > 9) return -1;
    port = port * 10 + digit;
  }
  return port >= 1 && port <= 65535 ? port : -1;
};

/** True if the text is a host as `readHost` returns it. */
export const isHost = (host: string): boolean =>
  host.includes(':')
    ? ipv6Groups(host) !== undefined
    : skipClass(host, 0, host.length, HOST) === host.length && readHost(host, 0, host.length) !== undefined;
