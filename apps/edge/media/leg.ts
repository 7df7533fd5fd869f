import type { EndpointConfig, EndpointOpened, EndpointSpec } from '@ringfence/relay/contract.ts';
import type { IceCredentials } from '@ringfence/relay/handshake.ts';
import type { CryptoAttribute } from '@ringfence/sdp/crypto.ts';
import type { MediaAnchor } from '@ringfence/sdp/rewrite.ts';
import { rebuild } from '@ringfence/sdp/rewrite.ts';
import { serializeSession } from '@ringfence/sdp/serialize.ts';
import type { SessionDescription } from '@ringfence/sdp/session.ts';
import type { ZrtpHash } from '@ringfence/sdp/zrtp.ts';
import type { Suite } from '@ringfence/srtp/suite.ts';
import { withCodecs } from './codecs.ts';
import {
  agreeHandshake,
  answeringParts,
  type HandshakeState,
  handshakeConfig,
  handshakeLines,
  type Offerer,
  offeringParts,
  type SessionLineStream,
  sessionLines,
} from './handshake.ts';
import { type KeyExchange, type KeyingSide, type OfferedProtection, offersTo } from './keying.ts';
import { keyingOf, offeredSuites, type ReadStream } from './read-offer.ts';
import type { Shown } from './shown.ts';
import { endsHere, passingZrtp, withoutPassed, type ZrtpMode, type ZrtpSide, zrtpLines } from './zrtp.ts';

/** What the media of one leg depends on. */
export interface LegSide extends KeyingSide, ZrtpSide {
  /** Local IP address to bind. */
  readonly local: string;
  /** Address written into SDP. */
  readonly advertised: string;
  /** Address that the peer's signalling comes from. */
  readonly signalling: string;
  /** Whether RTCP ends at the edge. Default `relay`. */
  readonly rtcp?: 'end' | 'relay';
  /** Events of RFC 4733 are offered to it and taken from it even where the other side has none. */
  readonly bridgeDigits?: boolean;
}

/** One stream on one leg: our ports and keys, and what was agreed. */
export interface StreamState extends SessionLineStream {
  endpoint: EndpointOpened;
  readonly mux: boolean;
  media: 'rtp' | 'srtp' | 'opaque';
  suite: Suite | undefined;
  /** Tag of the agreed a=crypto line. */
  tag: number;
  /** SRTP was offered as RTP/AVP with keys, and an answer without them is as good (RFC 8643 §3.1). */
  optional?: boolean;
  /** The peer's key as last configured, to tell a rekeying. */
  receive: Uint8Array | undefined;
  /** Encoding name of the first agreed format, for the quality estimate. */
  codec: string;
  /** Payload type of the peer's RFC 4733 events, where it has them. */
  telephoneEvent?: number | undefined;
  /** How its keys come, or are offered, where it is encrypted. */
  keying?: KeyExchange | undefined;
  /** What was agreed for DTLS and ICE. */
  handshake?: HandshakeState | undefined;
  mid?: string;
  bundled?: true;
  /** What its peer has said of its ZRTP Hello. */
  hello?: ZrtpHash | undefined;
  /** What we say to it: of the far end's Hello, or of our own. */
  says?: ZrtpHash | 'own' | undefined;
  /** How ZRTP goes on it, where it may end here. */
  zrtpMode?: ZrtpMode | undefined;
  /** What it was configured with last beside ZRTP, where that may end here. */
  base?: EndpointConfig | undefined;
  /** What ICE, DTLS and ZRTP have shown of it. */
  shown?: Shown;
  /** Its keys are known to the media process alone, since another edge process asked for them: new ones at the next offer. */
  readonly keyless?: true;
}

/** Our own end of one stream in a description; `stream` where it has lines for the session. */
export type LegAnchor = MediaAnchor & { readonly stream?: StreamState };

/** Media of one leg: what we said and what was agreed, stream by stream in the order of the `m=` lines. */
export class MediaLeg {
  side: LegSide;
  readonly streams: (StreamState | undefined)[] = [];
  readonly #sessionId: string;
  #version: number;
  #last: string;
  #nothing = false;
  /** Its peer has agreed to these streams, in that way, in another call. */
  agreedAs: OfferedProtection | undefined = undefined;
  /** Whose streams these are until `claim`. */
  #lender: MediaLeg | undefined = undefined;

