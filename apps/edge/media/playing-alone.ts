import { codecOf, effectiveDirection } from '@ringfence/sdp/attribute.ts';
import type { MediaDescription, SessionDescription } from '@ringfence/sdp/session.ts';
import type { SoundFormat } from '../sound/desk.ts';
import { soundCodecOf } from '../sound/frames.ts';

const directions: ReadonlySet<string> = new Set(['sendrecv', 'sendonly', 'recvonly', 'inactive']);

/** The first format of a stream that sound can be played in. */
export function soundFormatOf(media: MediaDescription): SoundFormat | undefined {
  for (const format of media.formats) {
    const agreed = codecOf(media, format);
    const codec = agreed === undefined ? undefined : soundCodecOf(agreed.encoding);
    if (agreed !== undefined && codec !== undefined) return { codec, payloadType: agreed.payloadType };
  }
  return undefined;
}

/** May whoever has written this be sent something on that stream? */
export const mayHear = (session: SessionDescription, media: MediaDescription): boolean => {
  const direction = effectiveDirection(session, media);
  return direction === 'recvonly' || direction === 'sendrecv';
};

/**
 * What there is to say to an offer whose caller is played something and nothing else: its first stream that can be, with
 * one codec, `sendonly`; all others are refused.
 */
export function playedTo(
  offer: SessionDescription,
):
  | { readonly session: SessionDescription; readonly index: number; readonly format: SoundFormat }
  | undefined {
  const index = offer.media.findIndex(
    (media) =>
      media.media === 'audio' &&
      media.port !== 0 &&
      mayHear(offer, media) &&
      soundFormatOf(media) !== undefined,
  );
  const chosen = offer.media[index];
  const format = chosen === undefined ? undefined : soundFormatOf(chosen);
  if (format === undefined) return undefined;
  const without = <T extends { readonly name: string }>(list: readonly T[]): T[] =>
    list.filter(({ name }) => !directions.has(name));
  const session: SessionDescription = {
    ...offer,
    attributes: without(offer.attributes),
    media: offer.media.map((media, i) =>
      i === index
        ? {
            ...media,
            formats: [String(format.payloadType)],
            attributes: [...without(media.attributes), { name: 'sendonly' }],
          }
        : { ...media, port: 0 },
    ),
  };
  return { session, index, format };
}

/** The same for a caller who will talk to somebody in a moment: as it has offered, so that nobody seems to hold it. */
export function answeredFirst(offer: SessionDescription): SessionDescription | undefined {
  const played = playedTo(offer);
  const media = offer.media[played?.index ?? -1];
  if (played === undefined || media === undefined || effectiveDirection(offer, media) !== 'sendrecv')
    return played?.session;
  return {
    ...played.session,
    media: played.session.media.map((one, index) =>
      index === played.index
        ? { ...one, attributes: one.attributes.filter(({ name }) => !directions.has(name)) }
        : one,
    ),
  };
}
