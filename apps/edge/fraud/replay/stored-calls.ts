import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { fraudRules } from '@ringfence/fraud/rules.ts';
import type { LabelledCall } from '@ringfence/fraud/simulate/types.ts';
import { parseMoney, unit } from '@ringfence/tariff/money.ts';
import type { CallCost } from '../toll.ts';
import type { Pricing } from './record.ts';

export interface StoredOptions {
  /** Unix milliseconds; calls that began before are left out. */
  readonly since: number;
  /** Undefined: all tenants. */
  readonly domain: string | undefined;
  /** Of what was dialled. */
  readonly price: Pricing;
  progress?(read: number, of: number): void;
}

/** Sorted on disk where they are many. */
const calls = `
  SELECT number, id, domain, started_at, answered_at, ended_at, caller, callee, principal, route, cost,
    CASE WHEN cost = '' AND cause = 'fraud' THEN decision ELSE '' END AS decision
  FROM calls
  WHERE started_at >= ?1 AND (?2 IS NULL OR domain = ?2)
    AND (cost <> '' OR (disposition = 'refused' AND cause = 'fraud')
      OR (principal LIKE 'trunk:%' AND route LIKE 'user:%'))
  ORDER BY started_at, number`;
/** Rules whose refusals are those of the judge that is replayed; what caps and closed destinations stop it never saw. */
const behaviourRules = [...fraudRules, 'behaviour'].map((rule) => `"fraud.${rule}"`);

/**
 * Ended calls of the edge's own records, in the order of their beginnings: those that had a price, those that the
 * behaviour of accounts refused then (their length is 0: nobody knows it), and those from outside to users.
 */
export function* storedCalls(
  database: DatabaseSync,
  { since, domain, price, progress }: StoredOptions,
): Generator<LabelledCall> {
  const { least, most } = database
    .prepare('SELECT coalesce(min(number), 0) AS least, coalesce(max(number), 0) AS most FROM calls')
    .get() as { least: number; most: number };
  const rows = database.prepare(calls).iterate(since, domain ?? null);
  for (const row of rows) {
    const call = callOf(row, price);
    progress?.(Number(row.number) - least + 1, most - least + 1);
    if (call !== undefined) yield call;
  }
}

function callOf(row: Record<string, SQLOutputValue>, price: Pricing): LabelledCall | undefined {
  const domain = String(row.domain);
  const principal = String(row.principal);
  const dialled = String(row.callee);
  const at = Number(row.started_at);
  const answered = row.answered_at === null ? undefined : Number(row.answered_at);
  const setupSeconds = Math.max(0, (answered ?? Number(row.ended_at)) - at) / 1_000;
  const seconds = answered === undefined ? 0 : Math.max(0, Number(row.ended_at) - answered) / 1_000;
  const cost = readCost(String(row.cost));
  const payer = payerOf(principal, domain);
  const route = String(row.route);
  const incoming = cost === undefined && principal.startsWith('trunk:') && route.startsWith('user:');
  const decision = String(row.decision);
  if (cost === undefined && !incoming && !behaviourRules.some((rule) => decision.includes(rule)))
    return undefined;
  const account = incoming
    ? `user:${route.slice(5).split('@')[0]?.toLowerCase()}@${domain}`
    : (cost?.account ?? payer);
  const perMinute = cost === undefined ? undefined : parseMoney(cost.perMinute);
  const caller = incoming
    ? String(row.caller)
        .replaceAll(/[^0-9]/g, '')
        .slice(0, 18)
    : String(row.caller);
  return {
    facts: {
      id: `${row.id}#${row.number}`,
      at,
      domain,
      account,
      caller,
      ...price(dialled, perMinute === undefined ? undefined : perMinute / unit),
      // Somebody else than the caller has paid: a phone has sent the call on.
      forwarded: cost !== undefined && payer !== '' && cost.account !== payer,
    },
    incoming,
    setupSeconds,
    seconds,
    fraud: '',
    story: '',
    site: 'office',
    proves: false,
  };
}

/** `device:alice@example.test/desk` pays as `user:alice@example.test`, a trunk as itself. */
function payerOf(principal: string, domain: string): string {
  if (!principal.startsWith('device:')) return principal;
  const user = principal.slice(7, principal.lastIndexOf(`@${domain}`));
  return `user:${user.toLowerCase()}@${domain}`;
}

function readCost(text: string): CallCost | undefined {
  if (text === '') return undefined;
  try {
    const value = JSON.parse(text) as Partial<CallCost> | null;
    return typeof value?.account === 'string' && typeof value.perMinute === 'string'
      ? (value as CallCost)
      : undefined;
  } catch {
    return undefined;
  }
}
