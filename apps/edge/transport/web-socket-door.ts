import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { WebSocketServer } from 'ws';
import type { Listener } from '../config/schema.ts';
import { answerPage, type PageOutcome, refuse } from '../phone-page/answer.ts';
import type { PageFiles } from '../phone-page/files.ts';
import { type AccountDoor, type AccountOutcome, isForAccountPage } from '../self-service/answer.ts';
import { createServer } from './node-http.ts';
import type { Streams } from './streams.ts';
import { type WebSocketFacts, WebSocketFlow } from './web-socket.ts';

/** Request line and header fields of a handshake; browsers with many cookies need about half. */
const handshakeBytes = 8192;
/** Pieces of one message, and of what has not been put together yet. */
const maximumFragments = 64;
const maximumChunks = 1024;
const subprotocol = 'sip';
/** Of the phone page: in how long an answer must be read, how long the next request may be waited for, and how many. */
const answerSeconds = 30;
const keepAliveMilliseconds = 2000;
const requestsPerConnection = 32;
const refusedPage: Readonly<Record<Exclude<PageOutcome, 'answered'>, string>> = {
  'not-found': 'There is no such file of the phone page.',
  method: 'The phone page takes no other method than GET and HEAD.',
  body: 'The phone page takes no body.',
};
const refusedQuestion: Readonly<Record<NonNullable<AccountOutcome>, string>> = {
  'not-found': 'There is no such operation of the account page.',
  method: 'The account page is asked by POST.',
  origin: 'A page of another origin has asked the account page for something.',
  body: 'The account page was asked something that is no JSON object.',
};

/** What a listener serves beside WebSockets. */
export interface Pages {
  readonly files: Promise<PageFiles>;
  readonly phone: boolean;
  /** Present where it has the page on which users confirm their phones. */
  readonly account?: AccountDoor;
}

/**
 * Makes WebSockets of connections, RFC 6455 §4.2 with the subprotocol `sip` (RFC 7118 §4).
 *
 * A handshake must end in `admission.handshakeSeconds`. Pages of browsers are let in only from the origins that the
 * listener names; a phone that is no browser sends no Origin, and then there is none to check (RFC 6455 §10.2).
 *
 * Where the listener has the phone page or the account page, plain requests for its files are answered, and the phone page itself is let in. A
 * request must have come in `admission.handshakeSeconds`, as a handshake must.
 */
export class WebSocketDoor {
  readonly #listener: Listener;
  readonly #streams: Streams;
  readonly #Server: typeof WebSocketServer;
  readonly #http: Server;
  readonly #origins: ReadonlySet<string>;
  readonly #waiting = new Map<Socket, { readonly facts: () => WebSocketFacts; timer: NodeJS.Timeout }>();
  readonly #pages: Pages | undefined;
  #sockets: { readonly messageBytes: number; readonly server: WebSocketServer } | undefined;

  /** The library is loaded only where a listener needs it. */
  static async open(listener: Listener, streams: Streams, pages: Pages | undefined): Promise<WebSocketDoor> {
    const { WebSocketServer } = await import('ws');
    return new WebSocketDoor(listener, streams, WebSocketServer, pages);
  }

