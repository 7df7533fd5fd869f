import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import type { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { Encryption } from '../config/schema.ts';
import { CallMedia } from '../media/call-media.ts';
import type { LegSide } from '../media/leg.ts';
import type { ReadSession } from '../media/read-offer.ts';
import type { Trunk } from '../objects/types.ts';
import type { Decision } from '../policy/types.ts';
import type { BranchInvite, BranchTarget } from './branch.ts';
import { Hunt, type HuntEvents, type Search } from './hunt.ts';
import { type Places, SerialHunt, type SetupProblem } from './serial-hunt.ts';

export type { SetupProblem };

import type { CallServices } from './services.ts';

/** What a call is made from, whoever asked for it. */
export interface CallPlan {
  readonly id: string;
  readonly domain: string;
  readonly caller: string;
  readonly callee: string;
  /** Whose rights it was judged by. */
  readonly principal: string;
  readonly route: string;
  readonly decision: Decision;
  /** Header fields to pass on. */
  readonly headers: HeaderList;
  readonly maxForwards: number;
}

/** An INVITE that policy has accepted, with everything that was found out about it. */
export interface AcceptedCall extends CallPlan {
  readonly transaction: ServerTransaction;
  readonly request: SipRequest;
  readonly flow: Flow;
  /** The caller is this trunk. */
  readonly trunk: Trunk | undefined;
  readonly demanded: Encryption;
  /** Absent: the INVITE came without, and the called side makes the offer. */
  readonly offer: ReadSession | undefined;
  /** Whom to ring; empty where nobody can be reached. */
  readonly targets: readonly BranchTarget[] | Places;
}

/** Ports of all legs, and who is asked to answer. */
export interface OpenedCall {
  readonly media: CallMedia;
  search(events: HuntEvents, invite: BranchInvite): Search;
}

/** Waits for the way to be found, then asks for the ports of all legs at once. */
export async function openMedia(
  services: CallServices,
  accepted: AcceptedCall,
): Promise<Result<OpenedCall, SetupProblem>> {
  const places = 'next' in accepted.targets ? accepted.targets : undefined;
  const targets = 'next' in accepted.targets ? await firstOf(accepted.targets) : accepted.targets;
  if (targets.length === 0)
    return err(
      places?.problem ?? { status: 500, cause: 'no-route', warning: 'The called side cannot be reached' },
    );
  const relay = services.relay();
  if (relay === undefined)
    return err({ status: 503, cause: 'media', warning: 'The media process is not running' });
  const opened = await CallMedia.open(
    relay,
    { dscp: services.config().media.dscp, newSessionId: () => services.sessionId() },
    accepted.offer,
    sideOf(services, accepted.flow, accepted.demanded),
    targets.map((target) => sideOf(services, target.flow, target.demanded)),
  );
  if (!opened.ok) return err({ status: 503, cause: 'media', warning: `No media ports: ${opened.error}` });
  return ok({
    media: opened.value,
    search: (events, invite) =>
      places === undefined
        ? new Hunt(services, events, targets, invite)
        : new SerialHunt(services, events, targets, invite, {
            places,
            media: opened.value,
            side: ({ flow, demanded }) => sideOf(services, flow, demanded),
          }),
  });
}

async function firstOf(places: Places): Promise<readonly BranchTarget[]> {
  const found = places.next();
  const first = found instanceof Promise ? await found : found;
  return first === undefined ? [] : [first];
}

export function sideOf(services: CallServices, flow: Flow, demanded: Encryption): LegSide {
  const { local, advertised } = services.mediaAddress(flow);
  return { local, advertised, signalling: flow.remote.address, demanded };
}
