/**
 * Type blocks of RFC 6189 §5.1.2 to §5.1.6 that are spoken here, and two that others have added: `X255`, X25519 with
 * public values as RFC 7748 writes them, and `GCM ` for AEAD_AES_128_GCM and AEAD_AES_256_GCM with a salt of 12 octets
 * (both of bzrtp, the second from its version 5.4 on).
 *
 * Left out: AES2 (no AES-192 in our SRTP), 2FS1 to 2FS3, SK32, SK64, N256, N384, EC52 (deprecated by the RFC itself).
 */
export const hashTypes = ['S256', 'S384'] as const;
export const cipherTypes = ['AES1', 'AES3'] as const;
export const authTagTypes = ['HS32', 'HS80', 'GCM '] as const;
export const dhTypes = ['X255', 'EC25', 'DH3k', 'EC38', 'DH2k'] as const;
export const keyAgreementTypes = [...dhTypes, 'Prsh', 'Mult'] as const;
export const sasTypes = ['B32 ', 'B256'] as const;

export type HashType = (typeof hashTypes)[number];
export type CipherType = (typeof cipherTypes)[number];
export type AuthTagType = (typeof authTagTypes)[number];
export type DhType = (typeof dhTypes)[number];
export type KeyAgreementType = (typeof keyAgreementTypes)[number];
export type SasType = (typeof sasTypes)[number];

/** One choice of each kind, as a Commit names it. */
export interface Choice {
  readonly hash: HashType;
  readonly cipher: CipherType;
  readonly authTag: AuthTagType;
  readonly keyAgreement: KeyAgreementType;
  readonly sas: SasType;
}

/** What an end can do, most wanted first. */
export interface Algorithms {
  readonly hashes: readonly HashType[];
  readonly ciphers: readonly CipherType[];
  readonly authTags: readonly AuthTagType[];
  readonly keyAgreements: readonly KeyAgreementType[];
  readonly sasTypes: readonly SasType[];
}

/** At most seven of a kind fit a Hello, RFC 6189 §5.2. */
export const mostOfAKind = 7;

/** DH2k is only there for peers that ask for it by themselves. */
export const defaultAlgorithms: Algorithms = {
  hashes: ['S256', 'S384'],
  ciphers: ['AES3', 'AES1'],
  authTags: ['GCM ', 'HS80', 'HS32'],
  keyAgreements: ['X255', 'EC25', 'EC38', 'DH3k', 'DH2k', 'Prsh', 'Mult'],
  sasTypes: ['B32 ', 'B256'],
};

/** Each end can do these, named or not; what is not named counts as wanted least, RFC 6189 §5.2. */
export const mandatory = {
  hashes: ['S256'],
  ciphers: ['AES1'],
  authTags: ['HS32', 'HS80'],
  keyAgreements: ['DH3k'],
  sasTypes: ['B32 '],
} as const satisfies Algorithms;

/** Octets of the AES key, for SRTP and for what Confirm encrypts. */
export const cipherKeyLength: Readonly<Record<CipherType, number>> = { AES1: 16, AES3: 32 };

/** Octets of hash and MAC. */
export const hashLength: Readonly<Record<HashType, number>> = { S256: 32, S384: 48 };

/** What SRTP is to be spoken with, by the names of RFC 4568 §6.2, RFC 6188 §4 and RFC 7714 §14.2. */
export type SrtpSuite =
  | 'AEAD_AES_256_GCM'
  | 'AEAD_AES_128_GCM'
  | 'AES_256_CM_HMAC_SHA1_80'
  | 'AES_CM_128_HMAC_SHA1_80'
  | 'AES_256_CM_HMAC_SHA1_32'
  | 'AES_CM_128_HMAC_SHA1_32';

export function suiteOf(choice: Pick<Choice, 'cipher' | 'authTag'>): SrtpSuite {
  const long = choice.cipher === 'AES3';
  if (choice.authTag === 'GCM ') return long ? 'AEAD_AES_256_GCM' : 'AEAD_AES_128_GCM';
  if (choice.authTag === 'HS80') return long ? 'AES_256_CM_HMAC_SHA1_80' : 'AES_CM_128_HMAC_SHA1_80';
  return long ? 'AES_256_CM_HMAC_SHA1_32' : 'AES_CM_128_HMAC_SHA1_32';
}

/** Octets of master salt, RFC 6189 §4.5.3; GCM has its own, RFC 7714 §12. */
export const saltLength = (authTag: AuthTagType): number => (authTag === 'GCM ' ? 12 : 14);

/** Name of the group of a key exchange, as protection records write it. */
export const groupOf: Readonly<Record<KeyAgreementType, string>> = {
  X255: 'X25519',
  EC25: 'P-256',
  EC38: 'P-384',
  DH3k: 'DH3k',
  DH2k: 'DH2k',
  Prsh: 'preshared',
  Mult: 'multistream',
};
