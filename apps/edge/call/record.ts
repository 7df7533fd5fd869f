import type { EndpointStats } from '@ringfence/relay/contract.ts';
import { codecImpairment, mos } from '@ringfence/rtp/e-model.ts';
import type { MediaLeg } from '../media/leg.ts';
import type { CallRecord, LegRecord } from '../store/contract.ts';
import type { CallLeg } from './leg.ts';
import { socketText } from './services.ts';

/** One way through the network, which nobody at one end can measure. */
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
  /** ITU-T G.107 estimate, 1 to 4.5; absent where nothing came, or of a codec that the model does not know. */
  readonly mos?: number;
}

/** Counters of all streams of a leg added up, and the estimate for the first of them. */
export function qualityOf(stats: readonly EndpointStats[], leg: MediaLeg): LegQuality | undefined {
  if (stats.length === 0) return undefined;
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
  const expected = sum.received.packets + sum.received.lost;
  const lossPercent = expected === 0 ? 0 : (100 * sum.received.lost) / expected;
  if (sum.received.packets === 0) return { ...sum, lossPercent };
  const codec = codecImpairment(leg.streams.find((stream) => stream !== undefined)?.codec ?? '');
  if (codec === undefined) return { ...sum, lossPercent };
  const estimate = mos({ delayMs: assumedDelayMs, jitterMs: sum.received.jitterMs, lossPercent, codec });
  return { ...sum, lossPercent, mos: Math.round(estimate * 100) / 100 };
}

/** The facts of a call that its record is made from. */
export interface CallFacts {
  readonly id: string;
  readonly domain: string;
  readonly startedAt: number;
  readonly ringingAt: number | undefined;
  readonly answeredAt: number | undefined;
  readonly endedAt: number | undefined;
  readonly caller: string;
  readonly callee: string;
  readonly principal: string;
  readonly route: string;
  readonly disposition: CallRecord['disposition'];
  readonly status: number;
  readonly cause: string;
  /** JSON. */
  readonly decision: string;
}

type Writable<T> = { -readonly [K in keyof T]: T[K] };

export function callRecord(facts: CallFacts, legs: readonly LegRecord[]): CallRecord {
  const { ringingAt, answeredAt, endedAt } = facts;
  const record: Writable<CallRecord> = {
    id: facts.id,
    domain: facts.domain,
    startedAt: facts.startedAt,
    caller: facts.caller,
    callee: facts.callee,
    principal: facts.principal,
    route: facts.route,
    disposition: facts.disposition,
    status: facts.status,
    cause: facts.cause,
    decision: facts.decision,
    legs,
  };
  if (ringingAt !== undefined) record.ringingAt = ringingAt;
  if (answeredAt !== undefined) record.answeredAt = answeredAt;
  if (endedAt !== undefined) record.endedAt = endedAt;
  return record;
}

/** `protection`: JSON. */
export function legRecord(leg: CallLeg, protection: string, quality: LegQuality | undefined): LegRecord {
  const record: Writable<LegRecord> = {
    index: leg.index,
    direction: leg.index === 0 ? 'in' : 'out',
    principal: leg.party,
    remote: socketText(leg.flow.remote),
    transport: leg.flow.transport,
    callId: leg.callId,
    status: leg.status,
    startedAt: leg.startedAt,
    protection,
    quality: quality === undefined ? '' : JSON.stringify(quality),
  };
  if (leg.answeredAt !== undefined) record.answeredAt = leg.answeredAt;
  if (leg.endedAt !== undefined) record.endedAt = leg.endedAt;
  return record;
}
