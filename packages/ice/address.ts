import { writeU16 } from '@ringfence/bytes/reader.ts';

/**
 * Octets of an IP address: 4 or 16; `undefined` for anything else.
 *
 * No short forms, no leading zeros, no zone.
 */
export function addressOctets(text: string): Uint8Array | undefined {
  if (text.length > 45) return undefined;
  if (!text.includes(':')) return ip4(text);
  let tail: Uint8Array | undefined;
  let head = text;
  if (text.includes('.')) {
    const colon = text.lastIndexOf(':');
    tail = ip4(text.slice(colon + 1));
    if (tail === undefined) return undefined;
    head = text.slice(0, colon + 1);
    // The colon belongs to the groups only where it is one of a pair.
    if (!head.endsWith('::')) head = head.slice(0, -1);
  }
  const gap = head.indexOf('::');
  if (gap !== -1 && head.indexOf('::', gap + 1) !== -1) return undefined;
  const room = tail === undefined ? 8 : 6;
  const before = groups(gap === -1 ? head : head.slice(0, gap));
  const after = gap === -1 ? [] : groups(head.slice(gap + 2));
  if (before === undefined || after === undefined) return undefined;
  const count = before.length + after.length;
  if (gap === -1 ? count !== room : count >= room) return undefined;
  const octets = new Uint8Array(16);
  put(octets, 0, before);
  put(octets, room - after.length, after);
  if (tail !== undefined) octets.set(tail, 12);
  return octets;
}

function put(octets: Uint8Array, from: number, values: readonly number[]): void {
  for (let i = 0; i < values.length; i += 1) writeU16(octets, 2 * (from + i), values[i]!);
}

function groups(text: string): number[] | undefined {
  if (text === '') return [];
  const values: number[] = [];
  for (const part of text.split(':', 9)) {
    if (part.length === 0 || part.length > 4) return undefined;
    let value = 0;
    for (let i = 0; i < part.length; i += 1) {
      const digit = hexDigit(part.charCodeAt(i));
      if (digit === -1) return undefined;
      value = value * 16 + digit;
    }
    values.push(value);
  }
  return values.length > 8 ? undefined : values;
}

const hexDigit = (c: number): number =>
  c >= 0x30 && c <= 0x39
    ? c - 0x30
    : c >= 0x61 && c <= 0x66
      ? c - 0x57
      : c >= 0x41 && c <= 0x46
        ? c - 0x37
        : -1;

function ip4(text: string): Uint8Array | undefined {
  const parts = text.split('.', 5);
  if (parts.length !== 4) return undefined;
  const octets = new Uint8Array(4);
  for (let i = 0; i < 4; i += 1) {
    const part = parts[i]!;
    if (part.length === 0 || part.length > 3 || (part.length > 1 && part.startsWith('0'))) return undefined;
    let value = 0;
    for (let at = 0; at < part.length; at += 1) {
      const digit = part.charCodeAt(at) - 0x30;
      if (digit < 0 || digit > 9) return undefined;
      value = value * 10 + digit;
    }
    if (value > 255) return undefined;
    octets[i] = value;
  }
  return octets;
}

/** Text of 4 or 16 octets; IPv6 in the form of RFC 5952 §4. */
export function addressText(octets: Uint8Array): string {
  if (octets.length === 4) return octets.join('.');
  // An embedded IPv4 address is written as such where the prefix says that it is one, §5.
  const mapped = octets.subarray(0, 10).every((o) => o === 0) && octets[10] === 0xff && octets[11] === 0xff;
  if (mapped) return `::ffff:${octets.subarray(12).join('.')}`;
  const values = Array.from({ length: 8 }, (_, i) => (octets[2 * i]! << 8) | octets[2 * i + 1]!);
  let from = 0;
  let longest = 0;
  for (let i = 0; i < 8; i += 1) {
    let run = 0;
    while (i + run < 8 && values[i + run] === 0) run += 1;
    if (run > longest) {
      longest = run;
      from = i;
    }
  }
  const hex = (part: readonly number[]) => part.map((value) => value.toString(16)).join(':');
  if (longest < 2) return hex(values);
  return `${hex(values.slice(0, from))}::${hex(values.slice(from + longest))}`;
}

/** The one form in which an address is compared; `undefined` where the text is no address. */
export function canonicalAddress(text: string): string | undefined {
  const octets = addressOctets(text);
  return octets === undefined ? undefined : addressText(octets);
}
