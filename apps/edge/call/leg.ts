import type { Dialog } from '@ringfence/sip/dialog/dialog.ts';
import { SessionTimer } from '@ringfence/sip/dialog/session-timer.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import { type Flow, isEncrypted } from '@ringfence/sip/transport/flow.ts';
import type { Encryption } from '../config/schema.ts';
import type { CallMedia } from '../media/call-media.ts';
import type { MediaLeg } from '../media/leg.ts';
import type { Trunk } from '../objects/types.ts';
import type { LegProtection } from '../policy/protection.ts';
import { type Credentials, isChallenge } from './credentials.ts';
import { contactOf, dialogMethods, withSdp } from './messages.ts';
import { type ProtectionInfo, takesProtection } from './protection-info.ts';
import type { CallServices, ClientOwner, DialogOwner } from './services.ts';

/** What a leg tells its call. */
export interface LegEvents {
  /** Of the call. */
  readonly id: string;
  inDialog(leg: CallLeg, transaction: ServerTransaction, request: SipRequest): void;
  acknowledged(leg: CallLeg, request: SipRequest): void;
}

export interface LegFields {
  readonly index: number;
  readonly party: string;
  readonly demanded: Encryption;
  readonly flow: Flow;
  /** In-dialog requests go to where the peer says only for trunks; a phone is reached over its flow alone. */
  readonly followTarget: boolean;
  readonly callId: string;
  /** The dialog was begun with a sips URI. */
  readonly secure: boolean;
  /** User part of our INVITE. */
  readonly rang?: string;
  /** This party's identity is nobody's business. */
  readonly hidden?: boolean;
  /** Whose challenges are answered. */
  readonly trunk?: Trunk;
  /** Of a leg that another process began: its tag and when that was. */
  readonly began?: { readonly localTag: string; readonly at: number };
  /** The same dialog as a leg of another call, which serves it until `takeOver`. */
  readonly continues?: CallLeg;
}

/** A phone that has lost its connection gets its BYE when it is back, within the 32 s of timer F. */
const byeTries = 16;
const byeEveryMs = 2_000;

/** One dialog of a call, whichever side began it. */
export class CallLeg implements DialogOwner {
  readonly index: number;
  readonly party: string;
  localTag: string;
  readonly callId: string;
  readonly demanded: Encryption;
  readonly rang: string;
  readonly hidden: boolean;
  flow: Flow;
  readonly startedAt: number;
  dialog: Dialog | undefined = undefined;
  media: MediaLeg | undefined = undefined;
  /** Of a leg that is rung: what was said reliably before it answered, and whether offer and answer are done with that. */
  early: { readonly answer: Uint8Array | undefined; readonly done: boolean } | undefined = undefined;
  /** The peer's Allow has UPDATE (RFC 3311 §4). */
  takesUpdate = false;
  /** It wants to be told what protects the call. */
  takesProtection = false;
  told: ProtectionInfo | undefined = undefined;
  readonly timer: SessionTimer;
  status = 0;
  /** Requests of the other side that wait for this peer's answer. */
  relayed = 0;
  /** Whom this party has asked, by a REFER that was passed on, to take its place. */
  grantedTo: string | undefined = undefined;
  answeredAt: number | undefined = undefined;
  endedAt: number | undefined = undefined;
  readonly #services: CallServices;
  #events: LegEvents;
  readonly #followTarget: boolean;
  readonly #secure: boolean;
  readonly #trunk: Trunk | undefined;
  /** A BYE of ours is out. */
  #leaving = false;
  #acknowledge: ((answer: string | undefined) => void) | undefined = undefined;
  /** The leg that still serves the dialog. */
  #former: CallLeg | undefined;
  /** Another leg serves the dialog. */
  #handedOver = false;

  constructor(services: CallServices, events: LegEvents, fields: LegFields) {
    this.#services = services;
    this.#events = events;
    this.index = fields.index;
    this.party = fields.party;
    this.demanded = fields.demanded;
    this.callId = fields.callId;
    this.rang = fields.rang ?? '';
    this.hidden = fields.hidden ?? false;
    this.flow = fields.flow;
    this.#followTarget = fields.followTarget;
    this.#secure = fields.secure;
    this.#trunk = fields.trunk;
    const { sessionExpires, minimumSessionExpires } = services.config().calls;
    // A dialog has one session timer, whichever call it belongs to.
    this.timer =
      fields.continues?.timer ??
      new SessionTimer({ expires: sessionExpires, minimum: minimumSessionExpires });
    this.takesUpdate = fields.continues?.takesUpdate ?? false;
    this.takesProtection = fields.continues?.takesProtection ?? false;
    this.startedAt = fields.began?.at ?? services.now();
    this.#former = fields.continues;
    this.localTag = fields.continues?.localTag ?? fields.began?.localTag ?? services.token(16);
    if (fields.continues === undefined) services.dialogs.set(this.localTag, this);
    else this.dialog = fields.continues.dialog;
  }

