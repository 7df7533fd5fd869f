import { parseSession } from '@ringfence/sdp/parse.ts';
import type { MediaDescription, SessionDescription } from '@ringfence/sdp/session.ts';
import type { MediaLeg } from '../media/leg.ts';

/** One stream of voice of a party, as it can be recorded. */
export interface RecordableStream {
  readonly index: number;
  /** Of the relay. */
  readonly endpoint: number;
  readonly codec: string;
  /** What we have said to that party: the payload types that it sends. */
  readonly media: MediaDescription;
  readonly session: SessionDescription;
}

/** The first stream of RTP that the leg has agreed to; undefined where there is none. */
export function recordableOf(leg: MediaLeg | undefined): RecordableStream | undefined {
  if (leg === undefined) return undefined;
  const said = parseSession(Buffer.from(leg.lastDescription, 'utf8'));
  if (!said.ok) return undefined;
  for (const [index, stream] of leg.streams.entries()) {
    const media = said.value.media[index];
    if (stream === undefined || stream.media === 'opaque' || media === undefined || media.port === 0)
      continue;
    if (media.media !== 'audio') continue;
    return { index, endpoint: stream.endpoint.id, codec: stream.codec, media, session: said.value };
  }
  return undefined;
}

/**
 * What the recorder is offered (RFC 7866 §7.1.1): a stream for each party, `sendonly`, with `a=label` as the metadata
 * names it (RFC 4574); `inactive` while the recording pauses (§7.1.1.1).
 */
export function describeRecording(
  recorder: MediaLeg,
  streams: readonly RecordableStream[],
  direction: 'sendonly' | 'inactive',
): string {
  const [first] = streams;
  if (first === undefined) return '';
  const from: SessionDescription = { ...first.session, media: streams.map(({ media }) => media) };
  return recorder.describe(from, (index) => {
    const stream = recorder.streams[index];
    if (stream === undefined) return recorder.refused();
    const secure = stream.media === 'srtp';
    const keys = !secure
      ? []
      : stream.suite === undefined
        ? recorder.offeredCrypto(stream)
        : recorder.answeredCrypto(stream);
    const anchor = recorder.anchor(stream, secure ? 'RTP/SAVP' : 'RTP/AVP', keys, 'us');
    const attributes = [...(anchor.attributes ?? []), { name: 'label', value: labelOf(index) }];
    return { ...anchor, direction, attributes };
  });
}

export const labelOf = (index: number): string => String(index + 1);
