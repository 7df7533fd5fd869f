/** A telephone that does as it is told and remembers every octet: the edge's peer in these tests. */
import { answer as answerChallenge } from '@ringfence/sip/digest/client.ts';
import { parseMessage } from '@ringfence/sip/message/parse.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import { serializeUri } from '@ringfence/sip/message/uri.ts';
import type { SocketAddress } from '@ringfence/sip/transport/flow.ts';
import { compose, type Fields, requestText, token, usualFields } from './compose.ts';
import { domain as usualDomain } from './place.ts';
import { within } from './waiting.ts';
import { openWire, type Wire, type WireOptions } from './wire.ts';

export interface AgentOptions extends WireOptions {
  readonly name: string;
  readonly password?: string;
  readonly domain?: string;
  /** Names the phone among those of its user. Default: its name. */
  readonly instance?: string;
}

/** A response with its text. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly message: SipResponse;
}

export interface SendOptions {
  readonly uri?: string;
  readonly to?: string;
  readonly from?: string;
  readonly callId?: string;
  readonly cseq?: number;
  readonly branch?: string;
  readonly more?: Fields;
  readonly body?: string;
  readonly maxForwards?: number;
  /** Default 15,000. */
  readonly patienceMs?: number;
}

/** A request of ours and what came back. */
export interface Exchange {
  readonly text: string;
  readonly branch: string;
  readonly provisional: Answer[];
  readonly final: Promise<Answer>;
}

interface Waiting {
  readonly exchange: Exchange;
  readonly resolve: (answer: Answer) => void;
  stop: () => void;
}

const repeatMs = 500;

export class Agent {
  readonly name: string;
  readonly domain: string;
  readonly wire: Wire;
  /** Requests that came, without repetitions, as they were on the wire. */
  readonly requests: { readonly text: string; readonly message: SipRequest }[] = [];
  /** Everything that came, as text. */
  readonly heard: string[] = [];
  /** What is done with an INVITE outside a dialog. Default: refused with 486. */
  /** Requests of no call, such as REGISTER and OPTIONS. */
  onOther: (incoming: Incoming) => void = (incoming) =>
    incoming.respond(481, 'Call/Transaction Does Not Exist');
  onInvite: (incoming: Incoming) => void = (incoming) => incoming.respond(486, 'Busy Here');
  readonly #options: AgentOptions;
  readonly #waiting = new Map<string, Waiting>();
  readonly #answered = new Map<string, string>();
  readonly #legs = new Map<string, Leg>();
  /** By us. */
  closed = false;
  #cseq = 1;
  #registration = token();

  private constructor(options: AgentOptions, wire: Wire) {
    this.#options = options;
    this.name = options.name;
    this.domain = options.domain ?? usualDomain;
    this.wire = wire;
    wire.onMessage = (bytes) => this.#received(bytes);
  }

  static async open(options: AgentOptions): Promise<Agent> {
    return new Agent(options, await openWire(options));
  }

  get local(): SocketAddress {
    return this.wire.local;
  }

  get sentBy(): string {
    // A browser knows no address of its own (RFC 7118 §5.1).
    if (this.wire.transport === 'ws' || this.wire.transport === 'wss') return `${this.name}.invalid`;
    const { address, port } = this.local;
    return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
  }

  get contact(): string {
    const { transport } = this.wire;
    const name = transport === 'wss' ? 'ws' : transport;
    return `<sip:${this.name}@${this.sentBy}${name === 'udp' ? '' : `;transport=${name}`}>`;
  }

