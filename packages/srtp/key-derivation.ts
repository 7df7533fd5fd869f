import { createCipheriv } from 'node:crypto';
import type { SuiteParameters } from './suite.ts';

/** Labels of RFC 3711 §4.3.1 and §4.3.2. */
export const label = {
  rtpEncryption: 0,
  rtpAuthentication: 1,
  rtpSalt: 2,
  rtcpEncryption: 3,
  rtcpAuthentication: 4,
  rtcpSalt: 5,
} as const;

export type Label = (typeof label)[keyof typeof label];

/** What protects one kind of packets, RTP or RTCP. */
export interface SessionKeys {
  readonly encryption: Uint8Array;
  /** Empty for AEAD suites, which need none. */
  readonly authentication: Uint8Array;
  readonly salt: Uint8Array;
}

/** Octets of a HMAC-SHA1 key, RFC 3711 §5.2. */
const authenticationKeyLength = 20;

/**
 * One session key: AES in counter mode over the label and the salt, RFC 3711 §4.3.3, RFC 6188 §3.
 *
 * The key derivation rate is 0, the default of RFC 3711 §4.3.1, so keys are derived once. A salt of 12 octets
 * counts as followed by two octets of zero, RFC 7714 §11.
 */
export function deriveKey(
  masterKey: Uint8Array,
  masterSalt: Uint8Array,
  which: Label,
  length: number,
): Uint8Array {
  const counter = new Uint8Array(16);
  counter.set(masterSalt);
  counter[7]! ^= which;
  const cipher = createCipheriv(`aes-${masterKey.length * 8}-ctr`, masterKey, counter);
  const keystream = cipher.update(new Uint8Array(length));
  const key = Uint8Array.from(keystream);
  keystream.fill(0);
  return key;
}

/** The session keys of both kinds of packets. */
export function deriveSessionKeys(
  suite: SuiteParameters,
  masterKey: Uint8Array,
  masterSalt: Uint8Array,
): { readonly rtp: SessionKeys; readonly rtcp: SessionKeys } {
  const derive = (encryption: Label, authentication: Label, salt: Label): SessionKeys => ({
    encryption: deriveKey(masterKey, masterSalt, encryption, suite.masterKeyLength),
    authentication: suite.aead
      ? new Uint8Array(0)
      : deriveKey(masterKey, masterSalt, authentication, authenticationKeyLength),
    salt: deriveKey(masterKey, masterSalt, salt, suite.masterSaltLength),
  });
  return {
    rtp: derive(label.rtpEncryption, label.rtpAuthentication, label.rtpSalt),
    rtcp: derive(label.rtcpEncryption, label.rtcpAuthentication, label.rtcpSalt),
  };
}

export function wipeKeys(keys: SessionKeys): void {
  keys.encryption.fill(0);
  keys.authentication.fill(0);
  keys.salt.fill(0);
}
