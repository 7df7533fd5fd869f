import { parseSession } from '@ringfence/sdp/parse.ts';
import { Dialog } from '@ringfence/sip/dialog/dialog.ts';
import { maxForks } from '@ringfence/sip/dialog/invite-uac.ts';
import type { SipResponse } from '@ringfence/sip/message/types.ts';
import type { ClientTransaction } from '@ringfence/sip/transaction/transaction.ts';
import { describeRefusal } from '../media/describe.ts';
import type { CallLeg } from './leg.ts';
import { sdpOf } from './messages.ts';
import type { CallServices, ClientOwner } from './services.ts';

/**
 * What follows the first 2xx to an INVITE of ours, RFC 3261 §13.2.2.4: repetitions get their ACK again, answers of
 * further forks behind the peer are acknowledged and hung up.
 *
 * Takes the place of the branch in the transaction, so that a call that is over is not held until it runs out.
 */
export class Forks implements ClientOwner {
  readonly #services: CallServices;
  readonly #transaction: ClientTransaction;
  readonly #tag: string;
  #ack: Uint8Array | undefined = undefined;
  #others: Map<string, Uint8Array> | undefined = undefined;

  constructor(services: CallServices, transaction: ClientTransaction, tag: string) {
    this.#services = services;
    this.#transaction = transaction;
    this.#tag = tag;
  }

  /** The ACK of the fork that was taken has been sent. */
  readonly keep = (ack: Uint8Array): void => {
    // A copy: the octets lie in a pool that would be held as a whole for 32 s.
    this.#ack = new Uint8Array(ack);
  };

  response(response: SipResponse): void {
    const { layer, now } = this.#services;
    const { flow, request } = this.#transaction;
    if (response.status < 200 || response.status >= 300) return;
    const value = response.to.params.get('tag');
    const tag = typeof value === 'string' ? value : '';
    const known = tag === this.#tag ? this.#ack : this.#others?.get(tag);
    if (known !== undefined) return layer.resend(known, flow);
    this.#others ??= new Map();
    if (tag === this.#tag || this.#others.size >= maxForks) return;
    const dialog = Dialog.uac(request, response);
    this.#others.set(tag, layer.sendAck(dialog.ack(request.cseq.number), flow));
    layer.request(dialog.request('BYE'), flow, now());
  }

  failed(): void {}
}

/**
 * Sends the ACK of the first 2xx and hands its transaction over.
 *
 * `offers`: the 2xx carries the offer, so that the ACK has to wait for the answer (RFC 3261 §13.2.2.4).
 */
export function takeAnswer(
  services: CallServices,
  leg: CallLeg,
  transaction: ClientTransaction,
  response: SipResponse,
  credentials: Parameters<CallLeg['ack']>[2],
  offers: boolean,
): void {
  const { request } = transaction;
  const value = response.to.params.get('tag');
  const tag = typeof value === 'string' ? value : '';
  if (leg.dialog?.remoteTag === tag) leg.dialog.confirm(response);
  else leg.dialog = Dialog.uac(request, response);
  leg.status = response.status;
  const forks = new Forks(services, transaction, tag);
  transaction.context = forks;
  const { number } = request.cseq;
  if (!offers) return leg.ack(number, forks.keep, credentials);
  const { media } = leg;
  const offer = sdpOf(response);
  const parsed = offer === undefined ? undefined : parseSession(offer);
  const refusal =
    media === undefined || parsed?.ok !== true ? undefined : () => describeRefusal(media, parsed.value);
  leg.awaitAnswer((answer) => leg.ack(number, forks.keep, credentials, answer ?? refusal?.()));
}
