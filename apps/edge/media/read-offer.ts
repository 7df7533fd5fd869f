import type { Remote } from '@ringfence/relay/contract.ts';
import { addressKind, isMulticast } from '@ringfence/sdp/address.ts';
import { codecOf, rtcp, rtcpMux } from '@ringfence/sdp/attribute.ts';
import { type CryptoAttribute, chooseCrypto, cryptoLines } from '@ringfence/sdp/crypto.ts';
import {
  connectionOf,
  isRtp,
  isSecureRtp,
  type MediaDescription,
  type SessionDescription,
} from '@ringfence/sdp/session.ts';
import { type Suite, suites } from '@ringfence/srtp/suite.ts';
import { isInside } from '../config/address-class.ts';
import type { Encryption } from '../config/schema.ts';
import type { MediaFacts } from '../policy/decide.ts';
import { type CodecList, withCodecs } from './codecs.ts';
import { telephoneEventOf } from './telephone-event.ts';

/** What one stream of a description can become on that leg. */
export interface ReadStream {
  readonly media: 'rtp' | 'srtp' | 'opaque';
  /** The peer's key that we chose, strongest suite first. */
  readonly crypto?: CryptoAttribute;
  readonly mux: boolean;
  /** Absent: on hold, nothing is sent. */
  readonly remote?: Remote;
  /** Encoding name of the first format, for the quality estimate. */
  readonly codec: string;
  /** Payload type of RFC 4733 events. */
  readonly telephoneEvent?: number;
  /** By payload type, those that are not 8000 Hz, for jitter. */
  readonly clockRates?: Readonly<Record<number, number>>;
}

/** What is agreed of a stream already: within a call it stays encrypted, or plain, and keeps its suite. */
export interface AgreedStream {
  readonly media: ReadStream['media'];
  readonly suite: Suite | undefined;
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

/**
 * Reads a peer's offer or answer under what its leg demands.
 *
 * @param signalling address that the peer's signalling comes from.
 * @param codecs what passes of it; default everything.
 */
export function readSession(
  described: SessionDescription,
  demanded: Encryption,
  signalling: string,
  agreed: readonly (AgreedStream | undefined)[] = [],
  codecs?: CodecList,
): ReadSession {
  const session = withCodecs(described, codecs);
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
    const stream = readStream(session, media, demanded, signalling, agreed[index]);
    if (stream === 'unsupported') {
      unsupported = true;
      streams.push(undefined);
      continue;
    }
    if (stream !== undefined) {
      usable += 1;
      if (stream.media === 'srtp') srtp = true;
      else if (stream.media === 'rtp') plain = true;
    }
    streams.push(stream);
  }
  return { session, streams, facts: { present: true, srtp, plain, unsupported, usable } };
}

function readStream(
  session: SessionDescription,
  media: MediaDescription,
  demanded: Encryption,
  signalling: string,
  agreed: AgreedStream | undefined,
): ReadStream | 'unsupported' | undefined {
  const place = placeOf(session, media, signalling);
  if (place === 'unusable') return undefined;
  const at = place === undefined ? {} : { remote: place };
  if (media.protocol.toLowerCase() === 'udptl')
    return demanded === 'required' ? undefined : { media: 'opaque', mux: false, codec: '', ...at };
  if (!isRtp(media.protocol)) return undefined;
  const rates = clockRates(media);
  const events = telephoneEventOf(media);
  const common = {
    ...at,
    mux: rtcpMux(media),
    codec: firstCodec(media) ?? '',
    ...(rates === undefined ? {} : { clockRates: rates }),
    ...(events === undefined ? {} : { telephoneEvent: events }),
  };
  const secure = isSecureRtp(media.protocol);
  // RTP/AVP with a=crypto is the offer of a peer that would like SRTP, RFC 8643 §3.1.
  if (secure || (demanded !== 'none' && agreed?.media !== 'rtp')) {
    const keep = agreed?.suite;
    const crypto = chooseCrypto(cryptoLines(media).acceptable, keep === undefined ? suites : [keep]);
    if (crypto !== undefined) return { media: 'srtp', crypto, ...common };
  }
  return secure ? 'unsupported' : { media: 'rtp', ...common };
}

/**
 * Where the peer wants its media. Names, multicast groups and our own loopback (for a peer that is not on it) are
 * not sent to; a private address signalled from a public one is a phone behind NAT: its public address is meant.
 */
function placeOf(
  session: SessionDescription,
  media: MediaDescription,
  signalling: string,
): Remote | undefined | 'unusable' {
  const connection = connectionOf(session, media);
  if (connection === undefined) return 'unusable';
  const { address, addressType } = connection;
  if (address === '0.0.0.0' || address === '::') return undefined;
  if (addressKind(addressType, address) !== addressType || isMulticast(addressType, address))
    return 'unusable';
  const outside = address !== signalling && isInside(address) && !isInside(signalling);
  const control = rtcp(media);
  return {
    address: outside ? signalling : address,
    rtpPort: media.port,
    rtcpPort: rtcpMux(media) ? media.port : (control?.port ?? Math.min(media.port + 1, 65535)),
    signalling,
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