  close(): void {
    this.closed = true;
    for (const { stop } of this.#waiting.values()) stop();
    this.wire.close();
  }

  nextCseq(): number {
    this.#cseq += 1;
    return this.#cseq;
  }

  /** The same phone as that one, so its numbers go on. */
  goOnFrom(before: Agent): void {
    this.#cseq = Math.max(this.#cseq, before.nextCseq());
  }

  address(user: string): string {
    return `<sip:${user}@${this.domain}>`;
  }

  /** One request, one transaction; over UDP it is repeated until something comes back. */
  send(method: string, options: SendOptions = {}): Exchange {
    const branch = options.branch ?? `z9hG4bK${token()}`;
    const text = requestText({
      method,
      uri: options.uri ?? `sip:${this.domain}`,
      transport: this.wire.transport,
      sentBy: this.sentBy,
      from: options.from ?? `${this.address(this.name)};tag=${token()}`,
      to: options.to ?? this.address(this.name),
      cseq: options.cseq ?? this.nextCseq(),
      branch,
      more: options.more ?? usualFields,
      ...(options.callId === undefined ? {} : { callId: options.callId }),
      ...(options.body === undefined ? {} : { body: options.body }),
      ...(options.maxForwards === undefined ? {} : { maxForwards: options.maxForwards }),
    });
    return this.exchange(text, branch, method, options.patienceMs);
  }

  exchange(text: string, branch: string, method: string, patienceMs = 15_000): Exchange {
    const provisional: Answer[] = [];
    let resolve: (answer: Answer) => void = () => undefined;
    const came = new Promise<Answer>((done) => {
      resolve = done;
    });
    const key = `${branch} ${method}`;
    const repeat =
      this.wire.transport === 'udp' ? setInterval(() => this.wire.send(text), repeatMs) : undefined;
    const final = within(`an answer to ${method} for ${this.name}`, came, patienceMs).finally(() => {
      clearInterval(repeat);
    });
    // Whoever does not wait for it does not mind.
    final.catch(() => undefined);
    const exchange: Exchange = { text, branch, provisional, final };
    this.#waiting.set(key, { exchange, resolve, stop: () => clearInterval(repeat) });
    this.wire.send(text);
    return exchange;
  }

  /** Sends, and answers a 401 once. `build` may look at nothing but the CSeq that it gets. */
  async authenticated(
    method: string,
    options: SendOptions,
  ): Promise<{ answer: Answer; sent: string; authorization?: string }> {
    const first = this.send(method, options);
    const refused = await first.final;
    if (refused.status !== 401 || this.#options.password === undefined)
      return { answer: refused, sent: first.text };
    if (method === 'INVITE') this.#acknowledgeRefusal(first, refused);
    const authorization = this.credentials(refused, method, options.uri ?? `sip:${this.domain}`);
    const { branch: _, cseq: __, ...rest } = options;
    const second = this.send(method, {
      ...rest,
      more: [...(options.more ?? usualFields), ['Authorization', authorization]],
    });
    return { answer: await second.final, sent: second.text, authorization };
  }

  /** Value of Authorization for a challenge. */
  credentials(
    challenge: Answer,
    method: string,
    uri: string,
    as: { readonly username?: string; readonly password?: string; readonly nc?: number } = {},
  ): string {
    const answered = answerChallenge(challenge.message.headers.all('WWW-Authenticate'), {
      method,
      uri,
      username: as.username ?? this.name,
      password: as.password ?? this.#options.password ?? '',
      cnonce: token(),
      nc: as.nc ?? 1,
    });
    if (!answered.ok) throw new Error(`the challenge cannot be answered: ${answered.error}`);
    return answered.value.authorization;
  }

  /** With an instance, as phones do: whoever comes back from another port takes the place that it had (RFC 5626). */
  registerOptions(seconds = 600): SendOptions {
    const contact = `${this.contact};+sip.instance="<urn:x-test:${this.#options.instance ?? this.name}>";reg-id=1`;
    return {
      callId: this.#registration,
      more: [...usualFields, ['Contact', contact], ['Expires', String(seconds)]],
    };
  }

  /** 0 seconds takes the registration back. */
  async register(seconds = 600): Promise<Answer> {
    return (await this.authenticated('REGISTER', this.registerOptions(seconds))).answer;
  }

  /** Calls somebody and waits until they have decided. */
  async call(user: string, sdp: string, options: CallOptions = {}): Promise<CallResult> {
    const callId = options.callId ?? token();
    const tag = token();
    const uri = options.uri ?? `sip:${user}@${this.domain}`;
    const common: SendOptions = {
      uri,
      callId,
      from: `${options.from ?? this.address(this.name)};tag=${tag}`,
      to: `<${uri}>`,
      body: sdp,
      more: [
        ...usualFields,
        ['Contact', this.contact],
        ['Content-Type', 'application/sdp'],
        ...(options.more ?? []),
      ],
      ...(options.maxForwards === undefined ? {} : { maxForwards: options.maxForwards }),
      patienceMs: options.patienceMs ?? 15_000,
    };
    let exchange = this.send('INVITE', common);
    options.sent?.(exchange);
    let answer = await exchange.final;
    // Once, and again where only the nonce was too old (RFC 7616 §3.3).
    for (let tries = 0; answer.status === 401 && this.#options.password !== undefined; tries += 1) {
      if (tries === 2 || (tries === 1 && !/stale=true/i.test(answer.text))) break;
      this.#acknowledgeRefusal(exchange, answer);
      const authorization = this.credentials(answer, 'INVITE', uri);
      exchange = this.send('INVITE', {
        ...common,
        more: [...(common.more ?? []), ['Authorization', authorization]],
      });
      options.sent?.(exchange);
      answer = await exchange.final;
    }
    if (answer.status >= 300) {
      this.#acknowledgeRefusal(exchange, answer);
      return { answer, exchange };
    }
    const leg = new Leg(this, {
      callId,
      local: `${options.from ?? this.address(this.name)};tag=${tag}`,
      remote: fieldText(answer.text, 'To'),
      target: targetOf(answer.message.headers.get('Contact')),
      remoteSdp: body(answer.text),
      cseq: answer.message.cseq.number,
    });
    this.#legs.set(callId, leg);
    leg.acknowledge(answer.message.cseq.number);
    return { answer, exchange, leg };
  }

  cancel(exchange: Exchange): Exchange {
    const lines = exchange.text.split('\r\n');
    const uri = lines[0]?.split(' ')[1] ?? '';
    const cseq = Number(fieldText(exchange.text, 'CSeq').split(' ')[0]);
    const text = compose(`CANCEL ${uri} SIP/2.0`, [
      ['Via', fieldText(exchange.text, 'Via')],
      ['Max-Forwards', '70'],
      ['From', fieldText(exchange.text, 'From')],
      ['To', fieldText(exchange.text, 'To')],
      ['Call-ID', fieldText(exchange.text, 'Call-ID')],
      ['CSeq', `${cseq} CANCEL`],
    ]);
    return this.exchange(text, exchange.branch, 'CANCEL');
  }

  /** RFC 3261 §17.1.1.3: of the same transaction. */
  #acknowledgeRefusal(exchange: Exchange, answer: Answer): void {
    const uri = exchange.text.split(' ')[1] ?? '';
    this.wire.send(
      compose(`ACK ${uri} SIP/2.0`, [
        ['Via', fieldText(exchange.text, 'Via')],
        ['Max-Forwards', '70'],
        ['From', fieldText(exchange.text, 'From')],
        ['To', fieldText(answer.text, 'To')],
        ['Call-ID', fieldText(exchange.text, 'Call-ID')],
        ['CSeq', `${answer.message.cseq.number} ACK`],
      ]),
    );
  }

  #received(bytes: Uint8Array): void {
    const text = Buffer.from(bytes).toString('utf8');
    this.heard.push(text);
    const parsed = parseMessage(bytes);
    if (!parsed.ok) return;
    const message = parsed.value;
    if (message.kind === 'response') {
      const waiting = this.#waiting.get(`${message.via[0]?.branch} ${message.cseq.method}`);
      if (waiting === undefined) return;
      waiting.stop();
      const answer: Answer = { status: message.status, text, message };
      if (message.status < 200) waiting.exchange.provisional.push(answer);
      else {
        const leg = this.#legs.get(message.callId);
        if (message.status < 300 && message.cseq.method === 'INVITE') leg?.repeatAck(message.cseq.number);
        waiting.resolve(answer);
      }
      return;
    }
    const key = `${message.via[0]?.branch} ${message.method}`;
    const before = this.#answered.get(key);
    if (before !== undefined) {
      if (before !== '') this.wire.send(before);
      return;
    }
    this.#answered.set(key, '');
    this.requests.push({ text, message });
    const incoming = new Incoming(this, message, text, (sent) => this.#answered.set(key, sent));
    const leg = this.#legs.get(message.callId);
    if (message.method === 'ACK') {
      if (leg !== undefined) leg.acknowledged = true;
      return;
    }
    if (message.method === 'CANCEL') {
      incoming.respond(200, 'OK');
      const invite = this.#invites.get(message.via[0]?.branch ?? '');
      invite?.cancelled();
      return;
    }
    if (message.method === 'INVITE' && leg === undefined) {
      this.#invites.set(message.via[0]?.branch ?? '', incoming);
      this.onInvite(incoming);
      return;
    }
    if (leg === undefined) return this.onOther(incoming);
    leg.request(incoming);
  }

  readonly #invites = new Map<string, Incoming>();

  adopt(callId: string, leg: Leg): void {
    this.#legs.set(callId, leg);
  }
}

export interface CallOptions {
  readonly uri?: string;
  readonly from?: string;
  readonly callId?: string;
  readonly more?: Fields;
  readonly maxForwards?: number;
  readonly patienceMs?: number;
  /** Every INVITE as it goes out. */
  readonly sent?: (exchange: Exchange) => void;
}

export interface CallResult {
  readonly answer: Answer;
  readonly exchange: Exchange;
  /** Absent: refused. */
  readonly leg?: Leg;
}

/** A request that came, and the way to answer it. */
export class Incoming {
  readonly agent: Agent;
  readonly message: SipRequest;
  readonly text: string;
  readonly tag = token();
  /** The caller gave up. */
  isCancelled = false;
  readonly #keep: (sent: string) => void;

