import { Dialog } from '@ringfence/sip/dialog/dialog.ts';
import { Uac2xx } from '@ringfence/sip/dialog/invite-uac.ts';
import { makeResponse, tagOf } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import type { ClientTransaction, ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import { answer, type Description, hasHandshakes, offer, offerHandshakes, readSdp } from './description.ts';
import type { Phone } from './phone.ts';
import { Repeated2xx } from './repeated-2xx.ts';

export interface CallOptions {
  readonly headers?: readonly (readonly [string, string])[];
  /** SDP in place of the phone's own; null for none. */
  readonly sdp?: string | null;
  readonly secure?: boolean;
  readonly display?: string;
  readonly maxForwards?: number;
}

/** One call as a test phone sees it. */
export class PhoneCall {
  readonly phone: Phone;
  readonly options: CallOptions;
  state: 'calling' | 'ringing' | 'up' | 'over' = 'calling';
  /** Final status of the INVITE. */
  status = 0;
  final: SipResponse | undefined = undefined;
  readonly provisional: SipResponse[] = [];
  dialog: Dialog | undefined = undefined;
  /** The INVITE that came in. */
  request: SipRequest | undefined = undefined;
  /** What was said last on either side. */
  mine: Description | undefined = undefined;
  theirs = '';
  confirmed = false;
  hungUpByPeer = false;
  wasCancelled = false;
  /** PRACKs that came. */
  readonly pracks: SipRequest[] = [];
  /** Answers to PRACKs of ours. */
  readonly prackAnswers: SipResponse[] = [];
  /** What a PRACK of ours carries. Default: the answer to an offer that came where we made none. */
  onReliable: (call: PhoneCall, response: SipResponse) => string | undefined = (call, response) => {
    if (call.options.sdp !== null || response.body.length === 0) return undefined;
    call.mine = this.#answer(response);
    return call.mine?.text;
  };
  withholdPrack = false;
  readonly reinvites: SipRequest[] = [];
  /** UPDATEs that came. */
  readonly updates: SipRequest[] = [];
  /** What to answer to an UPDATE. Default: 200, with an answer to an offer. */
  onUpdate: (call: PhoneCall, transaction: ServerTransaction, request: SipRequest) => void = (
    call,
    transaction,
    request,
  ) => call.acceptUpdate(transaction, request);
  /** Statuses of the answers to our re-INVITEs. */
  readonly reinviteStatus: number[] = [];
  lastReinvite: SipResponse | undefined = undefined;
  /** What to answer to a re-INVITE. Default: 200 with an answer. */
  onReinvite: (call: PhoneCall, transaction: ServerTransaction, request: SipRequest) => void = (
    call,
    transaction,
    request,
  ) => call.acceptReinvite(transaction, request);
  /** What to answer to an offer that comes in a 2xx, in its ACK. Default: what the phone's habit allows. */
  onLateOffer: (call: PhoneCall, response: SipResponse) => Description | undefined = (_, response) =>
    this.#answer(response);
  /** Leaves 2xx without ACK. */
  withholdAck = false;
  localTag: string;
  #transaction: ClientTransaction | ServerTransaction | undefined = undefined;
  #acks: Uac2xx | undefined = undefined;
  #waiting: Repeated2xx | undefined = undefined;
  #version = 1;
  #rseq = 100;
  #heardSeq = 0;

  constructor(phone: Phone, options: CallOptions) {
    this.phone = phone;
    this.options = options;
    this.localTag = phone.world.random.token();
  }

  get callId(): string {
    return this.dialog?.callId ?? this.request?.callId ?? '';
  }

  get transaction(): ClientTransaction | ServerTransaction | undefined {
    return this.#transaction;
  }

  invite(to: string): void {
    const { phone, options } = this;
    if (options.sdp === undefined) this.mine = this.describe(options.secure ?? phone.media !== 'rtp');
    const body = options.sdp === undefined ? (this.mine?.text ?? '') : (options.sdp ?? '');
    const made = phone.make('INVITE', to, options.headers, body);
    const from = {
      ...phone.from(this.localTag),
      ...(options.display === undefined ? {} : { display: options.display }),
    };
    this.request = {
      ...made,
      from,
      ...(options.maxForwards === undefined ? {} : { maxForwards: options.maxForwards }),
    };
    phone.ask(
      this.request,
      (response, transaction) => this.#heard(response, transaction),
      false,
      (transaction) => {
        this.#transaction = transaction;
      },
    );
  }

  offered(transaction: ServerTransaction, request: SipRequest): void {
    this.state = 'ringing';
    this.request = request;
    this.theirs = Buffer.from(request.body).toString('utf8');
    this.#transaction = transaction;
    transaction.context = this;
  }

  ring(status = 180): void {
    this.#respond(status);
  }

  /** A provisional response with RSeq (RFC 3262), said once. */
  ringReliably(status: number, sdp?: string): void {
    this.#rseq += 1;
    this.#respond(status, sdp, [
      ['Require', '100rel'],
      ['RSeq', String(this.#rseq)],
    ]);
  }

  /** 183 with our answer, or our offer where the INVITE has none, reliably. */
  earlyReliably(): void {
    this.mine ??=
      this.request?.body.length === 0
        ? this.describe(this.phone.media !== 'rtp')
        : this.#answer(this.request);
    this.ringReliably(183, this.mine?.text);
  }

  /** 200 without SDP, once all is agreed. */
  answerBare(): void {
    const response = this.#respond(200);
    if (response === undefined || this.#transaction?.kind !== 'server') return;
    this.state = 'up';
    this.#confirm(this.#transaction, response);
  }

  /** 183 with SDP. */
  early(): void {
    this.mine ??= this.#answer(this.request);
    this.#respond(183, this.mine?.text);
  }

  /** 200 with an answer; 488 where the phone's habit does not allow the offer. An INVITE without one gets ours. */
  answer(sdp?: string): void {
    if (this.request?.body.length === 0) this.mine ??= this.describe(this.phone.media !== 'rtp');
    this.mine ??= this.#answer(this.request);
    const text = sdp ?? this.mine?.text;
    if (text === undefined) return this.reject(488);
    const response = this.#respond(200, text);
    if (response === undefined || this.#transaction?.kind !== 'server') return;
    this.state = 'up';
    this.#confirm(this.#transaction, response);
  }

  reject(status: number, headers: readonly (readonly [string, string])[] = []): void {
    if (this.#respond(status, undefined, headers) !== undefined) this.state = 'over';
  }

  /** Whatever ends the call in the state that it is in. */
  end(): void {
    if (this.state === 'up') this.hangUp();
    else if (this.state === 'over') return;
    else if (this.#transaction?.kind === 'client') this.cancel();
    else this.reject(486);
  }

  cancel(): void {
    if (this.#transaction?.kind === 'client') this.phone.cancel(this.#transaction);
  }

  hangUp(): void {
    if (this.dialog === undefined || this.state === 'over') return;
    this.state = 'over';
    this.#waiting?.stop();
    const request = this.dialog.request('BYE');
    this.dialog.terminate();
    this.phone.ask(request, () => undefined, true);
  }

  /** A request within the dialog; gives its final status. */
  async inside(
    method: string,
    headers: readonly (readonly [string, string])[] = [],
    body = '',
  ): Promise<number> {
    const request = this.dialog?.request(method, {
      contact: this.phone.contact,
      headers: new HeaderList(headers),
      body: Buffer.from(body, 'utf8'),
    });
    if (request === undefined) throw new Error('no dialog');
    const response = await this.phone.request(request);
    return typeof response === 'string' ? 408 : response.status;
  }

  /** Our re-INVITE; `sdp` null for none. Its status lands in `reinviteStatus`. */
  reinvite(sdp: string | null): void {
    if (this.dialog === undefined) return;
    const headers = new HeaderList();
    if (sdp !== null) headers.add('Content-Type', 'application/sdp');
    const request = this.dialog.request('INVITE', {
      contact: this.phone.contact,
      headers,
      body: Buffer.from(sdp ?? '', 'utf8'),
    });
    this.phone.ask(
      request,
      (response) => {
        if (typeof response === 'string') return void this.reinviteStatus.push(408);
        if (response.status < 200) return;
        if (response.status < 300) this.#ack(request, response, sdp === null);
        if (this.lastReinvite?.cseq.number === response.cseq.number) return;
        this.lastReinvite = response;
        this.reinviteStatus.push(response.status);
      },
      true,
    );
  }

  describe(secure: boolean, direction = 'sendrecv'): Description {
    const { phone } = this;
    const options = {
      address: phone.options.address,
      port: phone.options.mediaPort ?? 40_000,
      direction,
      version: this.#version++,
      handshakes: phone.handshakes,
    };
    if (hasHandshakes(phone.media)) return offerHandshakes(phone.media, options);
    return offer(phone.world.random, secure, options);
  }

  /** The same keys as before, another direction. */
  again(direction: string): string {
    const version = this.#version++;
    return (this.mine?.text ?? '')
      .replace(/^o=(\S+ \S+) \d+/m, `o=$1 ${version + 1}`)
      .replace(/^a=(sendrecv|sendonly|recvonly|inactive)/m, `a=${direction}`);
  }

  owns(request: SipRequest): boolean {
    return (
      this.dialog !== undefined &&
      request.callId === this.dialog.callId &&
      tagOf(request.to) === this.dialog.localTag
    );
  }

  inDialog(transaction: ServerTransaction, request: SipRequest): void {
    const order = this.dialog?.receive(request);
    if (order?.ok === false) return this.phone.respond(transaction, makeResponse(request, order.status));
    if (request.method === 'BYE') {
      this.hungUpByPeer = true;
      this.state = 'over';
      this.#waiting?.stop();
      this.phone.respond(transaction, makeResponse(request, 200));
    } else if (request.method === 'INVITE') {
      this.reinvites.push(request);
      if (this.state === 'over') this.phone.respond(transaction, makeResponse(request, 481));
      else this.onReinvite(this, transaction, request);
    } else if (request.method === 'PRACK') {
      this.pracks.push(request);
      if (request.body.length > 0) this.theirs = Buffer.from(request.body).toString('utf8');
      this.phone.respond(transaction, makeResponse(request, 200));
    } else if (request.method === 'UPDATE') {
      this.updates.push(request);
      this.onUpdate(this, transaction, request);
    } else this.phone.respond(transaction, makeResponse(request, 200));
  }

  /** As `update`, without waiting for what comes of it. */
  sendUpdate(sdp?: string): void {
    const headers = new HeaderList();
    if (sdp !== undefined) headers.add('Content-Type', 'application/sdp');
    const body = Buffer.from(sdp ?? '', 'utf8');
    const request = this.dialog?.request('UPDATE', { contact: this.phone.contact, headers, body });
    if (request !== undefined) this.phone.ask(request, () => undefined, true);
  }

  async prack(rack: string, sdp?: string): Promise<void> {
    const headers = new HeaderList([['RAck', rack]]);
    if (sdp !== undefined) headers.add('Content-Type', 'application/sdp');
    const request = this.dialog?.request('PRACK', { headers, body: Buffer.from(sdp ?? '', 'utf8') });
    if (request === undefined) throw new Error('no dialog');
    this.phone.ask(
      request,
      (response) => {
        if (typeof response !== 'string' && response.status >= 200) this.prackAnswers.push(response);
      },
      true,
    );
  }

  acceptUpdate(
    transaction: ServerTransaction,
    request: SipRequest,
    extra: readonly (readonly [string, string])[] = [],
  ): void {
    const headers = new HeaderList([
      ['Contact', this.phone.contact],
      ...(this.phone.options.says ?? []),
      ...extra,
    ]);
    if (request.body.length > 0) this.theirs = Buffer.from(request.body).toString('utf8');
    const said = this.#answer(request);
    if (request.body.length > 0 && said === undefined)
      return this.phone.respond(transaction, makeResponse(request, 488));
    if (said !== undefined) headers.add('Content-Type', 'application/sdp');
    const body = Buffer.from(said?.text ?? '', 'utf8');
    this.phone.respond(transaction, makeResponse(request, 200, undefined, { headers, body }));
  }

  /** An UPDATE of ours, with that offer; gives its final answer. */
  async update(
    sdp?: string,
    extra: readonly (readonly [string, string])[] = [],
  ): Promise<SipResponse | 'timeout' | 'failed'> {
    const headers = new HeaderList(extra);
    if (sdp !== undefined) headers.add('Content-Type', 'application/sdp');
    const request = this.dialog?.request('UPDATE', {
      contact: this.phone.contact,
      headers,
      body: Buffer.from(sdp ?? '', 'utf8'),
    });
    if (request === undefined) throw new Error('no dialog');
    return this.phone.request(request);
  }

  acceptReinvite(transaction: ServerTransaction, request: SipRequest, sdp?: string): void {
    this.theirs = Buffer.from(request.body).toString('utf8');
    const text = sdp ?? this.#answer(request)?.text;
    if (text === undefined) return this.phone.respond(transaction, makeResponse(request, 488));
    const headers = new HeaderList([
      ['Contact', this.phone.contact],
      ['Content-Type', 'application/sdp'],
    ]);
    const response = makeResponse(request, 200, undefined, { headers, body: Buffer.from(text, 'utf8') });
    this.phone.respond(transaction, response);
    this.#confirm(transaction, response);
  }

  acknowledged(ack: SipRequest): void {
    if (!this.owns(ack) || this.#waiting?.cseq !== ack.cseq.number) return;
    if (ack.body.length > 0) this.theirs = Buffer.from(ack.body).toString('utf8');
    this.confirmed = true;
    this.#waiting.stop();
    this.#waiting = undefined;
  }

  cancelled(): void {
    this.wasCancelled = true;
    if (this.state === 'ringing') this.reject(487);
  }

  #heard(response: SipResponse | 'timeout' | 'failed', transaction: ClientTransaction): void {
    if (typeof response === 'string') {
      this.state = 'over';
      this.status = 408;
      return;
    }
    const { status } = response;
    if (status < 200) {
      this.provisional.push(response);
      if (status > 100 && this.state === 'calling') this.state = 'ringing';
      if (response.body.length > 0) this.theirs = Buffer.from(response.body).toString('utf8');
      if (tagOf(response.to) !== undefined) this.dialog ??= Dialog.uac(transaction.request, response);
      const rseq = Number(response.headers.get('RSeq') ?? 0);
      if (rseq > this.#heardSeq && !this.withholdPrack) {
        this.#heardSeq = rseq;
        void this.prack(`${rseq} ${response.cseq.number} INVITE`, this.onReliable(this, response));
      }
      return;
    }
    if (this.final === undefined) {
      this.final = response;
      this.status = status;
    }
    if (status >= 300) {
      this.state = 'over';
      return;
    }
    const first = this.#acks === undefined;
    if (first) {
      this.theirs = Buffer.from(response.body).toString('utf8');
      if (this.dialog?.remoteTag === tagOf(response.to)) this.dialog?.confirm(response);
      else this.dialog = Dialog.uac(transaction.request, response);
      if (this.state !== 'over') this.state = 'up';
    }
    this.#ack(transaction.request, response, this.options.sdp === null && response.body.length > 0);
  }

  #ack(invite: SipRequest, response: SipResponse, late: boolean): void {
    if (this.dialog === undefined || this.withholdAck) return;
    const tag = `${tagOf(response.to)} ${response.cseq.number}`;
    const known = this.#acks?.ackFor(tag);
    if (known !== undefined) return this.phone.resend(known);
    const headers = new HeaderList();
    let body = '';
    if (late) {
      this.mine = this.onLateOffer(this, response);
      body = this.mine?.text ?? '';
      if (body !== '') headers.add('Content-Type', 'application/sdp');
    }
    const ack = this.dialog.ack(invite.cseq.number, { headers, body: Buffer.from(body, 'utf8') });
    this.#acks ??= new Uac2xx(this.phone.world.time.now);
    this.#acks.remember(tag, this.phone.acknowledge(ack));
  }

  #answer(message: { readonly body: Uint8Array } | undefined): Description | undefined {
    if (message === undefined || message.body.length === 0) return undefined;
    const { phone } = this;
    return answer(phone.world.random, phone.media, readSdp(message.body), {
      address: phone.options.address,
      port: phone.options.mediaPort ?? 40_000,
      version: this.#version++,
      handshakes: phone.handshakes,
    });
  }

  #confirm(transaction: ServerTransaction, response: SipResponse): void {
    this.#waiting = new Repeated2xx(this.phone, transaction, response, () => this.hangUp());
  }

  #respond(
    status: number,
    sdp?: string,
    extra: readonly (readonly [string, string])[] = [],
  ): SipResponse | undefined {
    const { request, phone } = this;
    if (this.#transaction?.kind !== 'server' || request === undefined || this.state !== 'ringing') return;
    const headers = new HeaderList([...(phone.options.says ?? []), ...extra]);
    // In a redirection it says where to instead (RFC 3261 §20.10).
    if (status < 300) headers.add('Contact', phone.contact);
    if (sdp !== undefined) headers.add('Content-Type', 'application/sdp');
    const response = makeResponse(request, status, undefined, {
      toTag: this.localTag,
      headers,
      body: Buffer.from(sdp ?? '', 'utf8'),
    });
    if (status > 100 && status < 300) {
      if (this.dialog === undefined) this.dialog = Dialog.uas(request, response);
      else if (status >= 200) this.dialog.confirm(response);
    }
    phone.respond(this.#transaction, response);
    return response;
  }
}