  /** The same dialog as a leg of another call: nothing changes until that one takes it over. */
  continuation(events: LegEvents, index: number): CallLeg {
    const { party, demanded, flow, callId, rang, hidden } = this;
    const fields = { index, party, demanded, flow, callId, rang, hidden, continues: this };
    return new CallLeg(this.#services, events, {
      ...fields,
      followTarget: this.#followTarget,
      secure: this.#secure,
      ...(this.#trunk === undefined ? {} : { trunk: this.#trunk }),
    });
  }

  /** From now on the dialog is this leg's, and the one that had it does nothing more to it. */
  takeOver(): void {
    const former = this.#former;
    if (former === undefined) return;
    this.#former = undefined;
    former.#handedOver = true;
    former.endedAt = this.#services.now();
    this.media?.claim();
    this.flow = former.flow;
    this.status = 200;
    this.answeredAt = this.#services.now();
    this.#services.dialogs.set(this.localTag, this);
  }

  /** The dialog is another leg's: not yet, or no longer this one's. */
  get elsewhere(): boolean {
    return this.#former !== undefined || this.#handedOver;
  }

  /** Whoever has rung it is done: from now on these hear of its requests. */
  servedBy(events: LegEvents): void {
    this.#events = events;
  }

  /** The call that it belongs to. */
  get call(): string {
    return this.#events.id;
  }

  get remoteTag(): string {
    return this.dialog?.remoteTag ?? '';
  }

