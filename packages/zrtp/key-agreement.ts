import {
  createECDH,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  getDiffieHellman,
  type KeyObject,
} from 'node:crypto';
import type { DhType } from './algorithm.ts';
import { publicValueLength } from './message/dh-part.ts';

/** One end's pair for one exchange. */
export interface KeyPair {
  readonly type: DhType;
  /** As DHPart carries it. */
  readonly publicValue: Uint8Array;
  /** DHResult at its full width, RFC 6189 §4.4.1.4; undefined for a public value that nobody honest sends. */
  agree(peer: Uint8Array): Uint8Array | undefined;
  wipe(): void;
}

/** Makes a pair out of random octets that are handed in. */
export function makeKeyPair(type: DhType, random: (length: number) => Uint8Array): KeyPair {
  if (type === 'X255') return x25519Pair(random(32));
  if (type === 'EC25') return curvePair(type, 'prime256v1', random, 32);
  if (type === 'EC38') return curvePair(type, 'secp384r1', random, 48);
  return modularPair(type, random);
}

const joined = (...parts: readonly Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));

/** PKCS #8 and SPKI around the 32 octets of RFC 8410. */
const x25519Private = Buffer.from('302e020100300506032b656e04220420', 'hex');
const x25519Public = Buffer.from('302a300506032b656e032100', 'hex');

/** X25519 with the octets of RFC 7748 §5, no SHA over the result, as bzrtp does it. */
function x25519Pair(secret: Uint8Array): KeyPair {
  const wrapped = joined(x25519Private, secret);
  const key = createPrivateKey({ key: Buffer.from(wrapped), format: 'der', type: 'pkcs8' });
  wrapped.fill(0);
  const exported = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return {
    type: 'X255',
    publicValue: Uint8Array.from(exported.subarray(-32)),
    agree: (peer) => (peer.length === 32 ? agreed(key, joined(x25519Public, peer), 32) : undefined),
    wipe: () => secret.fill(0),
  };
}

/** OpenSSL refuses what is of small order, not on its curve or not in its group. */
function agreed(key: KeyObject, spki: Uint8Array, length: number): Uint8Array | undefined {
  try {
    const publicKey = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    return padded(diffieHellman({ privateKey: key, publicKey }), length);
  } catch {
    return undefined;
  }
}

function padded(bytes: Uint8Array, length: number): Uint8Array {
  const whole = new Uint8Array(length);
  whole.set(bytes, length - bytes.length);
  bytes.fill(0);
  return whole;
}

/** X and Y on the wire, X alone as result: RFC 6189 §5.1.5. A point that is off the curve is refused by OpenSSL. */
function curvePair(
  type: 'EC25' | 'EC38',
  curve: string,
  random: (length: number) => Uint8Array,
  length: number,
): KeyPair {
  const ecdh = createECDH(curve);
  for (let tries = 0; ; tries++) {
    const secret = random(length);
    try {
      ecdh.setPrivateKey(secret);
      secret.fill(0);
      break;
    } catch (error) {
      // A number that is zero or not below the order: P-256 has one in 2^32, and a constant source is a fault of ours.
      if (tries === 3) throw error;
    }
  }
  return {
    type,
    publicValue: Uint8Array.from(ecdh.getPublicKey().subarray(1)),
    agree(peer) {
      if (peer.length !== length * 2) return undefined;
      try {
        return padded(ecdh.computeSecret(joined(Uint8Array.of(4), peer)), length);
      } catch {
        return undefined;
      }
    },
    wipe: () => ecdh.setPrivateKey(Buffer.alloc(length, 1)),
  };
}

/** A DER element of less than 64 KiB. */
function der(tag: number, ...parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const octets = length < 128 ? [length] : length < 256 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return joined(Uint8Array.of(tag, ...octets), ...parts);
}

