import type { CallRecord, LegRecord } from '../store/contract.ts';
import type { LedgerEntry, PersonData } from './contract.ts';

/**
 * The last record of a call as an entry: facts that name nobody in the open, each side's data under the key of who was
 * on that side.
 */
export function callEntry(record: CallRecord, endedAt: number): LedgerEntry {
  const { domain, legs, disposition } = record;
  const [first, ...others] = legs;
  const known = record.principal !== 'unknown';
  // Numbers that somebody dialled and nobody answered make no keys: a guesser would make one with each.
  const answered = record.answeredAt !== undefined;
  return {
    class: 'call',
    tenant: domain,
    time: endedAt,
    body: {
      event: 'call',
      call: record.id,
      started: record.startedAt,
      ringing: record.ringingAt,
      answered: record.answeredAt,
      ended: endedAt,
      disposition,
      status: record.status,
      cause: record.cause,
      protection: value(record.grade),
    },
    persons: [
      {
        person: callerOf(record),
        proven: record.principal.startsWith('device:') || (known && answered),
        data: {
          as: 'caller',
          caller: record.caller,
          principal: record.principal,
          ...(record.cost === undefined ? {} : { cost: value(record.cost) }),
          decision: value(record.decision),
          legs: first === undefined ? [] : [legData(first)],
        },
      },
      {
        person: calleeOf(record),
        proven: known && (answered || record.route.startsWith('user:')),
        data: { as: 'callee', callee: record.callee, route: record.route, legs: others.map(legData) },
      },
    ] satisfies PersonData[],
  };
}

const legData = ({ protection, quality, ...leg }: LegRecord) => ({
  ...leg,
  protection: value(protection),
  quality: value(quality),
});

/** Of a device its user, else the number that came. */
function callerOf({ principal, caller, domain }: CallRecord): string {
  const user = /^device:([^/]*)\//.exec(principal)?.[1];
  return user ?? personOf(caller, domain);
}

const calleeOf = ({ route, callee, domain }: CallRecord): string =>
  route.startsWith('user:') ? personOf(route.slice('user:'.length), domain) : personOf(callee, domain);

/** Numbers stand for themselves; users belong to their domain. */
export const personOf = (name: string, domain: string): string =>
  name.includes('@') || /^\+?[0-9]+$/.test(name) ? name.toLowerCase() : `${name}@${domain}`.toLowerCase();

function value(json: string): unknown {
  if (json === '') return null;
  try {
    return JSON.parse(json) as unknown;
  } catch {
    return json;
  }
}
