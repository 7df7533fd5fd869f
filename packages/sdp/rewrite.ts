import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { type Direction, effectiveDirection, parseFmtp, parseRtpMap } from './attribute.ts';
import { type CryptoAttribute, serializeCrypto } from './crypto.ts';
import { literalType } from './line.ts';
import {
  type Attribute,
  type Bandwidth,
  connectionOf,
  isRtp,
  type MediaDescription,
  type SessionDescription,
} from './session.ts';
import { isDigits, isPrintable, isProtocol, isToken, isVisible, parseDecimal } from './token.ts';

/** What our own end says of one stream; nothing here comes from the other side. */
export interface MediaAnchor {
  /** Our IPv4 or IPv6 literal. */
  readonly address: string;
  /** 0 refuses the stream; then nothing but its `m=` line is written. */
  readonly port: number;
  /** `RTP/AVP`, `RTP/SAVP`, ..., `udptl`. Default: the other side's. */
  readonly protocol?: string;
  /** Written as `a=rtcp` where it is not `port + 1` (RFC 3605). */
  readonly rtcpPort?: number;
  /** Writes `a=rtcp-mux` (RFC 5761). Default false. */
  readonly rtcpMux?: boolean;
  readonly crypto?: readonly CryptoAttribute[];
  /** Further lines of our own end, written as they are: fingerprint, candidates, mid. Only where the stream is RTP. */
  readonly attributes?: readonly Attribute[];
  /** Default: what the other side means, see `effectiveDirection`. */
  readonly direction?: Direction;
  /** Which formats to keep. Default all. A stream that keeps none is refused (port 0). */
  readonly keepFormat?: (format: string) => boolean;
}

/** Who we are in the new description. */
export interface Rebuild {
  readonly origin: {
    readonly username: string;
    readonly sessionId: string | number;
    readonly version: string | number;
    readonly address: string;
  };
  /** Default `-`, RFC 8866 §5.3. */
  readonly sessionName?: string;
  readonly media: (index: number, media: MediaDescription) => MediaAnchor;
  /** Lines of our own for the session as a whole, asked for once all streams are there. */
  readonly attributes?: () => readonly Attribute[];
}

/** Longest format parameters that pass, in characters; longer ones are left out. */
export const longestFormatParameters = 512;

/**
 * Makes our description of a session out of the other side's, as a back-to-back user agent needs.
 *
 * What passes is on a list: media type, formats, `rtpmap`, `fmtp`, `ptime`, `maxptime`, the feedback messages of
 * RFC 4585 and 5104, `b=AS` and `b=TIAS`, direction, and the T.38 parameters of RFC 3362 and T.38 annex D. All
 * else (origin, names, addresses, ports, times, identity, candidates, fingerprints, keys, tools, unknown
 * attributes) is left behind: it cannot pass because it is never copied. The number and order of `m=` lines stay.
 * @throws MisuseError `sdp-anchor` where an argument of ours is no address, port, name or protocol.
 */
export function rebuild(session: SessionDescription, ours: Rebuild): SessionDescription {
  const { origin } = ours;
  const addressType = literalType(origin.address);
  const sessionId = String(origin.sessionId);
  const version = String(origin.version);
  if (addressType === undefined || !isVisible(origin.username) || !isDigits(sessionId) || !isDigits(version))
    throw new MisuseError('sdp-anchor', 'our origin needs a user name, digits and an address literal');
  const media: MediaDescription[] = [];
  for (let index = 0; index < session.media.length; index += 1) {
    const theirs = session.media[index]!;
    media.push(rebuildMedia(session, theirs, ours.media(index, theirs), origin.address));
  }
  return {
    origin: { username: origin.username, sessionId, version, addressType, address: origin.address },
    sessionName: ours.sessionName ?? '-',
    connection: { addressType, address: origin.address },
    bandwidths: [],
    timing: [],
    attributes: ours.attributes?.() ?? [],
    media,
  };
}

function rebuildMedia(
  session: SessionDescription,
  theirs: MediaDescription,
  anchor: MediaAnchor,
  sessionAddress: string,
): MediaDescription {
  const protocol = anchor.protocol ?? theirs.protocol;
  const addressType = literalType(anchor.address);
  if (addressType === undefined || !isPort(anchor.port) || !isProtocol(protocol))
    throw new MisuseError('sdp-anchor', 'a stream needs an address literal, a port and a protocol');
  const rtp = isRtp(protocol);
  const formats = keptFormats(theirs, rtp, anchor.keepFormat);
  if (anchor.port === 0 || formats.length === 0) {
    return {
      media: theirs.media,
      port: 0,
      portCount: 1,
      protocol,
      formats: formats.length > 0 ? formats : [rtp ? '0' : theirs.formats[0]!],
      bandwidths: [],
      attributes: [],
    };
  }
  const attributes: Attribute[] = [];
  if (rtp) {
    copyRtpAttributes(session, theirs, formats, attributes);
    attributes.push({ name: anchor.direction ?? effectiveDirection(session, theirs) });
    addTransport(anchor, addressType, attributes);
  } else if (protocol.toLowerCase() === 'udptl') copyT38Attributes(theirs, attributes);
  const rebuilt = {
    media: theirs.media,
    port: anchor.port,
    portCount: 1,
    protocol,
    formats,
    bandwidths: keptBandwidths(theirs),
    attributes,
  };
  if (anchor.address === sessionAddress) return rebuilt;
  return { ...rebuilt, connection: { addressType, address: anchor.address } };
}

const isPort = (port: number): boolean => Number.isInteger(port) && port >= 0 && port <= 65_535;

