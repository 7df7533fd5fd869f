import { image } from './hash-chain.ts';

/** The only version that is spoken, RFC 6189 §1. */
export const zrtpVersion = '1.10';

/** What `a=zrtp-hash` binds to signalling: SHA-256 over the Hello message, without its packet, RFC 6189 §8.1. */
export const helloHashOf = (hello: Uint8Array): Uint8Array => image(hello);

/** Value of `a=zrtp-hash`. */
export const helloHashAttribute = (helloHash: Uint8Array): string =>
  `${zrtpVersion} ${Buffer.from(helloHash).toString('hex')}`;

/** Reads a value of `a=zrtp-hash`: version token, and 32 octets in hexadecimal; anything else is none. */
export function parseHelloHash(
  value: string,
): { readonly version: string; readonly helloHash: Uint8Array } | undefined {
  const space = value.indexOf(' ');
  const version = value.slice(0, space);
  const digits = value.slice(space + 1).trim();
  if (space < 1 || space > 16 || !/^[0-9A-Za-z.]+$/.test(version) || !/^[0-9A-Fa-f]{64}$/.test(digits))
    return undefined;
  return { version, helloHash: Uint8Array.from(Buffer.from(digits, 'hex')) };
}
