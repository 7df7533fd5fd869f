import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { type StreamEvent, StreamFramer } from '@ringfence/sip/framing/stream.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { serializeMessage } from '@ringfence/sip/message/serialize.ts';
import type { SocketAddress, TlsFacts } from '@ringfence/sip/transport/flow.ts';
import { bannedRule } from '../admission/admission.ts';
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

/** Messages of one connection handled in a row before others get their turn. */
const messagesPerTurn = 16;
const crlf = new Uint8Array([13, 10]);

export interface StreamFacts {
  readonly id: number;
  readonly transport: 'tcp' | 'tls';
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly sentBy: string;
  readonly listener: string;
  readonly tls?: TlsFacts;
  /** We have opened it: the peer need not speak first. */
  readonly dialled?: true;
}

/**
 * One TCP or TLS connection that carries SIP, RFC 3261 §18.3.
 *
 * Bounded in what it buffers each way, in how long a message may take to arrive, and in silence. `check` must be
 * called about once a second.
 */
export class StreamFlow implements Connection {
  readonly id: number;
  readonly transport: 'tcp' | 'tls';
  readonly reliable = true;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly sentBy: string;
  readonly listener: string;
  declare readonly tls?: TlsFacts;

  keptSeconds: number | undefined = undefined;
  readonly #socket: Socket;
  readonly #host: ConnectionHost;
  readonly #framer: StreamFramer;
  #open = true;
  #working = false;
  #activeAt: number;
  #openedAt: number;
  /** When the unfinished message began; 0 when there is none. */
  #partialAt = 0;
  /** Since when bytes wait to be sent; 0 when none do. */
  #waitingAt = 0;
  #refusals = 0;
  /** It has brought a message that was let in. */
  #served: boolean;
  readonly #pongs = new PongAllowance();

  constructor(facts: StreamFacts, socket: Socket, host: ConnectionHost) {
    this.id = facts.id;
    this.transport = facts.transport;
    this.local = facts.local;
    this.remote = facts.remote;
    this.sentBy = facts.sentBy;
    this.listener = facts.listener;
    if (facts.tls !== undefined) this.tls = facts.tls;
    this.#socket = socket;
    this.#host = host;
    const { messageBytes } = host.admission.settings;
    this.#framer = new StreamFramer({ headerSize: messageBytes, bodySize: messageBytes });
    this.#activeAt = host.clock();
    this.#openedAt = this.#activeAt;
    this.#served = facts.dialled === true;
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 60_000);
    socket.on('data', (chunk: Uint8Array) => this.#received(chunk));
    socket.on('end', () => this.close('peer closed'));
    socket.on('error', (error) => this.close(`error ${'code' in error ? error.code : error.message}`));
    socket.on('close', () => this.close('closed'));
  }

  get open(): boolean {
    return this.#open;
  }

  /** False when the connection is gone, or the peer has not read what was sent before. */
  send(bytes: Uint8Array): boolean {
    if (!this.#open) return false;
    const socket = this.#socket;
    if (socket.writableLength + bytes.length > writeQueueBytes) {
      this.close('peer does not read');
      return false;
    }
    if (!socket.write(bytes) && this.#waitingAt === 0) this.#waitingAt = this.#host.clock();
    return true;
  }

  /** Closes what has outstayed its time. */
  check(now: number): void {
    if (!this.#open) return;
    const { settings } = this.#host.admission;
    // Where the clock was put back, time is counted from then.
    if (this.#partialAt > now) this.#partialAt = now;
    if (this.#waitingAt > now) this.#waitingAt = now;
    if (this.#activeAt > now) this.#activeAt = now;
    if (this.#openedAt > now) this.#openedAt = now;
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
    if (this.#partialAt > 0 && now - this.#partialAt >= settings.messageSeconds * 1000) {
      this.#refuse(
        'admission.message-time',
        'A begun message did not end in admission.messageSeconds.',
        settings.messageSeconds,
      );
      this.close('message not complete in time');
    } else if (this.#socket.writableLength > 0) {
      if (this.#waitingAt === 0) this.#waitingAt = now;
      else if (now - this.#waitingAt >= writeStallMilliseconds) this.close('peer does not read');
    } else {
      this.#waitingAt = 0;
      if (now - this.#activeAt >= (this.keptSeconds ?? settings.idleSeconds) * 1000)
        this.close(this.keptSeconds === undefined ? 'idle' : 'no keepalive');
    }
  }

  /** Ends the connection at once, or after `last` has been handed to the system. Later calls do nothing. */
  close(reason: string, last?: Uint8Array): void {
    if (!this.#open) return;
    this.#open = false;
    const socket = this.#socket;
    if (last !== undefined && socket.writable) {
      // Closing with octets unread would reset the connection and could take the answer with it, so they are read
      // and thrown away for a moment.
      socket.end(last);
      socket.resume();
      setTimeout(() => socket.destroy(), lingerMilliseconds).unref();
    } else socket.destroy();
    this.#host.ended(this, reason);
  }

  #received(chunk: Uint8Array): void {
    if (!this.#open) return;
    this.#framer.push(chunk);
    if (!this.#working) this.#work();
  }

  #work(): void {
    const now = this.#host.clock();
    for (let handled = 0; this.#open; ) {
      const frame = this.#framer.next();
      if (frame === undefined) {
        this.#working = false;
        // Less than a ping is no begun message: some phones send one CRLF now and then, and that stays unfinished.
        if (this.#framer.pending < 4) this.#partialAt = 0;
        else if (this.#partialAt === 0) this.#partialAt = now;
        if (this.#socket.isPaused()) this.#socket.resume();
        return;
      }
      if (frame.kind === 'error') {
        this.#broken(frame.code, frame.respond);
        return;
      }
      this.#activeAt = now;
      this.#partialAt = 0;
      if (frame.kind === 'keepalive') {
        if (frame.reply) this.#pong(now);
        continue;
      }
      this.#message(frame.bytes, now);
      if (++handled === messagesPerTurn) {
        // More may be waiting: others first. Nothing more is read meanwhile, so the peer feels it.
        this.#working = true;
        this.#socket.pause();
        setImmediate(() => this.#work());
        return;
      }
    }
  }

  #message(bytes: Uint8Array, now: number): void {
    const host = this.#host;
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

  /** RFC 5626 §3.5.1: CRLF answers CRLFCRLF. */
  #pong(now: number): void {
    if (this.#pongs.take(now)) this.send(crlf);
  }

  /** After a broken frame nothing that follows can be told apart, so the connection ends (RFC 3261 §18.3). */
  #broken(code: string, respond: Answer | undefined): void {
    this.#refuse(`admission.${code}`, 'The stream does not carry SIP messages.', 0);
    this.close(`malformed: ${code}`, respond === undefined ? undefined : answerTo(respond));
  }

  #refuse(rule: string, text: string, threshold: number): void {
    const { admission, clock } = this.#host;
    admission.refuse(this.listener, this.remote.address, { rule, text, threshold }, clock());
  }
}

type Answer = NonNullable<Extract<StreamEvent, { kind: 'error' }>['respond']>;

/** Never to an ACK (RFC 3261 §8.2.6 and §17.1.1.3: there is no response to it). */
const answerTo = ({ request, status, reason }: Answer): Uint8Array | undefined =>
  request.method === 'ACK'
    ? undefined
    : serializeMessage(makeResponse(request, status, reason, { toTag: randomBytes(8).toString('hex') }));
