/** SDES crypto suites: RFC 4568 §6.2, RFC 6188 §4, RFC 7714 §14.2. Strongest first. */
export const suites = [
  'AEAD_AES_256_GCM',
  'AEAD_AES_128_GCM',
  'AES_256_CM_HMAC_SHA1_80',
  'AES_CM_128_HMAC_SHA1_80',
  'AES_256_CM_HMAC_SHA1_32',
  'AES_CM_128_HMAC_SHA1_32',
] as const;

export type Suite = (typeof suites)[number];

export interface SuiteParameters {
  readonly suite: Suite;
  readonly aead: boolean;
  /** Octets. */
  readonly masterKeyLength: number;
  /** Octets. */
  readonly masterSaltLength: number;
  /** Octets of authentication tag on SRTP packets. */
  readonly srtpTagLength: number;
  /** Octets of authentication tag on SRTCP packets. */
  readonly srtcpTagLength: number;
  /** Number that names the suite on the relay's control socket and in native code. */
  readonly id: number;
}

const row = (
  suite: Suite,
  id: number,
  aead: boolean,
  masterKeyLength: number,
  masterSaltLength: number,
  srtpTagLength: number,
  srtcpTagLength: number,
): SuiteParameters => ({
  suite,
  id,
  aead,
  masterKeyLength,
  masterSaltLength,
  srtpTagLength,
  srtcpTagLength,
});

export const suiteParameters: Readonly<Record<Suite, SuiteParameters>> = {
  AEAD_AES_256_GCM: row('AEAD_AES_256_GCM', 6, true, 32, 12, 16, 16),
  AEAD_AES_128_GCM: row('AEAD_AES_128_GCM', 5, true, 16, 12, 16, 16),
  AES_256_CM_HMAC_SHA1_80: row('AES_256_CM_HMAC_SHA1_80', 3, false, 32, 14, 10, 10),
  AES_CM_128_HMAC_SHA1_80: row('AES_CM_128_HMAC_SHA1_80', 1, false, 16, 14, 10, 10),
  AES_256_CM_HMAC_SHA1_32: row('AES_256_CM_HMAC_SHA1_32', 4, false, 32, 14, 4, 10),
  AES_CM_128_HMAC_SHA1_32: row('AES_CM_128_HMAC_SHA1_32', 2, false, 16, 14, 4, 10),
};
