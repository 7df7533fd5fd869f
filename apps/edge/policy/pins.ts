import type { LegProtection, SignallingProtection } from './protection.ts';

/** SHA-256 fingerprints, `AB:CD:…`, of the only certificates that a party may have. */
export interface Pins {
  /** In the TLS of its signalling. */
  readonly tls?: readonly string[] | undefined;
  /** Of authorities: one of them has issued the certificate in the TLS of its signalling. */
  readonly tlsIssuers?: readonly string[] | undefined;
  /** In the DTLS of its media: its keys may come no other way then. */
  readonly dtls?: readonly string[] | undefined;
}

/** What a party has shown that is not what configuration has of it. */
export interface PinProblem {
  readonly in: 'tls' | 'tls-issuer' | 'dtls';
  /** What is there instead: a fingerprint, or why there is none. */
  readonly seen: string;
  readonly pinned: string;
}

const held = (
  where: PinProblem['in'],
  pinned: readonly string[] | undefined,
  seen: readonly string[],
  otherwise: string,
): PinProblem | undefined => {
  if (pinned === undefined || pinned.length === 0) return undefined;
  const known = new Set(pinned.map((one) => one.toUpperCase()));
  if (seen.some((one) => known.has(one.toUpperCase()))) return undefined;
  return { in: where, seen: seen.join(' ') || otherwise, pinned: pinned.join(' ') };
};

/** The certificate of the connection that its signalling comes over, or goes by. */
export const tlsProblem = (
  pins: Pins | undefined,
  { peerFingerprint, peerIssuers = [] }: Pick<SignallingProtection, 'peerFingerprint' | 'peerIssuers'>,
): PinProblem | undefined =>
  held('tls', pins?.tls, listed(peerFingerprint), 'no certificate') ??
  held('tls-issuer', pins?.tlsIssuers, peerIssuers, 'no certificate of a known authority');

/**
 * The same for the media of a leg that has its keys. The media process takes no other certificate; what is found here is
 * media whose keys came without one.
 */
export function pinProblem(
  pins: Pins | undefined,
  { signalling, media }: LegProtection,
): PinProblem | undefined {
  const found = tlsProblem(pins, signalling);
  if (found !== undefined || media.protocol === 'none') return found;
  return held(
    'dtls',
    pins?.dtls,
    listed(media.dtls?.peerFingerprint),
    `keys by ${media.keyExchange ?? 'nothing'}`,
  );
}

const listed = (one: string | undefined): readonly string[] => (one === undefined ? [] : [one]);

/** Octets of a fingerprint; configuration has been checked. */
export const fingerprintOctets = (text: string): Uint8Array =>
  Uint8Array.from(text.split(':'), (pair) => Number.parseInt(pair, 16));
