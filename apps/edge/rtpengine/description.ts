import type { EndpointConfig, EndpointSpec, LocalKey } from '@ringfence/relay/contract.ts';
import { rtcp } from '@ringfence/sdp/attribute.ts';
import { cryptoLines, serializeCrypto } from '@ringfence/sdp/crypto.ts';
import { parseSession } from '@ringfence/sdp/parse.ts';
import { connectionOf } from '@ringfence/sdp/session.ts';

/** An address with a port for RTP; RTCP has the next one. */
export interface Place {
  readonly address: string;
  readonly port: number;
}

/** What rtpengine has said of its side towards one party. */
export interface Described extends Place {
  readonly rtcpPort: number;
  /** Its sending keys, and under which tag each was offered. */
  readonly keys: readonly (LocalKey & { readonly tag: number })[];
}

/** Stands where no place is known yet: the discard port, on which nobody listens. */
const nowhere: Place = { address: '127.0.0.1', port: 9 };

const familyOf = (address: string): 'IP4' | 'IP6' => (address.includes(':') ? 'IP6' : 'IP4');

/** The other endpoint of a link, or its empty place, as a party that speaks plain RTP. */
export function describeInside(media: EndpointConfig['media'], place: Place = nowhere): string {
  return session(place.address, [
    media === 'opaque' ? `m=image ${place.port} udptl t38` : `m=audio ${place.port} RTP/AVP 0`,
    ...(media === 'opaque' ? [] : [`a=rtcp:${place.port + 1}`]),
    'a=sendrecv',
  ]);
}

/** The peer of an endpoint as a party. `tag`: under which rtpengine offered the suite that the peer chose. */
export function describeOutside(spec: EndpointSpec, config: EndpointConfig, tag: number): string {
  const { remote, receive, accept = true, emit = true } = config;
  const family = familyOf(spec.local);
  // RFC 3264 §8.4: an unspecified address means that nothing is to be sent there.
  const unspecified = family === 'IP6' ? '::' : '0.0.0.0';
  const usable = remote !== undefined && familyOf(remote.address) === family;
  const port = usable ? remote.rtpPort : nowhere.port;
  const address = usable ? remote.address : unspecified;
  if (config.media === 'opaque')
    return session(address, [`m=image ${port} udptl t38`, direction(accept, emit)]);
  const lines = [`m=audio ${port} RTP/${config.media === 'srtp' ? 'S' : ''}AVP 0`];
  if (usable && remote.rtcpPort === remote.rtpPort) lines.push('a=rtcp-mux');
  else if (usable) lines.push(`a=rtcp:${remote.rtcpPort}`);
  if (config.media === 'srtp' && receive !== undefined) {
    const key = { material: receive.material, ...(receive.mki === undefined ? {} : { mki: receive.mki }) };
    lines.push(`a=crypto:${serializeCrypto({ tag, suite: receive.suite, keys: [key] })}`);
  }
  lines.push(direction(accept, emit));
  return session(address, lines);
}

/** Seen from the peer: it receives what we emit. */
const direction = (accept: boolean, emit: boolean): string =>
  `a=${accept ? (emit ? 'sendrecv' : 'sendonly') : emit ? 'recvonly' : 'inactive'}`;

const session = (address: string, lines: readonly string[]): string =>
  [
    'v=0',
    `o=- 1 1 IN ${familyOf(address)} ${address}`,
    's=-',
    `c=IN ${familyOf(address)} ${address}`,
    't=0 0',
  ]
    .concat(lines, '')
    .join('\r\n');

/** Reads rtpengine's own description; undefined where it is none, or offers no port. */
export function readDescribed(sdp: string): Described | undefined {
  const parsed = parseSession(Buffer.from(sdp, 'utf8'));
  if (!parsed.ok) return undefined;
  const media = parsed.value.media[0];
  if (media === undefined || media.port === 0) return undefined;
  const connection = connectionOf(parsed.value, media);
  if (connection === undefined) return undefined;
  const mux = media.attributes.some(({ name }) => name === 'rtcp-mux');
  return {
    address: connection.address,
    port: media.port,
    rtcpPort: mux ? media.port : (rtcp(media)?.port ?? media.port + 1),
    keys: cryptoLines(media).acceptable.map(({ tag, suite, keys }) => ({
      tag,
      suite,
      material: keys[0].material,
    })),
  };
}
