import type { Replaces } from '@ringfence/sip/headers/replaces.ts';
import type { Doorway } from './accept.ts';
import { CallLeg } from './leg.ts';
import type { Place } from './transfer.ts';

/** The leg that a Replaces names, by our own tag; Call-ID and the peer's tag must fit too (RFC 3891 §3). */
export function namedBy(door: Doorway, { callId, toTag, fromTag }: Replaces): Place | undefined {
  const leg = door.services.dialogs.get(toTag);
  if (!(leg instanceof CallLeg) || leg.callId !== callId || leg.remoteTag !== fromTag) return undefined;
  return placeOf(door, leg);
}

/** A leg with its call. */
export function placeOf(door: Doorway, leg: CallLeg): Place | undefined {
  const call = door.calls.get(leg.call);
  return call === undefined ? undefined : { call, leg };
}

/** `device:alice@example.test/desk` without its device: what is said to one phone of a user is said to the user. */
export const ownerOf = ({ party }: { readonly party: string }): string => party.split('/')[0] ?? party;
