import { type Suite, suiteParameters } from '@ringfence/srtp/suite.ts';
import type { HandshakeEvent, IceCandidate, IceConfig, IceCredentials, ZrtpConfig } from './handshake.ts';
import type { Native } from './native.ts';
import { readEvent, type WireEvent } from './protocol/events.ts';
import { BodyReader, type FrameWriter } from './protocol/frames.ts';
import { readCandidates, readIce, readText, readZrtp } from './protocol/handshakes.ts';
import { formatHost, parseHost } from './protocol/host.ts';
import { writeHello } from './protocol/replies.ts';

/** An endpoint that takes part in ICE, DTLS or ZRTP. */
export interface Participating {
  readonly id: number;
  readonly address: string;
  readonly rtpPort: number;
  /** Equal to `rtpPort` where both share it. */
  readonly rtcpPort: number;
  /** Our credentials. */
  readonly ice?: IceCredentials & { readonly full: boolean };
}

export interface Transport {
  readonly address: string;
  readonly port: number;
}

/** What came in on the path of media; `passing`: it has gone on to the far end already. */
export interface Arrived extends Transport {
  readonly component: 1 | 2;
  readonly passing: boolean;
  /** Overwritten when `receive` returns. */
  readonly bytes: Uint8Array;
}

/** One endpoint's half of a handshake. All of it is called from one thread, in the order in which things happened. */
export interface Participant<Config> {
  configure(config: Config): void;
  receive(datagram: Arrived): void;
  /** The endpoint is closed: timers end, keys are overwritten. */
  close(): void;
}

export interface IceParticipant extends Participant<IceConfig> {
  trickle(candidates: readonly IceCandidate[]): void;
}

export interface ZrtpParticipant extends Participant<ZrtpConfig> {
  /** Of our Hello, for the reply to `open`. */
  readonly hello?: { readonly version: string; readonly helloHash: Uint8Array };
  confirmSas(): void;
  /** What the peer of another endpoint can be told of this one's short authentication string; undefined: there is none. */
  readonly relayable?: RelayableSas | undefined;
  relaySas(sas: RelayableSas): void;
}

/** A short authentication string and the hash that its peer renders it from. */
export interface RelayableSas {
  readonly sas: string;
  readonly sasType: string;
  readonly sasHash: Uint8Array;
}

/** Makes the half of an endpoint; called once for each that takes part. */
export interface Participants {
  readonly ice: (endpoint: Participating, door: Door) => IceParticipant;
  /** For an endpoint opened for ZRTP, or one that it is to pass. */
  readonly zrtp: (endpoint: Participating, door: Door) => ZrtpParticipant;
}

/** What a participant can have the threads do. False: the endpoint is closed, or does not take part in this. */
export interface Door {
  /** Sends from a port of the endpoint; without a `target` to where media goes. */
  send(id: number, component: 1 | 2, target: Transport | undefined, bytes: Uint8Array): boolean;
  /** The peer has answered from there: DTLS of that address is listened to. */
  validate(id: number, component: 1 | 2, remote: Transport): boolean;
  /** It was before a restart of ICE (RFC 8445 §9), and is no more. */
  invalidate(id: number, component: 1 | 2, remote: Transport): boolean;
  /** Media comes from there and goes there alone; undefined: it neither comes nor goes. */
  choose(id: number, component: 1 | 2, remote: Transport | undefined): boolean;
  /** From here on the stream is SRTP under these master keys, each with its salt behind it. The caller wipes them. */
  secure(id: number, suite: Suite, send: Uint8Array, receive: Uint8Array): boolean;
  /** ZRTP was demanded, passes, and both ends have keys: media may pass, too. */
  passMedia(id: number): boolean;
  /** Tells the edge at once; kept, and told again to an edge that takes over and asks. */
  tell(event: HandshakeEvent): void;
}

/** The numbers of `addon/uplink.h`. */
const rising = {
  opened: 1,
  iceConfigured: 2,
  zrtpConfigured: 3,
  closed: 4,
  stun: 5,
  zrtp: 6,
  zrtpPassing: 7,
  event: 8,
} as const;
/** Columns of `uplinkCounts`. */
const counts = { waiting: 0, taken: 1, droppedFull: 2, droppedShare: 3 } as const;
/** Rounds of one turn of the event loop, each of at most 64 KiB: control comes to its turn in between. */
const mostRounds = 4;

interface Entry {
  readonly endpoint: Participating;
  ice?: IceParticipant;
  zrtp?: ZrtpParticipant;
  /** The last of each kind, for an edge that takes over. */
  readonly told: Map<string, HandshakeEvent>;
}

/**
 * What comes up from the threads of the media process, handed to whom it concerns.
 *
 * The queue is bounded in the addon, over all and for each endpoint; what finds no room is dropped there and counted.
 */