  constructor(agent: Agent, message: SipRequest, text: string, keep: (sent: string) => void) {
    this.agent = agent;
    this.message = message;
    this.text = text;
    this.#keep = keep;
  }

  get sdp(): string {
    return body(this.text);
  }

  respond(status: number, reason: string, more: Fields = [], sdp = ''): void {
    const to = fieldText(this.text, 'To');
    const text = compose(
      `SIP/2.0 ${status} ${reason}`,
      [
        ...viasOf(this.text).map((via) => ['Via', via] as const),
        ['From', fieldText(this.text, 'From')],
        ['To', to.includes(';tag=') || status === 100 ? to : `${to};tag=${this.tag}`],
        ['Call-ID', fieldText(this.text, 'Call-ID')],
        ['CSeq', fieldText(this.text, 'CSeq')],
        ...more,
        ...(sdp === '' ? [] : ([['Content-Type', 'application/sdp']] as const)),
      ],
      sdp,
    );
    if (status >= 200) this.#keep(text);
    this.agent.wire.send(text);
  }

  ring(): void {
    this.respond(180, 'Ringing', [['Contact', this.agent.contact]]);
  }

  /** Takes the call. */
  accept(sdp: string, more: Fields = []): Leg {
    const { agent, message } = this;
    const leg = new Leg(agent, {
      callId: message.callId,
      local: `${fieldText(this.text, 'To')};tag=${this.tag}`,
      remote: fieldText(this.text, 'From'),
      target: targetOf(message.headers.get('Contact')),
      remoteSdp: this.sdp,
      cseq: 1,
    });
    agent.adopt(message.callId, leg);
    this.respond(200, 'OK', [['Contact', agent.contact], ...more], sdp);
    return leg;
  }

