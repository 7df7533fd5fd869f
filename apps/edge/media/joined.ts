import { parseSession } from '@ringfence/sdp/parse.ts';
import type { MediaDescription, SessionDescription } from '@ringfence/sdp/session.ts';
import { describeOffer } from './describe.ts';
import type { OfferedProtection } from './keying.ts';
import type { MediaLeg } from './leg.ts';
import type { ReadSession, ReadStream } from './read-offer.ts';

const directions: ReadonlySet<string> = new Set(['sendrecv', 'sendonly', 'recvonly', 'inactive']);

/** The same session with nobody on hold: whoever is joined with somebody new is heard. */
export function resumed(session: SessionDescription): SessionDescription {
  const without = <T extends { readonly name: string }>(list: readonly T[]): T[] =>
    list.filter(({ name }) => !directions.has(name));
  return {
    ...session,
    attributes: without(session.attributes),
    media: session.media.map((media) => ({ ...media, attributes: without(media.attributes) })),
  };
}

/** What a party is known to be able to do, as if it had offered it: no place and no keys, both are asked for anew. */
export function readKnown(session: SessionDescription): ReadSession {
  const streams: (ReadStream | undefined)[] = [];
  let usable = 0;
  for (const media of session.media) {
    const kind = media.port === 0 ? undefined : kindOf(media);
    if (kind !== undefined) usable += 1;
    streams.push(kind === undefined ? undefined : { media: kind, mux: false, codec: '' });
  }
  return {
    session,
    streams,
    facts: { present: true, srtp: false, plain: false, unsupported: false, usable },
  };
}

const kindOf = ({ protocol }: MediaDescription): ReadStream['media'] =>
  protocol.toLowerCase() === 'udptl' ? 'opaque' : 'rtp';

/**
 * Our offer to a leg that has been told something before: no `m=` line goes away (RFC 3264 §8).
 *
 * Lines that the other side does not have, or has for another kind of media, are offered with port 0.
 */
export function describeAgain(
  leg: MediaLeg,
  from: SessionDescription,
  protection: OfferedProtection,
): string {
  const former = parseSession(Buffer.from(leg.lastDescription, 'utf8'));
  if (!former.ok) return describeOffer(leg, from, () => protection);
  const lines = former.value.media;
  const media: MediaDescription[] = [];
  for (let i = 0; i < Math.max(lines.length, from.media.length); i += 1) {
    const theirs = from.media[i];
    const ours = lines[i];
    if (theirs !== undefined && (ours === undefined || ours.media === theirs.media)) media.push(theirs);
    else if (ours !== undefined) media.push({ ...ours, port: 0 });
  }
  return describeOffer(leg, { ...from, media }, () => protection);
}
