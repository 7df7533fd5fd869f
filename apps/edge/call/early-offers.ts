import { parseSession } from '@ringfence/sdp/parse.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { CallerSide } from './caller.ts';
import type { CallLeg } from './leg.ts';
import { sdpOf, warning, withSdp } from './messages.ts';
import { Renegotiation } from './renegotiation.ts';
import type { CallServices } from './services.ts';
import type { SetupMedia } from './setup-media.ts';

export interface EarlyEvents {
  /** Nobody has taken the call yet, and nobody has given it up. */
  going(): boolean;
  /** Offer and answer cannot come together: the call must end. */
  failed(status: number, why: string): void;
  /** The only one who is rung; undefined: there are several. */
  only(): CallLeg | undefined;
}

/**
 * Offers and answers before a call is taken: in provisional responses, in PRACK (RFC 3262 §5) and in UPDATE
 * (RFC 3311 §5), for either side, whatever the other side knows of them (RFC 6337 §2.1 patterns 3 to 6).
 */
export class EarlyOffers {
  readonly #services: CallServices;
  readonly #setup: SetupMedia;
  readonly #caller: CallerSide;
  readonly #events: EarlyEvents;
  /** Who has made the offer that the caller's INVITE lacked. */
  #offerer: CallLeg | undefined = undefined;
  #renegotiation: Renegotiation | undefined = undefined;

  constructor(services: CallServices, setup: SetupMedia, caller: CallerSide, events: EarlyEvents) {
    this.#services = services;
    this.#setup = setup;
    this.#caller = caller;
    this.#events = events;
  }

  /** `reliable`: the called side wants it acknowledged, so that the caller shall have it for certain too. */
  provisional(leg: CallLeg, response: SipResponse, reliable: boolean): void {
    const status = response.status === 180 ? 180 : 183;
    const body = sdpOf(response);
    if (body === undefined || leg.media === undefined)
      return this.#caller.ringing(status, undefined, reliable);
    if (this.#setup.delayed) return this.#offered(leg, status, body, reliable);
    const answer = this.#setup.media.answer(leg.media, body, true);
    // An answer that cannot be used is no early media; the 2xx will show it again.
    if (!answer.ok) return this.#caller.ringing(status, undefined, reliable);
    this.#later(() => this.#caller.ringing(status, answer.value, reliable));
  }

  /** PRACK of the caller; whether it acknowledges anything is known already. */
  acknowledged(transaction: ServerTransaction, request: SipRequest): void {
    const body = sdpOf(request);
    const { leg } = this.#caller;
    const offerer = this.#offerer;
    if (offerer === undefined || this.#setup.settled) {
      if (body === undefined) return this.#answer(transaction, request, 200);
      return this.#alone(leg, transaction, request);
    }
    const answer = this.#setup.lateAnswer(body);
    this.#answer(transaction, request, answer.ok ? 200 : 488, answer.ok ? undefined : answer.error.warning);
    if (!answer.ok) return this.#events.failed(488, answer.error.warning);
    this.#later(() => offerer.answerOffer(answer.value));
  }

  /** UPDATE of either side, RFC 3311 §5.2. */
  update(leg: CallLeg, transaction: ServerTransaction, request: SipRequest): void {
    leg.heard(request);
    const body = sdpOf(request);
    if (body === undefined) {
      leg.dialog?.refreshTarget(request);
      return this.#answer(transaction, request, 200);
    }
    const caller = leg === this.#caller.leg;
    const done = caller ? this.#caller.agreed !== undefined : leg.early?.done === true;
    if (!done) {
      // The caller's offer has no answer of ours yet; ours to the called side has none of theirs.
      if (!caller) return this.#answer(transaction, request, 491);
      const headers = new HeaderList().add('Retry-After', '5');
      return this.#services.layer.respond(
        transaction,
        makeResponse(request, 500, undefined, { headers }),
        this.#services.now(),
      );
    }
    if (this.#renegotiation !== undefined) return this.#answer(transaction, request, 491);
    leg.dialog?.refreshTarget(request);
    const only = this.#events.only();
    const other = caller ? only : leg === only ? this.#caller.leg : undefined;
    const ready = caller ? other?.early?.done === true : this.#caller.agreed !== undefined;
    if (other === undefined || !ready || !other.takesUpdate) return this.#alone(leg, transaction, request);
    this.#renegotiation = new Renegotiation(
      this.#services,
      {
        changed: () => undefined,
        broken: () => undefined,
        finished: () => {
          this.#renegotiation = undefined;
        },
      },
      this.#setup.media,
      { from: leg, to: other },
      transaction,
      request,
    );
    this.#renegotiation.start();
  }

  /** An UPDATE of before is still on its way. */
  get busy(): boolean {
    return this.#renegotiation !== undefined;
  }

  stop(): void {
    this.#renegotiation?.stop();
  }

  /** The called side makes the offer that the INVITE lacked, in a reliable response; the caller answers with PRACK. */
  #offered(leg: CallLeg, status: number, body: Uint8Array, reliable: boolean): void {
    // What is not reliable can hold no offer (RFC 3261 §13.2.1), and of several the caller could answer but one.
    const alone = this.#events.only() === leg && this.#offerer === undefined;
    if (!reliable || leg.media === undefined || !alone)
      return this.#caller.ringing(status, undefined, reliable);
    this.#offerer = leg;
    const offered = this.#setup.final(leg.media, body);
    if (!offered.ok) return this.#events.failed(488, offered.error.warning);
    void offered.value.then((description) =>
      this.#services.run(() => {
        if (!this.#events.going()) return this.#setup.stop();
        if (!description.ok) return this.#events.failed(503, description.error.warning);
        this.#caller.ringing(183, description.value, true);
      }),
    );
  }

  /** An offer that the other side cannot be asked about: what it has agreed to already is the answer. */
  #alone(leg: CallLeg, transaction: ServerTransaction, request: SipRequest): void {
    const parsed = parseSession(sdpOf(request) ?? request.body);
    if (!parsed.ok) return this.#answer(transaction, request, 400, `SDP: ${parsed.error.detail}`);
    if (leg.media === undefined) return this.#answer(transaction, request, 488);
    const answer = this.#setup.media.absorb(leg.media, parsed.value);
    if (!answer.ok) return this.#answer(transaction, request, 488, answer.error.warning);
    const headers = new HeaderList().add('Contact', leg.contact).add('Allow', leg.allow);
    const body = withSdp(headers, answer.value);
    this.#services.layer.respond(
      transaction,
      makeResponse(request, 200, undefined, { headers, body }),
      this.#services.now(),
    );
  }

  #answer(transaction: ServerTransaction, request: SipRequest, status: number, why?: string): void {
    const headers = new HeaderList();
    if (status === 200 && request.method === 'UPDATE')
      headers.add('Contact', this.#caller.leg.contact).add('Allow', this.#caller.leg.allow);
    if (why !== undefined) headers.add('Warning', warning(why));
    this.#services.layer.respond(
      transaction,
      makeResponse(request, status, undefined, { headers }),
      this.#services.now(),
    );
  }

  /** Once the media process has put into effect what was agreed, if the call is still being set up then. */
  #later(step: () => void): void {
    void this.#setup.media.applied.then(() =>
      this.#services.run(() => {
        if (this.#events.going()) step();
      }),
    );
  }
}
