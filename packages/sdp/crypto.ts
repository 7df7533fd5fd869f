/** SDES suites of RFC 4568 §6.2, RFC 6188 §4 and RFC 7714 §14.2; the names are those of packages/srtp. */
export const cryptoSuites = [
  'AEAD_AES_256_GCM',
  'AEAD_AES_128_GCM',
  'AES_256_CM_HMAC_SHA1_80',
  'AES_CM_128_HMAC_SHA1_80',
  'AES_256_CM_HMAC_SHA1_32',
  'AES_CM_128_HMAC_SHA1_32',
] as const;
export type CryptoSuite = (typeof cryptoSuites)[number];

/** One `inline:` key parameter, RFC 4568 §6.1. */
export interface CryptoKey {
  /** Master key, then master salt. The owner overwrites it when the call ends. */
  readonly material: Uint8Array;
  /** Packets for which the key may be used, at most 2^48. Default: the suite's own limit. */
  readonly lifetime?: number;
  /** The MKI as it stands in packets: 1 to 128 octets, big-endian. */
  readonly mki?: Uint8Array;
}

/** `a=crypto`, RFC 4568 §4 and §6, already known to be acceptable. */
export interface CryptoAttribute {
  /** 1 to 999,999,999. */
  readonly tag: number;
  readonly suite: CryptoSuite;
  /** One, or several with an MKI each. */
  readonly keys: readonly [CryptoKey, ...CryptoKey[]];
  /** Window size hint, RFC 4568 §6.3.6. */
  readonly windowSizeHint?: number;
}
