import { Uas2xx } from '@ringfence/sip/dialog/invite-uas.ts';
import type { SipResponse } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { Phone } from './phone.ts';

/** A test phone's 2xx, repeated until its ACK (RFC 3261 §13.3.1.4). */
export class Repeated2xx {
  readonly cseq: number;
  readonly #machine: Uas2xx;
  #cancel: () => void = () => {};

  constructor(phone: Phone, transaction: ServerTransaction, response: SipResponse, gaveUp: () => void) {
    const { time } = phone.world;
    this.cseq = response.cseq.number;
    this.#machine = new Uas2xx(time.now);
    const arm = (): void => {
      this.#cancel = time.at(this.#machine.nextTimeout(), (now) => {
        this.#machine.handleTimeout(now);
        const output = this.#machine.poll();
        if (output === 'repeat') phone.respond(transaction, response);
        if (output === 'gave-up') gaveUp();
        else arm();
      });
    };
    arm();
  }

  stop(): void {
    this.#machine.acknowledged();
    this.#cancel();
  }
}
