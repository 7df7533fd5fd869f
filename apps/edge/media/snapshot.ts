import type { Fingerprint } from '@ringfence/relay/handshake.ts';
import { parseZrtpHash, serializeZrtpHash } from '@ringfence/sdp/zrtp.ts';
import type { Suite } from '@ringfence/srtp/suite.ts';
import type { HandshakeState } from './handshake.ts';
import type { KeyExchange } from './keying.ts';
import { type LegSide, MediaLeg, type StreamState } from './leg.ts';
import type { Shown } from './shown.ts';
import type { ZrtpMode } from './zrtp.ts';

/** Media of one leg as plain data. Keys are not in it: they live in the media process. */
export interface MediaLegSnapshot {
  readonly side: LegSide;
  readonly sessionId: string;
  readonly version: number;
  /** What we said last, without its keys. */
  readonly last: string;
  readonly streams: readonly (StreamSnapshot | null)[];
}

interface StreamSnapshot {
  readonly id: number;
  readonly rtp: number;
  readonly rtcp: number;
  readonly mux: boolean;
  readonly media: StreamState['media'];
  readonly suite: Suite | null;
  readonly tag: number;
  readonly codec: string;
  readonly telephoneEvent?: number;
  readonly keying?: KeyExchange;
  readonly ice?: IceSnapshot;
  /** Hash and octets of our certificate, hexadecimal. */
  readonly dtls?: readonly [Fingerprint['hash'], string];
  readonly handshake?: HandshakeState;
  readonly mid?: string;
  readonly bundled?: true;
  readonly shown?: Shown;
  readonly zrtp?: ZrtpSnapshot;
}

/** Hashes of Hellos as `a=zrtp-hash` writes them. */
interface ZrtpSnapshot {
  readonly mode?: ZrtpMode;
  /** The peer's, what we say to it, and of our own Hello. */
  readonly hello?: string;
  readonly says?: string;
  readonly own?: string;
}

/**
 * Our part in ICE. Its password opens no media (that is DTLS's), and without it a peer could not be told the same again,
 * which to it would be another session.
 */
interface IceSnapshot {
  readonly role: 'lite' | 'full';
  readonly ufrag: string;
  readonly password: string;
}

export function snapshotMedia(leg: MediaLeg): MediaLegSnapshot {
  const { sessionId, version, last } = leg.said;
  return {
    side: leg.side,
    sessionId,
    version,
    last: withoutKeys(last),
    streams: Array.from(leg.streams, (stream) =>
      stream === undefined
        ? null
        : {
            id: stream.endpoint.id,
            rtp: stream.endpoint.rtpPort,
            rtcp: stream.endpoint.rtcpPort,
            mux: stream.mux,
            media: stream.media,
            suite: stream.suite ?? null,
            tag: stream.tag,
            codec: stream.codec,
            ...(stream.telephoneEvent === undefined ? {} : { telephoneEvent: stream.telephoneEvent }),
            ...snapshotHandshakes(stream),
          },
    ),
  };
}

function snapshotHandshakes(stream: StreamState): Partial<StreamSnapshot> {
  const { endpoint, ice, keying, handshake, mid, bundled, shown } = stream;
  const { dtls } = endpoint;
  return {
    ...(keying === undefined ? {} : { keying }),
    ...(ice === undefined || endpoint.ice === undefined ? {} : { ice: { role: ice, ...endpoint.ice } }),
    ...(dtls === undefined ? {} : { dtls: [dtls.hash, Buffer.from(dtls.value).toString('hex')] }),
    ...(handshake === undefined ? {} : { handshake }),
    ...(mid === undefined ? {} : { mid }),
    ...(bundled === undefined ? {} : { bundled }),
    ...(shown === undefined ? {} : { shown }),
    ...snapshotZrtp(stream),
  };
}

function snapshotZrtp({ endpoint, hello, says, zrtpMode }: StreamState): Pick<StreamSnapshot, 'zrtp'> {
  const own = endpoint.zrtp;
  if (hello === undefined && says === undefined && own === undefined) return {};
  return {
    zrtp: {
      ...(zrtpMode === undefined ? {} : { mode: zrtpMode }),
      ...(hello === undefined ? {} : { hello: serializeZrtpHash(hello) }),
      ...(says === undefined ? {} : { says: says === 'own' ? says : serializeZrtpHash(says) }),
      ...(own === undefined
        ? {}
        : { own: serializeZrtpHash({ version: own.version, value: own.helloHash }) }),
    },
  };
}

function restoreZrtp({ mode, hello, says }: ZrtpSnapshot): Partial<StreamState> {
  return {
    ...(mode === undefined ? {} : { zrtpMode: mode }),
    ...(hello === undefined ? {} : { hello: parseZrtpHash(hello) }),
    ...(says === undefined ? {} : { says: says === 'own' ? says : parseZrtpHash(says) }),
  };
}

function ownHello(own: string | undefined): Pick<StreamState['endpoint'], 'zrtp'> {
  const hash = own === undefined ? undefined : parseZrtpHash(own);
  return hash === undefined ? {} : { zrtp: { version: hash.version, helloHash: hash.value } };
}

function restoreHandshakes(stream: StreamSnapshot): Partial<StreamState> {
  const { keying, ice, handshake, mid, bundled, shown } = stream;
  return {
    ...(keying === undefined ? {} : { keying }),
    ...(ice === undefined ? {} : { ice: ice.role }),
    ...(handshake === undefined ? {} : { handshake }),
    ...(mid === undefined ? {} : { mid }),
    ...(bundled === undefined ? {} : { bundled }),
    ...(shown === undefined ? {} : { shown }),
    ...(stream.zrtp === undefined ? {} : restoreZrtp(stream.zrtp)),
  };
}

/** Without `live` its endpoints are gone, and their numbers may be somebody else's. */
export function restoreMedia(snapshot: MediaLegSnapshot, live: boolean): MediaLeg {
  const { side, sessionId, version, last } = snapshot;
  const leg = new MediaLeg(side, sessionId, { version, last });
  for (const stream of snapshot.streams)
    leg.streams.push(
      stream === null
        ? undefined
        : {
            endpoint: {
              id: live ? stream.id : 0,
              address: side.local,
              rtpPort: stream.rtp,
              rtcpPort: stream.rtcp,
              keys: [],
              ...(stream.ice === undefined
                ? {}
                : { ice: { ufrag: stream.ice.ufrag, password: stream.ice.password } }),
              ...(stream.dtls === undefined
                ? {}
                : { dtls: { hash: stream.dtls[0], value: Buffer.from(stream.dtls[1], 'hex') } }),
              ...ownHello(stream.zrtp?.own),
            },
            mux: stream.mux,
            media: stream.media,
            suite: stream.suite ?? undefined,
            tag: stream.tag,
            receive: undefined,
            codec: stream.codec,
            telephoneEvent: stream.telephoneEvent,
            ...restoreHandshakes(stream),
            // Keys of DTLS were never ours to tell.
            ...(stream.media === 'srtp' && stream.keying !== 'dtls' ? { keyless: true } : {}),
          },
    );
  return leg;
}

/** RFC 4568 §4: keys stand in `a=crypto` lines and nowhere else; the text is our own serializer's. */
function withoutKeys(description: string): string {
  if (!description.includes('a=crypto:')) return description;
  return description
    .split('\r\n')
    .filter((line) => !line.startsWith('a=crypto:'))
    .join('\r\n');
}
