import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import type { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { Encryption } from '../config/schema.ts';
import { CallMedia, type MediaOptions } from '../media/call-media.ts';
import type { MediaWishes } from '../media/keying.ts';
import type { LegSide } from '../media/leg.ts';
import type { ReadSession } from '../media/read-offer.ts';
import type { Trunk } from '../objects/types.ts';
import type { Decision } from '../policy/types.ts';
import type { BranchInvite, BranchTarget } from './branch.ts';
import type { Forwarder } from './forward.ts';
import { ForwardingHunt } from './forwarding-hunt.ts';
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
  /** How many transfers have led to it; default 0. */
  readonly generation?: number;
  /** The caller wants to be nobody to phones and to trunks that are not trusted. */
  readonly hidden?: boolean;
}

/** An INVITE that policy has accepted, with everything that was found out about it. */
export interface AcceptedCall extends CallPlan {
  readonly transaction: ServerTransaction;
  readonly request: SipRequest;
  readonly flow: Flow;
  /** The caller is this trunk. */
  readonly trunk: Trunk | undefined;
  readonly demanded: Encryption;
  /** What the media of the caller's side depends on. */
  readonly side: LegSide;
  /** Absent: the INVITE came without, and the called side makes the offer. */
  readonly offer: ReadSession | undefined;
  /** Whom to ring; empty where nobody can be reached. */
  readonly targets: readonly BranchTarget[] | Places;
  /** Judges where the phones that are rung send the call; absent: nowhere. */
  readonly forwarder?: () => Forwarder;
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
  const targets = await whomToRing(accepted.targets);
  if (targets.length === 0)
    return err(
      problemOf(accepted.targets) ?? {
        status: 500,
        cause: 'no-route',
        warning: 'The called side cannot be reached',
      },
    );
  const relay = services.relay();
  if (relay === undefined)
    return err({ status: 503, cause: 'media', warning: 'The media process is not running' });
  const opened = await CallMedia.open(
    relay,
    mediaOptions(services),
    accepted.offer,
    accepted.side,
    targets.map((target) => sideOf(services, target.flow, target.demanded, target)),
  );
  if (!opened.ok) {
    if (opened.error === 'no-ports')
      services.troubles.begin('ports', 'all ports of media.ports are in use; calls get 503 until some end');
    if (opened.error === 'no-descriptors')
      services.troubles.begin('descriptors', 'the media process may open no more sockets (ulimit -n)');
    return err({ status: 503, cause: 'media', warning: `No media ports: ${opened.error}` });
  }
  services.troubles.end('ports');
  services.troubles.end('descriptors');
  return ok(searching(services, opened.value, accepted.targets, targets, accepted.forwarder));
}

/** Everybody at once, or the first of several places that are tried one after another. */
export async function whomToRing(wanted: AcceptedCall['targets']): Promise<readonly BranchTarget[]> {
  if (!('next' in wanted)) return wanted;
  const found = wanted.next();
  const first = found instanceof Promise ? await found : found;
  return first === undefined ? [] : [first];
}

/** Why nobody was found, where the search knows. */
export const problemOf = (wanted: AcceptedCall['targets']): SetupProblem | undefined =>
  'next' in wanted ? wanted.problem : undefined;

/** The search that rings them. */
export const searching = (
  services: CallServices,
  media: CallMedia,
  wanted: AcceptedCall['targets'],
  targets: readonly BranchTarget[],
  forwarder?: () => Forwarder,
): OpenedCall => {
  const side = (target: BranchTarget): LegSide => sideOf(services, target.flow, target.demanded, target);
  return {
    media,
    search: (events, invite) => {
      if ('next' in wanted)
        return new SerialHunt(services, events, targets, invite, { places: wanted, media, side });
      return forwarder === undefined
        ? new Hunt(services, events, targets, invite)
        : new ForwardingHunt(services, events, targets, invite, { forwarder, media, side });
    },
  };
};

export const mediaOptions = (services: CallServices): MediaOptions => ({
  dscp: services.config().media.dscp,
  newSessionId: () => services.sessionId(),
  retained: (party) => services.zrtpPeers.retained(party),
});

export function sideOf(
  services: CallServices,
  flow: Flow,
  demanded: Encryption,
  {
    codecs,
    keying,
    ice,
    zrtp,
    zrtpEnrol,
    pinned,
    emergency,
    party,
  }: MediaWishes & { readonly party?: string } = {},
): LegSide {
  const { local, advertised } = services.mediaAddress(flow);
  const config = services.config();
  const { rtcp, bridgeDigits, engine } = config.media;
  const listener = config.listeners.find(({ name }) => name === flow.listener);
  const keys = pinned?.dtls === undefined ? (keying ?? listener?.keying) : 'dtls';
  const checks = ice ?? listener?.ice;
  const policy = zrtp ?? config.media.zrtp.policy;
  const relaxed = emergency === true && policy === 'demand' ? 'end' : policy;
  return {
    local,
    advertised,
    signalling: flow.remote.address,
    demanded,
    rtcp,
    bridgeDigits,
    ...(codecs === undefined ? {} : { codecs }),
    ...(keys === undefined ? {} : { keying: keys }),
    ...(checks === undefined ? {} : { ice: checks }),
    ...(flow.transport === 'ws' || flow.transport === 'wss' ? { web: true } : {}),
    // rtpengine has no ZRTP of its own, and what it lets through is not ours to tell.
    ...(engine === 'rtpengine' ? { handshakes: false } : { zrtpPolicy: relaxed }),
    ...(zrtp === undefined ? {} : { zrtp }),
    ...(zrtpEnrol === true ? { zrtpEnrol } : {}),
    ...(pinned === undefined ? {} : { pinned }),
    ...(emergency === undefined ? {} : { emergency }),
    ...(party === undefined ? {} : { party }),
  };
}
