import type { CallCost } from '../fraud/toll.ts';
import type { LegQuality } from '../media/quality.ts';
import type { CallRecord, LegRecord } from '../store/contract.ts';
import type { CallLeg } from './leg.ts';
import { socketText } from './services.ts';

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
  /** JSON; empty before the call is answered. */
  readonly grade: string;
  readonly cost?: CallCost | undefined;
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
    grade: facts.grade,
    legs,
  };
  if (facts.cost !== undefined) record.cost = JSON.stringify(facts.cost);
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
