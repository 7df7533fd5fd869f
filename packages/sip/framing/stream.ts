import { defaultLimits, parseMessage } from '../message/parse.ts';
import { reasonPhrase } from '../message/status.ts';
import type { ParseError } from '../message/types.ts';
import { readLengthLine } from './content-length.ts';

/** Bounds on what one stream may make us hold: at most the sum of both, doubled while a message grows. */
export interface StreamLimits {
  /** Octets from the start line to the empty line. Default 16384. */
  readonly headerSize: number;
  /** Octets of a body. Default 65536. */
  readonly bodySize: number;
}

export const defaultStreamLimits: StreamLimits = { headerSize: defaultLimits.headerSize, bodySize: 65_536 };

export type StreamEvent =
  /** One message, complete: for `parseMessage(bytes, ..., { stream: true })`. */
  | { readonly kind: 'message'; readonly bytes: Uint8Array }
  /** RFC 5626 §4.4.1. `reply` is true for a ping, to be answered by CRLF; false for the pong to a ping of ours. */
  | { readonly kind: 'keepalive'; readonly reply: boolean }
  /** The stream cannot be followed any more: send the answer if there is one, then close. Comes once, last. */
  | { readonly kind: 'error'; readonly code: string; readonly respond?: NonNullable<ParseError['respond']> };

const cr = 13;
const lf = 10;
const none = new Uint8Array(0);

/**
 * Cuts a TCP or TLS stream into SIP messages (RFC 3261 §18.3, RFC 5626 §4.4.1).
 *
 * After each `push`, call `next` until it gives `undefined`. Work is linear in the octets pushed, however they are cut,
 * and nothing is allocated from a declared length: memory follows what has arrived. Content-Length must be there, once,
 * a number of digits, at most 2^31-1 and within `bodySize`. Chunks must not be changed after `push`; messages are
 * views of them or of the framer's own memory, which it does not write to again.
 */
export class StreamFramer {
  readonly #limits: StreamLimits;
  #data: Uint8Array = none;
  /** Whether `#data` is our own, so that what is behind `#end` may be written. */
  #owned = false;
  #start = 0;
  #end = 0;
  /** Next octet to look at. */
  #scan = 0;
  #lineStart = 0;
  #headerEnd = -1;
  #contentLength = -1;
  #lengthProblem: string | undefined = undefined;
  #failed = false;
  #pongs = 0;
  #work = 0;

  constructor(limits?: Partial<StreamLimits>) {
    this.#limits = { ...defaultStreamLimits, ...limits };
  }

  /** Octets that are held, waiting for the rest of a message: a peer that keeps this above 0 for long is slow. */
  get pending(): number {
    return this.#end - this.#start;
  }

  /** Octets looked at and copied since the start; at most a small multiple of those pushed. */
  get work(): number {
    return this.#work;
  }

  /** Call when a ping (CRLFCRLF) was sent: the next single CRLF between messages is then its pong. */
  expectPong(): void {
    this.#pongs = Math.min(this.#pongs + 1, 16);
  }

