import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import type { SessionDescription } from '@ringfence/sdp/session.ts';
import { CallMedia } from '../media/call-media.ts';
import { MediaLeg } from '../media/leg.ts';
import type { BranchInvite } from './branch.ts';
import type { Forwarder } from './forward.ts';
import type { HuntEvents, Search } from './hunt.ts';
import type { CallLeg } from './leg.ts';
import type { CallServices } from './services.ts';
import {
  type AcceptedCall,
  mediaOptions,
  type OpenedCall,
  problemOf,
  type SetupProblem,
  searching,
  sideOf,
  whomToRing,
} from './setup.ts';

/** A party of one call that is to be joined with phones, trunks or a party of another. */
export interface Joining {
  /** Gets the media when it is there. */
  readonly caller: { media: CallMedia | undefined };
  readonly former: CallLeg;
  /** What that party is known to be able to do. */
  readonly session: SessionDescription;
  readonly targets?: AcceptedCall['targets'];
  /** Judges where the phones that are rung send the call; absent: nowhere. */
  readonly forwarder?: (() => Forwarder) | undefined;
  /** In place of `targets`: a party of another call. */
  readonly partner?: CallLeg;
  search?(events: HuntEvents, invite: BranchInvite): Search;
}

/** As `openMedia`, for a call whose caller is a party of another call. */
export async function openJoining(
  services: CallServices,
  { caller, former, session, targets, forwarder, partner, search }: Joining,
): Promise<Result<OpenedCall, SetupProblem>> {
  const wanted = targets ?? [];
  const found = await whomToRing(wanted);
  if (found.length === 0 && partner === undefined)
    return err(
      problemOf(wanted) ?? { status: 500, cause: 'no-route', warning: 'The called side cannot be reached' },
    );
  const relay = services.relay();
  if (relay === undefined)
    return err({ status: 503, cause: 'media', warning: 'The media process is not running' });
  const callees =
    partner === undefined
      ? found.map(
          (target) =>
            new MediaLeg(sideOf(services, target.flow, target.demanded, target), services.sessionId()),
        )
      : [continued(services, partner)];
  const opened = await CallMedia.openJoined(
    relay,
    mediaOptions(services),
    session,
    continued(services, former),
    callees,
  );
  if (!opened.ok) return err({ status: 503, cause: 'media', warning: `No media ports: ${opened.error}` });
  caller.media = opened.value;
  const searched = searching(services, opened.value, wanted, found, forwarder);
  return ok(search === undefined ? searched : { ...searched, search });
}

/** The ports, keys and session that the peer knows (RFC 3264 §8: the same o=, a higher version). */
export function continued(services: CallServices, { flow, demanded, media }: CallLeg): MediaLeg {
  const side = sideOf(services, flow, demanded, media?.side);
  return media === undefined ? new MediaLeg(side, services.sessionId()) : media.continued(side);
}
