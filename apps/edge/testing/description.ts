import { type CryptoAttribute, cryptoLines, serializeCrypto } from '@ringfence/sdp/crypto.ts';
import { parseSession } from '@ringfence/sdp/parse.ts';
import { isSecureRtp, type SessionDescription } from '@ringfence/sdp/session.ts';
import type { Suite } from '@ringfence/srtp/suite.ts';
import { suiteParameters } from '@ringfence/srtp/suite.ts';
import type { SeededRandom } from '@ringfence/testkit/random.ts';

/** How a phone of the tests likes its media. */
export type MediaHabit = 'srtp' | 'rtp' | 'either';

export interface DescriptionOptions {
  readonly address: string;
  readonly port: number;
  readonly direction?: string;
  readonly version?: number;
  /** Lines that stand at the end of the stream. */
  readonly extra?: readonly string[];
  readonly origin?: string;
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

/** The answer of a phone with that habit; undefined where it would refuse with 488. */
export function answer(
  random: SeededRandom,
  habit: MediaHabit,
  offered: SessionDescription,
  options: DescriptionOptions,
): Description | undefined {
  const media = offered.media[0];
  if (media === undefined) return undefined;
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

function write(options: DescriptionOptions, protocol: string, keys: readonly CryptoAttribute[]): string {
  const { address, port, direction = 'sendrecv', version = 1, extra = [], origin = 'phone' } = options;
  const family = address.includes(':') ? 'IP6' : 'IP4';
  return [
    'v=0',
    `o=${origin} 4711 ${version} IN ${family} ${address}`,
    's=call',
    `c=IN ${family} ${address}`,
    't=0 0',
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
