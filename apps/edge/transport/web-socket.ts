import { isUtf8 } from 'node:buffer';
import type { Socket } from 'node:net';
import type { SocketAddress, TlsFacts } from '@ringfence/sip/transport/flow.ts';
import type { WebSocket } from 'ws';
import { bannedRule } from '../admission/admission.ts';
import { isBlank } from '../admission/first-look.ts';
import { overConnection, registeredConnection } from '../admission/sender.ts';
import {
  type Connection,
  type ConnectionHost,
  lingerMilliseconds,
  PongAllowance,
  refusalsInARow,
  writeQueueBytes,
  writeStallMilliseconds,
} from './connection.ts';

/** After so much silence the peer is pinged (RFC 7118 §6), and after as much again it is gone. */
const pingMilliseconds = 30_000;
const crlf = new Uint8Array([13, 10]);
/** Status codes of RFC 6455 §7.4.1. */
const goingAway = 1001;

export interface WebSocketFacts {
  readonly id: number;
  readonly transport: 'ws' | 'wss';
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly sentBy: string;
  readonly listener: string;
  readonly tls?: TlsFacts;
}

/**
 * One WebSocket that carries SIP, one message in each frame (RFC 7118 §5).
 *
 * Bounded as other connections are, in what it buffers each way and in time. It is pinged when it is silent, so that
 * a phone that has gone is noticed within a minute.
 */
export class WebSocketFlow implements Connection {
  readonly id: number;
  readonly transport: 'ws' | 'wss';
  readonly reliable = true;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly sentBy: string;
  readonly listener: string;
  declare readonly tls?: TlsFacts;

  keptSeconds: number | undefined = undefined;
  readonly #web: WebSocket;
  readonly #socket: Socket;
  readonly #host: ConnectionHost;
  #open = true;
  /** When the last message or keepalive came. */
  #activeAt: number;
  #openedAt: number;
  /** When the last octet came. */
  #heardAt: number;
  #pingedAt = 0;
  /** When the unfinished message began; 0 when there is none. */
  #partialAt = 0;
  #waitingAt = 0;
  #refusals = 0;
  /** It has brought a message that was let in. */
  #served = false;
  readonly #pongs = new PongAllowance();

