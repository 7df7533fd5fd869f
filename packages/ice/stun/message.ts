/** Class of a message, RFC 8489 §5. */
export const stunClasses = ['request', 'indication', 'success', 'error'] as const;
export type StunClass = (typeof stunClasses)[number];

/** The one method of RFC 8489 (§18.2), and the only one of ICE. */
export const binding = 0x001;

/** RFC 8489 §5. */
export const magicCookie = 0x2112_a442;
export const headerLength = 20;
/** Longest message that is read; checks of ICE take about 120 octets. */
export const longestMessage = 1500;

/** Attribute types of RFC 8489 §18.3 and RFC 8445 §20.1 that are read or written here. */
export const attributeTypes = {
  username: 0x0006,
  messageIntegrity: 0x0008,
  errorCode: 0x0009,
  unknownAttributes: 0x000a,
  messageIntegritySha256: 0x001c,
  xorMappedAddress: 0x0020,
  priority: 0x0024,
  useCandidate: 0x0025,
  software: 0x8022,
  fingerprint: 0x8028,
  iceControlled: 0x8029,
  iceControlling: 0x802a,
} as const;

export interface TransportAddress {
  /** IPv4 or IPv6 literal in the form of RFC 5952. */
  readonly address: string;
  readonly port: number;
}

/** What a message says; each stands once, the first of two holds (RFC 8489 §14). */
export interface StunAttributes {
  /** At most 508 octets of UTF-8, §14.3. */
  readonly username?: string;
  /** `PRIORITY`, RFC 8445 §16.1: 1 to 2^32 - 1. */
  readonly priority?: number;
  readonly useCandidate?: true;
  /** Tie-breaker of 64 bits of one who controls, RFC 8445 §16.1. */
  readonly iceControlling?: bigint;
  readonly iceControlled?: bigint;
  /** RFC 8489 §14.2. */
  readonly mapped?: TransportAddress;
  /** §14.8: 300 to 699. */
  readonly error?: { readonly code: number; readonly reason: string };
  /** `UNKNOWN-ATTRIBUTES`, §14.13: at most 16 are read. */
  readonly unknownAttributes?: readonly number[];
}

export interface StunMessage {
  readonly class: StunClass;
  /** 12 bits; `binding` is 1. */
  readonly method: number;
  /** 12 octets. */
  readonly transactionId: Uint8Array;
  readonly attributes: StunAttributes;
}

/** A message as it was read. Nothing it says is to be acted on before `verifyIntegrity`. */
export interface ReadStun extends StunMessage {
  /** The datagram: a view, of which the integrity is made. */
  readonly bytes: Uint8Array;
  /** Types that have to be understood and are not, §6.3.1; at most 16. */
  readonly unknown: readonly number[];
  /** Offsets of the integrity attributes; undefined where absent. */
  readonly sha1At: number | undefined;
  readonly sha256At: number | undefined;
  /** It had a FINGERPRINT, which was right. */
  readonly fingerprint: boolean;
}
