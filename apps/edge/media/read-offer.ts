import type { Remote } from '@ringfence/relay/contract.ts';
import { addressKind, isMulticast } from '@ringfence/sdp/address.ts';
import { codecOf, rtcp, rtcpMux } from '@ringfence/sdp/attribute.ts';
import { bundleOf, midOf } from '@ringfence/sdp/bundle.ts';
import { type CryptoAttribute, chooseCrypto, cryptoLines } from '@ringfence/sdp/crypto.ts';
import { type DtlsAttributes, dtlsAttributes } from '@ringfence/sdp/dtls.ts';
import { type IceAttributes, iceAttributes } from '@ringfence/sdp/ice.ts';
import {
  connectionOf,
  isRtp,
  isSecureRtp,
  type MediaDescription,
  type SessionDescription,
} from '@ringfence/sdp/session.ts';
import { type ZrtpHash, zrtpHash } from '@ringfence/sdp/zrtp.ts';
import { type Suite, suites } from '@ringfence/srtp/suite.ts';
import { isInside, isNowhere } from '../config/address-class.ts';
import type { ZrtpPolicy } from '../config/zrtp.ts';
import type { MediaFacts } from '../policy/decide.ts';
import { withCodecs } from './codecs.ts';
import { type KeyExchange, type KeyingSide, preferredKeying } from './keying.ts';
import { telephoneEventOf } from './telephone-event.ts';

/** What one stream of a description can become on that leg. */
export interface ReadStream {
  readonly media: 'rtp' | 'srtp' | 'opaque';
  /** The peer's key that we chose, strongest suite first. */
  readonly crypto?: CryptoAttribute;
  /** In place of `crypto`: the peer's certificate, and its part in the handshake. */
  readonly dtls?: DtlsAttributes;
  readonly ice?: IceAttributes;
  readonly mid?: string;
  /** It is the one of several that was to share a transport which is taken (RFC 9143). */
  readonly bundled?: true;
  readonly mux: boolean;
  /** Absent: on hold, nothing is sent. */
  readonly remote?: Remote;
  /** Encoding name of the first format, for the quality estimate. */
  readonly codec: string;
  /** Payload type of RFC 4733 events. */
  readonly telephoneEvent?: number;
  /** Of its Hello; of streams alone that are plain RTP, since ZRTP is for those. */
  readonly zrtp?: ZrtpHash;
  /** By payload type, those that are not 8000 Hz, for jitter. */
  readonly clockRates?: Readonly<Record<number, number>>;
}

/** What is agreed of a stream already: within a call it stays encrypted, or plain, and keeps its suite. */
export interface AgreedStream {
  readonly media: ReadStream['media'];
  readonly suite: Suite | undefined;
  readonly keying?: KeyExchange | undefined;
}

/** How keys of a stream come; undefined where it has none. */
export const keyingOf = ({ crypto, dtls }: ReadStream): KeyExchange | undefined =>
  dtls !== undefined ? 'dtls' : crypto === undefined ? undefined : 'sdes';

/** What reading depends on. */
export interface ReadingSide extends KeyingSide {
  /** Address that the peer's signalling comes from. */
  readonly signalling: string;
  readonly zrtpPolicy?: ZrtpPolicy;
}

export interface ReadSession {
  readonly session: SessionDescription;
  /** By `m=` line; undefined: refused, or not there. */
  readonly streams: readonly (ReadStream | undefined)[];
  readonly facts: MediaFacts;
}

export const noMedia: MediaFacts = {
  present: false,
  srtp: false,
  plain: false,
  unsupported: false,
  usable: 0,
};

/** Streams beyond this are refused with port 0, RFC 3264 §6. */
const maximumStreams = 4;

/** Reads a peer's offer or answer under what its leg demands. */
export function readSession(
  described: SessionDescription,
  side: ReadingSide,
  agreed: readonly (AgreedStream | undefined)[] = [],
): ReadSession {
  const session = withCodecs(described, side.codecs);
  const bundle = bundleOf(session);
  let bundled = false;
  const streams: (ReadStream | undefined)[] = [];
  let srtp = false;
  let plain = false;
  let unsupported = false;
  let usable = 0;
  for (const [index, media] of session.media.entries()) {
    if (media.port === 0 || media.formats.length === 0 || index >= maximumStreams) {
      streams.push(undefined);
      continue;
    }
    const mid = midOf(media);
    const shared = mid !== undefined && bundle.has(mid);
    // RFC 9143 §7.3.1: of the streams that would share a transport we take one.
    if (shared && bundled) {
      streams.push(undefined);
      continue;
    }
    const read = readStream(session, media, side, agreed[index]);
    const stream =
      mid === undefined || typeof read !== 'object'
        ? read
        : { ...read, mid, ...(shared ? { bundled: shared } : {}) };
    if (stream === 'unsupported') {
      unsupported = true;
      streams.push(undefined);
      continue;
    }
    if (stream !== undefined) {
      usable += 1;
      bundled ||= shared;
      if (stream.media === 'srtp') srtp = true;
      // With ZRTP that is demanded it is SRTP before anything is heard.
      else if (stream.media === 'rtp' && side.zrtpPolicy !== 'demand') plain = true;
    }
    streams.push(stream);
  }
  const facts = { present: true, srtp, plain, unsupported, usable };
  return { session, streams, facts: side.handshakes === false ? { ...facts, handshakes: false } : facts };
}

