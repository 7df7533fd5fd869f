import { Dialog } from '@ringfence/sip/dialog/dialog.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import { Confirmation } from './confirmation.ts';
import { CallLeg, type LegEvents } from './leg.ts';
import { allowedMethods, supported, warning, withSdp } from './messages.ts';
import type { CallServices } from './services.ts';
import type { AcceptedCall } from './setup.ts';

/** How long a caller's INVITE may stay without any answer of ours; RFC 3261 §17.2.1 allows 200 ms. */
const tryingAfter = 150;

/** What a call does with the side that it is made for: a caller's INVITE, or a party of another call (transfer). */
export interface CallerSide {
  readonly leg: CallLeg;
  /** True while that side has been told the answer and has not confirmed it yet. */
  readonly confirming: boolean;
  ringing(status: number, description: string | undefined): void;
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
  readonly #services: CallServices;
  /** The INVITE until its final answer. */
  #invite: Pick<AcceptedCall, 'request' | 'transaction'> | undefined;
  #stopTrying: (() => void) | undefined;
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
    this.leg.heard(request);
    this.#stopTrying = services.after(tryingAfter, () =>
      services.run(() => services.layer.trying(transaction, services.now())),
    );
  }

  /** True until the ACK of our 2xx has come. */
  get confirming(): boolean {
    return this.#confirmation !== undefined;
  }

  /** Says that it rings, once; and once more where early media begins. */
  ringing(status: number, description: string | undefined): void {
    if (this.#provisional !== 0 && (description === undefined || this.#earlyMedia)) return;
    this.#earlyMedia ||= description !== undefined;
    this.#provisional = description === undefined ? 180 : status;
    const headers = new HeaderList();
    headers.add('Contact', this.leg.contact);
    const body = description === undefined ? undefined : withSdp(headers, description);
    const response = this.#respond(this.#provisional, this.leg.localTag, headers, body);
    if (response !== undefined && this.#invite !== undefined)
      this.leg.dialog ??= Dialog.uas(this.#invite.request, response);
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
    headers.add('Contact', leg.contact);
    headers.add('Allow', allowedMethods);
    headers.add('Supported', supported);
    leg.timer.accept(invite.request.headers, this.#services.now(), headers);
    const body = withSdp(headers, description);
    const response = makeResponse(invite.request, 200, undefined, { toTag: leg.localTag, headers, body });
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
    if (this.#invite !== undefined) this.#invite.transaction.context = undefined;
    this.#invite = undefined;
  }

  #respond(status: number, toTag: string, headers: HeaderList, body?: Uint8Array): SipResponse | undefined {
    if (this.#invite === undefined) return undefined;
    const { request, transaction } = this.#invite;
    this.#stopTrying?.();
    const fields = body === undefined ? { toTag, headers } : { toTag, headers, body };
    const response = makeResponse(request, status, undefined, fields);
    this.#services.layer.respond(transaction, response, this.#services.now());
    return response;
  }
}
