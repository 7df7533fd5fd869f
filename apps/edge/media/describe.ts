import { parseSession } from '@ringfence/sdp/parse.ts';
import type { SessionDescription } from '@ringfence/sdp/session.ts';
import type { MediaLeg, StreamState } from './leg.ts';
import { answerEvents, offerEvents } from './telephone-event.ts';

/** How a stream is offered: without protection, with SRTP, or with SRTP if the peer can (RFC 8643 §3.1). */
export type OfferedProtection = 'plain' | 'srtp' | 'optional';

type Streams = readonly (StreamState | undefined)[];

const profile = (secure: boolean, feedback: boolean): string =>
  `RTP/${secure ? 'S' : ''}AVP${feedback ? 'F' : ''}`;

const hasFeedback = (protocol: string): boolean => protocol.toUpperCase().endsWith('AVPF');

/** Our offer to a leg, made from the other side's description: fresh keys at first, later the agreed one. */
export function describeOffer(
  leg: MediaLeg,
  from: SessionDescription,
  protectionOf: (stream: StreamState, index: number) => OfferedProtection,
  streams: Streams = leg.streams,
): string {
  return leg.describe(leg.side.bridgeDigits === true ? offerEvents(from) : from, (index) => {
    const stream = streams[index];
    const media = from.media[index];
    if (stream === undefined || media === undefined || media.port === 0) return leg.refused();
    if (stream.media === 'opaque') return leg.anchor(stream, media.protocol, []);
    const protection = protectionOf(stream, index);
    const plain = protection === 'plain';
    stream.media = plain ? 'rtp' : 'srtp';
    stream.optional = protection === 'optional';
    const keys = plain
      ? []
      : stream.suite === undefined
        ? leg.offeredCrypto(stream)
        : leg.answeredCrypto(stream);
    return leg.anchor(stream, profile(protection === 'srtp', hasFeedback(media.protocol)), keys);
  });
}

/** Our answer to a leg's offer, made from what the other side has answered (RFC 3264 §6). */
export function describeAnswer(leg: MediaLeg, offer: SessionDescription, from: SessionDescription): string {
  return leg.describe(leg.side.bridgeDigits === true ? answerEvents(offer, from) : from, (index) => {
    const stream = leg.streams[index];
    const offered = offer.media[index];
    if (offered === undefined) return leg.refused();
    if (stream === undefined || from.media[index]?.port === 0) return leg.refused(offered.protocol);
    return leg.anchor(stream, offered.protocol, leg.answeredCrypto(stream));
  });
}

/** Our last description to a leg as an offer: the keys that were offered and not taken are left out. */
export function describeRepeat(leg: MediaLeg, streams: Streams = leg.streams): string {
  const last = parseSession(Buffer.from(leg.lastDescription, 'utf8'));
  if (!last.ok) return leg.lastDescription;
  return leg.describe(last.value, (index) => {
    const stream = streams[index];
    const media = last.value.media[index];
    if (stream === undefined || media === undefined || media.port === 0) return leg.refused(media?.protocol);
    return leg.anchor(stream, media.protocol, leg.answeredCrypto(stream));
  });
}

/** The answer that takes no stream of an offer: the ACK of a 2xx must carry one (RFC 3261 §13.2.2.4). */
export const describeRefusal = (leg: MediaLeg, offer: SessionDescription): string =>
  leg.describe(offer, (index) => leg.refused(offer.media[index]?.protocol));