  private constructor(
    listener: Listener,
    streams: Streams,
    Server: typeof WebSocketServer,
    pages: Pages | undefined,
  ) {
    this.#pages = pages;
    this.#listener = listener;
    this.#streams = streams;
    this.#Server = Server;
    this.#origins = new Set(listener.origins ?? []);
    this.#http = createServer({
      maxHeaderSize: handshakeBytes,
      insecureHTTPParser: false,
      keepAliveTimeout: keepAliveMilliseconds,
    });
    this.#http.maxRequestsPerSocket = requestsPerConnection;
    this.#http.on('upgrade', (request: IncomingMessage, socket: Socket, head: Buffer) =>
      this.#upgrade(request, socket, head),
    );
    this.#http.on('request', (request, response) => this.#plainRequest(request, response));
    this.#http.on('clientError', (_error, socket) => this.#fail(socket as Socket));
  }

  /** Takes a connection that was admitted, and whose TLS handshake is done. */
  take(socket: Socket, facts: () => WebSocketFacts): void {
    this.#waiting.set(socket, { facts, timer: this.#deadline(socket) });
    socket.once('close', () => this.#forget(socket));
    this.#http.emit('connection', socket);
  }

  #deadline(socket: Socket, seconds = this.#streams.admission.settings.handshakeSeconds): NodeJS.Timeout {
    return setTimeout(() => this.#fail(socket), seconds * 1000);
  }

  /** From now on it has so long to go on. */
  #extend(socket: Socket, seconds?: number): void {
    const waiting = this.#waiting.get(socket);
    if (waiting === undefined) return;
    clearTimeout(waiting.timer);
    waiting.timer = this.#deadline(socket, seconds);
  }

  #forget(socket: Socket): (() => WebSocketFacts) | undefined {
    const waiting = this.#waiting.get(socket);
    this.#waiting.delete(socket);
    clearTimeout(waiting?.timer);
    return waiting?.facts;
  }

  #upgrade(request: IncomingMessage, socket: Socket, head: Buffer): void {
    socket.on('error', () => socket.destroy());
    const { origin, host } = request.headers;
    // The page's own: whoever makes another name lead here has no certificate for it, and gets no page to run.
    const own = this.#pages?.phone === true && origin === `https://${host}`;
    if (origin !== undefined && !own && !this.#origins.has(origin)) {
      this.#refuse(
        socket,
        'admission.origin',
        'The page is of an origin that listeners.origins does not name.',
      );
      return end(socket, '403 Forbidden');
    }
    if (!offers(request.headers['sec-websocket-protocol'])) {
      this.#refuse(socket, 'admission.websocket', 'The WebSocket subprotocol `sip` was not asked for.');
      return end(socket, '400 Bad Request');
    }
    const streams = this.#streams;
    this.#server().handleUpgrade(request, socket, head, (web) => {
      const facts = this.#forget(socket);
      if (facts === undefined) return web.terminate();
      streams.add(new WebSocketFlow(facts(), web, socket, streams));
    });
  }

  #plainRequest(request: IncomingMessage, response: ServerResponse): void {
    const pages = this.#pages;
    if (pages !== undefined) {
      this.#extend(request.socket, answerSeconds);
      response.once('close', () => this.#extend(request.socket));
      const forAccount = isForAccountPage(request.url);
      if (forAccount && pages.account !== undefined && request.method !== 'GET' && request.method !== 'HEAD')
        return void this.#ask(pages.account, request, response);
      pages.files.then(
        (files) => this.#pageRequest(pages, files, request, response),
        // Told of already.
        () => refuse(response, 503),
      );
      return;
    }
    this.#refuse(request.socket, 'admission.websocket', 'A plain HTTP request came to a WebSocket listener.');
    response.writeHead(426, { Connection: 'close', Upgrade: 'websocket', 'Content-Length': '0' }).end();
  }

  /** An operation of the account page; what is refused counts against its source. */
  async #ask(account: AccountDoor, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    const { admission, clock } = this.#streams;
    const refusal = admission.pageRequest(this.#listener.name, socket.remoteAddress ?? '', clock());
    if (refusal !== undefined) return refuse(response, 429);
    const outcome = await account.answer(request, response);
    if (outcome !== undefined) this.#refuse(socket, 'admission.page', refusedQuestion[outcome]);
  }

  #pageRequest(pages: Pages, files: PageFiles, request: IncomingMessage, response: ServerResponse): void {
    const there = isForAccountPage(request.url) ? pages.account !== undefined : pages.phone;
    const outcome =
      there || request.url === '/'
        ? answerPage(files, request, response, pages.phone ? '/phone' : '/account')
        : answerPage(noFiles, request, response);
    if (outcome !== 'answered') this.#refuse(request.socket, 'admission.page', refusedPage[outcome]);
  }

  #fail(socket: Socket): void {
    this.#refuse(socket, 'admission.handshake', 'The WebSocket handshake failed.');
    socket.destroy();
  }

  #refuse(socket: Socket, rule: string, text: string): void {
    const { admission, clock } = this.#streams;
    // Undefined when the peer has gone already.
    const address = socket.remoteAddress;
    if (address !== undefined)
      admission.refuse(this.#listener.name, address, { rule, text, threshold: 0 }, clock());
  }

  /** With the bounds as they are configured now. */
  #server(): WebSocketServer {
    const { messageBytes } = this.#streams.admission.settings;
    if (this.#sockets?.messageBytes !== messageBytes) {
      const server = new this.#Server({
        noServer: true,
        clientTracking: false,
        // Secrets beside text that others choose must not be compressed together (RFC 7692 §7), and it costs memory.
        perMessageDeflate: false,
        // The library would answer without bound to a peer that does not read.
        autoPong: false,
        // One message a turn for each connection, and nothing more is read meanwhile.
        allowSynchronousEvents: false,
        maxPayload: messageBytes,
        maxFragments: maximumFragments,
        maxBufferedChunks: maximumChunks,
        handleProtocols: () => subprotocol,
      });
      this.#sockets = { messageBytes, server };
    }
    return this.#sockets!.server;
  }
}

const noFiles: PageFiles = new Map();

const offers = (header = ''): boolean => header.split(',').some((name) => name.trim() === subprotocol);

const end = (socket: Socket, status: string): void => {
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
  socket.destroySoon();
};
