import type { Attribute, MediaDescription, SessionDescription } from './session.ts';
import { isDigits, isToken, parseDecimal } from './token.ts';

type Section = { readonly attributes: readonly Attribute[] };

/** `a=rtpmap`, RFC 8866 §6.6. */
export interface RtpMap {
  readonly payloadType: number;
  /** As written; compare without regard to case. */
  readonly encoding: string;
  /** Hertz. */
  readonly clockRate: number;
  /** Encoding parameters: for audio the number of channels. */
  readonly parameters?: string;
}

/** `a=fmtp`, RFC 8866 §6.15. */
export interface FormatParameters {
  readonly format: string;
  readonly parameters: string;
}

export const directions = ['sendrecv', 'sendonly', 'recvonly', 'inactive'] as const;
/** RFC 8866 §6.7. */
export type Direction = (typeof directions)[number];

/** `a=rtcp`, RFC 3605 §2.1. */
export interface RtcpAttribute {
  readonly port: number;
  readonly address?: string;
}

/** The first attribute of that name. */
export function findAttribute(section: Section, name: string): Attribute | undefined {
  for (const attribute of section.attributes) if (attribute.name === name) return attribute;
  return undefined;
}

export const hasAttribute = (section: Section, name: string): boolean =>
  findAttribute(section, name) !== undefined;

const isName = (text: string): boolean => text.length <= 64 && isToken(text);

/** Reads the value of an `a=rtpmap`; `undefined` where it is not one. */
export function parseRtpMap(value: string): RtpMap | undefined {
  const space = value.indexOf(' ');
  if (space < 1) return undefined;
  const payloadType = parseDecimal(value, 0, space);
  if (payloadType === undefined || payloadType > 127) return undefined;
  let from = space + 1;
  while (value.charCodeAt(from) === 0x20) from += 1;
  const slash = value.indexOf('/', from);
  if (slash === -1) return undefined;
  const encoding = value.slice(from, slash);
  if (!isName(encoding)) return undefined;
  const second = value.indexOf('/', slash + 1);
  const end = second === -1 ? value.trimEnd().length : second;
  const clockRate = parseDecimal(value, slash + 1, end);
  if (clockRate === undefined || clockRate === 0) return undefined;
  if (second === -1) return { payloadType, encoding, clockRate };
  const parameters = value.slice(second + 1).trimEnd();
  if (!isName(parameters)) return undefined;
  return { payloadType, encoding, clockRate, parameters };
}

/** All well-formed `a=rtpmap` of a stream; of two for one payload type the first holds. */
export function rtpMaps(media: Section): RtpMap[] {
  const maps = new Map<number, RtpMap>();
  for (const { name, value } of media.attributes) {
    if (name !== 'rtpmap' || value === undefined) continue;
    const map = parseRtpMap(value);
    if (map !== undefined && !maps.has(map.payloadType)) maps.set(map.payloadType, map);
  }
  return [...maps.values()];
}

/** Static payload types of RFC 3551 §6 that telephony still meets: encoding, clock rate, channels. */
const staticTypes: ReadonlyMap<number, RtpMap> = new Map(
  (
    [
      [0, 'PCMU', 8000],
      [3, 'GSM', 8000],
      [4, 'G723', 8000],
      [5, 'DVI4', 8000],
      [6, 'DVI4', 16000],
      [7, 'LPC', 8000],
      [8, 'PCMA', 8000],
      [9, 'G722', 8000],
      [10, 'L16', 44100, '2'],
      [11, 'L16', 44100],
      [12, 'QCELP', 8000],
      [13, 'CN', 8000],
      [14, 'MPA', 90000],
      [15, 'G728', 8000],
      [16, 'DVI4', 11025],
      [17, 'DVI4', 22050],
      [18, 'G729', 8000],
      [26, 'JPEG', 90000],
      [31, 'H261', 90000],
      [32, 'MPV', 90000],
      [33, 'MP2T', 90000],
      [34, 'H263', 90000],
    ] as const
  ).map(([payloadType, encoding, clockRate, parameters]) => [
    payloadType,
    parameters === undefined
      ? { payloadType, encoding, clockRate }
      : { payloadType, encoding, clockRate, parameters },
  ]),
);

