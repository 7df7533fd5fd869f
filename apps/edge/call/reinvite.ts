import { retryDelay } from '@ringfence/sip/dialog/glare.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipResponse } from '@ringfence/sip/message/types.ts';
import type { ClientTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { CallLeg } from './leg.ts';
import { product, withSdp } from './messages.ts';
import type { CallServices, ClientOwner } from './services.ts';

/** How long a peer may take to agree; nobody has to pick up a handset for it. */
const patienceMs = 20_000;
/** How often an INVITE that crossed one of the peer's is tried again (RFC 3261 §14.1). */
const attempts = 4;

export interface ReinviteEvents {
  /** Its 2xx, which has been acknowledged. */
  answered(response: SipResponse): void;
  failed(status: number): void;
  /** Agreed to after `stop`: the peer now sends to where nobody listens. */
  lost(): void;
}

/** An offer of our own within a dialog, RFC 3261 §14.1; one that crosses the peer's (491) is made again later. */
export class Reinvite implements ClientOwner {
  readonly #services: CallServices;
  readonly #leg: CallLeg;
  readonly #description: string;
  readonly #events: ReinviteEvents;
  #state: 'asking' | 'stopped' | 'done' = 'asking';
  #transaction: ClientTransaction | undefined = undefined;
  #ack: Uint8Array | undefined = undefined;
  #attempt = 0;
  #stopTimer: (() => void) | undefined = undefined;

  constructor(services: CallServices, leg: CallLeg, description: string, events: ReinviteEvents) {
    this.#services = services;
    this.#leg = leg;
    this.#description = description;
    this.#events = events;
    this.#send();
  }

  /** Nobody waits for it any more. */
  stop(): void {
    if (this.#state !== 'asking') return;
    this.#state = 'stopped';
    this.#stopTimer?.();
    if (this.#transaction !== undefined) this.#services.layer.cancel(this.#transaction, this.#services.now());
  }

  sent(transaction: ClientTransaction): void {
    this.#transaction = transaction;
  }

  response(response: SipResponse): void {
    const { status } = response;
    if (status < 200) return;
    if (status < 300) return this.#agreed(response);
    if (status === 491 && this.#state === 'asking' && this.#attempt < attempts) return this.#later();
    this.#fail(status);
  }

  failed(): void {
    this.#fail(408);
  }

  #send(): void {
    const { dialog, contact } = this.#leg;
    if (dialog?.state !== 'confirmed') return this.#fail(481);
    this.#attempt += 1;
    const headers = new HeaderList().add('Allow', this.#leg.allow).add('User-Agent', product);
    headers.add('Supported', 'timer');
    this.#leg.timer.request(headers);
    const body = withSdp(headers, this.#description);
    this.#stopTimer = this.#services.after(patienceMs, () => this.#services.run(() => this.#tooLate()));
    this.#leg.send(dialog.request('INVITE', { contact, headers, body }), this);
  }

  #later(): void {
    this.#stopTimer?.();
    const random = (): number => Number(`0.${this.#services.sessionId()}`);
    // The side that sent the INVITE of the call has chosen its Call-ID.
    const wait = retryDelay(this.#leg.rang !== '', random);
    this.#stopTimer = this.#services.after(wait, () =>
      this.#services.run(() => {
        if (this.#state === 'asking') this.#send();
      }),
    );
  }

  #tooLate(): void {
    if (this.#state !== 'asking') return;
    this.stop();
    this.#events.failed(408);
  }

  #agreed(response: SipResponse): void {
    const leg = this.#leg;
    if (this.#state === 'done') {
      if (this.#ack !== undefined) this.#services.layer.resend(this.#ack, leg.flow);
      return;
    }
    const wanted = this.#state === 'asking';
    this.#state = 'done';
    this.#stopTimer?.();
    leg.dialog?.refreshTarget(response);
    leg.heard(response);
    leg.timer.agreed(response.headers, this.#services.now());
    leg.ack(response.cseq.number, (bytes) => {
      this.#ack = new Uint8Array(bytes);
    });
    if (wanted) this.#events.answered(response);
    else this.#events.lost();
  }

  #fail(status: number): void {
    this.#stopTimer?.();
    const wanted = this.#state === 'asking';
    if (this.#state !== 'done') this.#state = 'done';
    if (wanted) this.#events.failed(status);
  }
}