  push(chunk: Uint8Array): void {
    if (this.#failed || chunk.length === 0) return;
    const held = this.#end - this.#start;
    if (held === 0) {
      this.#data = chunk;
      this.#owned = false;
      this.#shift(this.#start);
      this.#end = chunk.length;
      return;
    }
    if (!this.#owned || this.#end + chunk.length > this.#data.length) {
      const grown = new Uint8Array(Math.max(1024, 2 * (held + chunk.length)));
      grown.set(this.#data.subarray(this.#start, this.#end));
      this.#work += held;
      this.#data = grown;
      this.#owned = true;
      this.#shift(this.#start);
      this.#end = held;
    }
    this.#data.set(chunk, this.#end);
    this.#work += chunk.length;
    this.#end += chunk.length;
  }

  next(): StreamEvent | undefined {
    if (this.#failed) return undefined;
    if (this.#headerEnd < 0) {
      const event =
        this.#lineStart === this.#start && this.#scan === this.#start ? this.#boundary() : undefined;
      if (event !== undefined) return event;
      const failure = this.#scanHeader();
      if (failure !== undefined) return this.#fail(failure);
      if (this.#headerEnd < 0) return undefined;
    }
    const total = this.#headerEnd + 4 + this.#contentLength;
    if (total > this.#end) return undefined;
    const bytes = this.#data.subarray(this.#start, total);
    this.#consume(total);
    return { kind: 'message', bytes };
  }

  /** What stands between two messages: pings, pongs, and the empty lines that §7.5 wants ignored. */
  #boundary(): StreamEvent | undefined {
    const data = this.#data;
    for (;;) {
      const held = this.#end - this.#start;
      if (held === 0 || data[this.#start] !== cr) return undefined;
      if (held < 2) return undefined;
      if (data[this.#start + 1] !== lf) return this.#fail('bad-line-end');
      if (this.#pongs > 0) {
        this.#pongs--;
        this.#consume(this.#start + 2);
        return { kind: 'keepalive', reply: false };
      }
      if (held < 3) return undefined;
      if (data[this.#start + 2] !== cr) {
        this.#consume(this.#start + 2);
        continue;
      }
      if (held < 4) return undefined;
      if (data[this.#start + 3] !== lf) return this.#fail('bad-line-end');
      this.#consume(this.#start + 4);
      return { kind: 'keepalive', reply: true };
    }
  }

  /** Looks for the empty line, noting Content-Length on the way; returns the code of an error. */
  #scanHeader(): string | undefined {
    const data = this.#data;
    const end = this.#end;
    const from = this.#scan;
    const limit = this.#start + this.#limits.headerSize;
    let i = from;
    let failure: string | undefined;
    while (i < end) {
      if (i >= limit) {
        failure = 'header-too-large';
        break;
      }
      const octet = data[i]!;
      if (octet === lf) {
        failure = 'bad-line-end';
        break;
      }
      if (octet !== cr) {
        i++;
        continue;
      }
      if (i + 1 >= end) break;
      if (data[i + 1] !== lf) {
        failure = 'bad-line-end';
        break;
      }
      if (i === this.#lineStart) {
        // Between messages `#boundary` has waited for more; here the line before was the last header.
        if (i === this.#start) break;
        this.#headerEnd = i - 2;
        break;
      }
      // Whether the line is folded shows in the octet behind it.
      if (i + 2 >= end) break;
      const following = data[i + 2];
      if (following !== 0x20 && following !== 9) {
        this.#line(this.#lineStart, i);
        this.#lineStart = i + 2;
      }
      i += 2;
    }
    this.#scan = i;
    this.#work += i - from;
    if (failure !== undefined || this.#headerEnd < 0) return failure;
    if (this.#lengthProblem !== undefined) return this.#lengthProblem;
    if (this.#contentLength < 0) return 'missing-content-length';
    return this.#contentLength > this.#limits.bodySize ? 'body-too-large' : undefined;
  }

  #line(from: number, end: number): void {
    if (from === this.#start) return;
    const length = readLengthLine(this.#data, from, end);
    if (length === undefined) return;
    // Told only at the empty line, when there is enough for an answer.
    if (length < 0) this.#lengthProblem ??= 'bad-content-length';
    else if (this.#contentLength >= 0) this.#lengthProblem ??= 'duplicate-header';
    this.#contentLength = length;
  }

  #fail(code: string): StreamEvent {
    this.#failed = true;
    const respond = this.#headerEnd >= 0 ? this.#refusal(code) : undefined;
    this.#data = none;
    this.#start = this.#end = this.#scan = 0;
    return respond === undefined ? { kind: 'error', code } : { kind: 'error', code, respond };
  }

  /** The answer, if the headers hold enough to build one. */
  #refusal(code: string): ParseError['respond'] {
    const headers = this.#data.subarray(this.#start, this.#headerEnd + 4);
    const parsed = parseMessage(headers, undefined, { stream: true });
    if (parsed.ok || parsed.error.respond === undefined) return undefined;
    if (code !== 'body-too-large' || parsed.error.code !== 'short-body') return parsed.error.respond;
    return { ...parsed.error.respond, status: 413, reason: reasonPhrase(413) };
  }

  #consume(to: number): void {
    this.#start = to;
    this.#scan = to;
    this.#lineStart = to;
    this.#headerEnd = -1;
    this.#contentLength = -1;
    if (to === this.#end) {
      this.#data = none;
      this.#owned = false;
      this.#end = 0;
      this.#shift(to);
    }
  }

  /** All positions move down by that many octets. */
  #shift(by: number): void {
    this.#start -= by;
    this.#scan -= by;
    this.#lineStart -= by;
    if (this.#headerEnd >= 0) this.#headerEnd -= by;
  }
}
