import type { Relay } from '@ringfence/relay/contract.ts';
import { parseFragment } from '@ringfence/sdp/ice.ts';
import { parseMediaType } from '@ringfence/sip/message/media-type.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import type { MediaLeg } from '../media/leg.ts';

/** INFO package by which candidates come after the description, RFC 8840 §10.9. */
export const tricklePackage = 'trickle-ice';
const fragmentType = 'application/trickle-ice-sdpfrag';

/** INFO with candidates: for the leg that it comes from, and for nobody else. */
export const isTrickle = ({ headers }: SipRequest): boolean =>
  headers.get('Info-Package')?.split(';')[0]?.trim().toLowerCase() === tricklePackage;

/**
 * Gives candidates to the media process; the status to answer.
 *
 * Credentials of another session than the one that is agreed, and streams without ICE, have no use for them: they are
 * passed over (RFC 8840 §4.3). The bound of candidates is the media process's.
 */
export function acceptTrickle(
  relay: Relay | undefined,
  leg: MediaLeg | undefined,
  request: SipRequest,
): number {
  const type = parseMediaType(request.headers.get('Content-Type') ?? '');
  if (!type.ok || type.value.type !== fragmentType) return 415;
  const fragment = parseFragment(request.body);
  if (fragment === undefined) return 400;
  for (const stream of leg?.streams ?? []) {
    const ufrag = stream?.handshake?.ufrag;
    if (stream === undefined || ufrag === undefined) continue;
    if (fragment.ufrag !== undefined && fragment.ufrag !== ufrag) continue;
    if (fragment.mid !== undefined && stream.mid !== undefined && fragment.mid !== stream.mid) continue;
    if (fragment.candidates.length > 0) relay?.trickle?.(stream.endpoint.id, fragment.candidates);
    break;
  }
  return 200;
}
