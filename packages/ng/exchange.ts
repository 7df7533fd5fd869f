import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { type Bencoded, decodeBencode, encodeBencode, type Writable } from './bencode.ts';

/** A request of the ng protocol: `command` and what belongs to it. */
export type NgRequest = { readonly command: string } & { readonly [key: string]: Writable };

export type NgReply = ReadonlyMap<string, Bencoded>;

export interface ExchangeOptions {
  /** Random text without spaces that nobody can guess: it is all that ties a reply to its request. */
  newCookie(): string;
  /** Milliseconds until the first retransmission; each further wait is twice as long. Default 150. */
  readonly retransmitMs?: number;
  /** Milliseconds until a request is given up. Default 2000. */
  readonly giveUpMs?: number;
  /** Requests under way at once. Default 4096. */
  readonly most?: number;
}

/** How a request ended. */
export type NgOutcome = Result<NgReply, 'timeout' | 'busy' | 'malformed'>;

interface Open {
  readonly datagram: Uint8Array;
  readonly done: (outcome: NgOutcome) => void;
  readonly until: number;
  wait: number;
  at: number;
}

/** Longest cookie that is looked for in what came in. */
const longestCookie = 64;
const space = 32;

/**
 * Requests and replies over datagrams: the request is repeated until its reply comes or it is given up. rtpengine
 * keeps the reply to each cookie for a while and sends it again, so that a repeated request is not done twice.
 *
 * Feed `receive` and `handleTimeout` with the time, send what `drain` gives, ask `nextTimeout` when to come back.
 * A datagram may carry SRTP keys: it is overwritten once its exchange is over.
 */
export class NgExchanges {
  readonly #options: ExchangeOptions;
  readonly #open = new Map<string, Open>();
  #unsent: Uint8Array[] = [];

  constructor(options: ExchangeOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#open.size;
  }

  request(request: NgRequest, now: number, done: (outcome: NgOutcome) => void): void {
    if (this.#open.size >= (this.#options.most ?? 4096)) return done(err('busy'));
    const cookie = this.#options.newCookie();
    const datagram = withCookie(cookie, encodeBencode(request));
    const wait = this.#options.retransmitMs ?? 150;
    this.#open.set(cookie, {
      datagram,
      done,
      until: now + (this.#options.giveUpMs ?? 2000),
      wait,
      at: now + wait,
    });
    this.#unsent.push(datagram);
  }

  /** A datagram from the peer. One that answers nothing of ours changes nothing. */
  receive(bytes: Uint8Array): void {
    const end = bytes.subarray(0, longestCookie + 1).indexOf(space);
    if (end <= 0) return;
    const cookie = String.fromCharCode(...bytes.subarray(0, end));
    const open = this.#open.get(cookie);
    if (open === undefined) return;
    const body = decodeBencode(bytes, end + 1);
    const dictionary = body.ok ? asDictionary(body.value) : undefined;
    this.#finish(cookie, open, dictionary === undefined ? err('malformed') : ok(dictionary));
  }

  nextTimeout(): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { at, until } of this.#open.values()) next = Math.min(next, at, until);
    return next;
  }

  handleTimeout(now: number): void {
    for (const [cookie, open] of this.#open) {
      if (now >= open.until) this.#finish(cookie, open, err('timeout'));
      else if (now >= open.at) {
        open.wait *= 2;
        open.at = now + open.wait;
        this.#unsent.push(open.datagram);
      }
    }
  }

  /** What is to be sent now, in order. */
  drain(): readonly Uint8Array[] {
    const unsent = this.#unsent;
    this.#unsent = [];
    return unsent;
  }

  /** Ends everything that is under way as timed out. */
  abandon(): void {
    for (const [cookie, open] of this.#open) this.#finish(cookie, open, err('timeout'));
    this.#unsent = [];
  }

  #finish(cookie: string, open: Open, outcome: NgOutcome): void {
    this.#open.delete(cookie);
    this.#unsent = this.#unsent.filter((datagram) => datagram !== open.datagram);
    open.datagram.fill(0);
    open.done(outcome);
  }
}

function withCookie(cookie: string, body: Uint8Array): Uint8Array {
  const datagram = new Uint8Array(cookie.length + 1 + body.length);
  for (let i = 0; i < cookie.length; i += 1) datagram[i] = cookie.charCodeAt(i);
  datagram[cookie.length] = space;
  datagram.set(body, cookie.length + 1);
  body.fill(0);
  return datagram;
}

/** A dictionary, or undefined where it is something else. */
export function asDictionary(value: Bencoded | undefined): NgReply | undefined {
  return value instanceof Map ? value : undefined;
}

export function asList(value: Bencoded | undefined): readonly Bencoded[] {
  return Array.isArray(value) ? value : [];
}

export const asText = (value: Bencoded | undefined): string => (typeof value === 'string' ? value : '');

/** Zero where it is no number. */
export const asNumber = (value: Bencoded | undefined): number => (typeof value === 'number' ? value : 0);