  constructor(side: LegSide, sessionId: string, said = { version: 0, last: '' }) {
    this.side = side;
    this.#sessionId = sessionId;
    this.#version = said.version;
    this.#last = said.last;
  }

  /**
   * The same peer's media for another call: its ports and agreed keys, which the call that has them keeps until
   * `claim`. Not all phones take new keys in mid-call, so they stay (RFC 4568 §7.1.4 leaves it open).
   */
  continued(side: LegSide): MediaLeg {
    const leg = new MediaLeg(side, this.#sessionId, this.said);
    leg.#lender = this;
    leg.agreedAs = this.encrypted ? this.protection : (this.agreedAs ?? 'plain');
    for (const [index, stream] of this.streams.entries())
      if (stream !== undefined && stream.keyless !== true)
        leg.streams[index] = {
          ...stream,
          ...(stream.shown === undefined ? {} : { shown: withoutPassed(stream.shown) }),
        };
    return leg;
  }

  /** How its streams are protected, by the first that is. */
  get protection(): OfferedProtection {
    const stream = this.streams.find((one) => one?.media === 'srtp');
    return stream === undefined ? 'plain' : (stream.keying ?? 'sdes');
  }

  /** In which ways a further stream may be offered: as those are that are agreed, else as policy says. */
  get offers(): readonly OfferedProtection[] {
    if (this.agreedAs !== undefined) return [this.agreedAs];
    return this.encrypted ? [this.protection] : offersTo(this.side);
  }

  /** From now on the streams are this leg's, and not the other call's to close. */
  claim(): void {
    const lender = this.#lender;
    this.#lender = undefined;
    for (const [index, stream] of this.streams.entries())
      if (stream !== undefined && lender?.streams[index]?.endpoint.id === stream.endpoint.id)
        lender.streams[index] = undefined;
  }

  /** What our descriptions go on from, RFC 3264 §8. */
  get said(): { readonly sessionId: string; readonly version: number; readonly last: string } {
    return { sessionId: this.#sessionId, version: this.#version, last: this.#last };
  }

  /** Some stream cannot be described again: its keys are not ours to tell. */
  get keyless(): boolean {
    return this.streams.some((stream) => stream?.keyless === true);
  }

  /** Of what was described last this side takes no codec. */
  get nothingLeft(): boolean {
    return this.#nothing;
  }

  /** What we said last; empty before anything was. */
  get lastDescription(): string {
    return this.#last;
  }

  /** The peer's signalling comes from elsewhere now, and so may its media once it has said so. */
  movedTo(signalling: string): void {
    if (signalling !== this.side.signalling) this.side = { ...this.side, signalling };
  }

  /**
   * Our description, made from the other side's by the allow list of `rebuild`.
   *
   * The version counts where something has changed; else what was said last is said again (RFC 3264 §8, RFC 4028 §7.4).
   */
  describe(from: SessionDescription, anchor: (index: number) => LegAnchor): string {
    const streams: (StreamState | undefined)[] = [];
    const kept = withCodecs(from, this.side.codecs);
    this.#nothing = kept !== from && kept.media.every(({ formats }) => formats.length === 0);
    const text = serializeSession(
      rebuild(kept, {
        origin: {
          username: '-',
          sessionId: this.#sessionId,
          version: this.#version,
          address: this.side.advertised,
        },
        media: (index) => {
          const own = anchor(index);
          streams.push(own.stream);
          return own;
        },
        attributes: () => sessionLines(streams),
      }),
    );
    if (afterOrigin(text) === afterOrigin(this.#last)) return this.#last;
    this.#version += 1;
    this.#last = text;
    return text;
  }

  refused(protocol?: string): LegAnchor {
    const anchor = { address: this.side.advertised, port: 0 };
    return protocol === undefined ? anchor : { ...anchor, protocol };
  }

  /** `offerer`: whose offer the description is, or answers. */
  anchor(
    stream: StreamState,
    protocol: string,
    crypto: readonly CryptoAttribute[],
    offerer: Offerer,
  ): LegAnchor {
    const { endpoint, mux } = stream;
    const address = endpoint.advertised ?? this.side.advertised;
    const place = { address, port: endpoint.rtpPort, protocol };
    if (stream.media === 'opaque') return place;
    const rtp = { ...place, rtcpPort: endpoint.rtcpPort, rtcpMux: mux, crypto };
    const zrtp = zrtpLines(stream);
    if (stream.keying !== 'dtls' && endpoint.ice === undefined && stream.mid === undefined)
      return zrtp === undefined ? rtp : { ...rtp, attributes: zrtp };
    const lines = handshakeLines(this.#sessionId, stream, address, offerer);
    return { ...rtp, attributes: zrtp === undefined ? lines : [...lines, ...zrtp], stream };
  }

  /** The keys that we offer, one line for each suite. */
  offeredCrypto(stream: StreamState): CryptoAttribute[] {
    return stream.endpoint.keys.map(({ suite, material }, i) => ({
      tag: i + 1,
      suite,
      keys: [{ material }],
    }));
  }

  /** The one line of our answer: the peer's tag, our key. */
  answeredCrypto(stream: StreamState): CryptoAttribute[] {
    const key = stream.endpoint.keys.find(({ suite }) => suite === stream.suite);
    return key === undefined
      ? []
      : [{ tag: stream.tag, suite: key.suite, keys: [{ material: key.material }] }];
  }

  /** Some stream takes part in ICE. */
  get ice(): boolean {
    return this.streams.some((stream) => stream?.ice !== undefined);
  }

  /** Some stream is encrypted. */
  get encrypted(): boolean {
    return this.streams.some((stream) => stream?.media === 'srtp');
  }

  /** Overwrites and forgets the keys that were offered and not taken. */
  keepAgreedKeys(): void {
    for (const stream of this.streams) {
      if (stream === undefined || stream.endpoint.keys.length === 0) continue;
      const kept = stream.endpoint.keys.filter(({ suite }) => suite === stream.suite);
      for (const key of stream.endpoint.keys) if (!kept.includes(key)) key.material.fill(0);
      stream.endpoint = { ...stream.endpoint, keys: kept };
    }
  }

  endpointIds(): number[] {
    const ids: number[] = [];
    for (const [index, stream] of this.streams.entries())
      if (stream !== undefined && !this.#isLent(index)) ids.push(stream.endpoint.id);
    return ids;
  }

  /** Overwrites our copies of the keys that stood in SDP. */
  wipe(): void {
    for (const [index, stream] of this.streams.entries())
      if (stream !== undefined && !this.#isLent(index)) wipe(stream);
  }

  #isLent(index: number): boolean {
    const stream = this.streams[index];
    return stream !== undefined && this.#lender?.streams[index]?.endpoint.id === stream.endpoint.id;
  }
}

/** Overwrites our copies of one stream's keys. */
export function wipe({ endpoint, receive }: StreamState): void {
  for (const { material } of endpoint.keys) material.fill(0);
  receive?.fill(0);
}

const afterOrigin = (text: string): string => text.slice(text.indexOf('\r\ns='));

/** Ports and keys for a stream that this leg's peer has offered. */
export function answeringSpec(side: LegSide, stream: ReadStream, dscp: number): EndpointSpec {
  const spec = {
    local: side.local,
    ports: stream.media === 'opaque' ? 'single' : stream.mux ? 'mux' : 'pair',
    dscp,
    suites: stream.crypto === undefined ? [] : [stream.crypto.suite],
    ...answeringParts(side, stream),
  } as const;
  const agreed = agreeHandshake(stream, spec.ice, 'peer');
  return { ...spec, ...ownZrtp(side, stream), config: configOf(stream, side, agreed) };
}

/** Ports and keys for a stream that we offer on this leg, in one of these ways. */
export function offeringSpec(
  side: LegSide,
  stream: ReadStream,
  dscp: number,
  offers: readonly OfferedProtection[] = offersTo(side),
): EndpointSpec {
  const { local } = side;
  if (stream.media === 'opaque') return { local, ports: 'single', dscp, suites: [] };
  const parts = offeringParts(side, offers);
  return {
    local,
    // With DTLS and ICE one port is one handshake and one check less (RFC 8858); others may not know of mux.
    ports: parts.dtls === true || parts.ice !== undefined ? 'mux' : 'pair',
    dscp,
    suites: offers.includes('sdes') ? offeredSuites : [],
    ...parts,
    ...ownZrtp(side, stream),
  };
}

/** Fresh ports and keys for a stream that is agreed already: of the same kind and suite. */
export function renewingSpec(side: LegSide, state: StreamState, dscp: number): EndpointSpec {
  return {
    local: side.local,
    ports: state.media === 'opaque' ? 'single' : state.mux ? 'mux' : 'pair',
    dscp,
    suites: suitesAgain(state),
    ...(state.ice === undefined ? {} : { ice: state.ice }),
    ...(state.keying === 'dtls' ? { dtls: true } : {}),
    ...ownZrtp(side, state),
  };
}

function suitesAgain({ media, keying, suite }: StreamState): readonly Suite[] {
  if (media !== 'srtp' || keying === 'dtls') return [];
  return suite === undefined ? offeredSuites : [suite];
}

/** What the peer has offered needs ports, and keys, of its own: other media, other keying, another association (RFC 8842 §5.3). */
export function wantsAnother(state: StreamState, stream: ReadStream): boolean {
  if (state.media !== stream.media) return true;
  if (stream.media !== 'srtp') return false;
  const before = state.handshake?.tlsId;
  const now = stream.dtls?.tlsId;
  return state.keying !== keyingOf(stream) || (before !== undefined && now !== undefined && now !== before);
}

/** A Hello of our own is made for a stream whose ZRTP may have to end here. */
const ownZrtp = (side: LegSide, { media }: Pick<StreamState, 'media'>): Pick<EndpointSpec, 'zrtp'> =>
  endsHere(side) && media !== 'opaque' ? { zrtp: true } : {};

export function configOf(
  stream: ReadStream,
  side: LegSide,
  agreed: HandshakeState | undefined,
  ours?: IceCredentials,
): EndpointConfig {
  const { rtcp } = side;
  const { media, crypto, remote, clockRates, telephoneEvent } = stream;
  const key = crypto?.keys[0];
  return {
    media,
    ...(remote === undefined ? {} : { remote }),
    ...(crypto === undefined || key === undefined
      ? {}
      : {
          receive: {
            suite: crypto.suite,
            material: key.material,
            ...(key.mki === undefined ? {} : { mki: key.mki }),
          },
          send: { suite: crypto.suite },
        }),
    ...(agreed === undefined ? {} : handshakeConfig(stream, agreed, side.pinned?.dtls, ours)),
    ...(clockRates === undefined ? {} : { clockRates }),
    ...(telephoneEvent === undefined ? {} : { telephoneEvent }),
    ...(rtcp === undefined || media === 'opaque' ? {} : { rtcp }),
    ...passingZrtp(side, stream),
  };
}

export function stateOf(endpoint: EndpointOpened, spec: EndpointSpec, stream: ReadStream): StreamState {
  const handshake = agreeHandshake(stream, spec.ice, 'peer');
  const keying = keyingOf(stream);
  const { mid, bundled } = stream;
  return {
    endpoint,
    ...(spec.ice === undefined ? {} : { ice: spec.ice }),
    ...(handshake === undefined ? {} : { handshake }),
    ...(keying === undefined ? {} : { keying }),
    ...(mid === undefined ? {} : { mid }),
    ...(bundled === undefined ? {} : { bundled }),
    mux: spec.ports === 'mux',
    media: stream.media,
    suite: stream.crypto?.suite,
    tag: stream.crypto?.tag ?? 0,
    receive: stream.crypto?.keys[0].material,
    codec: stream.codec,
    telephoneEvent: stream.telephoneEvent,
    hello: stream.zrtp,
    ...(spec.zrtp === true && spec.config !== undefined ? { base: spec.config } : {}),
  };
}
