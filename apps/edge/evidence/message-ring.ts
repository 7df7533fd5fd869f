import type { Captured } from '@ringfence/evidence/pcap.ts';
import type { Flow, SocketAddress } from '@ringfence/sip/transport/flow.ts';
import type { MessageTap } from '../transport/message-tap.ts';

/** Keepalives are no messages. */
const leastOctets = 16;
/** RFC 4568: the key of a stream stands behind it. */
const inlineKey = Buffer.from('inline:');
/** RFC 3261 §22: what a password can be guessed from. */
const response = Buffer.from('response="');
const blank = 0x78;
const ends = new Set([0x0d, 0x0a, 0x20, 0x7c, 0x3b, 0x22]);

/** One message that is looked at; `bytes` are good until the end of the turn. */
export interface Kept {
  readonly remote: SocketAddress;
  readonly bytes: Buffer;
}

export interface RingSize {
  readonly messages: number;
  readonly octets: number;
}

/**
 * The latest SIP messages, so many and so many octets at most; the oldest make room.
 *
 * They lie in one piece of memory: a copy of some hundred octets costs less than what the collector of garbage would
 * spend on every message that is held, and neither a peer nor a large buffer behind a small message can make it grow.
 * Keys of SDES and answers to digest challenges are overwritten as they come in; everything else that must not be seen
 * is masked when a message is taken out.
 */
export class MessageRing implements MessageTap {
  readonly #now: () => number;
  readonly #most: number;
  readonly #slab: Buffer;
  readonly #times: Float64Array;
  readonly #offsets: Uint32Array;
  readonly #lengths: Uint32Array;
  readonly #sent: Uint8Array;
  // A flow may hold sockets and buffers; its addresses do not.
  readonly #locals: (SocketAddress | undefined)[];
  readonly #remotes: (SocketAddress | undefined)[];
  readonly #transports: Flow['transport'][];
  /** Of the oldest, and of the one that comes next. */
  #first = 0;
  #next = 0;
  #at = 0;

  constructor({ messages, octets }: RingSize, now: () => number) {
    this.#now = now;
    this.#most = messages;
    // Pages that were never written cost nothing.
    this.#slab = Buffer.allocUnsafeSlow(octets);
    this.#times = new Float64Array(messages);
    this.#offsets = new Uint32Array(messages);
    this.#lengths = new Uint32Array(messages);
    this.#sent = new Uint8Array(messages);
    this.#locals = new Array(messages).fill(undefined);
    this.#remotes = new Array(messages).fill(undefined);
    this.#transports = new Array(messages).fill('udp');
  }

  get size(): number {
    return this.#next - this.#first;
  }

  received(flow: Flow, bytes: Uint8Array): void {
    this.#take(flow, bytes, 0);
  }

  sent(flow: Flow, bytes: Uint8Array): void {
    this.#take(flow, bytes, 1);
  }

  #take(flow: Flow, bytes: Uint8Array, sent: 0 | 1): void {
    const { length } = bytes;
    if (length < leastOctets || length > this.#slab.length) return;
    let at = this.#at;
    if (at + length > this.#slab.length) {
      // What lies between here and the end is older than anything at the beginning.
      this.#drop(at, this.#slab.length);
      at = 0;
    }
    this.#drop(at, at + length);
    if (this.#next - this.#first === this.#most) this.#first += 1;
    this.#slab.set(bytes, at);
    const buffer = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, length);
    this.#blank(buffer, at, inlineKey);
    this.#blank(buffer, at, response);
    const slot = this.#next % this.#most;
    this.#times[slot] = this.#now();
    this.#offsets[slot] = at;
    this.#lengths[slot] = length;
    this.#sent[slot] = sent;
    this.#locals[slot] = flow.local;
    this.#remotes[slot] = flow.remote;
    this.#transports[slot] = flow.transport;
    this.#next += 1;
    this.#at = at + length;
  }

  /** The oldest that lie in there go. */
  #drop(from: number, to: number): void {
    while (this.#first < this.#next) {
      const at = this.#offsets[this.#first % this.#most]!;
      if (at < from || at >= to) return;
      this.#first += 1;
    }
  }

  /** Goes on behind what it has overwritten: once over the message, whatever stands in it. */
  #blank(bytes: Buffer, at: number, what: Buffer): void {
    let place = 0;
    for (let found = bytes.indexOf(what); found >= 0; found = bytes.indexOf(what, place)) {
      for (place = found + what.length; place < bytes.length && !ends.has(bytes[place]!); place += 1)
        this.#slab[at + place] = blank;
    }
  }

  /**
   * Messages that `wanted` says yes to, oldest first; of more than `most` the first and the last half. Looks at them in
   * turns of a millisecond, so that calls go on meanwhile; what is overwritten in between is not found any more.
   */
  async find(
    wanted: (message: Kept) => boolean,
    { messages: most, octets: mostOctets }: RingSize,
    turn: () => Promise<void>,
  ): Promise<{ readonly messages: readonly Captured[]; readonly left: number }> {
    const early: Captured[] = [];
    const late: Captured[] = [];
    let octets = 0;
    let left = 0;
    const end = this.#next;
    let began = performance.now();
    for (let i = this.#first; i < end; i += 1) {
      if (performance.now() - began > 1) {
        await turn();
        began = performance.now();
        i = Math.max(i, this.#first);
        if (i >= end) break;
      }
      const slot = i % this.#most;
      const at = this.#offsets[slot]!;
      const bytes = this.#slab.subarray(at, at + this.#lengths[slot]!);
      const local = this.#locals[slot]!;
      const remote = this.#remotes[slot]!;
      if (!wanted({ remote, bytes })) continue;
      const sent = this.#sent[slot] === 1;
      const [from, to] = sent ? [local, remote] : [remote, local];
      const message: Captured = {
        time: this.#times[slot]!,
        from: { address: from.address, port: from.port },
        to: { address: to.address, port: to.port },
        transport: this.#transports[slot]!,
        sent,
        bytes: Uint8Array.from(bytes),
      };
      octets += bytes.length;
      if (early.length < most / 2 && octets <= mostOctets / 2) {
        early.push(message);
        continue;
      }
      late.push(message);
      while (late.length > most / 2 || octets > mostOctets) {
        octets -= late.shift()!.bytes.length;
        left += 1;
        if (late.length === 0) break;
      }
    }
    return { messages: [...early, ...late], left };
  }
}
