import type { EndpointStats, RemoteReport } from '@ringfence/relay/contract.ts';
import { type CodecImpairment, codecImpairment, mos } from '@ringfence/rtp/e-model.ts';
import { readVoipMetrics, type VoipMetrics } from '@ringfence/rtp/voip-metrics.ts';
import type { MediaLeg } from './leg.ts';

/** One way through the network, where no RTCP of the peer has told how long it takes. */
const assumedDelayMs = 20;

/** What is measured of one leg: what its peer sent us, and how that must have sounded. */
export interface LegQuality {
  readonly received: {
    readonly packets: number;
    readonly octets: number;
    readonly lost: number;
    readonly reordered: number;
    readonly duplicates: number;
    readonly jitterMs: number;
  };
  readonly sent: { readonly packets: number; readonly octets: number };
  readonly dropped: {
    readonly source: number;
    readonly authentication: number;
    readonly replay: number;
    readonly malformed: number;
  };
  readonly lossPercent: number;
  /** ITU-T G.107 or G.107.1 estimate, 1 to 4.5; absent where nothing came, or of a codec that the model does not know. */
  readonly mos?: number;
  /** The same over time, of the first stream: at most 32 stretches, each from its second to the next one's. */
  readonly history?: readonly {
    readonly atSeconds: number;
    readonly lossPercent: number;
    readonly jitterMs: number;
    readonly mos?: number;
  }[];
  /** What the peer's own reports have last said of what it got from us (RFC 3550 §6.4). */
  readonly reported?: RemoteReport;
  /** What its phone made of it (RFC 3611 §4.7). */
  readonly voipMetrics?: VoipMetrics;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Counters of all streams of a leg added up, and the estimate for the first of them. */
export function qualityOf(stats: readonly EndpointStats[], leg: MediaLeg): LegQuality | undefined {
  const first = stats[0];
  if (first === undefined) return undefined;
  const sum = added(stats);
  const expected = sum.received.packets + sum.received.lost;
  const quality: Writable<LegQuality> = {
    ...sum,
    lossPercent: expected === 0 ? 0 : (100 * sum.received.lost) / expected,
  };
  const codec = codecImpairment(leg.streams.find((stream) => stream !== undefined)?.codec ?? '');
  const { reported, history } = first;
  const delayMs = reported?.roundTripMs === undefined ? assumedDelayMs : reported.roundTripMs / 2;
  const score = (jitterMs: number, lossPercent: number): { mos?: number } =>
    codec === undefined ? {} : { mos: estimate(codec, delayMs, jitterMs, lossPercent) };
  if (sum.received.packets > 0) Object.assign(quality, score(sum.received.jitterMs, quality.lossPercent));
  if (history !== undefined)
    quality.history = history.map(({ atMs, lossPercent, jitterMs }) => ({
      atSeconds: Math.round(atMs / 1000),
      lossPercent,
      jitterMs,
      ...score(jitterMs, lossPercent),
    }));
  if (reported !== undefined) quality.reported = rounded(reported);
  const metrics = first.voipMetrics === undefined ? undefined : readVoipMetrics(first.voipMetrics);
  if (metrics !== undefined) quality.voipMetrics = metrics;
  return quality;
}

const estimate = (codec: CodecImpairment, delayMs: number, jitterMs: number, lossPercent: number): number =>
  Math.round(mos({ delayMs, jitterMs, lossPercent, codec }) * 100) / 100;

const rounded = ({ lossPercent, lost, jitterMs, roundTripMs }: RemoteReport): RemoteReport => ({
  lossPercent: tenths(lossPercent),
  lost,
  jitterMs: tenths(jitterMs),
  ...(roundTripMs === undefined ? {} : { roundTripMs: tenths(roundTripMs) }),
});

const tenths = (value: number): number => Math.round(value * 10) / 10;

function added(stats: readonly EndpointStats[]): Pick<LegQuality, 'received' | 'sent' | 'dropped'> {
  const sum = {
    received: { packets: 0, octets: 0, lost: 0, reordered: 0, duplicates: 0, jitterMs: 0 },
    sent: { packets: 0, octets: 0 },
    dropped: { source: 0, authentication: 0, replay: 0, malformed: 0 },
  };
  for (const row of stats) {
    sum.received.packets += row.received.packets;
    sum.received.octets += row.received.octets;
    sum.received.lost += row.received.lost;
    sum.received.reordered += row.received.reordered;
    sum.received.duplicates += row.received.duplicates;
    sum.received.jitterMs = Math.max(sum.received.jitterMs, row.received.jitterMs);
    sum.sent.packets += row.sent.packets;
    sum.sent.octets += row.sent.octets;
    sum.dropped.source += row.dropped.source;
    sum.dropped.authentication += row.dropped.authentication;
    sum.dropped.replay += row.dropped.replay;
    sum.dropped.malformed += row.dropped.malformed;
  }
  return sum;
}
