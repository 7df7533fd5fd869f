import { parseSession } from '@ringfence/sdp/parse.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import type { ClientTransaction, ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { CallMedia } from '../media/call-media.ts';
import type { PendingOffer } from '../media/change.ts';
import type { MediaLeg } from '../media/leg.ts';
import { Confirmation } from './confirmation.ts';
import { statusForCaller } from './hunt.ts';
import type { CallLeg } from './leg.ts';
import { allowedMethods, product, sdpOf, warning, withSdp } from './messages.ts';
import type { CallServices, ClientOwner, InviteOwner } from './services.ts';

/** What a renegotiation tells its call. */
export interface RenegotiationEvents {
  /** Media or keys have changed. */
  changed(): void;
  /** The dialog is gone on one side (481, 408): the call must end. */
  broken(): void;
  /** Over, whatever became of it. */
  finished(): void;
}

/**
 * A re-INVITE from one side, carried to the other, RFC 3261 §14: both agree, or nothing changes.
 *
 * Without SDP it is a refresh: we repeat our own description and take the answer out of the ACK.
 */
export class Renegotiation implements ClientOwner, InviteOwner {
  readonly #services: CallServices;
  readonly #events: RenegotiationEvents;
  readonly #media: CallMedia;
  readonly #from: CallLeg;
  readonly #to: CallLeg;
  readonly #transaction: ServerTransaction;
  readonly #request: SipRequest;
  #outbound: ClientTransaction | undefined = undefined;
  #pending: PendingOffer | undefined = undefined;
  #confirmation: Confirmation | undefined = undefined;
  #acknowledged = false;
  #ack: Uint8Array | undefined = undefined;
  #state: 'offering' | 'answered' | 'finished' = 'offering';

  constructor(
    services: CallServices,
    events: RenegotiationEvents,
    media: CallMedia,
    legs: { readonly from: CallLeg; readonly to: CallLeg },
    transaction: ServerTransaction,
    request: SipRequest,
  ) {
    this.#services = services;
    this.#events = events;
    this.#media = media;
    this.#from = legs.from;
    this.#to = legs.to;
    this.#transaction = transaction;
    this.#request = request;
    transaction.context = this;
  }

  start(): void {
    const body = sdpOf(this.#request);
    const from = this.#from.media;
    const to = this.#to.media;
    if (from === undefined || to === undefined) return this.#refuse(488, 'No media in this call');
    if (body === undefined) {
      if (this.#request.body.length > 0) return this.#refuse(415);
      return from.keyless ? this.#refreshWithNewKeys(from) : this.#refresh(from);
    }
    const parsed = parseSession(body);
    if (!parsed.ok) return this.#refuse(400, `SDP: ${parsed.error.detail}`);
    this.#services.layer.trying(this.#transaction, this.#services.now());
    void this.#media.reoffer(from, to, parsed.value).then((offered) =>
      this.#services.run(() => {
        if (this.#state !== 'offering') {
          if (offered.ok) this.#media.abandon(offered.value);
          return;
        }
        if (!offered.ok) return this.#refuse(488, offered.error.warning);
        this.#pending = offered.value;
        this.#carry(offered.value.description);
      }),
    );
  }

  #refresh(from: MediaLeg): void {
    this.#accept(this.#media.repeat(from), (ack) => this.#takeLateAnswer(ack));
  }

  #refreshWithNewKeys(from: MediaLeg): void {
    this.#services.layer.trying(this.#transaction, this.#services.now());
    void this.#media.renewKeys(from).then((renewed) =>
      this.#services.run(() => {
        if (this.#state !== 'offering') return this.#media.dropKeys(from);
        if (renewed.ok) this.#refresh(from);
        else this.#refuse(500, 'No media ports are left');
      }),
    );
  }

  cancelled(): void {
    if (this.#state !== 'offering') return;
    if (this.#outbound !== undefined) this.#services.layer.cancel(this.#outbound, this.#services.now());
    this.#refuse(487);
  }

  unreachable(): void {
    this.cancelled();
  }

  acknowledged(leg: CallLeg, ack: SipRequest): void {
    if (leg === this.#from) this.#confirmation?.acknowledge(ack);
  }

  /** The call is over. */
  stop(): void {
    this.#confirmation?.stop();
    if (this.#state === 'offering') this.#refuse(487);
    this.#finish();
  }

  sent(transaction: ClientTransaction): void {
    this.#outbound = transaction;
  }

  response(response: SipResponse): void {
    const { status } = response;
    if (status < 200) return;
    if (status < 300) return this.#agreed(response);
    if (this.#state !== 'offering') return;
    this.#refuse(statusForCaller(status));
    // RFC 3261 §12.2.1.2: the dialog is gone there.
    if (status === 481 || status === 408) this.#events.broken();
  }

  failed(): void {
    if (this.#state !== 'offering') return;
    this.#refuse(408);
    this.#events.broken();
  }

  #carry(description: string): void {
    const dialog = this.#to.dialog;
    if (dialog === undefined) return this.#refuse(481);
    const headers = new HeaderList();
    headers.add('User-Agent', product);
    const body = withSdp(headers, description);
    this.#to.send(dialog.request('INVITE', { contact: this.#to.contact, headers, body }), this);
  }

  #agreed(response: SipResponse): void {
    if (this.#acknowledged) {
      if (this.#ack !== undefined) this.#services.layer.resend(this.#ack, this.#to.flow);
      return;
    }
    this.#acknowledged = true;
    this.#to.dialog?.refreshTarget(response);
    this.#to.ack(response.cseq.number, (bytes) => {
      this.#ack = bytes;
    });
    if (this.#state !== 'offering' || this.#pending === undefined) return;
    const body = sdpOf(response);
    const parsed = body === undefined ? undefined : parseSession(body);
    if (parsed === undefined || !parsed.ok) return this.#refuse(488, 'The other side gave no usable answer');
    const answer = this.#media.reanswer(this.#pending, parsed.value);
    if (!answer.ok) return this.#refuse(488, answer.error.warning);
    this.#accept(answer.value, () => undefined);
    this.#events.changed();
  }

  #accept(description: string, acknowledged: (ack: SipRequest) => void): void {
    const headers = new HeaderList();
    headers.add('Contact', this.#from.contact);
    headers.add('Allow', allowedMethods);
    const body = withSdp(headers, description);
    const response = makeResponse(this.#request, 200, undefined, { headers, body });
    this.#state = 'answered';
    this.#confirmation = new Confirmation(this.#services, this.#transaction, response, {
      acknowledged: (ack) => {
        acknowledged(ack);
        this.#finish();
      },
      gaveUp: () => {
        this.#finish();
        this.#events.broken();
      },
    });
  }

  #takeLateAnswer(ack: SipRequest): void {
    const body = sdpOf(ack);
    const leg = this.#from.media;
    if (body === undefined || leg === undefined) return;
    const parsed = parseSession(body);
    if (parsed.ok && this.#media.confirm(leg, parsed.value).ok) this.#events.changed();
    else this.#media.dropKeys(leg);
  }

  #refuse(status: number, why?: string): void {
    if (this.#state !== 'offering') return;
    if (this.#pending !== undefined) this.#media.abandon(this.#pending);
    const headers = new HeaderList();
    if (why !== undefined) headers.add('Warning', warning(why));
    this.#services.layer.respond(
      this.#transaction,
      makeResponse(this.#request, status, undefined, { headers }),
      this.#services.now(),
    );
    this.#finish();
  }

  #finish(): void {
    if (this.#state === 'finished') return;
    this.#state = 'finished';
    this.#events.finished();
  }
}
