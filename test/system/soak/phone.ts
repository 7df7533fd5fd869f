/** A telephone for tens of thousands of calls: it forgets each as soon as it is over, and its network loses datagrams. */
import { randomBytes } from 'node:crypto';
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { Dialog } from '@ringfence/sip/dialog/dialog.ts';
import { answer as answerChallenge } from '@ringfence/sip/digest/client.ts';
import { makeRequest, makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { parseMessage } from '@ringfence/sip/message/parse.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import { sipUri } from '@ringfence/sip/message/uri.ts';
import { TransactionLayer } from '@ringfence/sip/transaction/layer.ts';
import type { ClientTransaction, ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { Flow, SocketAddress } from '@ringfence/sip/transport/flow.ts';
import { usualFields } from '../harness/compose.ts';

const token = (): string => randomBytes(9).toString('base64url');
const tickMs = 20;

export interface SoakCall {
  readonly callId: string;
  invite: ClientTransaction | undefined;
  server: ServerTransaction | undefined;
  request: SipRequest | undefined;
  dialog: Dialog | undefined;
  /** Bytes of our ACK, for repeated 2xx. */
  ack: Uint8Array | undefined;
  /** Our 2xx goes out again until its ACK is here. */
  repeat: { text: () => void; next: number; interval: number; until: number } | undefined;
  /** It does nothing any more, and answers nothing. */
  dead: boolean;
  over: boolean;
  answered: boolean;
}

export interface PhoneEvents {
  /** Somebody rings. */
  ringing?(call: SoakCall): void;
  /** Our INVITE has its final answer. */
  decided?(call: SoakCall, status: number): void;
  /** The other side has hung up. */
  left?(call: SoakCall): void;
}

export class SoakPhone {
  readonly name: string;
  readonly calls = new Map<string, SoakCall>();
  events: PhoneEvents = {};
  mayDie = false;
  readonly #socket: Socket;
  readonly #flow: Flow;
  readonly #edge: SocketAddress;
  readonly #loss: number;
  /** Calls of which the phone knows nothing any more. */
  readonly #burnt = new Set<string>();
  readonly #layer = new TransactionLayer({ newBranch: token });
  readonly #timer: NodeJS.Timeout;
  readonly #origin = performance.timeOrigin;

  private constructor(name: string, socket: Socket, edge: SocketAddress, loss: number) {
    this.name = name;
    this.#socket = socket;
    this.#edge = edge;
    this.#loss = loss;
    const local = socket.address();
    this.#flow = {
      id: 1,
      transport: 'udp',
      reliable: false,
      local,
      remote: edge,
      sentBy: `${local.address}:${local.port}`,
      listener: 'soak',
    };
    socket.on('error', () => undefined);
    socket.on('message', (bytes, from) => this.#received(bytes, from));
    this.#timer = setInterval(() => this.#tick(), tickMs);
  }

  static open(name: string, address: string, edge: SocketAddress, loss: number): Promise<SoakPhone> {
    const socket = createSocket({ type: 'udp4', recvBufferSize: 4 << 20 });
    return new Promise((resolve, reject) => {
      socket.once('error', reject);
      socket.bind(0, address, () => resolve(new SoakPhone(name, socket, edge, loss)));
    });
  }

  get place(): SocketAddress {
    return this.#flow.local;
  }

  close(): void {
    clearInterval(this.#timer);
    this.#socket.close();
  }

  /** Gives the status of the last answer. */
  async register(domain: string, password: string): Promise<number> {
    let authorization: string | undefined;
    for (let number = 1; ; number += 1) {
      const headers = new HeaderList().add('Contact', this.#contact).add('Expires', '3600');
      // Whoever has not proven who they are gets no answer that is longer than what they sent.
      for (const [name, value] of usualFields) headers.add(name, value);
      if (authorization !== undefined) headers.add('Authorization', authorization);
      const self = sipUri({ user: this.name, host: domain });
      const response = await new Promise<SipResponse>((resolve) => {
        const transaction = this.#layer.request(
          makeRequest({
            method: 'REGISTER',
            uri: sipUri({ host: domain }),
            from: { uri: self, params: new Map([['tag', token()]]) },
            to: { uri: self, params: new Map() },
            callId: this.name,
            cseq: { number, method: 'REGISTER' },
            maxForwards: 70,
            headers,
            body: new Uint8Array(0),
          }),
          this.#flow,
          this.#now(),
        );
        transaction.context = { registered: resolve };
        this.#drain();
      });
      if (response.status !== 401 || authorization !== undefined) return response.status;
      const answered = answerChallenge(response.headers.all('WWW-Authenticate'), {
        method: 'REGISTER',
        uri: `sip:${domain}`,
        username: this.name,
        password,
        cnonce: token(),
        nc: 1,
      });
      if (!answered.ok) return response.status;
      authorization = answered.value.authorization;
    }
  }

  call(user: string, domain: string): SoakCall {
    const call = this.#newCall(token());
    const request = makeRequest({
      method: 'INVITE',
      uri: sipUri({ user, host: domain }),
      from: { uri: sipUri({ user: this.name, host: domain }), params: new Map([['tag', token()]]) },
      to: { uri: sipUri({ user, host: domain }), params: new Map() },
      callId: call.callId,
      cseq: { number: 1, method: 'INVITE' },
      maxForwards: 70,
      headers: this.#describing(),
      body: this.#description(),
    });
    call.invite = this.#layer.request(request, this.#flow, this.#now());
    call.invite.context = call;
    this.#drain();
    return call;
  }

  cancel(call: SoakCall): void {
    if (call.invite !== undefined && !call.answered) this.#layer.cancel(call.invite, this.#now());
    this.#drain();
  }

  ring(call: SoakCall): void {
    this.#respond(call, 180);
  }

  reject(call: SoakCall, status: number): void {
    this.#respond(call, status);
    this.#forget(call);
  }

  answer(call: SoakCall): void {
    const { server, request } = call;
    if (server === undefined || request === undefined || call.over || call.answered) return;
    call.answered = true;
    const response = makeResponse(request, 200, undefined, {
      toTag: call.callId,
      headers: this.#describing(),
      body: this.#description(),
    });
    call.dialog = Dialog.uas(request, response);
    const send = (): void => this.#layer.respond(server, response, this.#now());
    send();
    const now = this.#now();
    call.repeat = { text: send, next: now + 500, interval: 500, until: now + 32_000 };
    this.#drain();
  }

  hangUp(call: SoakCall): void {
    if (call.dialog === undefined || call.over || call.dead) return;
    const bye = this.#layer.request(call.dialog.request('BYE'), this.#flow, this.#now());
    bye.context = undefined;
    this.#forget(call);
    this.#drain();
  }

  hold(call: SoakCall): void {
    if (call.dialog === undefined || call.over || call.dead) return;
    const request = call.dialog.request('INVITE', {
      contact: this.#contact,
      headers: new HeaderList().add('Content-Type', 'application/sdp'),
      body: this.#description('sendonly'),
    });
    const transaction = this.#layer.request(request, this.#flow, this.#now());
    transaction.context = { reinvite: call };
    this.#drain();
  }

  /** The phone has burnt: of this call it knows nothing, and says nothing to whoever asks. */
  die(call: SoakCall): void {
    call.dead = true;
    call.repeat = undefined;
    this.#burnt.add(call.callId);
    setTimeout(() => {
      this.#forget(call);
      this.#burnt.delete(call.callId);
    }, 40_000).unref();
  }

  /** Its transactions would go on repeating. */
  #isBurnt(bytes: Uint8Array): boolean {
    if (this.#burnt.size === 0) return false;
    const callId = /^Call-ID: (\S+)/m.exec(Buffer.from(bytes).toString('latin1'))?.[1];
    return callId !== undefined && this.#burnt.has(callId);
  }

  #newCall(callId: string): SoakCall {
    const call: SoakCall = {
      callId,
      invite: undefined,
      server: undefined,
      request: undefined,
      dialog: undefined,
      ack: undefined,
      repeat: undefined,
      dead: false,
      over: false,
      answered: false,
    };
    this.calls.set(callId, call);
    return call;
  }

  #forget(call: SoakCall): void {
    call.over = true;
    call.repeat = undefined;
    this.calls.delete(call.callId);
  }

  get #contact(): string {
    return `<sip:${this.name}@${this.#flow.sentBy}>`;
  }

  #describing(): HeaderList {
    return new HeaderList().add('Contact', this.#contact).add('Content-Type', 'application/sdp');
  }

  #description(direction = 'sendrecv'): Uint8Array {
    const { address, port } = this.#flow.local;
    return Buffer.from(
      `v=0\r\no=- 1 ${Math.floor(this.#now())} IN IP4 ${address}\r\ns=-\r\nc=IN IP4 ${address}\r\nt=0 0\r\nm=audio ${port + 1} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=${direction}\r\n`,
    );
  }

  #respond(call: SoakCall, status: number): void {
    const { server, request } = call;
    if (server === undefined || request === undefined || call.over) return;
    const headers = new HeaderList().add('Contact', this.#contact);
    const response = makeResponse(request, status, undefined, { toTag: call.callId, headers });
    this.#layer.respond(server, response, this.#now());
    this.#drain();
  }

  #now(): number {
    return this.#origin + performance.now();
  }

  #received(bytes: Uint8Array, from: RemoteInfo): void {
    if (from.port !== this.#edge.port || Math.random() < this.#loss) return;
    const parsed = parseMessage(new Uint8Array(bytes));
    if (!parsed.ok) return;
    const message = parsed.value;
    // What a burnt phone gets goes nowhere.
    if (this.calls.get(message.callId)?.dead === true) return;
    this.#layer.receive(message, this.#flow, this.#now());
    this.#drain();
  }

  #tick(): void {
    const now = this.#now();
    if (this.#layer.nextTimeout() <= now) this.#layer.handleTimeout(now);
    for (const call of this.calls.values()) {
      const { repeat } = call;
      if (repeat === undefined || now < repeat.next) continue;
      repeat.interval = Math.min(repeat.interval * 2, 4_000);
      repeat.next = now + repeat.interval;
      if (now > repeat.until) this.hangUp(call);
      else repeat.text();
    }
    this.#drain();
  }

  #drain(): void {
    for (let output = this.#layer.poll(); output !== undefined; output = this.#layer.poll())
      switch (output.kind) {
        case 'send':
          if (Math.random() >= this.#loss && !this.#isBurnt(output.bytes))
            this.#socket.send(output.bytes, this.#edge.port, this.#edge.address);
          break;
        case 'request':
          this.#request(output.transaction, output.request);
          break;
        case 'ack': {
          const call = this.calls.get(output.request.callId);
          if (call !== undefined) call.repeat = undefined;
          break;
        }
        case 'cancelled': {
          const call = output.transaction.context as SoakCall | undefined;
          if (call !== undefined && !call.answered) this.reject(call, 487);
          break;
        }
        case 'response':
          this.#response(output.transaction, output.response);
          break;
        case 'timeout':
        case 'failed': {
          const call = output.transaction.context as Partial<SoakCall> | undefined;
          if (call?.callId !== undefined) this.#forget(call as SoakCall);
          break;
        }
        default:
      }
  }

  #request(transaction: ServerTransaction, request: SipRequest): void {
    const now = this.#now();
    const known = this.calls.get(request.callId);
    if (request.method === 'INVITE' && known === undefined && !request.to.params.has('tag')) {
      const call = this.#newCall(request.callId);
      call.server = transaction;
      call.request = request;
      transaction.context = call;
      this.events.ringing?.(call);
      return;
    }
    if (known === undefined) return this.#layer.respond(transaction, makeResponse(request, 481), now);
    if (known.dialog?.receive(request).ok === false)
      return this.#layer.respond(transaction, makeResponse(request, 500), now);
    if (request.method === 'BYE') {
      this.#layer.respond(transaction, makeResponse(request, 200), now);
      this.#forget(known);
      this.events.left?.(known);
      return;
    }
    const fields =
      request.method === 'INVITE' ? { headers: this.#describing(), body: this.#description('recvonly') } : {};
    const response = makeResponse(request, 200, undefined, fields);
    this.#layer.respond(transaction, response, now);
    if (request.method !== 'INVITE') return;
    const send = (): void => this.#layer.respond(transaction, response, this.#now());
    known.repeat = { text: send, next: now + 500, interval: 500, until: now + 32_000 };
  }

  #response(transaction: ClientTransaction, response: SipResponse): void {
    const context = transaction.context as
      | SoakCall
      | { readonly reinvite: SoakCall }
      | { registered(response: SipResponse): void }
      | undefined;
    if (context === undefined || response.status < 200) return;
    if ('registered' in context) return context.registered(response);
    if ('reinvite' in context) {
      const { dialog } = context.reinvite;
      if (response.status < 300 && dialog !== undefined)
        this.#layer.sendAck(dialog.ack(response.cseq.number), this.#flow);
      return;
    }
    const call = context;
    if (response.status >= 300) {
      transaction.context = undefined;
      this.#forget(call);
      this.events.decided?.(call, response.status);
      return;
    }
    if (call.ack !== undefined) return this.#layer.resend(call.ack, this.#flow);
    if (call.dead) return;
    call.answered = true;
    call.dialog = Dialog.uac(transaction.request, response);
    call.ack = new Uint8Array(this.#layer.sendAck(call.dialog.ack(response.cseq.number), this.#flow));
    this.events.decided?.(call, response.status);
  }
}
