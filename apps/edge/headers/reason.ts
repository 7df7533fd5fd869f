import { q850Of, readReasons, serializeReason } from '@ringfence/sip/headers/reason.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { isRejectCause, reasonOfRefusal } from '../policy/reject-reasons.ts';

/** What a peer has said about the end of its call, as the other side is told: cause without text (RFC 3326). */
export function reasonsIn(headers: HeaderList): HeaderList | undefined {
  const reasons = readReasons(headers);
  return reasons.length === 0 ? undefined : listOf(reasons.map(serializeReason));
}

/** For phones that ring while another one has answered, RFC 3326 §3.1: they show no missed call. */
export const elsewhere = listOf([serializeReason({ protocol: 'SIP', cause: 200 })]);

/** For those who still ring when one of them has refused for all (RFC 3261 §16.7 step 5). */
export const refusedForAll = (status: number): HeaderList =>
  listOf([serializeReason({ protocol: 'SIP', cause: status })]);

/**
 * What a caller is told beside a final status: the called side's reasons, else ours, else, for a trunk, the Q.850 cause
 * that stands for the status (RFC 3398 §8.2.6.1).
 */
export function reasonsFor(
  status: number,
  cause: string,
  said: HeaderList | undefined,
  trunk: boolean,
): HeaderList | undefined {
  if (said !== undefined) return said;
  if (isRejectCause(cause)) return listOf([reasonOfRefusal(cause)]);
  return trunk && status !== 487
    ? listOf([serializeReason({ protocol: 'Q.850', cause: q850Of(status) })])
    : undefined;
}

function listOf(values: readonly string[]): HeaderList {
  return new HeaderList(values.map((value) => ['Reason', value] as const));
}
