import { answer as answerChallenge } from '@ringfence/sip/digest/client.ts';
import { makeRequest, makeResponse, tagOf } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { parseMessage } from '@ringfence/sip/message/parse.ts';
import type { NameAddr, SipRequest, SipResponse, Uri } from '@ringfence/sip/message/types.ts';
import { parseUri, serializeUri, sipUri } from '@ringfence/sip/message/uri.ts';
import { TransactionLayer } from '@ringfence/sip/transaction/layer.ts';
import type { ClientTransaction, ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { Flow, TlsFacts, Transport } from '@ringfence/sip/transport/flow.ts';
import type { MediaHabit } from './description.ts';
import { newHandshakes, type PhoneHandshakes } from './handshake-lines.ts';
import type { Peer } from './network.ts';
import { domain } from './objects.ts';
import { PhoneCall } from './phone-call.ts';
import type { World } from './world.ts';

export interface PhoneOptions {
  /** User part of From and Contact. */
  readonly name: string;
  readonly device?: string;
  readonly password?: string;
  readonly realm?: string;
  readonly transport?: Transport;
  readonly address: string;
  readonly port?: number;
  readonly media?: MediaHabit;
  readonly mediaPort?: number;
  readonly listener?: string;
  readonly tls?: Partial<TlsFacts>;
  readonly allowMd5?: boolean;
  /** Header fields in place of, or beside, what phones say of themselves in an INVITE and the answers to one. */
  readonly says?: readonly (readonly [string, string])[];
}

/** What phones say of themselves. */
const habits = [
  ['User-Agent', 'Testphone/1.0'],
  ['Allow', 'INVITE, ACK, CANCEL, BYE, OPTIONS'],
] as const;

/** Hears the answers to one request. */
export type Hear = (response: SipResponse | 'timeout' | 'failed', transaction: ClientTransaction) => void;

/** A phone, PBX or trunk of the tests: transactions and dialogs of packages/sip, its own habits with media. */
export class Phone implements Peer {
  readonly world: World;
  readonly options: PhoneOptions;
  readonly layer: TransactionLayer;
  readonly calls: PhoneCall[] = [];
  /** Every message that came, parsed. */
  readonly heard: (SipRequest | SipResponse)[] = [];
  flow: Flow;
  /** What to do with a call that comes in. Default: nothing. */
  onInvite: (call: PhoneCall) => void = () => {};
  /** Says no to requests of the edge before anything else is done with them: gives a status, or undefined. */
  refuse: (request: SipRequest) => SipResponse | undefined = () => undefined;
  /** For phones that do DTLS or ICE. */
  readonly handshakes: PhoneHandshakes;
  /** Gone: hears and says nothing. */
  dead = false;
  #cseq = 0;
  #stop: (() => void) | undefined = undefined;

  constructor(world: World, options: PhoneOptions) {
    this.world = world;
    this.options = options;
    this.layer = new TransactionLayer({ newBranch: () => world.random.token() });
    this.handshakes = newHandshakes(options.port ?? 5060);
    this.flow = this.connect();
  }

  /** Opens a (new) flow to the edge. */
  connect(): Flow {
    const { transport = 'udp', address, port = 5060, listener, tls } = this.options;
    this.flow = this.world.network.open(
      this,
      transport,
      { address, port },
      {
        ...(listener === undefined ? {} : { listener }),
        ...(tls === undefined ? {} : { tls }),
      },
    );
    return this.flow;
  }

  /** Waits for connections of the edge, as a trunk does. */
  listen(tls?: TlsFacts): this {
    const { transport = 'udp', address, port = 5060 } = this.options;
    this.world.network.listen(this, transport, { address, port }, tls);
    return this;
  }

  get contact(): string {
    const transport = this.flow.transport === 'wss' ? 'ws' : this.flow.transport;
    return `<sip:${this.options.name}@${this.flow.sentBy}${transport === 'udp' ? '' : `;transport=${transport}`}>`;
  }

  get media(): MediaHabit {
    return this.options.media ?? 'rtp';
  }

  get realm(): string {
    return this.options.realm ?? domain;
  }

  get idle(): boolean {
    const { server, client } = this.layer.size;
    return server + client === 0;
  }

  from(tag = this.world.random.token()): NameAddr {
    return { uri: sipUri({ user: this.options.name, host: this.realm }), params: new Map([['tag', tag]]) };
  }

  uri(text: string): Uri {
    const parsed = parseUri(text.includes(':') ? text : `sip:${text}@${this.realm}`);
    if (!parsed.ok) throw new Error(`no URI: ${text}`);
    return parsed.value;
  }

  /** A request outside of dialogs. */
  make(
    method: string,
    to: string,
    headers: readonly (readonly [string, string])[] = [],
    body = '',
  ): SipRequest {
    const uri = this.uri(to);
    const list = new HeaderList([['Contact', this.contact], ...habits]);
    for (const [name, value] of method === 'INVITE' ? (this.options.says ?? []) : []) list.set(name, value);
    for (const [name, value] of headers) list.add(name, value);
    if (body !== '' && !list.has('Content-Type')) list.add('Content-Type', 'application/sdp');
    return makeRequest({
      method,
      uri,
      from: this.from(),
      to: { uri, params: new Map() },
      callId: `${this.world.random.token()}@${this.options.address}`,
      cseq: ++this.#cseq,
      headers: list,
      body: Buffer.from(body, 'utf8'),
    });
  }

  /** Sends and answers a challenge once; `hear` gets everything else. */
  ask(
    request: SipRequest,
    hear: Hear,
    authenticated = false,
    sent: (transaction: ClientTransaction) => void = () => {},
  ): void {
    const transaction = this.layer.request(request, this.flow, this.world.time.now);
    const again: Hear = (response, current) => {
      if (response === 'timeout' || response === 'failed') return hear(response, current);
      const challenged = response.status === 401 && !authenticated;
      const credentials = challenged ? this.credentials(request, response) : undefined;
      if (credentials === undefined) return hear(response, current);
      const headers = request.headers.clone().add('Authorization', credentials);
      this.#cseq = Math.max(this.#cseq, request.cseq.number) + 1;
      this.ask({ ...request, cseq: { ...request.cseq, number: this.#cseq }, headers }, hear, true, sent);
    };
    transaction.context = again;
    sent(transaction);
    this.#drain();
  }

  credentials(request: SipRequest, response: SipResponse): string | undefined {
    const { device, name, password, allowMd5 } = this.options;
    const answered = answerChallenge(response.headers.all('WWW-Authenticate'), {
      method: request.method,
      uri: serializeUri(request.uri),
      username: device ?? name,
      password: password ?? `${device ?? name}-secret`,
      cnonce: this.world.random.token(),
      nc: 1,
      allowMd5: allowMd5 ?? false,
    });
    return answered.ok ? answered.value.authorization : undefined;
  }

  /** Sends and waits for the final answer. */
  async request(request: SipRequest): Promise<SipResponse | 'timeout' | 'failed'> {
    let final: SipResponse | 'timeout' | 'failed' | undefined;
    this.ask(request, (response) => {
      if (typeof response === 'string' || response.status >= 200) final = response;
    });
    await this.world.until(() => final !== undefined);
    return final as SipResponse;
  }

  /** Registers its Contact, or what `contacts` says. */
  async register(expires = 3600, contacts: readonly string[] = [this.contact]): Promise<SipResponse> {
    const request = this.make('REGISTER', `sip:${this.realm}`);
    const headers = new HeaderList([['Expires', String(expires)], ...habits]);
    for (const contact of contacts) headers.add('Contact', contact);
    const to = { uri: this.uri(this.options.name), params: new Map() };
    const answered = await this.request({ ...request, to, headers });
    if (typeof answered === 'string') throw new Error(`REGISTER: ${answered}`);
    return answered;
  }

  call(to: string, options: ConstructorParameters<typeof PhoneCall>[1] = {}): PhoneCall {
    const call = new PhoneCall(this, options);
    this.calls.push(call);
    call.invite(to);
    return call;
  }

  respond(transaction: ServerTransaction, response: SipResponse): void {
    this.layer.respond(transaction, response, this.world.time.now);
    this.#drain();
  }

  cancel(transaction: ClientTransaction, headers?: HeaderList): void {
    this.layer.cancel(transaction, this.world.time.now, headers);
    this.#drain();
  }

  acknowledge(request: SipRequest): Uint8Array {
    const bytes = this.layer.sendAck(request, this.flow);
    this.#drain();
    return bytes;
  }

  resend(bytes: Uint8Array): void {
    this.layer.resend(bytes, this.flow);
    this.#drain();
  }

  /** Puts octets on the wire as they are. */
  raw(text: string): void {
    this.world.network.toEdge(this.flow, Buffer.from(text, 'utf8'));
  }

  receive(bytes: Uint8Array, flow: Flow): void {
    if (this.dead) return;
    const parsed = parseMessage(bytes);
    if (!parsed.ok) throw new Error(`the edge sent what does not parse: ${parsed.error.detail}`);
    this.heard.push(parsed.value);
    this.layer.receive(parsed.value, flow, this.world.time.now);
    this.#drain();
  }

  #drain(): void {
    const { layer } = this;
    for (let output = layer.poll(); output !== undefined; output = layer.poll()) {
      switch (output.kind) {
        case 'send':
          if (!this.dead) this.world.network.toEdge(output.flow, output.bytes);
          break;
        case 'request':
          this.#request(output.transaction, output.request, output.transaction.flow);
          break;
        case 'ack':
          for (const call of this.calls) call.acknowledged(output.request);
          break;
        case 'cancelled':
          (output.transaction.context as PhoneCall | undefined)?.cancelled();
          break;
        case 'response':
          (output.transaction.context as Hear | undefined)?.(output.response, output.transaction);
          break;
        case 'timeout':
        case 'failed':
          if (output.transaction.kind === 'client')
            (output.transaction.context as Hear | undefined)?.(
              output.kind === 'timeout' ? 'timeout' : 'failed',
              output.transaction,
            );
          break;
        case 'terminated':
          break;
      }
    }
    this.#arm();
  }

  #request(transaction: ServerTransaction, request: SipRequest, flow: Flow): void {
    const refusal = this.refuse(request);
    if (refusal !== undefined) return this.layer.respond(transaction, refusal, this.world.time.now);
    if (tagOf(request.to) !== undefined) {
      const call = this.calls.find((one) => one.owns(request));
      if (call === undefined)
        this.layer.respond(transaction, makeResponse(request, 481), this.world.time.now);
      else call.inDialog(transaction, request);
      return;
    }
    if (request.method !== 'INVITE') {
      this.layer.respond(
        transaction,
        makeResponse(request, 200, undefined, { toTag: 't' }),
        this.world.time.now,
      );
      return;
    }
    this.flow = flow;
    const call = new PhoneCall(this, {});
    this.calls.push(call);
    call.offered(transaction, request);
    this.onInvite(call);
  }

  #arm(): void {
    this.#stop?.();
    const next = this.layer.nextTimeout();
    if (next === Number.POSITIVE_INFINITY) return;
    this.#stop = this.world.time.at(next, (now) => {
      this.layer.handleTimeout(now);
      this.#drain();
    });
  }
}
