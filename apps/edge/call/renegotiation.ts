import { parseSession } from '@ringfence/sdp/parse.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import type { ClientTransaction, ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { CallMedia } from '../media/call-media.ts';
import type { PendingOffer } from '../media/change.ts';
import type { MediaLeg } from '../media/leg.ts';
import { Confirmation } from './confirmation.ts';
import type { Agreed } from './hold-music.ts';
import { statusForCaller } from './hunt.ts';
import type { CallLeg } from './leg.ts';
import { product, sdpOf, warning, withSdp } from './messages.ts';
import type { CallServices, ClientOwner, InviteOwner } from './services.ts';
import { tellStripping } from './tampering.ts';

/** What a renegotiation tells its call. */
export interface RenegotiationEvents {
  /** Media or keys have changed; `agreed` where both sides have said something new. */
  changed(agreed?: Agreed): void;
  /** The dialog is gone on one side (481, 408): the call must end. */
  broken(): void;
  /** Over, whatever became of it. */
  finished(): void;
}

/**
 * A new offer of one side, carried to the other: both agree, or nothing changes.
 *
 * It comes by re-INVITE (RFC 3261 §14) or UPDATE (RFC 3311), and goes on by the same, but by re-INVITE to a peer that
 * knows no UPDATE. A re-INVITE without SDP is a refresh: we repeat our own description and take the answer out of the
 * ACK.
 */
export class Renegotiation implements ClientOwner, InviteOwner {
  readonly #services: CallServices;
  readonly #events: RenegotiationEvents;
  readonly #media: CallMedia;
  /** Whose offer it is. */
  readonly from: CallLeg;
  readonly #to: CallLeg;
  readonly #transaction: ServerTransaction;
  readonly #request: SipRequest;
  #outbound: ClientTransaction | undefined = undefined;
  #pending: PendingOffer | undefined = undefined;
  #confirmation: Confirmation | undefined = undefined;
  #acknowledged = false;
  #ack: Uint8Array | undefined = undefined;
  #raised = false;
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
    this.from = legs.from;
    this.#to = legs.to;
    this.#transaction = transaction;
    this.#request = request;
    if (request.method === 'INVITE') transaction.context = this;
  }

  start(): void {
    const body = sdpOf(this.#request);
    const from = this.from.media;
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
        if (!offered.ok) {
          tellStripping(this.#services, this.from.call, this.from, offered.error);
          return this.#refuse(488, offered.error.warning);
        }
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
    if (leg === this.from) this.#confirmation?.acknowledge(ack);
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
    if (this.#state !== 'offering' || this.#pending === undefined) return;
    if (status === 422 && !this.#raised && this.#to.timer.raise(response.headers)) {
      this.#raised = true;
      return this.#carry(this.#pending.description);
    }
    if ((status === 405 || status === 501) && response.cseq.method === 'UPDATE' && this.#to.takesUpdate) {
      this.#to.takesUpdate = false;
      return this.#carry(this.#pending.description);
    }
    this.#refuse(statusForCaller(status));
    // RFC 3261 §12.2.1.2: the dialog is gone there.
    if (status === 481 || status === 408) this.#events.broken();
  }

  failed(): void {
    if (this.#state !== 'offering') return;
    // RFC 4320 §4.2: 408 is no answer to anything but INVITE.
    this.#refuse(this.#request.method === 'INVITE' ? 408 : 504);
    this.#events.broken();
  }

  #carry(description: string): void {
    const { dialog } = this.#to;
    if (dialog === undefined) return this.#refuse(481);
    const method = this.#request.method === 'INVITE' || !this.#to.takesUpdate ? 'INVITE' : 'UPDATE';
    // What is not confirmed yet takes no re-INVITE (RFC 3261 §14.1).
    if (method === 'INVITE' && dialog.state !== 'confirmed')
      return this.#refuse(488, 'The other side takes no UPDATE');
    const headers = new HeaderList().add('Supported', 'timer').add('User-Agent', product);
    if (method === 'UPDATE') headers.add('Allow', this.#to.allow);
    this.#to.timer.request(headers);
    const body = withSdp(headers, description);
    this.#to.send(dialog.request(method, { contact: this.#to.contact, headers, body }), this);
  }

  #agreed(response: SipResponse): void {
    if (this.#acknowledged) {
      if (this.#ack !== undefined) this.#services.layer.resend(this.#ack, this.#to.flow);
      return;
    }
    this.#acknowledged = true;
    this.#to.dialog?.refreshTarget(response);
    this.#to.heard(response);
    this.#to.timer.agreed(response.headers, this.#services.now());
    if (response.cseq.method === 'INVITE')
      this.#to.ack(response.cseq.number, (bytes) => {
        this.#ack = bytes;
      });
    if (this.#state !== 'offering' || this.#pending === undefined) return;
    const body = sdpOf(response);
    const parsed = body === undefined ? undefined : parseSession(body);
    if (parsed === undefined || !parsed.ok) return this.#refuse(488, 'The other side gave no usable answer');
    const { session } = this.#pending.read;
    const answer = this.#media.reanswer(this.#pending, parsed.value);
    if (!answer.ok) {
      tellStripping(this.#services, this.#to.call, this.#to, answer.error);
      return this.#refuse(488, answer.error.warning);
    }
    this.#pending = undefined;
    this.#events.changed({ from: this.from, to: this.#to, offer: session, answer: parsed.value });
    void this.#media.applied.then(() =>
      this.#services.run(() => {
        if (this.#state === 'offering') this.#accept(answer.value, () => undefined);
      }),
    );
  }

  #accept(description: string, acknowledged: (ack: SipRequest) => void): void {
    const headers = new HeaderList();
    headers.add('Contact', this.from.contact);
    headers.add('Allow', this.from.allow);
    this.from.timer.accept(this.#request.headers, this.#services.now(), headers);
    const body = withSdp(headers, description);
    const response = makeResponse(this.#request, 200, undefined, { headers, body });
    this.#state = 'answered';
    if (this.#request.method !== 'INVITE') {
      this.#services.layer.respond(this.#transaction, response, this.#services.now());
      return this.#finish();
    }
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
    const leg = this.from.media;
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