/** A number above zero: no leading zeros but the one that keeps it from being negative. */
function derInteger(bytes: Uint8Array): Uint8Array {
  let from = 0;
  while (from < bytes.length - 1 && bytes[from] === 0) from++;
  const number = bytes.subarray(from);
  return number[0]! & 0x80 ? der(2, Uint8Array.of(0), number) : der(2, number);
}

const dhKeyAgreement = Buffer.from('06092a864886f70d010301', 'hex');

interface Group {
  readonly prime: Uint8Array;
  readonly algorithm: Uint8Array;
}

/** Groups of RFC 3526 §3 and §4, generator 2. */
const group = (name: string): Group => {
  const prime = Uint8Array.from(getDiffieHellman(name).getPrime());
  const parameters = der(0x30, derInteger(prime), derInteger(Uint8Array.of(2)));
  return { prime, algorithm: der(0x30, dhKeyAgreement, parameters) };
};
const groups = { DH2k: group('modp14'), DH3k: group('modp15') } as const;

/** 512 bits: twice the longest AES key, RFC 6189 §5.1.5. */
const exponentLength = 64;

function modularPair(type: 'DH2k' | 'DH3k', random: (length: number) => Uint8Array): KeyPair {
  const { prime, algorithm } = groups[type];
  const exponent = random(exponentLength);
  // The highest bit keeps the number at its length.
  exponent[0]! |= 0x80;
  const wrapped = der(0x30, derInteger(Uint8Array.of(0)), algorithm, der(4, derInteger(exponent)));
  const key = createPrivateKey({ key: Buffer.from(wrapped), format: 'der', type: 'pkcs8' });
  wrapped.fill(0);
  const length = publicValueLength[type];
  const exported = createPublicKey(key).export({ format: 'der', type: 'spki' });
  return {
    type,
    publicValue: modulusTail(exported, length),
    agree(peer) {
      if (peer.length !== length || !inRange(peer, prime)) return undefined;
      const bits = der(3, Uint8Array.of(0), derInteger(peer));
      return agreed(key, der(0x30, algorithm, bits), length);
    },
    wipe: () => exponent.fill(0),
  };
}

/** The integer at the end of an SPKI, at full width: leading zeros are not cut, RFC 6189 §4.4.1.1. */
function modulusTail(spki: Uint8Array, length: number): Uint8Array {
  // BIT STRING, unused bits, INTEGER with one, two or three octets of length; found from the outer lengths.
  let at = skipHeader(spki, 0);
  at = skipElement(spki, at);
  at = skipHeader(spki, at) + 1;
  const number = spki.subarray(skipHeader(spki, at));
  const bare = number.length > length ? number.subarray(number.length - length) : number;
  const whole = new Uint8Array(length);
  whole.set(bare, length - bare.length);
  return whole;
}

const lengthOctets = (bytes: Uint8Array, at: number): number =>
  bytes[at + 1]! < 128 ? 0 : bytes[at + 1]! & 0x7f;
const skipHeader = (bytes: Uint8Array, at: number): number => at + 2 + lengthOctets(bytes, at);
function skipElement(bytes: Uint8Array, at: number): number {
  const octets = lengthOctets(bytes, at);
  let length = octets === 0 ? bytes[at + 1]! : 0;
  for (let i = 0; i < octets; i++) length = length * 256 + bytes[at + 2 + i]!;
  return at + 2 + octets + length;
}

/** 1 < value < p - 1: neither 0, 1 nor p-1, RFC 6189 §4.4.1.2, nor what is not below p at all. */
function inRange(value: Uint8Array, prime: Uint8Array): boolean {
  const last = value.length - 1;
  const tiny = value.subarray(0, last).every((octet) => octet === 0) && value[last]! < 2;
  if (tiny) return false;
  // p is odd, so p-1 differs from it in the last octet alone.
  for (let i = 0; i < last; i++) if (value[i] !== prime[i]) return value[i]! < prime[i]!;
  return value[last]! < prime[last]! - 1;
}
