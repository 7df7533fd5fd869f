import { randomBytes } from 'node:crypto';
import { parseSession } from '@ringfence/sdp/parse.ts';
import { Dialog } from '@ringfence/sip/dialog/dialog.ts';
import { answer as answerChallenge } from '@ringfence/sip/digest/client.ts';
import { makeRequest, makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { parseMessage } from '@ringfence/sip/message/parse.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import { serializeUri, sipUri } from '@ringfence/sip/message/uri.ts';
import { TransactionLayer } from '@ringfence/sip/transaction/layer.ts';
import type { ClientTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { SocketAddress, Transport } from '@ringfence/sip/transport/flow.ts';
import { type Protection, Sound } from './sound.ts';
import { openWire, type Wire } from './wire.ts';

export interface PhoneOptions {
  readonly name: string;
  readonly domain: string;
  /** Absent: a trunk-like peer that is known by its address. */
  readonly password?: string;
  readonly transport: Transport;
  readonly local: string;
  readonly server: SocketAddress;
  readonly authority: string;
}

/** A call as one phone sees it. */
export interface PhoneCall {
  readonly sound: Sound;
  hangUp(): Promise<void>;
}

export type Outcome =
  | { readonly kind: 'answered'; readonly call: PhoneCall }
  | { readonly kind: 'refused'; readonly status: number; readonly warning: string };

const patienceMs = 5_000;
const token = (): string => randomBytes(9).toString('hex');

/** A small telephone on real sockets: registers, calls, answers with what it was told to do, hangs up. */
export class Phone {
  /** What calls that come in are answered with. */
  protection: Protection = 'RTP';
  /** The last call that came in and was answered. */
  lastCall: { readonly sound: Sound; readonly ended: Promise<void> } | undefined;
  readonly #options: PhoneOptions;
  readonly #layer = new TransactionLayer({ newBranch: token });
  readonly #endings = new Map<string, () => void>();
  #wire: Wire | undefined;
  #timer: NodeJS.Timeout | undefined;
  #cseq = 0;
  #callId = token();

  constructor(options: PhoneOptions) {
    this.#options = options;
  }

  static async open(options: PhoneOptions): Promise<Phone> {
    const phone = new Phone(options);
    const { transport, local, server, authority } = options;
    phone.#wire = await openWire({
      transport,
      from: local,
      to: server,
      authority,
      received: (bytes) => phone.#received(bytes),
    });
    phone.#timer = setInterval(() => {
      phone.#layer.handleTimeout(performance.now());
      phone.#drain();
    }, 20);
    return phone;
  }

  get address(): SocketAddress {
    return this.#open.flow.local;
  }

  /** 0 seconds takes the registration back. Gives the status of the final answer. */
  async register(seconds = 600): Promise<number> {
    const to = this.#party(this.#options.name);
    const response = await this.#authenticated((number, extra) =>
      makeRequest({
        method: 'REGISTER',
        uri: sipUri({ host: this.#options.domain }),
        from: { ...to, params: new Map([['tag', token()]]) },
        to,
        callId: this.#callId,
        cseq: { number, method: 'REGISTER' },
        headers: this.#common(extra).add('Expires', String(seconds)),
      }),
    );
    return response.status;
  }

  async call(user: string, protection: Protection): Promise<Outcome> {
    const sound = await Sound.open(this.#options.local, protection);
    const callId = token();
    const tag = token();
    let sent: SipRequest | undefined;
    const response = await this.#authenticated((number, extra) => {
      sent = makeRequest({
        method: 'INVITE',
        uri: sipUri({ user, host: this.#options.domain }),
        from: { ...this.#party(this.#options.name), params: new Map([['tag', tag]]) },
        to: this.#party(user),
        callId,
        cseq: { number, method: 'INVITE' },
        headers: this.#common(extra).add('Content-Type', 'application/sdp'),
        body: Buffer.from(sound.describe()),
      });
      return sent;
    });
    const answer = parseSession(response.body);
    if (response.status >= 300 || sent === undefined || !answer.ok || !sound.take(answer.value)) {
      sound.close();
      return { kind: 'refused', status: response.status, warning: response.headers.get('Warning') ?? '' };
    }
    const dialog = Dialog.uac(sent, response);
    this.#layer.sendAck(dialog.ack(sent.cseq.number), this.#open.flow);
    this.#drain();
    const hangUp = async (): Promise<void> => {
      await this.#send(dialog.request('BYE'));
      sound.close();
    };
    return { kind: 'answered', call: { sound, hangUp } };
  }

  close(): void {
    clearInterval(this.#timer);
    this.#wire?.close();
    this.#wire = undefined;
  }

  get #open(): Wire {
    if (this.#wire === undefined) throw new Error('the phone is not open');
    return this.#wire;
  }

  #party(user: string) {
    return { uri: sipUri({ user, host: this.#options.domain }), params: new Map<string, string | true>() };
  }

  get #contact(): string {
    const { flow } = this.#open;
    const transport = flow.transport === 'udp' ? '' : `;transport=${flow.transport}`;
    return `<sip:${this.#options.name}@${flow.sentBy}${transport}>`;
  }

  #common(extra: HeaderList): HeaderList {
    const headers = new HeaderList().add('Contact', this.#contact);
    // As long as a real phone's, so that a challenge over UDP is no longer than what it answers.
    headers
      .add('User-Agent', 'Ringfence demo telephone')
      .add('Allow', 'INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE');
    headers.add('Supported', 'path, outbound, replaces').add('Accept', 'application/sdp');
    for (const [name, value] of extra.entries()) headers.add(name, value);
    return headers;
  }

  /** Sends, and once more with credentials where they are asked for. */
  async #authenticated(build: (cseq: number, extra: HeaderList) => SipRequest): Promise<SipResponse> {
    const { name, password } = this.#options;
    this.#cseq += 1;
    const first = build(this.#cseq, new HeaderList());
    const response = await this.#send(first);
    if (response.status !== 401 || password === undefined) return response;
    const answered = answerChallenge(response.headers.all('WWW-Authenticate'), {
      method: first.method,
      uri: serializeUri(first.uri),
      username: name,
      password,
      cnonce: token(),
      nc: 1,
    });
    if (!answered.ok) return response;
    this.#cseq += 1;
    return this.#send(build(this.#cseq, new HeaderList().add('Authorization', answered.value.authorization)));
  }

  #send(request: SipRequest): Promise<SipResponse> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no answer to ${request.method}`)), patienceMs);
      const transaction: ClientTransaction = this.#layer.request(request, this.#open.flow, performance.now());
      transaction.context = (response: SipResponse) => {
        if (response.status < 200) return;
        clearTimeout(timer);
        resolve(response);
      };
      this.#drain();
    });
  }

  #received(bytes: Uint8Array): void {
    const parsed = parseMessage(bytes);
    if (!parsed.ok) return;
    this.#layer.receive(parsed.value, this.#open.flow, performance.now());
    this.#drain();
  }

  #drain(): void {
    for (let output = this.#layer.poll(); output !== undefined; output = this.#layer.poll()) {
      if (output.kind === 'send') this.#open.send(output.bytes);
      else if (output.kind === 'response')
        (output.transaction.context as ((response: SipResponse) => void) | undefined)?.(output.response);
      else if (output.kind === 'request') void this.#incoming(output.transaction, output.request);
    }
  }

  async #incoming(
    transaction: Parameters<TransactionLayer['respond']>[0],
    request: SipRequest,
  ): Promise<void> {
    const respond = (response: SipResponse): void => {
      this.#layer.respond(transaction, response, performance.now());
      this.#drain();
    };
    if (request.method === 'BYE') {
      respond(makeResponse(request, 200));
      this.#endings.get(request.callId)?.();
      this.#endings.delete(request.callId);
      return;
    }
    if (request.method !== 'INVITE') return respond(makeResponse(request, 405));
    const sound = await Sound.open(this.#options.local, this.protection);
    const offer = parseSession(request.body);
    if (!offer.ok || !sound.take(offer.value)) {
      sound.close();
      return respond(makeResponse(request, 488, undefined, { toTag: token() }));
    }
    const ended = new Promise<void>((resolve) => {
      this.#endings.set(request.callId, () => {
        sound.close();
        resolve();
      });
    });
    this.lastCall = { sound, ended };
    const headers = new HeaderList().add('Contact', this.#contact).add('Content-Type', 'application/sdp');
    const body = Buffer.from(sound.describe());
    respond(makeResponse(request, 200, undefined, { toTag: token(), headers, body }));
  }
}
