import { ipv6Groups } from './host.ts';
import type { Params, SipUri, TelUri, Uri } from './types.ts';

/** Parameters that decide even where only one URI has them (RFC 3261 §19.1.4; transport by its examples). */
const decisive: readonly string[] = ['user', 'ttl', 'method', 'maddr', 'transport'];

const sameValue = (a: string | true | undefined, b: string | true | undefined): boolean =>
  a === b || (typeof a === 'string' && typeof b === 'string' && a.toLowerCase() === b.toLowerCase());

const sameHost = (a: string, b: string): boolean => {
  if (a.toLowerCase() === b.toLowerCase()) return true;
  if (!a.includes(':') || !b.includes(':')) return false;
  const left = ipv6Groups(a);
  const right = ipv6Groups(b);
  return left !== undefined && right !== undefined && left.every((group, i) => group === right[i]);
};

const sipEquals = (a: SipUri, b: SipUri): boolean => {
  if (a.scheme !== b.scheme || a.user !== b.user || a.password !== b.password || a.port !== b.port)
    return false;
  if (!sameHost(a.host, b.host)) return false;
  for (const name of decisive) if (!sameValue(a.params.get(name), b.params.get(name))) return false;
  for (const [name, value] of a.params) {
    const other = b.params.get(name);
    if (other !== undefined && !sameValue(value, other)) return false;
  }
  if (a.headers.size !== b.headers.size) return false;
  for (const [name, value] of a.headers) if (b.headers.get(name) !== value) return false;
  return true;
};

const separators = /[-.()]/g;

/** Value of a tel parameter for comparison: `ext` and a phone-context number lose visual separators. */
const telValue = (name: string, value: string | true): string | true => {
  if (value === true) return value;
  const digits = name === 'ext' || (name === 'phone-context' && value.startsWith('+'));
  return (digits ? value.replace(separators, '') : value).toLowerCase();
};

const paramsEqual = (a: Params, b: Params): boolean => {
  if (a.size !== b.size) return false;
  for (const [name, value] of a) {
    const other = b.get(name);
    if (other === undefined || telValue(name, value) !== telValue(name, other)) return false;
  }
  return true;
};

/** RFC 3966 §4: both global or both local, same digits, same parameters in any order. */
const telEquals = (a: TelUri, b: TelUri): boolean =>
  a.number.toLowerCase() === b.number.toLowerCase() && paramsEqual(a.params, b.params);

/**
 * Whether two URIs mean the same: RFC 3261 §19.1.4 for sip and sips, RFC 3966 §4 for tel, text for others.
 *
 * Escapes are compared decoded. A missing port differs from the default port, as the RFC has it.
 */
export const uriEquals = (a: Uri, b: Uri): boolean => {
  if (a.scheme === 'other') return b.scheme === 'other' && a.text === b.text;
  if (a.scheme === 'tel') return b.scheme === 'tel' && telEquals(a, b);
  return (b.scheme === 'sip' || b.scheme === 'sips') && sipEquals(a, b);
};
