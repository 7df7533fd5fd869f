import { type CryptoAttribute, cryptoLines, serializeCrypto } from '@ringfence/sdp/crypto.ts';
import { dtlsAttributes } from '@ringfence/sdp/dtls.ts';
import { parseSession } from '@ringfence/sdp/parse.ts';
import { isSecureRtp, type SessionDescription } from '@ringfence/sdp/session.ts';
import type { Suite } from '@ringfence/srtp/suite.ts';
import { suiteParameters } from '@ringfence/srtp/suite.ts';
import type { SeededRandom } from '@ringfence/testkit/random.ts';
import { answeredLines, newHandshakes, offeredLines, type PhoneHandshakes } from './handshake-lines.ts';

/** How a phone of the tests likes its media. */
export type MediaHabit = 'srtp' | 'rtp' | 'either' | 'dtls' | 'web' | 'ice';

const handshakes: ReadonlySet<MediaHabit> = new Set(['dtls', 'web', 'ice']);

/** The phone does DTLS-SRTP, DTLS-SRTP with ICE, or plain RTP with ICE. */
export const hasHandshakes = (habit: MediaHabit): boolean => handshakes.has(habit);

export interface DescriptionOptions {
  readonly address: string;
  readonly port: number;
  readonly direction?: string;
  readonly version?: number;
  /** Lines that stand at the end of the stream. */
  readonly extra?: readonly string[];
  readonly origin?: string;
  /** Of phones that do DTLS or ICE. */
  readonly handshakes?: PhoneHandshakes;
}

/** What a test phone says, with its keys in the clear. */
export interface Description {
  readonly text: string;
  readonly keys: readonly CryptoAttribute[];
}

export function offer(
  random: SeededRandom,
  secure: boolean,
  options: DescriptionOptions,
  suites: readonly Suite[] = ['AES_CM_128_HMAC_SHA1_80'],
): Description {
  const keys = secure ? suites.map((suite, i) => makeKey(random, i + 1, suite)) : [];
  return { text: write(options, secure ? 'RTP/SAVP' : 'RTP/AVP', keys), keys };
}

/** The offer of a phone that does DTLS or ICE. */
export function offerHandshakes(habit: MediaHabit, options: DescriptionOptions): Description {
  const own = options.handshakes ?? newHandshakes(options.port);
  const { session, stream } = offeredLines(own, habit !== 'dtls');
  const lines = habit === 'ice' ? stream.filter(isNoDtls) : stream;
  const protocol = habit === 'web' ? 'UDP/TLS/RTP/SAVPF' : habit === 'dtls' ? 'UDP/TLS/RTP/SAVP' : 'RTP/AVP';
  return {
    text: write({ ...options, session, extra: [...lines, ...(options.extra ?? [])] }, protocol, []),
    keys: [],
  };
}

const isNoDtls = (line: string): boolean => !/^a=(fingerprint|setup|tls-id)/.test(line);

/** The answer of a phone with that habit; undefined where it would refuse with 488. */
export function answer(
  random: SeededRandom,
  habit: MediaHabit,
  offered: SessionDescription,
  options: DescriptionOptions,
): Description | undefined {
  const media = offered.media[0];
  if (media === undefined) return undefined;
  if (hasHandshakes(habit)) {
    if ((habit === 'ice') === isSecureRtp(media.protocol)) return undefined;
    if (habit !== 'ice' && dtlsAttributes(offered, media) === undefined) return undefined;
    const own = options.handshakes ?? newHandshakes(options.port);
    const { session, stream } = answeredLines(own, offered, media);
    return { text: write({ ...options, session, extra: stream }, media.protocol, []), keys: [] };
  }
  // RFC 8643 §3.1: keys under RTP/AVP may be taken, or not.
  const optional = habit !== 'rtp' && cryptoLines(media).acceptable.length > 0;
  const secure = isSecureRtp(media.protocol) || optional;
  if (secure && habit === 'rtp') return undefined;
  if (!secure && habit === 'srtp') return undefined;
  const chosen = secure ? cryptoLines(media).acceptable.at(-1) : undefined;
  if (secure && chosen === undefined) return undefined;
  const keys = chosen === undefined ? [] : [makeKey(random, chosen.tag, chosen.suite)];
  return { text: write(options, media.protocol, keys), keys };
}

const makeKey = (random: SeededRandom, tag: number, suite: Suite): CryptoAttribute => {
  const { masterKeyLength, masterSaltLength } = suiteParameters[suite];
  return { tag, suite, keys: [{ material: random.bytes(masterKeyLength + masterSaltLength) }] };
};

function write(
  options: DescriptionOptions & { readonly session?: readonly string[] },
  protocol: string,
  keys: readonly CryptoAttribute[],
): string {
  const { address, port, direction = 'sendrecv', version = 1, extra = [], origin = 'phone' } = options;
  const family = address.includes(':') ? 'IP6' : 'IP4';
  return [
    'v=0',
    `o=${origin} 4711 ${version} IN ${family} ${address}`,
    's=call',
    `c=IN ${family} ${address}`,
    't=0 0',
    ...(options.session ?? []),
    `m=audio ${port} ${protocol} 8 0 101`,
    'a=rtpmap:8 PCMA/8000',
    'a=rtpmap:101 telephone-event/8000',
    'a=fmtp:101 0-16',
    ...keys.map((key) => `a=crypto:${serializeCrypto(key)}`),
    `a=${direction}`,
    ...extra,
    '',
  ].join('\r\n');
}

export function readSdp(body: Uint8Array): SessionDescription {
  const parsed = parseSession(body);
  if (!parsed.ok) throw new Error(`the edge sent SDP that does not parse: ${parsed.error.detail}`);
  return parsed.value;
}
