/**
 * Many telephones over TLS in one process: connect, REGISTER, answer the challenge, stay connected. Whoever is cut off
 * comes back after a wait at random, as RFC 5626 §4.5 asks. Spoken to over the IPC channel of `node:child_process`.
 */
import { createHash } from 'node:crypto';
import { type ConnectionOptions, connect, createSecureContext, type TLSSocket } from 'node:tls';

export type PhonesOptions = {
  readonly count: number;
  /** Index of the first: phones are named `u<index>`. */
  readonly first: number;
  readonly server: { readonly address: string; readonly port: number };
  readonly domain: string;
  readonly password: string;
  readonly algorithm: 'SHA-256' | 'MD5';
  /** Connections begun each second at the start. */
  readonly perSecond: number;
  /** Those that lose their connection come back within so many seconds, each at a moment of its own. */
  readonly returnWithin: number;
  readonly perAddress: number;
};

export type PhonesReport = {
  readonly kind: 'report';
  readonly registered: number;
  /** Final answers other than 200 and the challenge, by status. */
  readonly refused: Readonly<Record<string, number>>;
  readonly failedConnections: number;
  /** Answers to refreshes since the last were asked for. */
  readonly refreshed: number;
};

export type PhonesCommand =
  | { readonly kind: 'refresh'; readonly perSecond: number }
  | { readonly kind: 'end' };

const options = JSON.parse(process.argv[2] ?? '{}') as PhonesOptions;
const { server, domain, password, algorithm } = options;
const expires = 3600;
const context = createSecureContext();
const refused = new Map<string, number>();
let registered = 0;
let failedConnections = 0;
let refreshed = 0;
let ending = false;

const hash = (text: string): string =>
  createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
    .update(text)
    .digest('hex');
const parameter = (challenge: string, name: string): string =>
  new RegExp(`${name}="?([^",\\r]*)`, 'i').exec(challenge)?.[1] ?? '';

class Phone {
  readonly #index: number;
  readonly #name: string;
  #socket: TLSSocket | undefined;
  #cseq = 0;
  #text = '';
  #registered = false;
  #nonce = '';
  #realm = '';
  #uses = 0;
  #refreshing = false;

  constructor(index: number) {
    this.#index = index;
    this.#name = `u${options.first + index}`;
  }

  open(): void {
    if (ending) return;
    const place = Math.floor(this.#index / options.perAddress);
    const where: ConnectionOptions & { localAddress: string } = {
      host: server.address,
      port: server.port,
      localAddress: `127.${20 + (options.first > 0 ? 1 : 0)}.${place >> 8}.${(place & 255) + 1}`,
      servername: domain,
      secureContext: context,
      rejectUnauthorized: false,
    };
    const socket = connect(where);
    this.#socket = socket;
    this.#text = '';
    this.#nonce = '';
    socket.setNoDelay(true);
    socket.once('secureConnect', () => this.#register());
    socket.on('data', (bytes: Buffer) => this.#received(bytes.toString('latin1')));
    socket.on('error', () => undefined);
    socket.once('close', () => {
      if (this.#registered) registered -= 1;
      else if (!ending) failedConnections += 1;
      this.#registered = false;
      setTimeout(() => this.open(), Math.random() * options.returnWithin * 1000);
    });
  }

  refresh(): void {
    if (!this.#registered) return;
    this.#refreshing = true;
    this.#register();
  }

  end(): void {
    this.#socket?.destroy();
  }

  #register(): void {
    const uri = `sip:${domain}`;
    let authorization = '';
    if (this.#nonce !== '') {
      this.#uses += 1;
      const count = this.#uses.toString(16).padStart(8, '0');
      const ha1 = hash(`${this.#name}:${this.#realm}:${password}`);
      const response = hash(`${ha1}:${this.#nonce}:${count}:c0ffee:auth:${hash(`REGISTER:${uri}`)}`);
      authorization =
        `Authorization: Digest username="${this.#name}", realm="${this.#realm}", nonce="${this.#nonce}", uri="${uri}", ` +
        `response="${response}", algorithm=${algorithm}, qop=auth, nc=${count}, cnonce="c0ffee"\r\n`;
    }
    this.#cseq += 1;
    const contact = `sip:${this.#name}@${this.#socket?.localAddress}:${this.#socket?.localPort};transport=tls`;
    this.#socket?.write(
      `REGISTER ${uri} SIP/2.0\r\nVia: SIP/2.0/TLS ${this.#socket.localAddress}:${this.#socket.localPort};branch=z9hG4bK${this.#name}x${this.#cseq};rport\r\n` +
        `Max-Forwards: 70\r\nFrom: <sip:${this.#name}@${domain}>;tag=${this.#name}\r\nTo: <sip:${this.#name}@${domain}>\r\n` +
        `Call-ID: ${this.#name}@bench\r\nCSeq: ${this.#cseq} REGISTER\r\nContact: <${contact}>\r\nExpires: ${expires}\r\n${authorization}Content-Length: 0\r\n\r\n`,
    );
  }

  #received(text: string): void {
    this.#text += text;
    for (let end = this.#text.indexOf('\r\n\r\n'); end >= 0; end = this.#text.indexOf('\r\n\r\n')) {
      const message = this.#text.slice(0, end);
      this.#text = this.#text.slice(end + 4);
      if (message.startsWith('SIP/2.0 ')) this.#answered(message);
    }
  }

  #answered(message: string): void {
    const status = message.slice(8, 11);
    if (status === '200') {
      if (!this.#registered) registered += 1;
      else if (this.#refreshing) refreshed += 1;
      this.#refreshing = false;
      this.#registered = true;
      return;
    }
    const challenges = message.match(/^WWW-Authenticate:.*$/gim) ?? [];
    const challenge =
      challenges.find((line) => line.includes(`algorithm=${algorithm}`)) ??
      (algorithm === 'MD5' ? challenges[0] : undefined);
    if (status === '401' && challenge !== undefined && parameter(challenge, 'nonce') !== this.#nonce) {
      this.#nonce = parameter(challenge, 'nonce');
      this.#realm = parameter(challenge, 'realm');
      this.#uses = 0;
      this.#register();
      return;
    }
    refused.set(status, (refused.get(status) ?? 0) + 1);
    this.#socket?.destroy();
  }
}

const phones = Array.from({ length: options.count }, (_, i) => new Phone(i));

/** Gives each phone its turn at that rate. */
function inTurn(perSecond: number, act: (phone: Phone) => void): void {
  let next = 0;
  const timer = setInterval(() => {
    const until = Math.min(phones.length, next + Math.ceil(perSecond / 20));
    for (; next < until; next += 1) act(phones[next]!);
    if (next === phones.length || ending) clearInterval(timer);
  }, 50);
}

process.on('message', (command: PhonesCommand) => {
  if (command.kind === 'refresh') {
    refreshed = 0;
    inTurn(command.perSecond, (phone) => phone.refresh());
    return;
  }
  ending = true;
  for (const phone of phones) phone.end();
  process.disconnect();
});
process.on('disconnect', () => process.exit(0));
setInterval(() => {
  const report: PhonesReport = {
    kind: 'report',
    registered,
    refused: Object.fromEntries(refused),
    failedConnections,
    refreshed,
  };
  process.send?.(report);
}, 250);
inTurn(options.perSecond, (phone) => phone.open());
