import { writeU32 } from '@ringfence/bytes/reader.ts';
import {
  type Choice,
  cipherKeyLength,
  type HashType,
  hashLength,
  type SrtpSuite,
  saltLength,
  suiteOf,
} from './algorithm.ts';
import { hash, mac } from './hash.ts';
import type { MessageKeys } from './message/encrypted.ts';
import { asciiOf } from './message/frame.ts';

const word = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4);
  writeU32(bytes, 0, value);
  return bytes;
};

/** KDF(KI, Label, Context, L), RFC 6189 §4.5.1; `length` in octets, at most those of the hash. */
export const deriveKey = (
  type: HashType,
  key: Uint8Array,
  label: string,
  context: Uint8Array,
  length: number,
): Uint8Array => {
  const whole = mac(type, key, word(1), asciiOf(label), Uint8Array.of(0), context, word(length * 8));
  const cut = whole.slice(0, length);
  whole.fill(0);
  return cut;
};

const none = new Uint8Array(0);
const counted = (secret: Uint8Array | undefined): Uint8Array[] => {
  const bytes = secret ?? none;
  return [word(bytes.length), bytes];
};

/** ZIDi and ZIDr. */
export interface Zids {
  readonly initiator: Uint8Array;
  readonly responder: Uint8Array;
}

const joined = (...parts: readonly Uint8Array[]): Uint8Array => {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
};

export const zidContext = (zids: Zids): Uint8Array => joined(zids.initiator, zids.responder);

/** KDF_Context, RFC 6189 §4.4.1.4. */
export const kdfContext = (zids: Zids, totalHash: Uint8Array): Uint8Array =>
  joined(zids.initiator, zids.responder, totalHash);

/** Secrets that both ends hold, RFC 6189 §4.3. */
export interface SharedSecrets {
  readonly s1?: Uint8Array | undefined;
  readonly s2?: Uint8Array | undefined;
  readonly s3?: Uint8Array | undefined;
}

/** s0 of DH mode, RFC 6189 §4.4.1.4. */
export const dhSecret = (
  type: HashType,
  dhResult: Uint8Array,
  zids: Zids,
  totalHash: Uint8Array,
  shared: SharedSecrets,
): Uint8Array =>
  hash(
    type,
    word(1),
    dhResult,
    asciiOf('ZRTP-HMAC-KDF'),
    zids.initiator,
    zids.responder,
    totalHash,
    ...counted(shared.s1),
    ...counted(shared.s2),
    ...counted(shared.s3),
  );

/** preshared_key, RFC 6189 §4.4.2.2. */
export const presharedKey = (
  type: HashType,
  rs1: Uint8Array,
  aux: Uint8Array | undefined,
  pbx: Uint8Array | undefined,
): Uint8Array => hash(type, ...counted(rs1), ...counted(aux), ...counted(pbx));

export const presharedKeyId = (type: HashType, key: Uint8Array): Uint8Array =>
  mac(type, key, asciiOf('Prsh')).slice(0, 8);

/** srtps, RFC 6189 §8.2: an auxiliary secret out of keys that signalling has exchanged. */
export const signallingSecret = (
  type: HashType,
  masterKey: Uint8Array,
  masterSalt: Uint8Array,
  zids: Zids,
): Uint8Array => deriveKey(type, masterKey, 'SRTP Secret', joined(zidContext(zids), masterSalt), 32);

/** pbxsecret, RFC 6189 §7.3.1. */
export const enrollmentSecret = (type: HashType, zrtpSession: Uint8Array, zids: Zids): Uint8Array =>
  deriveKey(type, zrtpSession, 'Trusted MiTM key', zidContext(zids), 32);

/** ZRTPSess after GoClear, RFC 6189 §4.7.2.1. */
export const renewedSession = (type: HashType, zrtpSession: Uint8Array, zids: Zids): Uint8Array =>
  deriveKey(type, zrtpSession, 'New ZRTP Session', zidContext(zids), hashLength[type]);

/** What both ends derive from s0 for one direction. */
export interface DirectionKeys {
  /** Master key, then master salt. */
  readonly srtp: Uint8Array;
  readonly message: MessageKeys;
}

export interface StreamKeys {
  readonly suite: SrtpSuite;
  readonly initiator: DirectionKeys;
  readonly responder: DirectionKeys;
}

/** Keys of SRTP, of MACs and of Confirm, RFC 6189 §4.5.3; the salt of GCM is derived at 12 octets, as bzrtp does. */
export function streamKeys(choice: Choice, s0: Uint8Array, context: Uint8Array): StreamKeys {
  const suite = suiteOf(choice);
  const keyLength = cipherKeyLength[choice.cipher];
  const derive = (label: string, length: number): Uint8Array =>
    deriveKey(choice.hash, s0, label, context, length);
  const direction = (who: 'Initiator' | 'Responder'): DirectionKeys => {
    const key = derive(`${who} SRTP master key`, keyLength);
    const salt = derive(`${who} SRTP master salt`, saltLength(choice.authTag));
    const srtp = joined(key, salt);
    key.fill(0);
    salt.fill(0);
    return {
      srtp,
      message: {
        hash: choice.hash,
        mac: derive(`${who} HMAC key`, hashLength[choice.hash]),
        cipher: derive(`${who} ZRTP key`, keyLength),
      },
    };
  };
  return { suite, initiator: direction('Initiator'), responder: direction('Responder') };
}

export function wipeDirection(keys: DirectionKeys): void {
  keys.srtp.fill(0);
  keys.message.mac.fill(0);
  keys.message.cipher.fill(0);
}

/** ZRTPSess, sashash and the new retained secret, RFC 6189 §4.5.2 and §4.6.1: DH and Preshared modes alone. */
export const sessionSecrets = (
  type: HashType,
  s0: Uint8Array,
  context: Uint8Array,
): { readonly zrtpSession: Uint8Array; readonly sasHash: Uint8Array; readonly rs1: Uint8Array } => ({
  zrtpSession: deriveKey(type, s0, 'ZRTP Session Key', context, hashLength[type]),
  sasHash: deriveKey(type, s0, 'SAS', context, 32),
  rs1: deriveKey(type, s0, 'retained secret', context, 32),
});

/** s0 of Preshared and Multistream, RFC 6189 §4.4.2.4 and §4.4.3.2. */
export const derivedSecret = (
  mode: 'Prsh' | 'Mult',
  type: HashType,
  key: Uint8Array,
  context: Uint8Array,
): Uint8Array => deriveKey(type, key, mode === 'Prsh' ? 'ZRTP PSK' : 'ZRTP MSK', context, hashLength[type]);
