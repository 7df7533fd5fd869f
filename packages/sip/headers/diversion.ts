import { parseNameAddrList } from '../message/name-addr.ts';
import type { NameAddr } from '../message/types.ts';

/** One forwarding of a call, whichever header told it. */
export interface Forwarding {
  /** Who was called and did not take the call. */
  readonly from: NameAddr;
  readonly reason: ForwardingReason;
  /** Forwardings that it stands for; 1 unless said. */
  readonly count: number;
  /** Whoever has forwarded wants not to be named (RFC 5806 §6, RFC 7044 §10.1). */
  readonly hidden: boolean;
}

/** RFC 5806 §4; what it does not name is `unknown`. */
export type ForwardingReason =
  | 'user-busy'
  | 'no-answer'
  | 'unavailable'
  | 'unconditional'
  | 'deflection'
  | 'unknown';

const reasons: ReadonlySet<string> = new Set([
  'user-busy',
  'no-answer',
  'unavailable',
  'unconditional',
  'deflection',
  'unknown',
]);
/** Values of a header that are looked at; who has forwarded more has a loop. */
const mostValues = 32;
const mostCount = 100;

/** Forwardings that Diversion tells, the oldest first (RFC 5806 §5: the header has the latest first). */
export function readDiversion(fields: readonly string[]): readonly Forwarding[] {
  const found: Forwarding[] = [];
  for (const field of fields) {
    const parsed = parseNameAddrList(field);
    if (!parsed.ok) continue;
    for (const value of parsed.value) {
      if (found.length >= mostValues) break;
      const reason = unquoted(value.params.get('reason'));
      const count = Number(unquoted(value.params.get('counter')));
      found.push({
        from: value,
        reason: reasons.has(reason) ? (reason as ForwardingReason) : 'unknown',
        count: Number.isInteger(count) && count >= 1 ? Math.min(count, mostCount) : 1,
        hidden: value.params.has('privacy') && unquoted(value.params.get('privacy')) !== 'off',
      });
    }
  }
  return found.reverse();
}

const unquoted = (value: string | true | undefined): string =>
  typeof value === 'string' ? value.replaceAll('"', '').toLowerCase() : '';

/** Statuses of History-Info that say why, RFC 6044 §7. */
const reasonByCause: Readonly<Record<number, ForwardingReason>> = {
  302: 'unconditional',
  408: 'no-answer',
  480: 'deflection',
  486: 'user-busy',
  487: 'deflection',
  503: 'unavailable',
  404: 'unknown',
};

const causeByReason: Readonly<Record<ForwardingReason, number>> = {
  unconditional: 302,
  'no-answer': 408,
  deflection: 480,
  'user-busy': 486,
  unavailable: 503,
  unknown: 404,
};

/**
 * Forwardings that History-Info tells, the oldest first: every entry whose successor has a `cause` in its URI
 * (RFC 4458, RFC 7544 §6.2). Entries out of order of their index are taken as they stand.
 */
export function readHistory(fields: readonly string[]): readonly Forwarding[] {
  const entries: NameAddr[] = [];
  for (const field of fields) {
    const parsed = parseNameAddrList(field);
    if (!parsed.ok) continue;
    for (const value of parsed.value) if (entries.length <= mostValues) entries.push(value);
  }
  const found: Forwarding[] = [];
  for (let i = 0; i + 1 < entries.length; i += 1) {
    const { uri } = entries[i + 1]!;
    const cause =
      uri.scheme === 'sip' || uri.scheme === 'sips' ? Number(uri.params.get('cause')) : Number.NaN;
    if (!Number.isInteger(cause)) continue;
    const from = entries[i]!;
    const wish = 'headers' in from.uri ? from.uri.headers.get('privacy') : undefined;
    const hidden = wish !== undefined && wish.toLowerCase() !== 'none';
    found.push({ from, reason: reasonByCause[cause] ?? 'unknown', count: 1, hidden });
  }
  return found;
}

/** Cause parameter of the URI that a forwarding led to, RFC 4458 §2 and RFC 7544 §6.1. */
export const causeOf = (reason: ForwardingReason): number => causeByReason[reason];