  /** What does not change as long as the leg lives, for its snapshot. */
  get constants(): Pick<LegFields, 'followTarget' | 'secure'> & { readonly trunk: string | undefined } {
    return { followTarget: this.#followTarget, secure: this.#secure, trunk: this.#trunk?.name };
  }

  get contact(): string {
    return contactOf(this.flow, this.localTag, this.#secure);
  }

  /**
   * A request with our tag, over whatever flow: a phone that has connected anew is taken there (RFC 5626 §5.3).
   *
   * What came encrypted stays so: the tags are no secret to those who read the plain side.
   */
  request(transaction: ServerTransaction, request: SipRequest): void {
    const { flow } = transaction;
    if (isEncrypted(this.flow.transport) && !isEncrypted(flow.transport)) {
      this.#services.layer.respond(transaction, makeResponse(request, 403), this.#services.now());
      return;
    }
    this.flow = flow;
    this.media?.movedTo(flow.remote.address);
    this.#events.inDialog(this, transaction, request);
  }

  /** A new dialog with the peer from here on, as if another had answered (RFC 3261 §13.2.2.4); the old one is early and ends by itself. */
  renew(): void {
    this.#services.dialogs.delete(this.localTag);
    this.localTag = this.#services.token(16);
    this.#services.dialogs.set(this.localTag, this);
    this.dialog = undefined;
  }

  /** Value of Allow: what this peer may send within the dialog. */
  get allow(): string {
    return this.allowing(dialogMethods);
  }

  /** What of that list this peer may send. */
  allowing(methods: string): string {
    return this.#services.methods?.allow(methods, this.flow.listener, this.party) ?? methods;
  }

  /** Takes what a message of the peer says it can do. */
  heard({ headers }: { readonly headers: HeaderList }): void {
    const allow = headers.all('Allow');
    if (allow.length > 0) this.takesUpdate = allow.some((value) => value.includes('UPDATE'));
    if (headers.has('Recv-Info'))
      this.takesProtection = takesProtection(headers) && this.#trunk === undefined;
  }

  acknowledged(request: SipRequest): void {
    this.#events.acknowledged(this, request);
  }

  /** Sends an in-dialog request; `owner` hears of its answer. A trunk's challenge is answered once (RFC 3261 §22). */
  send(request: SipRequest, owner: ClientOwner): void {
    this.#send(request, this.#trunk?.outbound === undefined ? owner : this.#challengeable(request, owner));
  }

  /** ACK of a 2xx to an INVITE of ours; the bytes are kept for repetitions. */
  ack(cseq: number, keep: (bytes: Uint8Array) => void, credentials?: Credentials, sdp?: string): void {
    if (this.dialog === undefined) return;
    const headers = new HeaderList();
    if (credentials !== undefined) headers.add(credentials.name, credentials.value);
    const request = this.dialog.ack(
      cseq,
      sdp === undefined ? { headers } : { headers, body: withSdp(headers, sdp) },
    );
    const { layer, run } = this.#services;
    const flow = this.#services.route(this.flow, request, this.#followTarget, this.party);
    if (flow instanceof Promise)
      void flow.then((found) =>
        run(() => {
          if (found !== undefined) keep(layer.sendAck(request, found));
        }),
      );
    else if (flow !== undefined) keep(layer.sendAck(request, flow));
  }

  /** The 2xx that came holds an offer: `acknowledge` sends its ACK, without an answer one that takes nothing. */
  awaitAnswer(acknowledge: (answer: string | undefined) => void): void {
    this.#acknowledge = acknowledge;
  }

  /** The answer to the offer of a 2xx, in its ACK; nothing where none is waited for. */
  answerOffer(answer: string | undefined): void {
    const acknowledge = this.#acknowledge;
    this.#acknowledge = undefined;
    acknowledge?.(answer);
  }

  /** Ends the dialog from our side; the tag stays known until the peer has answered. Early dialogs have no BYE. */
  bye(headers?: HeaderList): void {
    const { dialog } = this;
    if (this.#leaving || this.elsewhere) return;
    if (dialog?.state !== 'confirmed') return this.forget();
    this.#leaving = true;
    // §13.2.2.4: whatever comes of it, a 2xx gets its ACK first.
    this.answerOffer(undefined);
    this.#farewell(dialog, headers, byeTries);
    dialog.terminate();
  }

  /** A phone whose connection is gone may be back in a moment, and would talk on into nothing without its BYE. */
  #farewell(dialog: Dialog, headers: HeaderList | undefined, tries: number): void {
    const { bus, now } = this.#services;
    const sentAt = now();
    this.send(dialog.request('BYE', headers === undefined ? {} : { headers }), {
      response: ({ status }) => {
        if (status < 200) return;
        this.forget();
        if (bus.wants('call.disconnected'))
          bus.emit({
            type: 'call.disconnected',
            party: this.party,
            status,
            milliseconds: Math.round(now() - sentAt),
          });
      },
      failed: (reason) => {
        if (reason !== 'transport' || tries <= 1 || this.#followTarget || !this.flow.reliable)
          return this.forget();
        this.#services.after(byeEveryMs, () =>
          this.#services.run(() => {
            if (this.#services.dialogs.get(this.localTag) === this)
              this.#farewell(dialog, headers, tries - 1);
          }),
        );
      },
    });
  }

  /** The peer has ended the dialog; where BYEs cross, ours is still waited for (RFC 3261 §15.1.2). */
  left(): void {
    this.dialog?.terminate();
    this.endedAt = this.#services.now();
    if (!this.#leaving) this.forget();
  }

  /** Requests with this leg's tag are unknown from now on. */
  forget(): void {
    if (!this.elsewhere) this.#services.dialogs.delete(this.localTag);
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
        ...(tls?.peerIssuers === undefined ? {} : { peerIssuers: tls.peerIssuers }),
      },
      media:
        this.media === undefined || media === undefined
          ? { protocol: 'none' }
          : media.protectionOf(this.media, isEncrypted(transport)),
    };
  }

  #send(request: SipRequest, owner: ClientOwner): void {
    const { layer } = this.#services;
    const go = (flow: Flow | undefined): void => {
      if (flow === undefined) return owner.failed('transport');
      this.flow = flow;
      const transaction = layer.request(request, flow, this.#services.now());
      transaction.context = owner;
      owner.sent?.(transaction);
    };
    const flow = this.#services.route(this.flow, request, this.#followTarget, this.party);
    if (flow instanceof Promise) void flow.then((found) => this.#services.run(() => go(found)));
    else go(flow);
  }

  #challengeable(request: SipRequest, owner: ClientOwner): ClientOwner {
    return {
      sent: (transaction) => owner.sent?.(transaction),
      failed: (reason) => owner.failed(reason),
      response: (response) => {
        const { dialog } = this;
        const { method, uri } = request;
        const credentials =
          isChallenge(response.status) && dialog !== undefined
            ? this.#services.realms.answer(this.#trunk, {
                response,
                method,
                uri,
                cnonce: this.#services.token(16),
                within: true,
              })
            : undefined;
        if (credentials === undefined || dialog === undefined) return owner.response(response);
        const headers = request.headers.clone().add(credentials.name, credentials.value);
        this.#send({ ...request, cseq: dialog.request(method).cseq, headers }, owner);
      },
    };
  }
}
