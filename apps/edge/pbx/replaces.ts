import { parseReplaces, type Replaces } from '@ringfence/sip/headers/replaces.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import type { DialogNames } from '../subscription/dialog-names.ts';

/**
 * The PBX's dialog that a phone wants to take over (RFC 3891), which it knows from dialog state that was relayed to it;
 * undefined where it names no such dialog, but perhaps one of the edge's own.
 */
export function replacedAtPbx(names: DialogNames, domain: string, request: SipRequest): Replaces | undefined {
  const value = request.headers.get('Replaces');
  const parsed = value === undefined ? undefined : parseReplaces(value);
  if (parsed?.ok !== true) return undefined;
  const { callId, toTag, fromTag, earlyOnly } = parsed.value;
  const found = [callId, toTag, fromTag].map((name) => names.reveal(domain, name));
  const [theirCallId, theirTo, theirFrom] = found;
  if (theirCallId === undefined || theirTo === undefined || theirFrom === undefined) return undefined;
  return { callId: theirCallId, toTag: theirTo, fromTag: theirFrom, earlyOnly };
}
