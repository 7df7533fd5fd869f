import type { Encryption, IceUse, Keying } from '../config/schema.ts';
import type { ZrtpPolicy } from '../config/zrtp.ts';
import type { Pins } from '../policy/pins.ts';
import type { CodecList } from './codecs.ts';

/** What configuration wants of the media of a side. */
export interface MediaWishes {
  /** Codecs that pass, in the order wanted; absent: all. */
  readonly codecs?: CodecList;
  /** How SRTP keys are offered to it. Absent: SDES, and over WebSockets DTLS first; of an offer of both DTLS is taken. */
  readonly keying?: Keying;
  /** Absent: answered where its peer offers it, and offered to browsers. */
  readonly ice?: IceUse;
  /** Absent: that of the node. */
  readonly zrtp?: ZrtpPolicy;
  /** Offered to enrol with us as a trusted PBX. */
  readonly zrtpEnrol?: boolean;
  /** The only certificates that are taken of it. */
  readonly pinned?: Pins;
  /** Nothing that is demanded may stand in its way. */
  readonly emergency?: true;
}

/** How keys of SRTP are agreed on. */
export type KeyExchange = 'sdes' | 'dtls';

/** One way to offer a stream. */
export type OfferedProtection = 'plain' | KeyExchange;

/** What keying depends on. */
export interface KeyingSide extends MediaWishes {
  readonly demanded: Encryption;
  /** Its signalling comes over a WebSocket: most likely a browser, which knows DTLS and ICE and nothing else. */
  readonly web?: true;
  /** The media engine has no DTLS and no ICE. */
  readonly handshakes?: false;
}

const only = { plain: ['plain'], sdes: ['sdes'], dtls: ['dtls'] } as const;
const withPlain = { sdes: ['sdes', 'plain'], dtls: ['dtls', 'plain'] } as const;

/**
 * What a side is offered, one after another: the next where it has refused the one before with 488. Never anything
 * weaker than policy demands of it.
 */
export function offersTo(side: KeyingSide): readonly OfferedProtection[] {
  const keying = side.handshakes === false ? 'sdes' : (side.keying ?? (side.web === true ? 'any' : 'sdes'));
  // A browser has no way to speak without keys.
  if (side.demanded === 'none') return side.web === true && keying !== 'sdes' ? withPlain.dtls : only.plain;
  const plain = side.demanded === 'preferred';
  if (keying === 'any') return plain ? ['dtls', 'sdes', 'plain'] : ['dtls', 'sdes'];
  return plain ? withPlain[keying] : only[keying];
}

/** What is taken where a peer offers both. */
export const preferredKeying = (side: KeyingSide): KeyExchange => (side.keying === 'sdes' ? 'sdes' : 'dtls');

/** In which role ICE is offered; undefined: not at all. */
export function offeredIce(side: KeyingSide): 'lite' | 'full' | undefined {
  if (side.handshakes === false) return undefined;
  const use = side.ice ?? (side.web === true ? 'lite' : 'answer');
  return use === 'lite' || use === 'full' ? use : undefined;
}

/** In which role ICE of a peer is answered (RFC 8445 §2.5): lite, unless the peer is lite itself; undefined: not at all. */
export function answeredIce(side: KeyingSide, lite: boolean): 'lite' | 'full' | undefined {
  if (side.handshakes === false || side.ice === 'off') return undefined;
  return lite || side.ice === 'full' ? 'full' : 'lite';
}
