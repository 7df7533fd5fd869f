import { codecOf } from '@ringfence/sdp/attribute.ts';
import { isRtp, type MediaDescription, type SessionDescription } from '@ringfence/sdp/session.ts';

/** Codecs of a side, most wanted first, by their encoding names in lower case (RFC 8866 §6.6). */
export type CodecList = readonly string[];

/** Not codecs, but what goes with them: keys that are pressed (RFC 4733) stay wherever a codec does. */
const companions: ReadonlySet<string> = new Set(['telephone-event']);

/**
 * A description with its audio cut down to a side's codecs and in that side's order; the same object where nothing is
 * asked for. A stream that keeps none has no formats, and so is refused.
 */
export function withCodecs(session: SessionDescription, codecs: CodecList | undefined): SessionDescription {
  if (codecs === undefined) return session;
  return {
    ...session,
    media: session.media.map((media) => (isAudio(media) ? ordered(media, codecs) : media)),
  };
}

const isAudio = (media: MediaDescription): boolean => media.media === 'audio' && isRtp(media.protocol);

function ordered(media: MediaDescription, codecs: CodecList): MediaDescription {
  const ranked: { readonly format: string; readonly rank: number }[] = [];
  const beside: string[] = [];
  for (const format of media.formats) {
    const name = codecOf(media, format)?.encoding.toLowerCase();
    if (name === undefined) continue;
    const rank = codecs.indexOf(name);
    if (rank >= 0) ranked.push({ format, rank });
    else if (companions.has(name)) beside.push(format);
  }
  if (ranked.length === 0) return { ...media, formats: [] };
  // Among formats of one codec the peer's order holds.
  ranked.sort((a, b) => a.rank - b.rank);
  return { ...media, formats: [...ranked.map(({ format }) => format), ...beside] };
}
