import { Uas2xx } from '@ringfence/sip/dialog/invite-uas.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { CallServices } from './services.ts';

/** Repeats our 2xx to an INVITE until its ACK is here, RFC 3261 §13.3.1.4. */
export class Confirmation {
  readonly #services: CallServices;
  readonly #machine: Uas2xx;
  readonly #transaction: ServerTransaction;
  readonly #response: SipResponse;
  readonly #hear: { acknowledged(ack: SipRequest): void; gaveUp(): void };
  #stop: () => void;

  constructor(
    services: CallServices,
    transaction: ServerTransaction,
    response: SipResponse,
    hear: { acknowledged(ack: SipRequest): void; gaveUp(): void },
  ) {
    this.#services = services;
    this.#transaction = transaction;
    this.#response = response;
    this.#hear = hear;
    const now = services.now();
    this.#machine = new Uas2xx(now);
    services.layer.respond(transaction, response, now);
    this.#stop = this.#arm();
  }

  /** Takes an ACK that came within the same dialog; one of another INVITE means nothing here (§13.2.2.4). */
  acknowledge(ack: SipRequest): void {
    if (!this.#machine.running || ack.cseq.number !== this.#response.cseq.number) return;
    this.stop();
    this.#hear.acknowledged(ack);
  }

  /** Nobody waits for the ACK any more. */
  stop(): void {
    this.#machine.acknowledged();
    this.#stop();
  }

  #arm(): () => void {
    const wait = this.#machine.nextTimeout() - this.#services.now();
    return this.#services.after(Math.max(0, wait), () => this.#services.run(() => this.#tick()));
  }

  #tick(): void {
    const now = this.#services.now();
    this.#machine.handleTimeout(now);
    const output = this.#machine.poll();
    if (output === 'gave-up') return this.#hear.gaveUp();
    if (output === 'repeat') this.#services.layer.respond(this.#transaction, this.#response, now);
    if (this.#machine.running) this.#stop = this.#arm();
  }
}
