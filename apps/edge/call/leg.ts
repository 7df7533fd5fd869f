import type { Dialog } from '@ringfence/sip/dialog/dialog.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { Encryption } from '../config/schema.ts';
import type { CallMedia } from '../media/call-media.ts';
import type { MediaLeg } from '../media/leg.ts';
import type { LegProtection } from '../policy/protection.ts';
import { contactOf } from './messages.ts';
import type { CallServices, ClientOwner, DialogOwner } from './services.ts';

/** What a leg tells its call. */
export interface LegEvents {
  inDialog(leg: CallLeg, transaction: ServerTransaction, request: SipRequest): void;
  acknowledged(leg: CallLeg, request: SipRequest): void;
}

/** One dialog of a call, whichever side began it. */
export class CallLeg implements DialogOwner {
  readonly index: number;
  readonly party: string;
  readonly localTag: string;
  readonly demanded: Encryption;
  readonly startedAt: number;
  /** In-dialog requests go to where the peer says only for trunks; a phone is reached over its flow alone. */
  readonly followTarget: boolean;
  flow: Flow;
  callId = '';
  secure = false;
  dialog: Dialog | undefined;
  media: MediaLeg | undefined;
  status = 0;
  answeredAt: number | undefined;
  endedAt: number | undefined;
  readonly #services: CallServices;
  readonly #events: LegEvents;

  constructor(
    services: CallServices,
    events: LegEvents,
    fields: {
      readonly index: number;
      readonly party: string;
      readonly demanded: Encryption;
      readonly flow: Flow;
      readonly followTarget: boolean;
    },
  ) {
    this.#services = services;
    this.#events = events;
    this.index = fields.index;
    this.party = fields.party;
    this.demanded = fields.demanded;
    this.flow = fields.flow;
    this.followTarget = fields.followTarget;
    this.startedAt = services.now();
    this.localTag = services.token(16);
    services.dialogs.set(this.localTag, this);
  }

  get remoteTag(): string {
    return this.dialog?.remoteTag ?? '';
  }

  get contact(): string {
    return contactOf(this.flow, this.localTag, this.secure);
  }

  request(transaction: ServerTransaction, request: SipRequest): void {
    this.#events.inDialog(this, transaction, request);
  }

  acknowledged(request: SipRequest): void {
    this.#events.acknowledged(this, request);
  }

  /** Sends an in-dialog request; `owner` hears of its answer. */
  send(request: SipRequest, owner: ClientOwner): void {
    const { layer } = this.#services;
    const go = (flow: Flow | undefined): void => {
      if (flow === undefined) return owner.failed('transport');
      this.flow = flow;
      layer.request(request, flow, this.#services.now()).context = owner;
    };
    const flow = this.#services.route(this.flow, request, this.followTarget);
    if (flow instanceof Promise) void flow.then((found) => this.#services.run(() => go(found)));
    else go(flow);
  }

  /** ACK of a 2xx of ours to an INVITE; the bytes are kept for repetitions. */
  ack(cseq: number, keep: (bytes: Uint8Array) => void): void {
    if (this.dialog === undefined) return;
    const request = this.dialog.ack(cseq);
    const flow = this.#services.route(this.flow, request, this.followTarget);
    if (flow instanceof Promise)
      void flow.then((found) =>
        this.#services.run(() => {
          if (found !== undefined) keep(this.#services.layer.sendAck(request, found));
        }),
      );
    else if (flow !== undefined) keep(this.#services.layer.sendAck(request, flow));
  }

  /** Ends the dialog from our side; the tag stays known until the peer has answered. */
  bye(reason?: string): void {
    const dialog = this.dialog;
    if (dialog === undefined || dialog.state === 'terminated') return this.forget();
    const headers = new HeaderList();
    if (reason !== undefined) headers.add('Reason', reason);
    const request = dialog.request('BYE', { headers });
    dialog.terminate();
    this.send(request, {
      response: (response) => {
        if (response.status >= 200) this.forget();
      },
      failed: () => this.forget(),
    });
  }

  /** Requests with this leg's tag are unknown from now on. */
  forget(): void {
    this.#services.dialogs.delete(this.localTag);
  }

  protection(media: CallMedia | undefined): LegProtection {
    const { transport, tls } = this.flow;
    return {
      leg: this.index,
      party: this.party,
      demanded: this.demanded,
      signalling: {
        transport,
        ...(tls === undefined ? {} : { version: tls.version, cipher: tls.cipher }),
        ...(tls?.group === undefined ? {} : { group: tls.group }),
        ...(tls?.peerNames === undefined ? {} : { peerNames: tls.peerNames }),
        ...(tls?.peerFingerprint === undefined ? {} : { peerFingerprint: tls.peerFingerprint }),
      },
      media:
        this.media === undefined || media === undefined
          ? { protocol: 'none' }
          : media.protectionOf(this.media, transport === 'tls'),
    };
  }
}
