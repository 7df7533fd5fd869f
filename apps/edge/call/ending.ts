import type { CallMedia } from '../media/call-media.ts';
import { type LegQuality, qualityOf } from '../media/quality.ts';
import type { Grade } from '../policy/grade.ts';
import type { LegProtection } from '../policy/protection.ts';
import type { CallRecord } from '../store/contract.ts';
import { isPassing } from '../store/store-error.ts';
import type { CallLeg } from './leg.ts';
import { readGrade } from './padlock.ts';
import { type CallFacts, callRecord, legRecord } from './record.ts';
import type { CallServices } from './services.ts';

/** Where a call was refused or ended, for its record: cause and disposition. */
export function outcomeOf(status: number): [cause: string, disposition: CallRecord['disposition']] {
  if (status === 486 || status === 600) return ['normal', 'busy'];
  if (status === 480 || status === 408 || status === 487) return ['timeout', 'unanswered'];
  if (status === 488 || status === 606) return ['media', 'failed'];
  if (status === 603) return ['normal', 'refused'];
  return ['normal', 'failed'];
}

/** The record of a call that was answered and lives; `state` is its snapshot, for the next process. */
export function recordLive(
  services: CallServices,
  facts: CallFacts,
  legs: readonly CallLeg[],
  protection: readonly LegProtection[],
  state: string,
): void {
  const records = legs.map((leg, i) => legRecord(leg, JSON.stringify(protection[i]), undefined));
  services.record(callRecord(facts, records), state).catch((error: unknown) => storeFailed(services, error));
}

/** Gives the media back, tells of the end and, with `keep`, writes the last record. Never rejects. */
export async function recordEnded(
  services: CallServices,
  facts: CallFacts & { readonly endedAt: number },
  legs: readonly CallLeg[],
  media: CallMedia | undefined,
  keep = true,
): Promise<void> {
  const { endedAt, answeredAt } = facts;
  // Before what was agreed is wiped.
  const protections = legs.map((leg) => JSON.stringify(leg.protection(media)));
  const qualities: (LegQuality | undefined)[] = [];
  if (media !== undefined) {
    const stats = await media.close();
    for (const leg of legs)
      qualities.push(leg.media === undefined ? undefined : qualityOf(stats[leg.index] ?? [], leg.media));
  }
  const partner = legs.length > 1 ? legs.at(-1)?.party : undefined;
  services.bus.emit({
    type: 'call.ended',
    call: facts.id,
    domain: facts.domain,
    caller: facts.caller,
    callee: facts.callee,
    principal: facts.principal,
    route: facts.route,
    ...(partner === undefined ? {} : { partner }),
    delayMs: Math.max(0, (facts.ringingAt ?? answeredAt ?? endedAt) - facts.startedAt),
    disposition: facts.disposition,
    status: facts.status,
    cause: facts.cause,
    seconds: answeredAt === undefined ? 0 : Math.round((endedAt - answeredAt) / 100) / 10,
    quality: qualities,
    ...(facts.cost === undefined ? {} : { cost: facts.cost }),
    ...sealedGrade(facts.grade),
  });
  if (!keep) return;
  const ended = legs.map((leg, i) => {
    leg.endedAt ??= endedAt;
    return legRecord(leg, protections[i] ?? '', qualities[i]);
  });
  try {
    await services.record(callRecord(facts, ended));
  } catch (error) {
    storeFailed(services, error);
  }
}

/** The last word on what protected the call; nothing of a call that nobody has answered. */
function sealedGrade(text: string): { readonly grade?: Grade; readonly sentence?: string } {
  const grade = text === '' ? undefined : readGrade(text);
  return grade === undefined ? {} : { grade: grade.grade, sentence: grade.sentence };
}

/** A full or locked disk is told of once, by the store itself, which keeps the record and tries again. */
const storeFailed = (services: CallServices, error: unknown): void => {
  if (!isPassing(error)) services.bus.emit({ type: 'edge.error', where: 'store', detail: String(error) });
};
