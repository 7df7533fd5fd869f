import { createServer, type Server, type Socket } from 'node:net';
import {
  createServer as createTlsServer,
  type SecureContext,
  type TLSSocket,
  type Server as TlsServer,
} from 'node:tls';
import type { SocketAddress, TlsFacts, Transport } from '@ringfence/sip/transport/flow.ts';
import type { Listener } from '../config/schema.ts';
import type { ListenerState } from './contract.ts';
import type { KeyLog } from './key-log.ts';
import { sentBy } from './sent-by.ts';
import type { Streams } from './streams.ts';
import type { TlsOptions } from './tls-context.ts';
import { readTlsFacts } from './tls-facts.ts';
import { type Pages, WebSocketDoor } from './web-socket-door.ts';

type StreamTransport = Exclude<Transport, 'udp'>;

export interface StreamListenerOptions {
  readonly streams: Streams;
  readonly nextId: () => number;
  readonly tls?: TlsOptions;
  readonly keyLog: KeyLog | undefined;
  readonly trouble: (listener: string, error: Error) => void;
  /** What it serves to browsers beside WebSockets. */
  readonly pages?: Pages;
  /** Descriptor of a listening socket, bound by the program whose place this one has taken. */
  readonly inherited?: number | undefined;
}

/**
 * One listening socket for TCP or TLS, or for WebSockets over either.
 *
 * A connection is admitted before its handshake, so that handshakes count against the bounds too.
 */
export class StreamListener implements ListenerState {
  readonly name: string;
  readonly transport: StreamTransport;
  readonly bound: SocketAddress;
  readonly #listener: Listener;
  readonly #server: Server;
  readonly #tls: TlsServer | undefined;
  readonly #options: StreamListenerOptions;
  /** Where a connection becomes a WebSocket. */
  readonly #door: WebSocketDoor | undefined;
  /** Open connections, also those whose handshake is not done. */
  readonly #accepted = new Set<Socket>();
  #domains: ReadonlyMap<string, SecureContext> = new Map();
  #started = false;

  /** Rejects with the system's error when the address cannot be bound. */
  static async open(listener: Listener, options: StreamListenerOptions): Promise<StreamListener> {
    const { transport } = listener;
    const door =
      transport === 'ws' || transport === 'wss'
        ? await WebSocketDoor.open(listener, options.streams, options.pages)
        : undefined;
    const server = createServer({ noDelay: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      const place =
        options.inherited === undefined
          ? { host: listener.address, port: listener.port, ipv6Only: true, exclusive: true }
          : { fd: options.inherited };
      server.listen({ ...place, backlog: 1024 }, () => {
        server.removeListener('error', reject);
        resolve();
      });
    });
    return new StreamListener(listener, server, options, door);
  }

  private constructor(
    listener: Listener,
    server: Server,
    options: StreamListenerOptions,
    door: WebSocketDoor | undefined,
  ) {
    this.#door = door;
    const where = server.address();
    this.name = listener.name;
    this.transport = listener.transport === 'udp' ? 'tcp' : listener.transport;
    this.bound =
      where === null || typeof where === 'string'
        ? { address: listener.address, port: listener.port }
        : { address: where.address, port: where.port };
    this.#listener = listener;
    this.#server = server;
    this.#options = options;
    this.#tls = options.tls === undefined ? undefined : this.#openTls(options.tls);
    server.on('connection', (socket) => this.#accept(socket));
    // Out of file descriptors, mostly. The server goes on listening.
    server.on('error', (error) => options.trouble(this.name, error));
  }

  start(): void {
    this.#started = true;
  }

  /** For new handshakes. Tickets given out before do not resume any more, live connections go on. */
  useCertificates(tls: TlsOptions): void {
    this.#domains = tls.domains;
    this.#tls?.setSecureContext(tls);
  }

  /** Takes nobody in any more; the descriptor, for the program that takes this one's place. Undefined: it has none. */
  handOver(): number | undefined {
    this.#started = false;
    const { _handle: handle } = this.#server as Server & { readonly _handle?: { readonly fd?: number } };
    return handle?.fd;
  }

  async close(): Promise<void> {
    for (const socket of this.#accepted) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  #openTls(tls: TlsOptions): TlsServer {
    this.#domains = tls.domains;
    const wanted = this.#listener.clientCertificate ?? 'none';
    const { streams, keyLog } = this.#options;
    const server = createTlsServer({
      ...tls,
      // RFC 6066 §3: a name that nobody has a certificate for gets the node's.
      SNICallback: (name, done) => done(null, this.#domains.get(name.toLowerCase())),
      requestCert: wanted !== 'none',
      rejectUnauthorized: wanted === 'required',
      handshakeTimeout: streams.admission.settings.handshakeSeconds * 1000,
    });
    server.on('secureConnection', (socket) => this.#secured(socket));
    server.on('tlsClientError', (error, socket) => this.#handshakeFailed(error, socket));
    if (keyLog !== undefined) server.on('keylog', keyLog);
    return server;
  }

  #accept(socket: Socket): void {
    const { streams } = this.#options;
    const address = socket.remoteAddress;
    // Both are undefined when the peer has gone already.
    if (!this.#started || address === undefined || socket.localAddress === undefined) {
      socket.destroy();
      return;
    }
    if (streams.admission.connection(this.name, address, streams.clock()) !== undefined) {
      socket.resetAndDestroy();
      return;
    }
    this.#accepted.add(socket);
    socket.once('close', () => {
      this.#accepted.delete(socket);
      streams.admission.connectionClosed(address);
    });
    if (this.#tls === undefined) return this.#adopt(socket, undefined);
    socket.on('error', () => socket.destroy());
    this.#tls.emit('connection', socket);
  }

  #secured(socket: TLSSocket): void {
    if (socket.remoteAddress === undefined || socket.localAddress === undefined) {
      socket.destroy();
      return;
    }
    this.#adopt(socket, readTlsFacts(socket));
  }

  #adopt(socket: Socket, tls: TlsFacts | undefined): void {
    const { transport } = this;
    const facts = () => ({ ...this.#facts(socket), ...(tls === undefined ? {} : { tls }) });
    if (transport === 'ws' || transport === 'wss')
      this.#door?.take(socket, () => ({ ...facts(), transport }));
    else this.#options.streams.adopt({ ...facts(), transport }, socket);
  }

  #handshakeFailed(error: Error, socket: TLSSocket): void {
    const { streams } = this.#options;
    const timeout = 'code' in error && error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT';
    const refusal = timeout
      ? {
          rule: 'admission.handshake-time',
          text: 'The TLS handshake did not end in admission.handshakeSeconds.',
          threshold: streams.admission.settings.handshakeSeconds,
        }
      : { rule: 'admission.handshake', text: 'The TLS handshake failed.', threshold: 0 };
    if (socket.remoteAddress !== undefined) {
      streams.admission.refuse(this.name, socket.remoteAddress, refusal, streams.clock());
    }
    socket.destroy();
  }

  #facts(socket: Socket) {
    const local = { address: socket.localAddress ?? '', port: this.bound.port };
    return {
      id: this.#options.nextId(),
      local,
      remote: { address: socket.remoteAddress ?? '', port: socket.remotePort ?? 0 },
      sentBy: sentBy(this.#listener.publicAddress ?? local.address, this.bound.port),
      listener: this.name,
    };
  }
}
