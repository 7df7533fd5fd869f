import { Reader } from '@ringfence/bytes/reader.ts';

/** VoIP metrics of RFC 3611 §4.7: what a receiver has heard, after its jitter buffer. What it did not know is absent. */
export interface VoipMetrics {
  /** Percent of packets lost on the way, and of those that came too late or early to be played. */
  readonly lossPercent: number;
  readonly discardPercent: number;
  /** Percent lost or discarded within bursts, and between them (§4.7.2). */
  readonly burstDensityPercent: number;
  readonly gapDensityPercent: number;
  /** Mean duration of bursts and of gaps. */
  readonly burstMs: number;
  readonly gapMs: number;
  readonly roundTripMs: number;
  /** Of the receiving system: jitter buffer, decoder, playout, and the sender's encoder. */
  readonly endSystemDelayMs: number;
  readonly signalLevelDbm?: number;
  readonly noiseLevelDbm?: number;
  readonly echoReturnLossDb?: number;
  /** Packets in a row that end a burst; 16 is recommended. */
  readonly gmin: number;
  /** Of this leg and of others behind it, 0 to 100. */
  readonly rFactor?: number;
  readonly externalRFactor?: number;
  /** Listening and conversational quality, 1.0 to 5.0. */
  readonly mosLq?: number;
  readonly mosCq?: number;
  readonly jitterBuffer: { readonly nominalMs: number; readonly maximumMs: number; readonly limitMs: number };
}

/** Octets behind the SSRC of the block. */
export const voipMetricsLength = 28;
/** RFC 3611 §4.7.4, §4.7.5: not known. */
const unknown = 127;

type Writable<T> = { -readonly [K in keyof T]: T[K] };

/** Reads the block behind its SSRC; undefined where it is not 28 octets long. */
export function readVoipMetrics(bytes: Uint8Array): VoipMetrics | undefined {
  if (bytes.length !== voipMetricsLength) return undefined;
  const reader = new Reader(bytes);
  const u8 = (): number => reader.u8()!;
  const u16 = (): number => reader.u16()!;
  const percent = (): number => Math.round((u8() * 1000) / 256) / 10;
  const [lossPercent, discardPercent, burstDensityPercent, gapDensityPercent] = [
    percent(),
    percent(),
    percent(),
    percent(),
  ];
  const [burstMs, gapMs, roundTripMs, endSystemDelayMs] = [u16(), u16(), u16(), u16()];
  const [signal, noise, echo, gmin, r, external, lq, cq] = [u8(), u8(), u8(), u8(), u8(), u8(), u8(), u8()];
  reader.skip(2);
  const metrics: Writable<VoipMetrics> = {
    lossPercent,
    discardPercent,
    burstDensityPercent,
    gapDensityPercent,
    burstMs,
    gapMs,
    roundTripMs,
    endSystemDelayMs,
    gmin,
    jitterBuffer: { nominalMs: u16(), maximumMs: u16(), limitMs: u16() },
  };
  if (signal !== unknown) metrics.signalLevelDbm = (signal << 24) >> 24;
  if (noise !== unknown) metrics.noiseLevelDbm = (noise << 24) >> 24;
  if (echo !== unknown) metrics.echoReturnLossDb = echo;
  if (r <= 100) metrics.rFactor = r;
  if (external <= 100) metrics.externalRFactor = external;
  // Tenths from 10 to 50.
  if (lq >= 10 && lq <= 50) metrics.mosLq = lq / 10;
  if (cq >= 10 && cq <= 50) metrics.mosCq = cq / 10;
  return metrics;
}
