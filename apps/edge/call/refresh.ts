import { parseSession } from '@ringfence/sdp/parse.ts';
import { retryDelay } from '@ringfence/sip/dialog/glare.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipResponse } from '@ringfence/sip/message/types.ts';
import type { CallMedia } from '../media/call-media.ts';
import type { CallLeg } from './leg.ts';
import { product, sdpOf, withSdp } from './messages.ts';
import type { CallServices, ClientOwner } from './services.ts';

/** `gone`: the peer has no such dialog, or is silent. `later`: not now, milliseconds until it is tried again. */
export type RefreshOutcome = 'done' | 'gone' | { readonly later: number };

/** How long after a refusal that says nothing about the dialog a refresh is tried again, in milliseconds. */
const patience = 30_000;

/**
 * A session refresh of ours on one leg, RFC 4028 §7.4: an UPDATE without SDP where the peer takes one, else a re-INVITE
 * that says what we have said already.
 */
export class Refresh implements ClientOwner {
  readonly leg: CallLeg;
  readonly #services: CallServices;
  readonly #media: CallMedia;
  readonly #finished: (outcome: RefreshOutcome) => void;
  #offers = false;
  #over = false;
  #ack: Uint8Array | undefined = undefined;

  constructor(
    services: CallServices,
    leg: CallLeg,
    media: CallMedia,
    finished: (outcome: RefreshOutcome) => void,
  ) {
    this.#services = services;
    this.leg = leg;
    this.#media = media;
    this.#finished = finished;
  }

  /** An offer of ours is out: none of the peer's is taken meanwhile (RFC 3261 §14.2). */
  get offers(): boolean {
    return this.#offers;
  }

  start(): void {
    const { leg } = this;
    const { dialog } = leg;
    if (dialog === undefined) return this.#end('gone');
    this.#offers = !leg.takesUpdate;
    const headers = new HeaderList().add('Supported', 'timer').add('User-Agent', product);
    leg.timer.request(headers);
    if (!this.#offers) return leg.send(dialog.request('UPDATE', { contact: leg.contact, headers }), this);
    if (leg.media === undefined) return this.#end('done');
    const body = withSdp(headers, this.#media.repeat(leg.media));
    leg.send(dialog.request('INVITE', { contact: leg.contact, headers, body }), this);
  }

  response(response: SipResponse): void {
    const { status } = response;
    if (status < 200) return;
    if (status < 300) return this.#agreed(response);
    if (this.#over) return;
    const { leg } = this;
    if (status === 422 && leg.timer.raise(response.headers)) return this.start();
    if ((status === 405 || status === 501) && leg.takesUpdate) {
      leg.takesUpdate = false;
      return this.start();
    }
    // RFC 3261 §12.2.1.2 and RFC 4028 §10.
    if (status === 481 || status === 408) return this.#end('gone');
    if (status !== 491) return this.#end({ later: patience });
    // We have chosen the Call-ID of every leg but the caller's (RFC 3261 §14.1).
    this.#end({ later: retryDelay(leg.index !== 0, () => this.#services.random()) });
  }

  failed(reason: 'timeout' | 'transport' | 'overload'): void {
    this.#end(reason === 'timeout' ? 'gone' : { later: patience });
  }

  #agreed(response: SipResponse): void {
    const { leg } = this;
    if (response.cseq.method === 'INVITE') {
      if (this.#ack !== undefined) return this.#services.layer.resend(this.#ack, leg.flow);
      leg.ack(response.cseq.number, (bytes) => {
        this.#ack = bytes;
      });
      const body = sdpOf(response);
      const parsed = body === undefined ? undefined : parseSession(body);
      if (parsed?.ok === true && leg.media !== undefined) this.#media.confirm(leg.media, parsed.value);
    }
    if (this.#over) return;
    leg.dialog?.refreshTarget(response);
    leg.heard(response);
    leg.timer.agreed(response.headers, this.#services.now());
    this.#end('done');
  }

  #end(outcome: RefreshOutcome): void {
    if (this.#over) return;
    this.#over = true;
    this.#finished(outcome);
  }
}
