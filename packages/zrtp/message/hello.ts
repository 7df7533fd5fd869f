import { mostOfAKind } from '../algorithm.ts';
import type { OfferedBlocks } from '../negotiate.ts';
import { asciiOf, beginMessage, bodyOf, textOf } from './frame.ts';

/** Octets of a Hello that names no algorithm at all. */
const shortest = 22 * 4;

/** Hello, RFC 6189 §5.2. */
export interface HelloMessage extends OfferedBlocks {
  readonly type: 'Hello   ';
  /** `1.10`. */
  readonly version: string;
  /** 16 characters. */
  readonly clientId: string;
  readonly h3: Uint8Array;
  /** 12 octets. */
  readonly zid: Uint8Array;
  /** S: can verify signatures of the SAS. */
  readonly signatures: boolean;
  /** M: can send SASrelay. */
  readonly mitm: boolean;
  /** P: never commits. */
  readonly passive: boolean;
  readonly mac: Uint8Array;
}

export function decodeHello(message: Uint8Array): HelloMessage | undefined {
  const body = bodyOf(message);
  if (body === undefined || message.length < shortest) return undefined;
  const version = textOf(body.bytes(4)!);
  const clientId = textOf(body.bytes(16)!);
  const h3 = body.bytes(32)!;
  const zid = body.bytes(12)!;
  const flags = body.u32()!;
  const counts = [16, 12, 8, 4, 0].map((shift) => (flags >>> shift) & 0xf);
  if (counts.some((count) => count > mostOfAKind)) return undefined;
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (message.length !== shortest + total * 4) return undefined;
  const [hashes, ciphers, authTags, keyAgreements, sasTypes] = counts.map((count) =>
    Array.from({ length: count }, () => textOf(body.bytes(4)!)),
  );
  return {
    type: 'Hello   ',
    version,
    clientId,
    h3,
    zid,
    signatures: (flags & 0x4000_0000) !== 0,
    mitm: (flags & 0x2000_0000) !== 0,
    passive: (flags & 0x1000_0000) !== 0,
    hashes: hashes!,
    ciphers: ciphers!,
    authTags: authTags!,
    keyAgreements: keyAgreements!,
    sasTypes: sasTypes!,
    mac: body.bytes(8)!,
  };
}

/** The client identifier as people may see it: what is not printable, and the fill at its end, is left out. */
export const clientName = (hello: HelloMessage): string =>
  Array.from(hello.clientId, (letter) => (letter >= ' ' && letter <= '~' ? letter : ' '))
    .join('')
    .trimEnd();

/** The message with a MAC of zeros, which `seal` of the hash chain fills in. */
export function encodeHello(hello: Omit<HelloMessage, 'type' | 'mac'>): Uint8Array {
  const lists = [hello.hashes, hello.ciphers, hello.authTags, hello.keyAgreements, hello.sasTypes];
  const blocks = lists.flat();
  const flags = (hello.signatures ? 4 : 0) | (hello.mitm ? 2 : 0) | (hello.passive ? 1 : 0);
  const counts = lists.reduce((word, list) => word * 16 + list.length, 0);
  const message = beginMessage('Hello   ', shortest / 4 + blocks.length)
    .bytes(asciiOf(hello.version))
    .bytes(asciiOf(hello.clientId.padEnd(16)))
    .bytes(hello.h3)
    .bytes(hello.zid)
    .u32(flags * 2 ** 28 + counts);
  for (const block of blocks) message.bytes(asciiOf(block));
  return message.zeros(8).finish();
}