function keptFormats(
  theirs: MediaDescription,
  rtp: boolean,
  keep: ((format: string) => boolean) | undefined,
): string[] {
  const kept: string[] = [];
  for (const format of theirs.formats) {
    if (rtp) {
      const payloadType = parseDecimal(format, 0, format.length);
      if (payloadType === undefined || payloadType > 127 || format !== String(payloadType)) continue;
    }
    if ((keep === undefined || keep(format)) && !kept.includes(format)) kept.push(format);
  }
  return kept;
}

function keptBandwidths(theirs: MediaDescription): Bandwidth[] {
  const kept: Bandwidth[] = [];
  for (const bandwidth of theirs.bandwidths)
    if (bandwidth.type === 'AS' || bandwidth.type === 'TIAS') kept.push(bandwidth);
  return kept;
}

/** Of each payload type of the stream at hand: kept, has its rtpmap, has its fmtp. Bits, to allocate nothing. */
const marks = new Uint8Array(128);
const kept = 1;
const mapped = 2;
const described = 4;

function copyRtpAttributes(
  session: SessionDescription,
  theirs: MediaDescription,
  formats: readonly string[],
  into: Attribute[],
): void {
  marks.fill(0);
  for (const format of formats) marks[Number(format)] = kept;
  let ptime = false;
  let maxptime = false;
  for (const { name, value } of theirs.attributes) {
    if (value === undefined) continue;
    switch (name) {
      case 'rtpmap': {
        const map = parseRtpMap(value);
        if (map === undefined || (marks[map.payloadType]! & (kept | mapped)) !== kept) break;
        marks[map.payloadType]! |= mapped;
        const parameters = map.parameters === undefined ? '' : `/${map.parameters}`;
        into.push({ name, value: `${map.payloadType} ${map.encoding}/${map.clockRate}${parameters}` });
        break;
      }
      case 'fmtp': {
        const fmtp = parseFmtp(value);
        if (fmtp === undefined || !formats.includes(fmtp.format)) break;
        const payloadType = Number(fmtp.format);
        if ((marks[payloadType]! & described) !== 0 || !mayPass(session, theirs, fmtp.parameters)) break;
        marks[payloadType]! |= described;
        into.push({ name, value: `${fmtp.format} ${fmtp.parameters}` });
        break;
      }
      case 'ptime':
        if (!ptime && isInterval(value)) into.push({ name, value: value.trim() });
        ptime = true;
        break;
      case 'maxptime':
        if (!maxptime && isInterval(value)) into.push({ name, value: value.trim() });
        maxptime = true;
        break;
      case 'rtcp-fb':
        if (isFeedback(value, formats)) into.push({ name, value });
        break;
    }
  }
}

/** Format parameters are opaque to us, so what could carry an address of the other side or a line is held back. */
function mayPass(session: SessionDescription, theirs: MediaDescription, parameters: string): boolean {
  if (parameters.length > longestFormatParameters || !isPrintable(parameters)) return false;
  const address = connectionOf(session, theirs)?.address ?? '';
  if (address.length > 6 && parameters.includes(address)) return false;
  return session.origin.address.length <= 6 || !parameters.includes(session.origin.address);
}

/** Milliseconds, RFC 8866 §6.4 and §6.5. */
function isInterval(value: string): boolean {
  const text = value.trim();
  const interval = parseDecimal(text, 0, text.length);
  return interval !== undefined && interval > 0 && interval <= 1000 && text === String(interval);
}

/** Feedback messages that a relay may let through unchanged, RFC 4585 §4.2 and RFC 5104 §7.1. */
const feedback: ReadonlySet<string> = new Set([
  'nack',
  'nack pli',
  'nack sli',
  'nack rpsi',
  'ccm fir',
  'ccm tmmbr',
]);

function isFeedback(value: string, formats: readonly string[]): boolean {
  const space = value.indexOf(' ');
  if (space < 1 || !feedback.has(value.slice(space + 1))) return false;
  const format = value.slice(0, space);
  return format === '*' || formats.includes(format);
}

function addTransport(anchor: MediaAnchor, addressType: 'IP4' | 'IP6', into: Attribute[]): void {
  const { rtcpPort } = anchor;
  if (rtcpPort !== undefined) {
    if (!isPort(rtcpPort) || rtcpPort === 0) throw new MisuseError('sdp-anchor', 'RTCP needs a port');
    if (rtcpPort !== anchor.port + 1)
      into.push({ name: 'rtcp', value: `${rtcpPort} IN ${addressType} ${anchor.address}` });
  }
  if (anchor.rtcpMux === true) into.push({ name: 'rtcp-mux' });
  for (const crypto of anchor.crypto ?? []) into.push({ name: 'crypto', value: serializeCrypto(crypto) });
  for (const attribute of anchor.attributes ?? []) into.push(attribute);
}

/** ITU-T T.38 annex D.2.3 and RFC 3362; vendor information stays behind. */
const t38: ReadonlySet<string> = new Set([
  'T38FaxVersion',
  'T38MaxBitRate',
  'T38FaxFillBitRemoval',
  'T38FaxTranscodingMMR',
  'T38FaxTranscodingJBIG',
  'T38FaxRateManagement',
  'T38FaxMaxBuffer',
  'T38FaxMaxDatagram',
  'T38FaxMaxIFP',
  'T38FaxUdpEC',
  'T38FaxUdpECDepth',
]);

function copyT38Attributes(theirs: MediaDescription, into: Attribute[]): void {
  const seen = new Set<string>();
  for (const { name, value } of theirs.attributes) {
    if (!t38.has(name) || seen.has(name)) continue;
    if (value === undefined) into.push({ name });
    else {
      const text = value.trim();
      if (text.length > 32 || !isToken(text)) continue;
      into.push({ name, value: text });
    }
    seen.add(name);
  }
}
