import { Dialog } from '@ringfence/sip/dialog/dialog.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import { Confirmation } from './confirmation.ts';
import { CallLeg, type LegEvents } from './leg.ts';
import { allowedMethods, supported, warning, withSdp } from './messages.ts';
import { protectionPackage } from './protection-info.ts';
import { Provisionals } from './provisionals.ts';
import type { CallServices, InviteOwner } from './services.ts';
import type { AcceptedCall } from './setup.ts';
import { tricklePackage } from './trickle.ts';

/** How long a caller's INVITE may stay without any answer of ours; RFC 3261 §17.2.1 allows 200 ms. */
const tryingAfter = 150;

/** What a call does with the side that it is made for: a caller's INVITE, or a party of another call (transfer). */
export interface CallerSide {
  readonly leg: CallLeg;
  /** True while that side has been told the answer and has not confirmed it yet. */
  readonly confirming: boolean;
  /** Seconds that it is willing to wait for an answer; undefined: as long as it takes. */
  readonly expires?: number | undefined;
  /** It can be told reliably (RFC 3262). */
  readonly reliable?: boolean;
  /** The description that it has acknowledged already. */
  readonly agreed?: string | undefined;
  /** `reliably`: where it can. */
  ringing(status: number, description: string | undefined, reliably?: boolean): void;
  /** Says that the call goes on elsewhere (RFC 3261 §21.1.3). */
  forwarded?(): void;
  /** A PRACK came; false where it acknowledges nothing. */
  prack?(request: SipRequest): boolean;
  /** Resolves once it may be told that the call was taken; undefined: at once. */
  clear?(): Promise<void> | undefined;
  refuse(status: number, why: string | undefined, retryAfter?: number, challenges?: HeaderList): void;
  /** `gaveUp` where that side never confirms and the call still lives; `acknowledged` where it does. */
  accept(description: string, gaveUp: () => void, acknowledged?: (ack: SipRequest) => void): void;
  acknowledged(ack: SipRequest): void;
  /** That side has hung up itself. */
  left(): void;
  /** `why`: header fields for its BYE. */
  bye(why?: HeaderList): void;
}

/** The caller's side of a call: what is answered to its INVITE, up to the ACK of the 2xx. */
export class Caller implements CallerSide {
  readonly leg: CallLeg;
  /** Expires of the INVITE, RFC 3261 §13.3.1. */
  readonly expires: number | undefined;
  readonly #services: CallServices;
  /** The INVITE until its final answer. */
  #invite: Pick<AcceptedCall, 'request' | 'transaction'> | undefined;
  #stopTrying: (() => void) | undefined;
  readonly #provisionals: Provisionals;
  #confirmation: Confirmation | undefined = undefined;
  /** The call is over, but its 2xx has no ACK yet. */
  #leaving = false;
  #why: HeaderList | undefined = undefined;
  #provisional = 0;
  #earlyMedia = false;

