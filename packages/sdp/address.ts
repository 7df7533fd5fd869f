import type { AddressType } from './session.ts';

/** What an address field holds; a name must be resolved, and by whom is for policy to say. */
export type AddressKind = AddressType | 'name';

/** Four decimal octets: no leading zeros, which some readers take for octal, and no short forms. */
export function isIp4(text: string): boolean {
  if (text.length < 7 || text.length > 15) return false;
  let octets = 0;
  let value = -1;
  let digits = 0;
  for (let i = 0; i <= text.length; i += 1) {
    const c = i === text.length ? 0x2e : text.charCodeAt(i);
    if (c === 0x2e) {
      if (digits === 0 || value > 255) return false;
      octets += 1;
      value = -1;
      digits = 0;
    } else if (c >= 0x30 && c <= 0x39) {
      if (digits > 0 && value === 0) return false;
      value = (digits === 0 ? 0 : value * 10) + (c - 0x30);
      digits += 1;
      if (digits > 3) return false;
    } else return false;
  }
  return octets === 4;
}

/** RFC 4291 §2.2 text forms, the embedded IPv4 one too; no zone and no brackets. */
export function isIp6(text: string): boolean {
  if (text.length < 2 || text.length > 45) return false;
  let groups = 0;
  let compressed = false;
  let i = 0;
  if (text.startsWith('::')) {
    compressed = true;
    i = 2;
    if (text.length === 2) return true;
  } else if (text.charCodeAt(0) === 0x3a) return false;
  for (;;) {
    const start = i;
    while (i < text.length && isHexDigit(text.charCodeAt(i))) i += 1;
    if (i < text.length && text.charCodeAt(i) === 0x2e) {
      if (!isIp4(text.slice(start))) return false;
      groups += 2;
      break;
    }
    if (i === start || i - start > 4) return false;
    groups += 1;
    if (i === text.length) break;
    if (text.charCodeAt(i) !== 0x3a) return false;
    i += 1;
    if (i === text.length) return false;
    if (text.charCodeAt(i) === 0x3a) {
      if (compressed) return false;
      compressed = true;
      i += 1;
      if (i === text.length) break;
    }
  }
  return compressed ? groups < 8 : groups === 8;
}

const isHexDigit = (c: number): boolean =>
  (c >= 0x30 && c <= 0x39) || (c >= 0x41 && c <= 0x46) || (c >= 0x61 && c <= 0x66);

/** A domain name: labels of letters, digits, `-` and `_`, not all digits in the last one. */
export function isDomainName(text: string): boolean {
  if (text.length === 0 || text.length > 253) return false;
  let label = 0;
  let letters = false;
  for (let i = 0; i < text.length; i += 1) {
    const c = text.charCodeAt(i);
    if (c === 0x2e) {
      if (label === 0 || i === text.length - 1) return false;
      label = 0;
      letters = false;
      continue;
    }
    const letter = (c >= 0x41 && c <= 0x5a) || (c >= 0x61 && c <= 0x7a);
    if (!letter && !(c >= 0x30 && c <= 0x39) && c !== 0x5f && !(c === 0x2d && label > 0)) return false;
    letters ||= letter;
    label += 1;
    if (label > 63) return false;
  }
  return letters;
}

/** What the address of a field of that type is; `undefined` where it contradicts the type or is nonsense. */
export function addressKind(type: AddressType, address: string): AddressKind | undefined {
  if (type === 'IP4' ? isIp4(address) : isIp6(address)) return type;
  return isDomainName(address) ? 'name' : undefined;
}

/** 224.0.0.0/4 and ff00::/8. */
export function isMulticast(type: AddressType, address: string): boolean {
  if (type === 'IP6') return /^ff[0-9a-f]{2}:/i.test(address);
  const first = Number.parseInt(address, 10);
  return first >= 224 && first <= 239 && isIp4(address);
}
