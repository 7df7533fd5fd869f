import type { EndpointConfig, EndpointOpened, EndpointSpec } from '@ringfence/relay/contract.ts';
import type { CryptoAttribute } from '@ringfence/sdp/crypto.ts';
import type { MediaAnchor } from '@ringfence/sdp/rewrite.ts';
import { rebuild } from '@ringfence/sdp/rewrite.ts';
import { serializeSession } from '@ringfence/sdp/serialize.ts';
import type { SessionDescription } from '@ringfence/sdp/session.ts';
import type { Suite } from '@ringfence/srtp/suite.ts';
import type { Encryption } from '../config/schema.ts';
import { type CodecList, withCodecs } from './codecs.ts';
import { offeredSuites, type ReadStream } from './read-offer.ts';
import type { Shown } from './shown.ts';

/** What the media of one leg depends on. */
export interface LegSide {
  /** Local IP address to bind. */
  readonly local: string;
  /** Address written into SDP. */
  readonly advertised: string;
  /** Address that the peer's signalling comes from. */
  readonly signalling: string;
  readonly demanded: Encryption;
  /** Whether RTCP ends at the edge. Default `relay`. */
  readonly rtcp?: 'end' | 'relay';
  /** Events of RFC 4733 are offered to it and taken from it even where the other side has none. */
  readonly bridgeDigits?: boolean;
  /** Codecs that pass, in the order wanted; absent: all. */
  readonly codecs?: CodecList;
}

/** One stream on one leg: our ports and keys, and what was agreed. */
export interface StreamState {
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
  /** What ICE, DTLS and ZRTP have shown of it. */
  shown?: Shown;
  /** Its keys are known to the media process alone, since another edge process asked for them: new ones at the next offer. */
  readonly keyless?: true;
}

/** Media of one leg: what we said and what was agreed, stream by stream in the order of the `m=` lines. */
export class MediaLeg {
  side: LegSide;
  readonly streams: (StreamState | undefined)[] = [];
  readonly #sessionId: string;
  #version: number;
  #last: string;
  /** Its peer has agreed to these streams in another call. */
  agreedBefore = false;
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
    leg.agreedBefore = true;
    for (const [index, stream] of this.streams.entries())
      if (stream !== undefined && stream.keyless !== true) leg.streams[index] = { ...stream };
    return leg;
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
  describe(from: SessionDescription, anchor: (index: number) => MediaAnchor): string {
    const text = serializeSession(
      rebuild(withCodecs(from, this.side.codecs), {
        origin: {
          username: '-',
          sessionId: this.#sessionId,
          version: this.#version,
          address: this.side.advertised,
        },
        media: anchor,
      }),
    );
    if (afterOrigin(text) === afterOrigin(this.#last)) return this.#last;
    this.#version += 1;
    this.#last = text;
    return text;
  }

  refused(protocol?: string): MediaAnchor {
    const anchor = { address: this.side.advertised, port: 0 };
    return protocol === undefined ? anchor : { ...anchor, protocol };
  }

  anchor(stream: StreamState, protocol: string, crypto: readonly CryptoAttribute[]): MediaAnchor {
    const { endpoint, mux } = stream;
    const place = { address: endpoint.advertised ?? this.side.advertised, port: endpoint.rtpPort, protocol };
    if (stream.media === 'opaque') return place;
    return { ...place, rtcpPort: endpoint.rtcpPort, rtcpMux: mux, crypto };
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
  } as const;
  return { ...spec, config: configOf(stream, side.rtcp) };
}

/** Ports and keys for a stream that we offer on this leg; `encrypted`: others of it are already. */
export function offeringSpec(
  side: LegSide,
  stream: ReadStream,
  dscp: number,
  encrypted = false,
): EndpointSpec {
  const opaque = stream.media === 'opaque';
  return {
    local: side.local,
    ports: opaque ? 'single' : 'pair',
    dscp,
    suites: opaque || (side.demanded === 'none' && !encrypted) ? [] : offeredSuites,
  };
}

/** Fresh ports and keys for a stream that is agreed already: of the same kind and suite. */
export function renewingSpec(side: LegSide, state: StreamState, dscp: number): EndpointSpec {
  return {
    local: side.local,
    ports: state.media === 'opaque' ? 'single' : state.mux ? 'mux' : 'pair',
    dscp,
    suites: state.media !== 'srtp' ? [] : state.suite === undefined ? offeredSuites : [state.suite],
  };
}

export function configOf(stream: ReadStream, rtcp: LegSide['rtcp']): EndpointConfig {
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
    ...(clockRates === undefined ? {} : { clockRates }),
    ...(telephoneEvent === undefined ? {} : { telephoneEvent }),
    ...(rtcp === undefined || media === 'opaque' ? {} : { rtcp }),
  };
}

export function stateOf(endpoint: EndpointOpened, spec: EndpointSpec, stream: ReadStream): StreamState {
  return {
    endpoint,
    mux: spec.ports === 'mux',
    media: stream.media,
    suite: stream.crypto?.suite,
    tag: stream.crypto?.tag ?? 0,
    receive: stream.crypto?.keys[0].material,
    codec: stream.codec,
    telephoneEvent: stream.telephoneEvent,
  };
}
