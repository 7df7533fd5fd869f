import { codecOf } from '@ringfence/sdp/attribute.ts';
import type { MediaDescription, SessionDescription } from '@ringfence/sdp/session.ts';

/** First choice for our own offers, and what most others use. */
const usual = 101;
const [firstDynamic, lastDynamic] = [96, 127] as const;

/** Payload type of RFC 4733 events in that stream, undefined where there is none. */
export function telephoneEventOf(media: MediaDescription): number | undefined {
  for (const format of media.formats) {
    const codec = codecOf(media, format);
    if (codec?.encoding.toLowerCase() === 'telephone-event') return codec.payloadType;
  }
  return undefined;
}

/** An offer with events in every audio stream, for a side that may have them where the other has not. */
export const offerEvents = (session: SessionDescription): SessionDescription => ({
  ...session,
  media: session.media.map((media) => {
    if (media.media !== 'audio' || media.port === 0 || telephoneEventOf(media) !== undefined) return media;
    const payloadType = freeType(media);
    return payloadType === undefined ? media : withEvents(media, payloadType);
  }),
});

/**
 * The other side's answer as an answer to this offer: with events where they were offered, whether or not the other side
 * has them, and without where they were not.
 */
export const answerEvents = (offer: SessionDescription, answer: SessionDescription): SessionDescription => ({
  ...answer,
  media: answer.media.map((media, index) => {
    const offered = offer.media[index];
    if (media.media !== 'audio' || media.port === 0 || offered === undefined) return media;
    const wanted = telephoneEventOf(offered);
    const has = telephoneEventOf(media);
    if (wanted === undefined)
      return has === undefined
        ? media
        : { ...media, formats: media.formats.filter((f) => f !== String(has)) };
    return has !== undefined || media.formats.includes(String(wanted)) ? media : withEvents(media, wanted);
  }),
});

/** RFC 4733 §2.4.1: the twelve keys and A to D. */
const withEvents = (media: MediaDescription, payloadType: number): MediaDescription => ({
  ...media,
  formats: [...media.formats, String(payloadType)],
  attributes: [
    ...media.attributes,
    { name: 'rtpmap', value: `${payloadType} telephone-event/8000` },
    { name: 'fmtp', value: `${payloadType} 0-15` },
  ],
});

function freeType(media: MediaDescription): number | undefined {
  if (!media.formats.includes(String(usual))) return usual;
  for (let type = firstDynamic; type <= lastDynamic; type += 1)
    if (!media.formats.includes(String(type))) return type;
  return undefined;
}
