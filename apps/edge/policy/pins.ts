import type { LegProtection, SignallingProtection } from './protection.ts';

/** SHA-256 fingerprints, `AB:CD:…`, of the only certificates that a party may have. */
export interface Pins {
  /** In the TLS of its signalling. */
  readonly tls?: readonly string[] | undefined;
  /** In the DTLS of its media: its keys may come no other way then. */
  readonly dtls?: readonly string[] | undefined;
}

/** What a party has shown that is not what configuration has of it. */
export interface PinProblem {
  readonly in: 'tls' | 'dtls';
  /** What is there instead: a fingerprint, or why there is none. */
  readonly seen: string;
  readonly pinned: string;
}

const held = (
  where: PinProblem['in'],
  pinned: readonly string[] | undefined,
  seen: string | undefined,
  otherwise: string,
): PinProblem | undefined => {
  if (pinned === undefined || pinned.length === 0) return undefined;
  if (seen !== undefined && pinned.some((one) => one.toUpperCase() === seen.toUpperCase())) return undefined;
  return { in: where, seen: seen ?? otherwise, pinned: pinned.join(' ') };
};

/** The certificate of the connection that its signalling comes over, or goes by. */
export const tlsProblem = (
  pins: Pins | undefined,
  { peerFingerprint }: Pick<SignallingProtection, 'peerFingerprint'>,
): PinProblem | undefined => held('tls', pins?.tls, peerFingerprint, 'no certificate');

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
  return held('dtls', pins?.dtls, media.dtls?.peerFingerprint, `keys by ${media.keyExchange ?? 'nothing'}`);
}

/** Octets of a fingerprint; configuration has been checked. */
export const fingerprintOctets = (text: string): Uint8Array =>
  Uint8Array.from(text.split(':'), (pair) => Number.parseInt(pair, 16));
