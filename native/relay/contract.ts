import type { Suite } from '@ringfence/srtp/suite.ts';
import type {
  DtlsConfig,
  Fingerprint,
  HandshakeEvent,
  IceCandidate,
  IceConfig,
  IceCredentials,
  ZrtpConfig,
} from './handshake.ts';

/**
 * What the edge asks of the media process. An *endpoint* is one stream of one leg: its local ports, its keys
 * and the one remote that it talks with. Two endpoints are linked; what one receives, the other sends.
 */
export interface EndpointSpec {
  /** Local IP address to bind; its family is the leg's family. */
  readonly local: string;
  /** `mux`: RTP and RTCP on one port (RFC 5761). `pair`: RTP on an even port, RTCP on the next. `single`: one port, no RTCP (UDPTL). */
  readonly ports: 'mux' | 'pair' | 'single';
  /** DSCP code point of what is sent; 46 is EF. */
  readonly dscp: number;
  /** A fresh sending master key is made for each of these; empty for plain RTP. */
  readonly suites: readonly Suite[];
  /** Takes part in ICE (RFC 8445): only answers, or checks by itself too. Absent: STUN gets nothing. */
  readonly ice?: 'lite' | 'full';
  /** Keys will come by DTLS, with the certificate of the media process. */
  readonly dtls?: boolean;
  /** Speaks ZRTP by itself: a Hello of its own is made, for `a=zrtp-hash`. */
  readonly zrtp?: boolean;
  /** An endpoint that this one is to be linked with: engines of several machines open both on one of them. */
  readonly near?: number;
  /** Applied at once, so that an offer and its keys cost one round trip. */
  readonly config?: EndpointConfig;
}

export interface LocalKey {
  readonly suite: Suite;
  /** Master key, then master salt. The receiver wipes it once the SDP is written. */
  readonly material: Uint8Array;
}

export interface EndpointOpened {
  readonly id: number;
  readonly address: string;
  /** Address for SDP, where the engine knows it better than the configuration: it is on another machine. */
  readonly advertised?: string;
  readonly rtpPort: number;
  /** Equal to `rtpPort` with `mux`; 0 with `single`. */
  readonly rtcpPort: number;
  readonly keys: readonly LocalKey[];
  readonly ice?: IceCredentials;
  /** Of the certificate that it will show. */
  readonly dtls?: Fingerprint;
  /** `a=zrtp-hash`: version and hash of our Hello. */
  readonly zrtp?: { readonly version: string; readonly helloHash: Uint8Array };
  /** Who holds the keys where it is not our own media process, and whether they go there in the clear over a network. */
  readonly keysAt?: { readonly name: string; readonly exposed: boolean };
}

export interface Remote {
  /** As signalled in SDP. */
  readonly address: string;
  readonly rtpPort: number;
  /** Equal to `rtpPort` where the peer multiplexes. */
  readonly rtcpPort: number;
  /**
   * Address that the peer's signalling came from. Plain RTP is accepted from `address`:port, or, where this is
   * given, from the first port seen of this address, never moved until the next `configure`. SRTP learns its source
   * once, from the first packet that authenticates.
   */
  readonly signalling?: string;
}

export interface EndpointConfig {
  /** Absent: nothing is sent yet. */
  readonly remote?: Remote;
  /** `opaque` relays datagrams untouched (UDPTL). */
  readonly media: 'rtp' | 'srtp' | 'opaque';
  /** The peer's sending key, with its MKI where signalled (RFC 4568 §6.1). A changed key is a rekeying: ROC restarts. */
  readonly receive?: { readonly suite: Suite; readonly material: Uint8Array; readonly mki?: Uint8Array };
  /** Which of the endpoint's local keys to send with. */
  readonly send?: { readonly suite: Suite };
  /** Checks begin, or go on with other credentials (restart, RFC 8445 §9). Media comes and goes by the pair that is chosen. */
  readonly ice?: IceConfig;
  /** With `media` srtp in place of `receive` and `send`. A changed fingerprint or role begins a new association. */
  readonly dtls?: DtlsConfig;
  /** With `media` rtp, which becomes SRTP once keys are there. */
  readonly zrtp?: ZrtpConfig;
  /** Payload type of RFC 4733 events of this peer; its digits are told as `digit`, and it may be sent some. */
  readonly telephoneEvent?: number;
  /** Clock rates in Hz by payload type, for jitter; 8000 where not named. */
  readonly clockRates?: Readonly<Record<number, number>>;
  /** May packets come in, may packets go out (hold). Both true by default. */
  readonly accept?: boolean;
  readonly emit?: boolean;
  /**
   * `end`: reports of the peer end here and it gets our own, of what this leg saw; only feedback (RFC 4585) and BYE go on
   * to the other side. `relay`, the default: RTCP goes on as it came.
   */
  readonly rtcp?: 'end' | 'relay';
}

/** Counters of one endpoint, both directions. Times in ms, jitter in ms per RFC 3550 §6.4.1. */
export interface EndpointStats {
  readonly id: number;
  readonly received: DirectionStats;
  readonly sent: { readonly packets: number; readonly octets: number };
  /** Dropped before they could have an effect. */
  readonly dropped: {
    readonly source: number;
    readonly authentication: number;
    readonly replay: number;
    readonly malformed: number;
    readonly unlinked: number;
  };
  /** Address and port that media is accepted from; absent before the first accepted packet. */
  readonly source?: { readonly address: string; readonly port: number };
  /** What the peer's RTCP has last said of what we send it, where RTCP ends here. */
  readonly reported?: RemoteReport;
  /** The peer's last VoIP metrics block (RFC 3611 §4.7), its 28 octets behind the SSRC. */
  readonly voipMetrics?: Uint8Array;
  /** Loss and jitter of what was received, of at most 32 stretches; each lasts to the next one. */
  readonly history?: readonly {
    readonly atMs: number;
    readonly lossPercent: number;
    readonly jitterMs: number;
  }[];
}