  constructor(services: CallServices, events: LegEvents, accepted: AcceptedCall) {
    const { request, transaction, trunk } = accepted;
    this.#services = services;
    this.#invite = { request, transaction };
    this.leg = new CallLeg(services, events, {
      index: 0,
      party: accepted.principal,
      demanded: accepted.demanded,
      flow: accepted.flow,
      followTarget: trunk !== undefined,
      callId: request.callId,
      hidden: accepted.hidden ?? false,
      secure: request.uri.scheme === 'sips',
      ...(trunk === undefined ? {} : { trunk }),
    });
    const expires = request.headers.get('Expires');
    this.expires = expires !== undefined && /^\d{1,9}$/.test(expires) ? Number(expires) : undefined;
    this.leg.heard(request);
    this.#provisionals = new Provisionals(services, this.leg, { request, transaction }, () =>
      (transaction.context as InviteOwner | undefined)?.unacknowledged?.(),
    );
    this.#stopTrying = services.after(tryingAfter, () =>
      services.run(() => services.layer.trying(transaction, services.now())),
    );
  }

  /** True until the ACK of our 2xx has come. */
  get confirming(): boolean {
    return this.#confirmation !== undefined;
  }

  get reliable(): boolean {
    return this.#provisionals.supported;
  }

  get agreed(): string | undefined {
    return this.#provisionals.agreed;
  }

  /** Says that it rings, once; and once more where early media begins. */
  ringing(status: number, description: string | undefined, reliably = false): void {
    if (this.#invite === undefined) return;
    if (this.#provisional !== 0 && (description === undefined || this.#earlyMedia)) return;
    this.#earlyMedia ||= description !== undefined;
    this.#provisional = description === undefined ? 180 : status;
    this.#stopTrying?.();
    this.#provisionals.send(this.#provisional, description, reliably);
  }

  forwarded(): void {
    if (this.#invite === undefined) return;
    this.#stopTrying?.();
    this.#provisionals.send(181, undefined, false);
  }

  prack(request: SipRequest): boolean {
    return this.#provisionals.acknowledge(request);
  }

  clear(): Promise<void> | undefined {
    return this.#provisionals.clear();
  }

  refuse(status: number, why: string | undefined, retryAfter?: number, challenges?: HeaderList): void {
    const headers = new HeaderList(challenges);
    if (why !== undefined) headers.add('Warning', warning(why));
    if (retryAfter !== undefined) headers.add('Retry-After', String(retryAfter));
    // §9.2: a refusal after CANCEL carries the tag that the answer to the CANCEL had.
    this.#respond(status, this.#invite?.transaction.localTag ?? this.leg.localTag, headers);
    this.#settled();
  }

  /** The 2xx, repeated until its ACK. Neither is told of a call that is over. */
  accept(
    description: string,
    gaveUp: () => void,
    acknowledged: (ack: SipRequest) => void = () => undefined,
  ): void {
    const invite = this.#invite;
    if (invite === undefined) return;
    const { leg } = this;
    this.#stopTrying?.();
    const headers = new HeaderList();
    headers.add('Allow', leg.allowing(allowedMethods));
    headers.add('Supported', supported);
    if (leg.takesProtection) headers.add('Recv-Info', protectionPackage);
    if (leg.media?.ice === true) headers.add('Recv-Info', tricklePackage);
    leg.timer.accept(invite.request.headers, this.#services.now(), headers);
    const { agreed } = this.#provisionals;
    // Another one took the call than was heard, and offer and answer are done: a dialog of its own (RFC 6337 §3.1.1).
    if (agreed !== undefined && agreed !== description) leg.renew();
    headers.add('Contact', leg.contact);
    const fields = { toTag: leg.localTag, headers };
    const response = makeResponse(
      invite.request,
      200,
      undefined,
      agreed === description ? fields : { ...fields, body: withSdp(headers, description) },
    );
    leg.status = 200;
    leg.answeredAt = this.#services.now();
    if (leg.dialog === undefined) leg.dialog = Dialog.uas(invite.request, response);
    else leg.dialog.confirm(response);
    this.#settled();
    this.#confirmation = new Confirmation(this.#services, invite.transaction, response, {
      acknowledged: (ack) => {
        this.#confirmation = undefined;
        if (this.#leaving) leg.bye(this.#why);
        else acknowledged(ack);
      },
      gaveUp: () => {
        this.#confirmation = undefined;
        if (this.#leaving) leg.bye(this.#why);
        else gaveUp();
      },
    });
  }

  acknowledged(ack: SipRequest): void {
    this.#confirmation?.acknowledge(ack);
  }

  /** The caller has hung up itself. */
  left(): void {
    this.#confirmation?.stop();
    this.#confirmation = undefined;
  }

  /** Hangs up; not before the ACK of the 2xx is here, RFC 3261 §15. */
  bye(why?: HeaderList): void {
    this.#stopTrying?.();
    if (this.#confirmation === undefined) return this.leg.bye(why);
    this.#leaving = true;
    this.#why = why;
  }

  /** The transaction lives on for repetitions; the call is not held by it. */
  #settled(): void {
    this.#stopTrying?.();
    this.#stopTrying = undefined;
    this.#provisionals.stop();
    if (this.#invite !== undefined) this.#invite.transaction.context = undefined;
    this.#invite = undefined;
  }

  #respond(status: number, toTag: string, headers: HeaderList): void {
    if (this.#invite === undefined) return;
    const { request, transaction } = this.#invite;
    this.#stopTrying?.();
    const response = makeResponse(request, status, undefined, { toTag, headers });
    this.#services.layer.respond(transaction, response, this.#services.now());
  }
}
