import type { Trunk, User } from '../../objects/types.ts';
import type { LimitFacts } from '../../policy/decide.ts';
import type { DomainDirectory } from '../../routing/directory.ts';
import type { CallRecord } from '../../store/contract.ts';
import { ownerOf } from '../owner.ts';
import type { Claim, Limits } from './limits.ts';

/** Refusals of a domain's or user's limit; a trunk says itself what its callers hear. */
const usual = { status: 503, retryAfter: 5 } as const;

/** Whose call it is. */
export type LimitedCaller =
  | { readonly kind: 'device'; readonly user: string }
  | { readonly kind: 'trunk'; readonly trunk: string }
  | { readonly kind: 'unknown' };

/** What a call counts for beside the trunk that it goes out by: the caller's user or trunk, and the domain. */
export function claimsOf(principal: LimitedCaller, directory: DomainDirectory): readonly Claim[] {
  const { limits, userLimits } = directory;
  const claims: Claim[] = [];
  if (limits !== undefined) claims.push({ key: `domain:${directory.name}`, limit: limits });
  if (principal.kind === 'device') {
    const user: User | undefined = directory.users.get(principal.user.toLowerCase());
    const limit = user?.limits ?? userLimits;
    if (limit !== undefined && user !== undefined)
      claims.push({ key: `user:${user.name}@${directory.name}`, limit });
  } else if (principal.kind === 'trunk') {
    const trunk = directory.trunks.get(principal.trunk);
    if (trunk?.limits !== undefined) claims.push({ key: ownerOf(trunk), limit: trunk.limits });
  }
  return claims.length === 0 ? none : claims;
}

const none: readonly Claim[] = [];

/** The first limit in the way of a call: of its caller, or of all the trunks that it could go out by. */
export function limitFacts(
  limits: Limits,
  claims: readonly Claim[],
  directory: DomainDirectory,
  trunks: readonly Trunk[],
): LimitFacts | undefined {
  const full = claims.length === 0 ? undefined : limits.full(claims);
  if (full !== undefined) {
    const trunk = [...directory.trunks.values()].find((one) => ownerOf(one) === full.key);
    return { ...full, ...(trunk === undefined ? usual : answerOf(trunk)) };
  }
  return trunksFull(limits, trunks);
}

/** All of them are full, and nobody may wait for any. */
function trunksFull(limits: Limits, trunks: readonly Trunk[]): LimitFacts | undefined {
  let first: LimitFacts | undefined;
  for (const trunk of trunks) {
    const limit = trunk.limits;
    if (limit === undefined) return undefined;
    const key = ownerOf(trunk);
    const full = limits.full([{ key, limit }]);
    const waiting = limits.waiting(key);
    if ((full === undefined && waiting === 0) || waiting < limit.queue) return undefined;
    const what = full?.what ?? 'calls';
    const threshold = full?.threshold ?? limit.queue;
    first ??= { key, what, threshold, ...answerOf(trunk) };
  }
  return first;
}

export const answerOf = ({ limits }: Trunk): Pick<LimitFacts, 'status' | 'retryAfter'> =>
  limits === undefined ? usual : { status: limits.status, retryAfter: limits.retryAfterSeconds };

/**
 * What a call counts for that another process has begun, as its record says.
 *
 * Rates are left alone: it is no new call.
 */
export function claimsAgain(
  { principal, legs }: Pick<CallRecord, 'principal' | 'legs'>,
  directory: DomainDirectory,
): readonly Claim[] {
  const claims = [...claimsOf(callerOf(principal), directory)];
  for (const leg of legs) {
    const caller = leg.direction === 'out' ? callerOf(leg.principal) : undefined;
    const trunk = caller?.kind === 'trunk' ? directory.trunks.get(caller.trunk) : undefined;
    if (trunk?.limits !== undefined) claims.push({ key: ownerOf(trunk), limit: trunk.limits });
  }
  return claims.map(({ key, limit: { calls } }) => ({ key, limit: calls === undefined ? {} : { calls } }));
}

/** `device:alice@example.test/desk`, `trunk:carrier@example.test`. */
function callerOf(text: string): LimitedCaller {
  const name = text.slice(text.indexOf(':') + 1, text.lastIndexOf('@'));
  if (text.startsWith('device:')) return { kind: 'device', user: name };
  return text.startsWith('trunk:') ? { kind: 'trunk', trunk: name } : { kind: 'unknown' };
}