  cancelled(): void {
    this.isCancelled = true;
    this.respond(487, 'Request Terminated');
  }
}

interface LegState {
  readonly callId: string;
  readonly local: string;
  readonly remote: string;
  readonly target: string;
  readonly remoteSdp: string;
  cseq: number;
}

/** One side of a call that is up. */
export class Leg {
  agent: Agent;
  readonly state: LegState;
  acknowledged = false;
  /** Set once the other side has hung up. */
  ended = false;
  readonly over: Promise<void>;
  /** Answers a re-INVITE. Default: refused with 488. */
  onReinvite: (incoming: Incoming) => void = (incoming) => incoming.respond(488, 'Not Acceptable Here');
  #finish: () => void = () => undefined;

  constructor(agent: Agent, state: LegState) {
    this.agent = agent;
    this.state = state;
    this.over = new Promise((done) => {
      this.#finish = done;
    });
  }

  get remoteSdp(): string {
    return this.state.remoteSdp;
  }

  /** The phone has come back over another connection, and its calls with it. */
  moveTo(agent: Agent): void {
    agent.goOnFrom(this.agent);
    agent.adopt(this.state.callId, this);
    this.agent = agent;
  }

  acknowledge(cseq: number): void {
    this.agent.wire.send(this.#text('ACK', cseq, ''));
  }

  repeatAck(cseq: number): void {
    this.acknowledge(cseq);
  }

  request(incoming: Incoming): void {
    if (incoming.message.method === 'BYE') {
      incoming.respond(200, 'OK');
      this.ended = true;
      this.#finish();
    } else if (incoming.message.method === 'INVITE') this.onReinvite(incoming);
    else incoming.respond(405, 'Method Not Allowed');
  }

  /** Any request within the call. */
  send(method: string, sdp = '', more: Fields = []): Exchange {
    this.state.cseq = this.agent.nextCseq();
    const branch = `z9hG4bK${token()}`;
    return this.agent.exchange(this.#text(method, this.state.cseq, sdp, branch, more), branch, method);
  }

  async reinvite(sdp: string): Promise<Answer> {
    const exchange = this.send('INVITE', sdp);
    const answer = await exchange.final;
    if (answer.status < 300) this.acknowledge(answer.message.cseq.number);
    else this.agent.wire.send(this.#text('ACK', answer.message.cseq.number, '', exchange.branch));
    return answer;
  }

  async hangUp(): Promise<Answer> {
    const answer = await this.send('BYE').final;
    this.ended = true;
    this.#finish();
    return answer;
  }

  #text(method: string, cseq: number, sdp: string, branch?: string, more: Fields = []): string {
    const { agent, state } = this;
    return requestText({
      method,
      uri: state.target,
      transport: agent.wire.transport,
      sentBy: agent.sentBy,
      from: state.local,
      to: state.remote,
      callId: state.callId,
      cseq,
      more: [
        ['User-Agent', 'Acceptance telephone 4.2'],
        ...(method === 'INVITE' ? ([['Contact', agent.contact]] as const) : []),
        ...(sdp === '' || more.some(([name]) => name === 'Content-Type')
          ? []
          : ([['Content-Type', 'application/sdp']] as const)),
        ...more,
      ],
      body: sdp,
      ...(branch === undefined ? {} : { branch }),
    });
  }
}

const body = (text: string): string => text.slice(text.indexOf('\r\n\r\n') + 4);

function fieldText(text: string, name: string): string {
  const start = `${name}: `;
  const line = text.split('\r\n').find((row) => row.startsWith(start));
  return line === undefined ? '' : line.slice(start.length);
}

const viasOf = (text: string): string[] =>
  text
    .split('\r\n')
    .filter((row) => row.startsWith('Via: '))
    .map((row) => row.slice(5));

function targetOf(contact: string | undefined): string {
  const open = contact?.indexOf('<') ?? -1;
  const close = contact?.indexOf('>') ?? -1;
  return contact !== undefined && open >= 0 && close > open
    ? contact.slice(open + 1, close)
    : (contact ?? '');
}

export const uriText = (message: SipRequest): string => serializeUri(message.uri);
