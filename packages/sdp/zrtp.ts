import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { findAttribute } from './attribute.ts';
import type { MediaDescription, SessionDescription } from './session.ts';

/** `a=zrtp-hash`, RFC 6189 §8: signalling names the Hello of its own end. */
export interface ZrtpHash {
  /** Of ZRTP, as the Hello has it: `1.10`. */
  readonly version: string;
  /** SHA-256 of the Hello message, 32 octets. */
  readonly value: Uint8Array;
}

const octets = 32;

/** Reads the value of an `a=zrtp-hash`; undefined where it is none. Hexadecimal digits of either case are taken. */
export function parseZrtpHash(value: string): ZrtpHash | undefined {
  const space = value.indexOf(' ');
  if (space !== 4 || value.length > 128) return undefined;
  const version = value.slice(0, space);
  const text = value.slice(space + 1).trim();
  if (!isVersion(version) || text.length !== 2 * octets) return undefined;
  const hash = new Uint8Array(octets);
  for (let i = 0; i < octets; i += 1) {
    const high = hexDigit(text.charCodeAt(2 * i));
    const low = hexDigit(text.charCodeAt(2 * i + 1));
    if (high < 0 || low < 0) return undefined;
    hash[i] = 16 * high + low;
  }
  return { version, value: hash };
}

/** `1.10 fe30efd02423cb054e50efd0248742ac…`, as the value of `a=zrtp-hash`. */
export function serializeZrtpHash({ version, value }: ZrtpHash): string {
  if (value.length !== octets || !isVersion(version))
    throw new MisuseError('sdp-zrtp-hash', `a zrtp-hash has a version and ${octets} octets`);
  return `${version} ${Array.from(value, (octet) => octet.toString(16).padStart(2, '0')).join('')}`;
}

/** What a stream says of ZRTP: its own line, else that of the session (§8: it may stand at either level). */
export function zrtpHash(session: SessionDescription, media: MediaDescription): ZrtpHash | undefined {
  const value = (findAttribute(media, 'zrtp-hash') ?? findAttribute(session, 'zrtp-hash'))?.value;
  return value === undefined ? undefined : parseZrtpHash(value);
}

/** §5.2: `1.10`, four characters of digits around a point. */
function isVersion(version: string): boolean {
  if (version.length !== 4 || version.charCodeAt(1) !== 0x2e) return false;
  return isDigit(version, 0) && isDigit(version, 2) && isDigit(version, 3);
}

const isDigit = (text: string, at: number): boolean => {
  const code = text.charCodeAt(at);
  return code >= 0x30 && code <= 0x39;
};

function hexDigit(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30;
  const letter = code | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x61 + 10 : -1;
}