function readStream(
  session: SessionDescription,
  media: MediaDescription,
  side: ReadingSide,
  agreed: AgreedStream | undefined,
): ReadStream | 'unsupported' | undefined {
  const { demanded } = side;
  const ice = side.ice === 'off' || side.handshakes === false ? undefined : iceAttributes(session, media);
  const at = placeOf(session, media, side.signalling, ice !== undefined);
  if (at === 'unusable') return undefined;
  if (media.protocol.toLowerCase() === 'udptl')
    return demanded === 'required' ? undefined : { media: 'opaque', mux: false, codec: '', ...at };
  if (!isRtp(media.protocol)) return undefined;
  const rates = clockRates(media);
  const events = telephoneEventOf(media);
  const common = {
    ...at,
    mux: rtcpMux(media),
    codec: firstCodec(media) ?? '',
    ...(ice === undefined ? {} : { ice }),
    ...(rates === undefined ? {} : { clockRates: rates }),
    ...(events === undefined ? {} : { telephoneEvent: events }),
  };
  const secure = isSecureRtp(media.protocol);
  // RTP/AVP with keys is the offer of a peer that would like SRTP, RFC 8643 §3.1.
  if (secure || (demanded !== 'none' && agreed?.media !== 'rtp')) {
    const keys = keysIn(session, media, side, agreed);
    if (keys !== undefined) return { media: 'srtp', ...keys, ...common };
  }
  if (secure) return 'unsupported';
  const zrtp = zrtpHash(session, media);
  return zrtp === undefined ? { media: 'rtp', ...common } : { media: 'rtp', zrtp, ...common };
}

/** The peer's keys, or its certificate: in the way that is agreed, else in the one that is preferred of two. */
function keysIn(
  session: SessionDescription,
  media: MediaDescription,
  side: ReadingSide,
  agreed: AgreedStream | undefined,
): Pick<ReadStream, 'crypto' | 'dtls'> | undefined {
  const said = side.handshakes === false ? undefined : dtlsAttributes(session, media);
  // Certificates that nothing binds, and a handshake that is put off (RFC 4145 §4), come to nothing.
  const dtls =
    said === undefined || said.fingerprints.length === 0 || said.setup === 'holdconn' ? undefined : said;
  const keep = agreed?.suite;
  const crypto = isDtls(media.protocol)
    ? undefined
    : chooseCrypto(cryptoLines(media).acceptable, keep === undefined ? suites : [keep]);
  const preferred = agreed?.keying ?? preferredKeying(side);
  if (dtls !== undefined && (preferred === 'dtls' || crypto === undefined)) return { dtls };
  // Keys that signalling never held are not given up for some that it does.
  return crypto === undefined || agreed?.keying === 'dtls' ? undefined : { crypto };
}

/** `UDP/TLS/RTP/SAVP(F)`, RFC 5764 §8. */
const isDtls = (protocol: string): boolean => protocol.toUpperCase().startsWith('UDP/TLS/');

/**
 * Where the peer wants its media. Names, multicast groups and our own loopback (for a peer that is not on it) are
 * not sent to; a private address signalled from a public one is a phone behind NAT: its public address is meant. With
 * ICE it is found out by checks, and the address says little.
 */
function placeOf(
  session: SessionDescription,
  media: MediaDescription,
  signalling: string,
  ice: boolean,
): Pick<ReadStream, 'remote'> | 'unusable' {
  const connection = connectionOf(session, media);
  if (connection === undefined) return 'unusable';
  const { address, addressType } = connection;
  if (address === '0.0.0.0' || address === '::') return {};
  if (addressKind(addressType, address) !== addressType || isMulticast(addressType, address))
    return ice ? {} : 'unusable';
  const outside =
    address !== signalling &&
    ((isInside(address) && !isInside(signalling)) || (isNowhere(address) && !isNowhere(signalling)));
  const control = rtcp(media);
  return {
    remote: {
      address: outside ? signalling : address,
      rtpPort: media.port,
      rtcpPort: rtcpMux(media) ? media.port : (control?.port ?? Math.min(media.port + 1, 65535)),
      signalling,
    },
  };
}

function firstCodec(media: MediaDescription): string | undefined {
  const format = media.formats[0];
  return format === undefined ? undefined : codecOf(media, format)?.encoding;
}

function clockRates(media: MediaDescription): Record<number, number> | undefined {
  let rates: Record<number, number> | undefined;
  for (const format of media.formats) {
    const codec = codecOf(media, format);
    if (codec === undefined || codec.clockRate === 8000) continue;
    rates ??= {};
    rates[codec.payloadType] = codec.clockRate;
  }
  return rates;
}

/** Suites that we offer; the short tags only where a peer asks for them itself. */
export const offeredSuites: readonly Suite[] = [
  'AEAD_AES_256_GCM',
  'AEAD_AES_128_GCM',
  'AES_256_CM_HMAC_SHA1_80',
  'AES_CM_128_HMAC_SHA1_80',
];
