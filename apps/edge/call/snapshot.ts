import type { Relay } from '@ringfence/relay/contract.ts';
import { Dialog, type DialogSnapshot } from '@ringfence/sip/dialog/dialog.ts';
import type { SessionTimerSnapshot } from '@ringfence/sip/dialog/session-timer.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { Encryption } from '../config/schema.ts';
import { CallMedia } from '../media/call-media.ts';
import { type MediaLegSnapshot, restoreMedia, snapshotMedia } from '../media/snapshot.ts';
import type { Trunk } from '../objects/types.ts';
import type { CallRecord } from '../store/contract.ts';
import type { CallerSide } from './caller.ts';
import { CallLeg, type LegEvents } from './leg.ts';
import type { CallServices } from './services.ts';
import { mediaOptions } from './setup.ts';

/**
 * What is needed beside its record to go on with an answered call in another process: both dialogs, how their peers
 * are reached, and what the media process holds for them. No keys and no passwords.
 */
export interface CallSnapshot {
  readonly version: 1;
  /** The media process that the endpoints are in. */
  readonly relay: string;
  readonly legs: readonly [LegSnapshot, LegSnapshot];
}

export interface LegSnapshot {
  readonly index: number;
  readonly localTag: string;
  readonly demanded: Encryption;
  readonly rang: string;
  readonly hidden?: boolean;
  readonly followTarget: boolean;
  readonly secure: boolean;
  /** Name of the trunk whose challenges are answered; empty for phones. */
  readonly trunk: string;
  readonly flow: Omit<Flow, 'id'>;
  readonly dialog: DialogSnapshot;
  readonly timer: SessionTimerSnapshot;
  /** The peer takes UPDATE. */
  readonly takesUpdate: boolean;
  readonly takesProtection?: boolean;
  readonly media: MediaLegSnapshot;
}

/** An answered call out of the journal, with what restoring it depends on. */
export type RestoredCall = CallRecord & {
  readonly state: CallSnapshot;
  readonly relay: Relay;
  /** Its endpoints are there; else they are gone, and the call waits for `recoverMedia`. */
  readonly live: boolean;
  /** The way to a leg's peer: over UDP as before, else a flow that stands for the connection that is gone. */
  flow(facts: Omit<Flow, 'id'>): Flow;
  trunk(name: string): Trunk | undefined;
};

/** JSON of an answered call's snapshot; empty where it has no two confirmed dialogs with media. */
export function snapshotOf(services: CallServices, legs: readonly CallLeg[]): string {
  const [caller, callee] = legs;
  const first = caller && snapshotLeg(caller);
  const second = callee && snapshotLeg(callee);
  if (first === undefined || second === undefined) return '';
  const snapshot: CallSnapshot = {
    version: 1,
    relay: services.relay()?.instance ?? '',
    legs: [first, second],
  };
  return JSON.stringify(snapshot);
}

function snapshotLeg(leg: CallLeg): LegSnapshot | undefined {
  const { dialog, media, flow } = leg;
  // A dialog that another call still serves is in that one's snapshot.
  if (dialog?.state !== 'confirmed' || media === undefined || leg.elsewhere) return undefined;
  const { transport, reliable, local, remote, sentBy, listener, tls } = flow;
  const facts = { transport, reliable, local, remote, sentBy, listener };
  const { followTarget, secure, trunk = '' } = leg.constants;
  return {
    index: leg.index,
    localTag: leg.localTag,
    demanded: leg.demanded,
    rang: leg.rang,
    ...(leg.hidden ? { hidden: true } : {}),
    followTarget,
    secure,
    trunk,
    flow: tls === undefined ? facts : { ...facts, tls },
    dialog: dialog.snapshot(),
    timer: leg.timer.snapshot(),
    takesUpdate: leg.takesUpdate,
    ...(leg.takesProtection ? { takesProtection: true } : {}),
    media: snapshotMedia(media),
  };
}

/** The snapshot in a journal's text; undefined where it is none of this version. */
export function readSnapshot(text: string): CallSnapshot | undefined {
  if (text === '') return undefined;
  try {
    const snapshot = JSON.parse(text) as Partial<CallSnapshot>;
    if (snapshot.version !== 1 || snapshot.legs?.length !== 2) return undefined;
    const whole = snapshot.legs.every(({ dialog }) => Dialog.restore(dialog) !== undefined);
    return whole ? (snapshot as CallSnapshot) : undefined;
  } catch {
    return undefined;
  }
}

/** The caller's side of a restored call, with what comes with it: its INVITE was dealt with long ago. */
export class RestoredSide implements CallerSide {
  readonly leg: CallLeg;
  readonly callee: CallLeg;
  readonly media: CallMedia;
  readonly confirming = false;

  /** `call.state` is one that `readSnapshot` gave. */
  constructor(services: CallServices, events: LegEvents, call: RestoredCall) {
    const [first, second] = call.state.legs;
    this.leg = restoreLeg(services, events, call, first);
    this.callee = restoreLeg(services, events, call, second);
    const options = mediaOptions(services);
    const [caller, callee] = [restoreMedia(first.media, call.live), restoreMedia(second.media, call.live)];
    this.leg.media = caller;
    this.callee.media = callee;
    this.media = CallMedia.restore(call.relay, options, caller, callee, second.index);
  }

  ringing(): void {}
  refuse(): void {}
  accept(): void {}
  acknowledged(): void {}
  left(): void {}

  bye(): void {
    this.leg.bye();
  }
}

function restoreLeg(
  services: CallServices,
  events: LegEvents,
  call: RestoredCall,
  snapshot: LegSnapshot,
): CallLeg {
  const record = call.legs.find(({ callId }) => callId === snapshot.dialog.callId);
  const trunk = snapshot.trunk === '' ? undefined : call.trunk(snapshot.trunk);
  const leg = new CallLeg(services, events, {
    index: snapshot.index,
    party: record?.principal ?? '',
    demanded: snapshot.demanded,
    flow: call.flow(snapshot.flow),
    followTarget: snapshot.followTarget,
    callId: snapshot.dialog.callId,
    secure: snapshot.secure,
    rang: snapshot.rang,
    hidden: snapshot.hidden === true,
    began: { localTag: snapshot.localTag, at: record?.startedAt ?? call.startedAt },
    ...(trunk === undefined ? {} : { trunk }),
  });
  leg.dialog = Dialog.restore(snapshot.dialog);
  leg.takesUpdate = snapshot.takesUpdate;
  leg.takesProtection = snapshot.takesProtection === true;
  leg.timer.resume(snapshot.timer, services.now());
  leg.status = record?.status ?? 200;
  leg.answeredAt = record?.answeredAt ?? call.answeredAt;
  return leg;
}