export interface RemoteReport {
  /** Percent of the last interval. */
  readonly lossPercent: number;
  readonly lost: number;
  readonly jitterMs: number;
  /** Absent until the peer has answered a sender report of ours. */
  readonly roundTripMs?: number;
}

export interface DirectionStats {
  readonly packets: number;
  readonly octets: number;
  readonly rtcpPackets: number;
  readonly lost: number;
  readonly reordered: number;
  readonly duplicates: number;
  readonly jitterMs: number;
  /** ms since the last packet; -1 before the first. */
  readonly idleMs: number;
}

export type RelayEvent =
  | { readonly kind: 'learned'; readonly endpoint: number; readonly address: string; readonly port: number }
  | {
      readonly kind: 'refused';
      readonly endpoint: number;
      readonly reason: 'source' | 'authentication' | 'replay';
      readonly count: number;
    }
  | { readonly kind: 'one-way'; readonly endpoint: number; readonly silentMs: number }
  /** A sending key reached its lifetime (RFC 3711 §9.2), or saw more SSRCs than it may: packets are no longer sent under it. */
  | { readonly kind: 'key-exhausted'; readonly endpoint: number }
  /** The peer has pressed a digit (RFC 4733 §3.2): told when it is over, up to a second later; of more than 8 a second the last. */
  | {
      readonly kind: 'digit';
      readonly endpoint: number;
      /** One of `0123456789*#ABCD`. */
      readonly digit: string;
      readonly durationMs: number;
    }
  | HandshakeEvent
  /** A clip that was played once has come to its end. */
  | { readonly kind: 'played'; readonly endpoint: number }
  /** The engine does not have this endpoint any more; what it is linked with may be lost too. */
  | { readonly kind: 'lost'; readonly endpoint: number; readonly reason: string }
  | { readonly kind: 'down'; readonly reason: string };

export type RelayErrorCode =
  | 'no-ports'
  | 'no-descriptors'
  | 'bad-address'
  | 'unknown-endpoint'
  | 'relay-down';

/** The edge's side of the control socket. Messages are applied in the order in which they were given. */
export interface Relay {
  /** Names this run of the media process: endpoint ids mean something within it alone. */
  readonly instance?: string;
  /** The first packets of a peer are kept until its endpoint is linked: nobody has to wait for that before it is told. */
  readonly keepsFirst?: boolean;
  /** Opens all or none. */
  open(
    specs: readonly EndpointSpec[],
  ): Promise<
    | { readonly ok: true; readonly value: readonly EndpointOpened[] }
    | { readonly ok: false; readonly error: RelayErrorCode }
  >;
  configure(id: number, config: EndpointConfig): void;
  link(a: number, b: number): void;
  unlink(a: number): void;
  /**
   * Sends the peer a digit as RFC 4733 events, in place of some of the voice that goes to it. At most 32 wait.
   * False: this engine cannot.
   */
  press(id: number, digit: string, durationMs: number): boolean;
  /** More candidates of the peer (RFC 8838); an engine without ICE has none of it. */
  trickle?(id: number, candidates: readonly IceCandidate[]): void;
  /**
   * Keeps sound ready to be played, under a number of the caller's choice; what had it before is replaced. At most 256
   * of 64 MB together are kept. Absent: this engine plays nothing.
   */
  keepClip?(clip: number, frames: readonly Uint8Array[], clockTicks: number): void;
  /** Plays it to this endpoint's peer in place of what the other side sends, once or until `hush`. */
  play?(id: number, clip: number, payloadType: number, loop: boolean): void;
  hush?(id: number): void;
  /**
   * What `from` receives and accepts, decrypted, `to` sends too, under its own keys: at most 2 for each. `to` is linked
   * with nobody. What ZRTP passes between its ends is never copied. Absent: this engine cannot.
   */
  tap?(from: number, to: number): void;
  untap?(to: number): void;
  /**
   * How ICE, DTLS and ZRTP of all endpoints stand is told again, as events: for an edge that has taken over, once it
   * knows whose endpoints they are. What happened while there was no edge is among it.
   */
  retell?(): void;
  /** A person has compared the short authentication string of this endpoint's ZRTP. */
  confirmSas?(id: number): void;
  /**
   * Has the peer of `to`, which has enrolled, show the short authentication string of `from` (RFC 6189 §7.3); `from` may be
   * `to` itself, where another one was relayed before. Without keys on either, or enrolment, nothing is sent. Once it is
   * acknowledged `secured` of `to` is told again with `relayed`. Both are endpoints of one media process. Absent: this
   * engine cannot.
   */
  relaySas?(to: number, from: number): void;
  /**
   * Sends what has been gathered in this turn now. Resolves once all of it is in effect, or the media process is gone:
   * whoever is told of it after that loses no packet.
   */
  flush(): Promise<void>;
  /** Closes sockets, overwrites keys, gives the final counters. Unknown ids are left out of the answer. */
  close(ids: readonly number[]): Promise<readonly EndpointStats[]>;
  stats(ids: readonly number[]): Promise<readonly EndpointStats[]>;
  onEvent(listener: (event: RelayEvent) => void): void;
}