export class Uplink {
  readonly #native: Native;
  readonly #participants: Partial<Participants>;
  readonly #onEvent: (event: WireEvent) => void;
  readonly #entries = new Map<number, Entry>();
  readonly #buffer = new Uint8Array(65_536);
  readonly #counts: Float64Array;
  readonly #door: Door;
  #hellos: Entry[] = [];
  #again = false;

  constructor(native: Native, participants: Partial<Participants>, onEvent: (event: WireEvent) => void) {
    this.#native = native;
    this.#participants = participants;
    this.#onEvent = onEvent;
    this.#counts = new Float64Array(native.uplinkCounts());
    this.#door = this.#doorOf(native);
    native.listen(() => this.drain());
  }

  /** Datagrams that were dropped because too much waited, in all and of their own endpoint. */
  get dropped(): { readonly full: number; readonly share: number } {
    return { full: this.#counts[counts.droppedFull] ?? 0, share: this.#counts[counts.droppedShare] ?? 0 };
  }

  /** To be called after each request: what it has brought about is done before its reply leaves. */
  drain(): void {
    if (this.#counts[counts.waiting] === 0) return;
    for (let round = 0; round < mostRounds; round += 1) {
      const length = this.#native.drain(this.#buffer);
      if (length === 0) return;
      const reader = new BodyReader(this.#buffer.subarray(0, length));
      while (!reader.atEnd) this.#take(reader);
      this.#buffer.fill(0, 0, length);
    }
    if (this.#again) return;
    this.#again = true;
    setImmediate(() => {
      this.#again = false;
      this.drain();
    });
  }

  /** Behind the reply to `open`: the Hellos of the endpoints that it has opened. */
  writeHellos(writer: FrameWriter): void {
    for (const { endpoint, zrtp } of this.#hellos)
      if (zrtp?.hello) writeHello(writer, endpoint.id, zrtp.hello);
    this.#hellos = [];
  }

  trickle(body: Uint8Array): void {
    const reader = new BodyReader(body);
    const id = reader.u32();
    const candidates = readCandidates(reader);
    if (!reader.failed) this.#entries.get(id)?.ice?.trickle(candidates);
  }

  confirmSas(body: Uint8Array): void {
    const reader = new BodyReader(body);
    const id = reader.u32();
    if (!reader.failed) this.#entries.get(id)?.zrtp?.confirmSas();
  }

  relaySas(body: Uint8Array): void {
    const reader = new BodyReader(body);
    const to = reader.u32();
    const from = reader.u32();
    if (reader.failed) return;
    const sas = this.#entries.get(from)?.zrtp?.relayable;
    if (sas) this.#entries.get(to)?.zrtp?.relaySas(sas);
  }

  /** For an edge that has taken over: how things stand. */
  tellAgain(): void {
    for (const { told } of this.#entries.values()) for (const event of told.values()) this.#onEvent(event);
  }

  #take(reader: BodyReader): void {
    const id = reader.u32();
    const kind = reader.u8();
    const component = reader.u8() === 2 ? 2 : 1;
    const family = reader.u8();
    const address = family === 0 ? '' : formatHost(reader.bytes(family === 4 ? 4 : 16));
    const port = family === 0 ? 0 : reader.u16();
    const bytes = reader.bytes(reader.u16());
    if (reader.failed) return;
    try {
      this.#handOver(id, kind, { address, port, component, passing: kind === rising.zrtpPassing, bytes });
    } catch (error) {
      this.#giveUp(id, error);
    }
    bytes.fill(0);
  }

  /** A fault of ours in one handshake costs no other call: that endpoint has none any more, and no media. */
  #giveUp(id: number, error: unknown): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    entry.ice?.close();
    entry.zrtp?.close();
    const detail = `fault of the media process: ${String(error)}`;
    if (entry.ice) this.#native.choosePair(id, 1, nowhere);
    if (entry.ice) this.#native.choosePair(id, 2, nowhere);
    if (entry.ice) this.#tell({ kind: 'ice', endpoint: id, state: 'failed' });
    if (entry.zrtp) this.#tell({ kind: 'unsecured', endpoint: id, by: 'zrtp', reason: 'protocol', detail });
    delete entry.ice;
    delete entry.zrtp;
  }

  #handOver(id: number, kind: number, arrived: Arrived): void {
    const { bytes } = arrived;
    const entry = this.#entries.get(id);
    switch (kind) {
      case rising.opened:
        this.#open(id, bytes);
        break;
      case rising.iceConfigured: {
        const config = readIce(new BodyReader(bytes));
        if (config) entry?.ice?.configure(config);
        break;
      }
      case rising.zrtpConfigured: {
        const config = readZrtp(new BodyReader(bytes));
        if (config) this.#zrtpOf(id)?.configure(config);
        break;
      }
      case rising.closed:
        this.#close(id);
        break;
      case rising.stun:
        entry?.ice?.receive(arrived);
        break;
      case rising.zrtp:
        entry?.zrtp?.receive(arrived);
        break;
      case rising.zrtpPassing:
        (entry?.zrtp ?? this.#passing(id))?.receive(arrived);
        break;
      case rising.event: {
        const event = readEvent(bytes);
        if (event?.kind === 'secured' || event?.kind === 'unsecured') this.#tell(event);
        else if (event?.kind === 'played') this.#onEvent(event);
        break;
      }
    }
  }

  #open(id: number, bytes: Uint8Array): void {
    const reader = new BodyReader(bytes);
    const flags = reader.u8();
    const address = formatHost(reader.bytes(reader.u8() === 4 ? 4 : 16));
    const rtpPort = reader.u16();
    const rtcpPort = reader.u16();
    const takesIce = (flags & 1) !== 0;
    const ice = takesIce
      ? { ufrag: readText(reader), password: readText(reader), full: (flags & 2) !== 0 }
      : undefined;
    if (reader.failed) return;
    const entry = this.#enter({ id, address, rtpPort, rtcpPort, ...(ice ? { ice } : {}) });
    if (ice && this.#participants.ice) entry.ice = this.#participants.ice(entry.endpoint, this.#door);
    if ((flags & 4) === 0 || !this.#participants.zrtp) return;
    entry.zrtp = this.#participants.zrtp(entry.endpoint, this.#door);
    this.#hellos.push(entry);
  }

  #enter(endpoint: Participating): Entry {
    const entry: Entry = { endpoint, told: new Map() };
    this.#entries.set(endpoint.id, entry);
    return entry;
  }

  /** ZRTP may pass an endpoint that was not opened for any of its own. */
  #zrtpOf(id: number): ZrtpParticipant | undefined {
    const { zrtp } = this.#participants;
    if (!zrtp) return undefined;
    const entry = this.#entries.get(id) ?? this.#enter({ id, address: '', rtpPort: 0, rtcpPort: 0 });
    entry.zrtp ??= zrtp(entry.endpoint, this.#door);
    return entry.zrtp;
  }

  /** An endpoint that ZRTP may pass, of which nothing was signalled, is heard of with its first packet. */
  #passing(id: number): ZrtpParticipant | undefined {
    const participant = this.#zrtpOf(id);
    participant?.configure({ mode: 'pass', demanded: false });
    return participant;
  }

  #close(id: number): void {
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#entries.delete(id);
    entry.ice?.close();
    entry.zrtp?.close();
    for (const event of entry.told.values()) wipe(event);
  }

  #tell(event: HandshakeEvent): void {
    const entry = this.#entries.get(event.endpoint);
    if (!entry) return wipe(event);
    // What DTLS or ZRTP has come to replaces what it had come to before.
    const key = event.kind === 'secured' || event.kind === 'unsecured' ? event.by : event.kind;
    const former = entry.told.get(key);
    if (former && former !== event) wipe(former);
    entry.told.set(key, event);
    this.#onEvent(event);
  }

  #doorOf(native: Native): Door {
    return {
      send: (id, component, target, bytes) =>
        native.sendDatagram(id, component, addressBytes(target), bytes) === 1,
      validate: (id, component, remote) => native.validatePair(id, component, addressBytes(remote)) === 1,
      invalidate: (id, component, remote) => native.invalidatePair(id, component, addressBytes(remote)) === 1,
      choose: (id, component, remote) => native.choosePair(id, component, addressBytes(remote)) === 1,
      secure: (id, suite, send, receive) => native.secure(id, suiteParameters[suite].id, send, receive) === 1,
      passMedia: (id) => native.passMedia(id) === 1,
      tell: (event) => this.#tell(event),
    };
  }
}

const nowhere = new Uint8Array(0);

/** u8 family, the host, u16 port. */
function addressBytes(transport: Transport | undefined): Uint8Array {
  const host = transport && parseHost(transport.address);
  if (!transport || !host) return nowhere;
  const bytes = new Uint8Array(host.length + 3);
  bytes[0] = host.length === 4 ? 4 : 6;
  bytes.set(host, 1);
  new DataView(bytes.buffer).setUint16(host.length + 1, transport.port);
  return bytes;
}

/** Retained secrets outlive their call at the edge, under its key, and not here. */
function wipe(event: HandshakeEvent): void {
  if (event.kind !== 'secured' || !event.zrtp) return;
  event.zrtp.retained.rs1.fill(0);
  event.zrtp.retained.rs2?.fill(0);
  event.zrtp.retained.pbx?.fill(0);
}
