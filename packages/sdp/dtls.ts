import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { findAttribute } from './attribute.ts';
import type { Attribute, MediaDescription, SessionDescription } from './session.ts';

type Section = { readonly attributes: readonly Attribute[] };

/** Octets of the hashes that are taken; SHA-1 and MD5 (RFC 8122 §5) prove nothing any more. */
const hashLength = { 'sha-256': 32, 'sha-384': 48, 'sha-512': 64 } as const;
export type FingerprintHash = keyof typeof hashLength;

/** `a=fingerprint`, RFC 8122 §5, of a hash that is taken. */
export interface FingerprintAttribute {
  readonly hash: FingerprintHash;
  readonly value: Uint8Array;
}

/** `a=setup`, RFC 4145 §4. */
export type SetupRole = 'actpass' | 'active' | 'passive' | 'holdconn';

/** Of one stream: more would be of no use, certificates are few. */
const mostFingerprints = 8;
const longestTlsId = 255;
const shortestTlsId = 20;

/** Reads the value of one `a=fingerprint`; undefined where it is none, or of a hash that is not taken. */
export function parseFingerprint(value: string): FingerprintAttribute | undefined {
  const space = value.indexOf(' ');
  if (space < 1 || value.length > 256) return undefined;
  const hash = value.slice(0, space).toLowerCase();
  if (!isHash(hash)) return undefined;
  const text = value.slice(space + 1).trim();
  const octets = hashLength[hash];
  if (text.length !== octets * 3 - 1) return undefined;
  const bytes = new Uint8Array(octets);
  for (let i = 0; i < octets; i += 1) {
    const high = hexDigit(text.charCodeAt(3 * i));
    const low = hexDigit(text.charCodeAt(3 * i + 1));
    if (high < 0 || low < 0 || (i + 1 < octets && text.charCodeAt(3 * i + 2) !== 0x3a)) return undefined;
    bytes[i] = 16 * high + low;
  }
  return { hash, value: bytes };
}

const isHash = (name: string): name is FingerprintHash => Object.hasOwn(hashLength, name);

/** RFC 8122 §5 writes capitals; many write small letters. */
function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}

/** `sha-256 4A:AD:…`, as the value of `a=fingerprint`. */
export function serializeFingerprint({ hash, value }: FingerprintAttribute): string {
  if (value.length !== hashLength[hash])
    throw new MisuseError('sdp-fingerprint', `a fingerprint of ${hash} has ${hashLength[hash]} octets`);
  return `${hash} ${Array.from(value, (octet) => octet.toString(16).padStart(2, '0').toUpperCase()).join(':')}`;
}

/** What a stream says of DTLS: its own lines, else those of the session (RFC 8122 §5, RFC 4145 §4, RFC 8842 §4). */
export interface DtlsAttributes {
  /** Any of them may be the certificate's, RFC 8122 §5. */
  readonly fingerprints: readonly FingerprintAttribute[];
  /** Absent where nothing is said. */
  readonly setup?: SetupRole;
  readonly tlsId?: string;
}

/** Undefined: no DTLS. Without fingerprints: DTLS whose certificates nothing that we take would bind. */
export function dtlsAttributes(
  session: SessionDescription,
  media: MediaDescription,
): DtlsAttributes | undefined {
  const section = findAttribute(media, 'fingerprint') === undefined ? session : media;
  const fingerprints: FingerprintAttribute[] = [];
  let named = 0;
  for (const { name, value } of section.attributes) {
    if (name !== 'fingerprint' || value === undefined || named >= mostFingerprints) continue;
    named += 1;
    const fingerprint = parseFingerprint(value);
    if (fingerprint !== undefined) fingerprints.push(fingerprint);
  }
  if (named === 0) return undefined;
  const setup = setupOf(media) ?? setupOf(session);
  const tlsId = tlsIdOf(media) ?? tlsIdOf(session);
  return {
    fingerprints,
    ...(setup === undefined ? {} : { setup }),
    ...(tlsId === undefined ? {} : { tlsId }),
  };
}

function setupOf(section: Section): SetupRole | undefined {
  const value = findAttribute(section, 'setup')?.value?.trim().toLowerCase();
  return value === 'actpass' || value === 'active' || value === 'passive' || value === 'holdconn'
    ? value
    : undefined;
}

/** RFC 8842 §4: 20 to 255 characters of a token; shorter ones are no more unique than their writer says. */
function tlsIdOf(section: Section): string | undefined {
  const value = findAttribute(section, 'tls-id')?.value;
  return value !== undefined &&
    value.length >= shortestTlsId &&
    value.length <= longestTlsId &&
    isTlsId(value)
    ? value
    : undefined;
}

/** Letters, digits, `+`, `/`, `-` and `_`. */
function isTlsId(value: string): boolean {
  for (let i = 0; i < value.length; i += 1) {
    const c = value.charCodeAt(i);
    const letter = (c | 0x20) >= 0x61 && (c | 0x20) <= 0x7a;
    if (!letter && !(c >= 0x2f && c <= 0x39) && c !== 0x2b && c !== 0x2d && c !== 0x5f) return false;
  }
  return true;
}
