import type { HandshakeEvent } from '@ringfence/relay/handshake.ts';
import type { Suite } from '@ringfence/srtp/suite.ts';
import type { DtlsProtection, MediaProtection, ZrtpProtection } from '../policy/protection.ts';
import type { StreamState } from './leg.ts';

/** What handshakes on the path of media have shown of one stream; no secrets. */
export interface Shown {
  /** What the last handshake has agreed on; absent before there were keys, and with ZRTP that passes. */
  readonly suite?: Suite;
  readonly dtls?: DtlsProtection;
  readonly zrtp?: ZrtpProtection;
  readonly ice?: 'validated' | 'unvalidated';
  /** Keys are to come: set by whoever asks the media process for such a handshake. */
  readonly awaiting?: 'dtls' | 'zrtp';
  /** The last handshake came to nothing: there are no keys, and none are waited for. */
  readonly failed?: true;
}

/** What is known of a stream once this was told. A handshake that failed has no keys: what it had agreed on is void. */
export function showing(known: Shown, event: HandshakeEvent): Shown {
  switch (event.kind) {
    case 'ice':
      return { ...known, ice: event.state === 'connected' ? 'validated' : 'unvalidated' };
    case 'unsecured': {
      const { suite: _suite, dtls: _dtls, awaiting: _awaiting, zrtp, ...rest } = known;
      return event.by === 'zrtp' && zrtp !== undefined
        ? { ...rest, zrtp: { ...zrtp, confirmed: false }, failed: true }
        : { ...rest, failed: true };
    }
    case 'zrtp-passed':
      return {
        ...(event.confirmed ? settled(known) : known),
        zrtp: {
          mode: 'pass',
          confirmed: event.confirmed,
          ...(event.helloMatches === undefined ? {} : { helloMatches: event.helloMatches }),
          peerZid: hex(event.zid),
        },
      };
    case 'secured': {
      const { version, cipher, group, suite, fingerprint, zrtp } = event;
      if (event.by === 'dtls')
        return {
          ...settled(known),
          suite,
          dtls: { version, cipher, group, peerFingerprint: fingerprintText(fingerprint ?? new Uint8Array()) },
        };
      return {
        ...settled(known),
        suite,
        zrtp: {
          mode: 'end',
          confirmed: true,
          version,
          cipher,
          group,
          ...(zrtp === undefined
            ? {}
            : {
                peerZid: hex(zrtp.peerZid),
                sas: zrtp.sas,
                sasType: zrtp.sasType.trim(),
                verified: zrtp.verified,
                ...(zrtp.enrolled === true ? { enrolled: true } : {}),
                ...(zrtp.relayed === undefined ? {} : { relayed: zrtp.relayed }),
                continuity: zrtp.continuity,
              }),
        },
      };
    }
  }
}

const settled = ({ awaiting: _awaiting, failed: _failed, ...rest }: Shown): Shown => rest;

/** The media of a leg is as well protected as the weakest of its streams. */
export function protectionOfStreams(
  streams: readonly (StreamState | undefined)[],
  secureSignalling: boolean,
): MediaProtection {
  let worst: MediaProtection | undefined;
  for (const stream of streams) {
    if (stream === undefined) continue;
    const one = protectionOfStream(stream, secureSignalling);
    if (worst === undefined || strength(one) < strength(worst)) worst = one;
  }
  return worst ?? { protocol: 'none' };
}

function protectionOfStream(stream: StreamState, secureSignalling: boolean): MediaProtection {
  if (stream.media === 'opaque') return { protocol: 'udptl' };
  const { shown, endpoint } = stream;
  const holder = endpoint.keysAt;
  // What an earlier association has shown says nothing of keys that came by signalling since.
  const dtls = stream.keying === 'dtls' ? shown?.dtls : undefined;
  const pending = shown?.awaiting ?? awaitedBy(stream, dtls !== undefined);
  const awaiting = shown?.failed === true ? undefined : pending;
  const known = {
    ...(dtls === undefined ? {} : { dtls }),
    ...(shown?.zrtp === undefined ? {} : { zrtp: shown.zrtp }),
    ...(shown?.ice === undefined ? {} : { ice: shown.ice }),
    ...(awaiting === undefined ? {} : { awaiting }),
  };
  const at = holder === undefined ? {} : { keysAt: holder.name };
  if (dtls !== undefined)
    return {
      protocol: 'srtp',
      ...(shown?.suite === undefined ? {} : { suite: shown.suite }),
      keyExchange: 'dtls',
      keysExposed: holder?.exposed === true,
      ...at,
      ...known,
    };
  if (shown?.zrtp?.confirmed === true) {
    const passed = shown.zrtp.mode === 'pass';
    return {
      protocol: 'srtp',
      ...(passed || shown.suite === undefined ? {} : { suite: shown.suite }),
      keyExchange: 'zrtp',
      keysExposed: !passed && holder?.exposed === true,
      ...(passed ? {} : at),
      ...known,
    };
  }
  if (stream.media === 'rtp') return { protocol: 'rtp', ...known };
  // No key has come by signalling: nothing passes before there is one.
  if (pending !== undefined) return { protocol: 'none', ...known };
  return {
    protocol: 'srtp',
    ...(stream.suite === undefined ? {} : { suite: stream.suite }),
    keyExchange: 'sdes',
    keysExposed: !secureSignalling || holder?.exposed === true,
    ...at,
    ...known,
  };
}

/** By what keys are still to come, as far as signalling tells. */
function awaitedBy(stream: StreamState, dtlsDone: boolean): MediaProtection['awaiting'] {
  if (stream.keying === 'dtls') return dtlsDone ? undefined : 'dtls';
  const { zrtpMode, hello, media, shown } = stream;
  const expected = zrtpMode === 'end' || (zrtpMode !== 'none' && hello !== undefined);
  return media === 'rtp' && expected && shown?.zrtp?.confirmed !== true ? 'zrtp' : undefined;
}

const strength = ({ protocol, keysExposed, keyExchange, zrtp }: MediaProtection): number => {
  if (protocol !== 'srtp') return 0;
  if (keysExposed === true) return 1;
  return keyExchange === 'zrtp' && zrtp?.mode === 'pass' ? 3 : 2;
};

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** As `a=fingerprint` writes it (RFC 8122 §5). */
export const fingerprintText = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0').toUpperCase()).join(':');
