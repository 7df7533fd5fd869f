import type { Suite } from '@ringfence/srtp/suite.ts';
import { type LegSide, MediaLeg, type StreamState } from './leg.ts';
import type { Shown } from './shown.ts';

/** Media of one leg as plain data. Keys are not in it: they live in the media process. */
export interface MediaLegSnapshot {
  readonly side: LegSide;
  readonly sessionId: string;
  readonly version: number;
  /** What we said last, without its keys. */
  readonly last: string;
  readonly streams: readonly (StreamSnapshot | null)[];
}

interface StreamSnapshot {
  readonly id: number;
  readonly rtp: number;
  readonly rtcp: number;
  readonly mux: boolean;
  readonly media: StreamState['media'];
  readonly suite: Suite | null;
  readonly tag: number;
  readonly codec: string;
  readonly telephoneEvent?: number;
  readonly shown?: Shown;
}

export function snapshotMedia(leg: MediaLeg): MediaLegSnapshot {
  const { sessionId, version, last } = leg.said;
  return {
    side: leg.side,
    sessionId,
    version,
    last: withoutKeys(last),
    streams: Array.from(leg.streams, (stream) =>
      stream === undefined
        ? null
        : {
            id: stream.endpoint.id,
            rtp: stream.endpoint.rtpPort,
            rtcp: stream.endpoint.rtcpPort,
            mux: stream.mux,
            media: stream.media,
            suite: stream.suite ?? null,
            tag: stream.tag,
            codec: stream.codec,
            ...(stream.telephoneEvent === undefined ? {} : { telephoneEvent: stream.telephoneEvent }),
            ...(stream.shown === undefined ? {} : { shown: stream.shown }),
          },
    ),
  };
}

/** Without `live` its endpoints are gone, and their numbers may be somebody else's. */
export function restoreMedia(snapshot: MediaLegSnapshot, live: boolean): MediaLeg {
  const { side, sessionId, version, last } = snapshot;
  const leg = new MediaLeg(side, sessionId, { version, last });
  for (const stream of snapshot.streams)
    leg.streams.push(
      stream === null
        ? undefined
        : {
            endpoint: {
              id: live ? stream.id : 0,
              address: side.local,
              rtpPort: stream.rtp,
              rtcpPort: stream.rtcp,
              keys: [],
            },
            mux: stream.mux,
            media: stream.media,
            suite: stream.suite ?? undefined,
            tag: stream.tag,
            receive: undefined,
            codec: stream.codec,
            telephoneEvent: stream.telephoneEvent,
            ...(stream.shown === undefined ? {} : { shown: stream.shown }),
            ...(stream.media === 'srtp' ? { keyless: true } : {}),
          },
    );
  return leg;
}

/** RFC 4568 §4: keys stand in `a=crypto` lines and nowhere else; the text is our own serializer's. */
function withoutKeys(description: string): string {
  if (!description.includes('a=crypto:')) return description;
  return description
    .split('\r\n')
    .filter((line) => !line.startsWith('a=crypto:'))
    .join('\r\n');
}