  constructor(facts: WebSocketFacts, web: WebSocket, socket: Socket, host: ConnectionHost) {
    this.id = facts.id;
    this.transport = facts.transport;
    this.local = facts.local;
    this.remote = facts.remote;
    this.sentBy = facts.sentBy;
    this.listener = facts.listener;
    if (facts.tls !== undefined) this.tls = facts.tls;
    this.#web = web;
    this.#socket = socket;
    this.#host = host;
    this.#activeAt = host.clock();
    this.#heardAt = this.#activeAt;
    this.#openedAt = this.#activeAt;
    socket.setNoDelay(true);
    // Before the library reads it: what is complete then ends what has begun here.
    socket.prependListener('data', () => {
      this.#heardAt = host.clock();
      if (this.#partialAt === 0) this.#partialAt = this.#heardAt;
    });
    web.on('message', (bytes) => this.#received(bytes));
    web.on('ping', (bytes) => this.#pinged(bytes));
    web.on('pong', () => this.#complete(host.clock()));
    web.on('error', (error) => this.#broken(error));
    web.on('close', () => this.close('peer closed'));
  }

  get open(): boolean {
    return this.#open;
  }

  send(bytes: Uint8Array): boolean {
    if (!this.#room(bytes.length)) return false;
    // RFC 7118 §5.2: what is not UTF-8 must not go into a text frame.
    this.#web.send(bytes, { binary: !isUtf8(bytes) });
    if (this.#socket.writableLength > 0 && this.#waitingAt === 0) this.#waitingAt = this.#host.clock();
    return true;
  }

  check(now: number): void {
    if (!this.#open) return;
    const { settings } = this.#host.admission;
    // Where the clock was put back, time is counted from then.
    this.#partialAt = Math.min(this.#partialAt, now);
    this.#waitingAt = Math.min(this.#waitingAt, now);
    this.#activeAt = Math.min(this.#activeAt, now);
    this.#heardAt = Math.min(this.#heardAt, now);
    this.#openedAt = Math.min(this.#openedAt, now);
    this.#pingedAt = Math.min(this.#pingedAt, now);
    if (this.#partialAt > 0 && now - this.#partialAt >= settings.messageSeconds * 1000) {
      this.#refuse(
        'admission.message-time',
        'A begun message did not end in admission.messageSeconds.',
        settings.messageSeconds,
      );
      return this.close('message not complete in time');
    }
    if (
      !this.#served &&
      now - this.#openedAt >= settings.firstMessageSeconds * 1000 &&
      !this.#host.admission.isTrusted(this.remote.address, now)
    ) {
      this.#refuse(
        'admission.first-message-time',
        'No message came in admission.firstMessageSeconds.',
        settings.firstMessageSeconds,
      );
      return this.close('no message in time');
    }
    if (this.#socket.writableLength === 0) this.#waitingAt = 0;
    else if (this.#waitingAt === 0) this.#waitingAt = now;
    else if (now - this.#waitingAt >= writeStallMilliseconds) return this.close('peer does not read');
    if (now - this.#activeAt >= (this.keptSeconds ?? settings.idleSeconds) * 1000)
      return this.close(this.keptSeconds === undefined ? 'idle' : 'no keepalive');
    if (now - this.#heardAt < pingMilliseconds) return;
    if (this.#pingedAt <= this.#heardAt) {
      if (!this.#room(0)) return;
      this.#pingedAt = now;
      this.#web.ping();
    } else if (now - this.#pingedAt >= pingMilliseconds) this.close('no answer to a keepalive');
  }

  /** Tells the peer, and ends the connection a moment later whether the peer answers or not. */
  close(reason: string): void {
    if (!this.#open) return;
    this.#open = false;
    if (this.#socket.writable && this.#socket.writableLength === 0) this.#web.close(goingAway);
    setTimeout(() => this.#web.terminate(), lingerMilliseconds).unref();
    this.#host.ended(this, reason);
  }

  #received(bytes: Uint8Array): void {
    if (!this.#open) return;
    const host = this.#host;
    const now = host.clock();
    this.#complete(now);
    // RFC 5626 §4.4.1 in a frame of its own, as some libraries for browsers do it.
    if (isBlank(bytes)) {
      if (bytes.length === 4 && this.#pongs.take(now)) this.send(crlf);
      return;
    }
    const { address, port } = this.remote;
    const sender = this.keptSeconds === undefined ? overConnection : registeredConnection;
    const refusal = host.admission.message(this.listener, address, bytes, now, port, sender);
    if (refusal === undefined) {
      this.#refusals = 0;
      this.#served = true;
      host.message(this, bytes, now);
    } else if (refusal.rule === bannedRule) this.close('banned');
    else if (++this.#refusals >= refusalsInARow) this.close('refused too often');
  }

  #pinged(bytes: Uint8Array): void {
    const now = this.#host.clock();
    this.#complete(now);
    if (this.#pongs.take(now) && this.#room(bytes.length)) this.#web.pong(bytes);
  }

  #complete(now: number): void {
    this.#activeAt = now;
    this.#partialAt = 0;
  }

  /** A peer that does not read what it is sent loses its connection. */
  #room(octets: number): boolean {
    if (!this.#open) return false;
    if (this.#socket.writableLength + octets <= writeQueueBytes) return true;
    this.close('peer does not read');
    return false;
  }

  #broken(error: Error & { readonly code?: string }): void {
    if (!this.#open) return;
    if (error.code?.startsWith('WS_ERR') === true)
      this.#refuse('admission.websocket', 'The connection does not carry WebSocket frames as agreed.', 0);
    this.close(`error ${error.code ?? error.message}`);
  }

  #refuse(rule: string, text: string, threshold: number): void {
    const { admission, clock } = this.#host;
    admission.refuse(this.listener, this.remote.address, { rule, text, threshold }, clock());
  }
}
