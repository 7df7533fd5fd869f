import { randomBytes } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import { err } from '@ringfence/bytes/result.ts';
import { NgExchanges, type NgOutcome, type NgRequest } from '@ringfence/ng/exchange.ts';
import { pingRequest, refusalOf } from '@ringfence/ng/session.ts';

/** One rtpengine, as `media.rtpengine` of the configuration names it. */
export interface InstanceSettings {
  readonly address: string;
  readonly port: number;
  /** Share of new calls among the instances that answer; 0 takes none. */
  readonly weight: number;
  /** Name of its interface towards phones and trunks. Default: its only one. */
  readonly outside?: string;
  /** RTCP of the phones ends there. Default: it goes on as it came. */
  readonly endRtcp?: boolean;
  /** Name of its interface on which the legs of a call are joined. Default: the outside one. */
  readonly inside?: string;
}

export interface InstanceEvents {
  /** It answers again. */
  up(): void;
  /** It does not answer any more: its calls are lost to us. */
  down(reason: string): void;
}

const pingEveryMs = 1_000;
/** Pings without an answer until it counts as gone; each was repeated by then. */
const missedUntilDown = 2;

/**
 * The control connection with one rtpengine: a connected UDP socket, so that the kernel drops what others send, and a
 * ping every second. Nothing is asked of an instance that does not answer its pings.
 */
export class Instance {
  readonly settings: InstanceSettings;
  readonly name: string;
  readonly #events: InstanceEvents;
  readonly #socket: Socket;
  readonly #exchanges = new NgExchanges({ newCookie: () => randomBytes(12).toString('base64url') });
  #healthy = false;
  #missed = 0;
  #connected = false;
  #closed = false;
  #timer: NodeJS.Timeout | undefined;
  readonly #pings: NodeJS.Timeout;
  /** The first ping has been answered, or has not. */
  readonly tried: Promise<void>;

  constructor(settings: InstanceSettings, events: InstanceEvents) {
    this.settings = settings;
    this.name = `${settings.address.includes(':') ? `[${settings.address}]` : settings.address}:${settings.port}`;
    this.#events = events;
    this.#socket = createSocket(settings.address.includes(':') ? 'udp6' : 'udp4');
    this.#socket.on('message', (bytes) => {
      this.#exchanges.receive(bytes);
      this.#pump();
    });
    // A refused datagram is told of as an error; the missing reply says the same.
    this.#socket.on('error', () => {});
    this.#socket.connect(settings.port, settings.address, () => {
      this.#connected = true;
      this.#pump();
    });
    this.tried = this.#ping();
    this.#pings = setInterval(() => void this.#ping(), pingEveryMs);
  }

  /** On this machine: what is said to it crosses no network. */
  get local(): boolean {
    const { address } = this.settings;
    return address === '::1' || address.startsWith('127.');
  }

  get healthy(): boolean {
    return this.#healthy;
  }

  /** Never rejects. */
  ask(request: NgRequest): Promise<NgOutcome> {
    if (this.#closed) return Promise.resolve(err('timeout'));
    return new Promise((resolve) => {
      this.#exchanges.request(request, performance.now(), resolve);
      this.#pump();
    });
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#pings);
    clearTimeout(this.#timer);
    this.#exchanges.abandon();
    this.#socket.close();
  }

  async #ping(): Promise<void> {
    const outcome = await this.ask(pingRequest);
    if (this.#closed) return;
    if (outcome.ok && refusalOf(outcome.value) === '') {
      this.#missed = 0;
      if (!this.#healthy) {
        this.#healthy = true;
        this.#events.up();
      }
      return;
    }
    this.#missed += 1;
    if (!this.#healthy || this.#missed < missedUntilDown) return;
    this.#healthy = false;
    this.#events.down(outcome.ok ? refusalOf(outcome.value) : `no answer to ${this.#missed} pings`);
  }

  #pump(): void {
    if (!this.#connected || this.#closed) return;
    for (const datagram of this.#exchanges.drain())
      try {
        this.#socket.send(datagram);
      } catch {
        // As if it were lost on the way: it is sent again, or given up.
      }
    clearTimeout(this.#timer);
    const next = this.#exchanges.nextTimeout();
    if (next === Number.POSITIVE_INFINITY) return;
    this.#timer = setTimeout(
      () => {
        this.#exchanges.handleTimeout(performance.now());
        this.#pump();
      },
      Math.max(1, next - performance.now()),
    );
  }
}
