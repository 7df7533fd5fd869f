import { parseSession } from '@ringfence/sdp/parse.ts';
import type { SessionDescription } from '@ringfence/sdp/session.ts';
import { zrtpHash } from '@ringfence/sdp/zrtp.ts';
import { type OfferedProtection, offersTo } from './keying.ts';
import type { MediaLeg, StreamState } from './leg.ts';
import { answerEvents, offerEvents } from './telephone-event.ts';
import { answeredHash, offeredHash } from './zrtp.ts';

type Streams = readonly (StreamState | undefined)[];

const names = { plain: 'RTP/AVP', sdes: 'RTP/SAVP', dtls: 'UDP/TLS/RTP/SAVP', optional: 'RTP/AVP' } as const;

const hasFeedback = (protocol: string): boolean => protocol.toUpperCase().endsWith('AVPF');

/**
 * RFC 4585 §4.2, RFC 5124: feedback is offered to whoever is offered DTLS by one who has it, and to browsers always.
 * The profile of a browser, which would have it for voice too, is not carried to a phone that may know nothing of it.
 */
function feedback(leg: MediaLeg, protocol: string, as: keyof typeof names): boolean {
  if (as === 'dtls') return leg.side.web === true || hasFeedback(protocol);
  return hasFeedback(protocol) && !protocol.toUpperCase().startsWith('UDP/TLS/');
}

/** Our offer to a leg, made from the other side's description: fresh keys at first, later the agreed one. */
export function describeOffer(
  leg: MediaLeg,
  from: SessionDescription,
  protectionOf: (stream: StreamState, index: number) => OfferedProtection | 'optional',
  streams: Streams = leg.streams,
): string {
  let bundled = false;
  return leg.describe(leg.side.bridgeDigits === true ? offerEvents(from) : from, (index) => {
    const stream = streams[index];
    const media = from.media[index];
    if (stream === undefined || media === undefined || media.port === 0) return leg.refused();
    if (stream.media === 'opaque') return leg.anchor(stream, media.protocol, [], 'us');
    stream.says = offeredHash(leg.side, zrtpHash(from, media));
    const protection = protectionOf(stream, index);
    stream.media = protection === 'plain' ? 'rtp' : 'srtp';
    stream.optional = protection === 'optional';
    stream.keying =
      protection === 'plain' ? undefined : protection === 'optional' ? likeliest(leg) : protection;
    const keys =
      stream.keying !== 'sdes'
        ? []
        : stream.suite === undefined
          ? leg.offeredCrypto(stream)
          : leg.answeredCrypto(stream);
    if (stream.mid === undefined && (stream.ice !== undefined || stream.keying === 'dtls')) {
      stream.mid = String(index);
      if (!bundled && stream.ice !== undefined) stream.bundled = true;
    }
    bundled ||= stream.bundled === true;
    const name = names[protection];
    return leg.anchor(stream, feedback(leg, media.protocol, protection) ? `${name}F` : name, keys, 'us');
  });
}

/** How keys are offered to whoever need not take them. */
const likeliest = (leg: MediaLeg): StreamState['keying'] =>
  offersTo(leg.side)[0] === 'dtls' ? 'dtls' : 'sdes';

/** Our answer to a leg's offer, made from what the other side has answered (RFC 3264 §6). */
export function describeAnswer(leg: MediaLeg, offer: SessionDescription, from: SessionDescription): string {
  return leg.describe(leg.side.bridgeDigits === true ? answerEvents(offer, from) : from, (index) => {
    const stream = leg.streams[index];
    const offered = offer.media[index];
    if (offered === undefined) return leg.refused();
    const answered = from.media[index];
    if (stream === undefined || answered?.port === 0) return leg.refused(offered.protocol);
    stream.says = answeredHash(leg.side, stream.hello, answered && zrtpHash(from, answered));
    return leg.anchor(stream, offered.protocol, leg.answeredCrypto(stream), 'peer');
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
    return leg.anchor(stream, media.protocol, leg.answeredCrypto(stream), 'us');
  });
}

/** The answer that takes no stream of an offer: the ACK of a 2xx must carry one (RFC 3261 §13.2.2.4). */
export const describeRefusal = (leg: MediaLeg, offer: SessionDescription): string =>
  leg.describe(offer, (index) => leg.refused(offer.media[index]?.protocol));
