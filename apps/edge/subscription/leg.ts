import type { Dialog } from '@ringfence/sip/dialog/dialog.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import type { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import { type Flow, isEncrypted } from '@ringfence/sip/transport/flow.ts';
import { contactOf } from '../call/messages.ts';
import type { CallServices, ClientOwner, DialogOwner } from '../call/services.ts';

/** What came for a leg within its dialog; answered once. */
export type Asked = (request: SipRequest, answer: (status: number, headers?: HeaderList) => void) => void;

export interface LegFields {
  readonly callId: string;
  readonly flow: Flow;
  /** Requests go to where the peer says only towards the PBX; a phone is reached over its flow alone. */
  readonly followTarget: boolean;
  /** A flow to the same peer where the one in hand is gone. */
  again?(flow: Flow): Flow | undefined;
}

/** One of the two dialogs of a relayed subscription. */
export class SubscriptionLeg implements DialogOwner {
  readonly localTag: string;
  readonly callId: string;
  flow: Flow;
  dialog: Dialog | undefined = undefined;
  readonly #services: CallServices;
  readonly #fields: LegFields;
  readonly #asked: Asked;

  constructor(services: CallServices, fields: LegFields, asked: Asked) {
    this.#services = services;
    this.#fields = fields;
    this.#asked = asked;
    this.flow = fields.flow;
    this.callId = fields.callId;
    this.localTag = services.token(16);
    services.dialogs.set(this.localTag, this);
  }

  get remoteTag(): string {
    return this.dialog?.remoteTag ?? '';
  }

  /** A NOTIFY may come before the answer to the SUBSCRIBE, and then makes the dialog (RFC 6665 §4.1.2.4). */
  get begun(): boolean {
    return this.dialog !== undefined;
  }

  get contact(): string {
    return contactOf(this.flow, this.localTag, false);
  }

  request(transaction: ServerTransaction, request: SipRequest): void {
    const { layer, now } = this.#services;
    let answered = false;
    const answer = (status: number, headers?: HeaderList): void => {
      if (answered) return;
      answered = true;
      const fields = headers === undefined ? {} : { headers };
      layer.respond(transaction, makeResponse(request, status, undefined, fields), now());
    };
    const { flow } = transaction;
    // What came over TLS stays on TLS.
    if (isEncrypted(this.flow.transport) && !isEncrypted(flow.transport)) return answer(403);
    const order = this.dialog?.receive(request);
    if (order?.ok === false) return answer(order.status, order.headers);
    this.flow = flow;
    this.#asked(request, answer);
  }

  acknowledged(): void {}

  /** Sends a request of the dialog; `owner` hears of its answer. */
  send(
    method: string,
    fields: { readonly headers: HeaderList; readonly body?: Uint8Array },
    owner: ClientOwner,
  ): void {
    const { layer, run, now } = this.#services;
    const { dialog } = this;
    if (dialog === undefined) return owner.failed('transport');
    const again = this.#fields.again?.(this.flow);
    if (again !== undefined) this.flow = again;
    const request = dialog.request(method, { contact: this.contact, ...fields });
    const go = (flow: Flow | undefined): void => {
      if (flow === undefined) return owner.failed('transport');
      this.flow = flow;
      layer.request(request, flow, now()).context = owner;
    };
    const flow = this.#services.route(this.flow, request, this.#fields.followTarget, '');
    if (flow instanceof Promise) void flow.then((found) => run(() => go(found)));
    else go(flow);
  }

  forget(): void {
    this.dialog?.terminate();
    this.#services.dialogs.delete(this.localTag);
  }
}
