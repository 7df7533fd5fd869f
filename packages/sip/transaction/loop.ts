import type { SipRequest, Via } from '../message/types.ts';
import { serializeUri } from '../message/uri.ts';
import { tagText } from './matching.ts';

/** Max-Forwards of a request that begins here, RFC 3261 §8.1.1.6. */
export const initialMaxForwards = 70;
/** Max-Breadth where the header is missing, RFC 5393 §5.3.3. */
export const defaultMaxBreadth = 60;

export type HopVerdict =
  | { readonly ok: true /** What goes into the request that is sent on. */; readonly maxForwards: number }
  | { readonly ok: false; readonly status: 483; readonly reason: 'Too Many Hops' };

/**
 * Max-Forwards of the request to send on, RFC 3261 §16.3 step 3 and §16.6 step 3.
 *
 * A missing header counts as 70; a value over `limit` (default 70) is cut to it.
 */
export function nextHop(request: SipRequest, limit: number = initialMaxForwards): HopVerdict {
  const hops = Math.min(request.maxForwards ?? limit, limit);
  if (hops <= 0) return { ok: false, status: 483, reason: 'Too Many Hops' };
  return { ok: true, maxForwards: request.maxForwards === undefined ? limit : hops - 1 };
}

/** Header fields that may route a request, RFC 5393 §4.2.1 with RFC 3261 §16.6 step 8. */
const routingHeaders = ['route', 'proxy-require', 'proxy-authorization'] as const;

/**
 * Hash over everything that decides where a request goes, RFC 5393 §4.2.1: equal for a loop, other for a spiral.
 *
 * `digest` makes a token of the text; it is handed in, so that nobody outside can aim for a collision.
 */
export function loopHash(request: SipRequest, digest: (text: string) => string): string {
  let text = `${serializeUri(request.uri)}\n${tagText(request.to)}\n${tagText(request.from)}\n${request.callId}\n${request.cseq.number}`;
  for (const name of routingHeaders)
    for (const value of request.headers.all(name)) text += `\n${name}:${value}`;
  return digest(text);
}

/** Branch whose second part is the loop hash (RFC 5393 §4.2.1); `unique` is what makes the branch unguessable. */
export const loopBranch = (unique: string, hash: string): string => `${unique}.${hash}`;

/** True where a Via of ours in the request carries the same hash: it came back unchanged (RFC 5393 §4.2.2, 482). */
export function isLoop(request: SipRequest, isOurs: (via: Via) => boolean, hash: string): boolean {
  for (const via of request.via) {
    const { branch } = via;
    if (branch?.endsWith(`.${hash}`) && isOurs(via)) return true;
  }
  return false;
}

export type BreadthVerdict =
  | {
      readonly ok: true /** Max-Breadth of each branch, in their order. */;
      readonly shares: readonly number[];
    }
  | { readonly ok: false; readonly status: 440; readonly reason: 'Max-Breadth Exceeded' };

/**
 * Shares the breadth of a request among `branches` forks at one time, RFC 5393 §5.3.3.
 *
 * `breadth` is the Max-Breadth of the request: undefined where it is missing, and cut to `limit` (default 60).
 */
export function shareBreadth(
  breadth: number | undefined,
  branches: number,
  limit: number = defaultMaxBreadth,
): BreadthVerdict {
  const total = Math.min(breadth ?? defaultMaxBreadth, limit);
  if (branches > total) return { ok: false, status: 440, reason: 'Max-Breadth Exceeded' };
  const shares: number[] = [];
  for (let i = 0; i < branches; i++) {
    shares.push(Math.floor(total / branches) + (i < total % branches ? 1 : 0));
  }
  return { ok: true, shares };
}
