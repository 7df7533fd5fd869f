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
  readonly #acknowledged: (ack: SipRequest) => void;
  readonly #gaveUp: () => void;
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
    this.#acknowledged = (ack) => hear.acknowledged(ack);
    this.#gaveUp = () => hear.gaveUp();
    const now = services.now();
    this.#machine = new Uas2xx(now);
    services.layer.respond(transaction, response, now);
    this.#stop = this.#arm();
  }

  /** False once the ACK is here, or nobody waits for it any more. */
  get running(): boolean {
    return this.#machine.running;
  }

  acknowledge(ack: SipRequest): void {
    if (!this.#machine.running) return;
    this.stop();
    this.#acknowledged(ack);
  }

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
    if (output === 'gave-up') return this.#gaveUp();
    if (output === 'repeat') this.#services.layer.respond(this.#transaction, this.#response, now);
    if (this.#machine.running) this.#stop = this.#arm();
  }
}
