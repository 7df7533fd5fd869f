import type { ZrtpProtection } from '../policy/protection.ts';
import type { StreamState } from './leg.ts';

interface Showing {
  readonly id: number;
  readonly zrtp: ZrtpProtection;
  /** What its phone shows: its own string, or the one that it was relayed last. */
  readonly shows: string;
  readonly own: string;
}

const none: readonly (readonly [number, number])[] = [];

/**
 * Who is to be relayed whose short authentication string, as endpoints, so that the phones on both sides of a stream show
 * one (RFC 6189 §7.3).
 *
 * A phone that has not enrolled shows its own, whatever it is told; where both have, it is that of the caller. A phone
 * whose other side has no string any more gets its own back.
 */
export function stringsToRelay(
  caller: StreamState | undefined,
  called: StreamState | undefined,
): readonly (readonly [to: number, from: number])[] {
  const [one, other] = [showingOf(caller), showingOf(called)];
  if (one?.zrtp.enrolled !== true && other?.zrtp.enrolled !== true) return none;
  const fixed = [one, other].find((end) => end !== undefined && end.zrtp.enrolled !== true);
  const common = fixed ?? one ?? other;
  if (common === undefined) return none;
  return [one, other].flatMap((end) =>
    end?.zrtp.enrolled === true && end.shows !== common.own ? [[end.id, common.id] as const] : [],
  );
}

function showingOf(stream: StreamState | undefined): Showing | undefined {
  const zrtp = stream?.media === 'rtp' ? stream.shown?.zrtp : undefined;
  if (stream === undefined || zrtp?.mode !== 'end' || !zrtp.confirmed || (zrtp.sas ?? '') === '')
    return undefined;
  const own = zrtp.sas ?? '';
  return { id: stream.endpoint.id, zrtp, own, shows: zrtp.relayed ?? own };
}