/** What a payload type means in a stream: its `a=rtpmap`, else its static assignment (RFC 3551 §6). */
export function codecOf(media: Section, format: string): RtpMap | undefined {
  if (!isDigits(format) || format.length > 3) return undefined;
  for (const { name, value } of media.attributes) {
    if (name !== 'rtpmap' || value === undefined || !isAbout(value, format)) continue;
    const map = parseRtpMap(value);
    if (map !== undefined) return map;
  }
  return staticTypes.get(Number(format));
}

/** Looked at before anything is parsed, so that many formats and many attributes stay cheap together. */
const isAbout = (value: string, format: string): boolean =>
  value.charCodeAt(format.length) === 0x20 && value.startsWith(format);

/** Format parameters of one format; `undefined` where there are none. */
export function fmtpOf(media: Section, format: string): string | undefined {
  for (const { name, value } of media.attributes) {
    if (name !== 'fmtp' || value === undefined || !isAbout(value, format)) continue;
    const parsed = parseFmtp(value);
    if (parsed !== undefined) return parsed.parameters;
  }
  return undefined;
}

/** Reads the value of an `a=fmtp`. */
export function parseFmtp(value: string): FormatParameters | undefined {
  const space = value.indexOf(' ');
  if (space < 1) return undefined;
  const parameters = value.slice(space + 1).trim();
  return parameters === '' ? undefined : { format: value.slice(0, space), parameters };
}

function milliseconds(section: Section, name: string): number | undefined {
  const value = findAttribute(section, name)?.value?.trim();
  if (value === undefined) return undefined;
  const parsed = parseDecimal(value, 0, value.length);
  return parsed === undefined || parsed === 0 || parsed > 10_000 ? undefined : parsed;
}

/** `a=ptime` in milliseconds, RFC 8866 §6.4; fractions and nonsense count as absent. */
export const ptime = (media: Section): number | undefined => milliseconds(media, 'ptime');

/** `a=maxptime` in milliseconds, RFC 8866 §6.5. */
export const maxptime = (media: Section): number | undefined => milliseconds(media, 'maxptime');

const isDirection = (name: string): name is Direction =>
  name === 'sendrecv' || name === 'sendonly' || name === 'recvonly' || name === 'inactive';

/** The direction of a stream: its own, else the session's, else `sendrecv`, RFC 8866 §6.7. */
export function direction(session: Section, media: Section): Direction {
  for (const { name } of media.attributes) if (isDirection(name)) return name;
  for (const { name } of session.attributes) if (isDirection(name)) return name;
  return 'sendrecv';
}

/** `a=rtcp`, RFC 3605 §2.1; `undefined` where absent or malformed (then RTCP goes to port + 1). */
export function rtcp(media: Section): RtcpAttribute | undefined {
  const value = findAttribute(media, 'rtcp')?.value;
  if (value === undefined) return undefined;
  const parts = value.trim().split(' ', 5);
  const text = parts[0]!;
  const port = parseDecimal(text, 0, text.length);
  if (port === undefined || port === 0 || port > 65535) return undefined;
  if (parts.length === 1) return { port };
  const [, network, addressType, address] = parts;
  if (parts.length !== 4 || network !== 'IN' || (addressType !== 'IP4' && addressType !== 'IP6') || !address)
    return undefined;
  return { port, address };
}

/** `a=rtcp-mux`, RFC 5761 §5.1.1. */
export const rtcpMux = (media: Section): boolean => hasAttribute(media, 'rtcp-mux');

/**
 * `c=0.0.0.0`, by which RFC 2543 put a stream on hold; RFC 3264 §8.4 asks to understand it still. With ICE it says
 * that candidates are yet to come, and no more (RFC 8840 §4.1.1).
 */
function isHoldAddress(session: SessionDescription, media: MediaDescription): boolean {
  if (hasAttribute(media, 'ice-ufrag') || hasAttribute(session, 'ice-ufrag')) return false;
  const address = (media.connection ?? session.connection)?.address;
  return address === '0.0.0.0' || address === '::';
}

/** The direction that is meant: a hold address forbids to send towards its owner, whatever the attribute says. */
export function effectiveDirection(session: SessionDescription, media: MediaDescription): Direction {
  const said = direction(session, media);
  if (said === 'sendonly' || said === 'inactive' || !isHoldAddress(session, media)) return said;
  return said === 'sendrecv' ? 'sendonly' : 'inactive';
}

/** Whether the writer of this description put the stream on hold, RFC 3264 §8.4. */
export function isHeld(session: SessionDescription, media: MediaDescription): boolean {
  const meant = effectiveDirection(session, media);
  return meant === 'sendonly' || meant === 'inactive';
}
