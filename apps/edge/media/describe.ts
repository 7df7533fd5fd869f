import { parseSession } from '@ringfence/sdp/parse.ts';
import type { SessionDescription } from '@ringfence/sdp/session.ts';
import type { MediaLeg } from './leg.ts';

const profile = (secure: boolean, feedback: boolean): string =>
  `RTP/${secure ? 'S' : ''}AVP${feedback ? 'F' : ''}`;

const hasFeedback = (protocol: string): boolean => protocol.toUpperCase().endsWith('AVPF');

/** Our offer to a leg, made from the other side's description: fresh keys at first, later the agreed one. */
export function describeOffer(leg: MediaLeg, from: SessionDescription, plain: boolean): string {
  return leg.describe(from, (index) => {
    const stream = leg.streams[index];
    const media = from.media[index];
    if (stream === undefined || media === undefined || media.port === 0) return leg.refused();
    if (stream.media === 'opaque') return leg.anchor(stream, media.protocol, []);
    stream.media = plain ? 'rtp' : 'srtp';
    const keys = plain
      ? []
      : stream.suite === undefined
        ? leg.offeredCrypto(stream)
        : leg.answeredCrypto(stream);
    return leg.anchor(stream, profile(!plain, hasFeedback(media.protocol)), keys);
  });
}

/** Our answer to a leg's offer, made from what the other side has answered (RFC 3264 §6). */
export function describeAnswer(leg: MediaLeg, offer: SessionDescription, from: SessionDescription): string {
  return leg.describe(from, (index) => {
    const stream = leg.streams[index];
    const offered = offer.media[index];
    if (offered === undefined) return leg.refused();
    if (stream === undefined || from.media[index]?.port === 0) return leg.refused(offered.protocol);
    return leg.anchor(stream, offered.protocol, leg.answeredCrypto(stream));
  });
}

/** Our last description to a leg as an offer: the keys that were offered and not taken are left out. */
export function describeRepeat(leg: MediaLeg): string {
  const last = parseSession(Buffer.from(leg.lastDescription, 'utf8'));
  if (!last.ok) return leg.lastDescription;
  return leg.describe(last.value, (index) => {
    const stream = leg.streams[index];
    const media = last.value.media[index];
    if (stream === undefined || media === undefined || media.port === 0) return leg.refused(media?.protocol);
    return leg.anchor(stream, media.protocol, leg.answeredCrypto(stream));
  });
}
