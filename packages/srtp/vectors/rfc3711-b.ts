import { hex } from './hex.ts';

/** RFC 3711 appendix B.2, AES-CM: SSRC 0, index 0. B.1 is AES-f8, which no suite here has. */
export const keystream = {
  sessionKey: hex('2B7E151628AED2A6ABF7158809CF4F3C'),
  /** The RFC prints the offset F0F1F2F3F4F5F6F7F8F9FAFBFCFD0000: the salt times 2^16. */
  sessionSalt: hex('F0F1F2F3F4F5F6F7F8F9FAFBFCFD'),
  /** Number of the block -> keystream. */
  blocks: [
    [0x0000, hex('E03EAD0935C95E80E166B16DD92B4EB4')],
    [0x0001, hex('D23513162B02D0F72A43A2FE4A5F97AB')],
    [0x0002, hex('41E95B3BB0A2E8DD477901E4FCA894C0')],
    [0xfeff, hex('EC8CDF7398607CB0F2D21675EA9EA1E4')],
    [0xff00, hex('362B7C3C6773516318A077D7FC5073AE')],
    [0xff01, hex('6A2CC3787889374FBEB4C81B17BA6C44')],
  ] as readonly (readonly [number, Uint8Array])[],
} as const;

/** RFC 3711 appendix B.3, key derivation. */
export const keyDerivation = {
  masterKey: hex('E1F97A0D3E018BE0D64FA32C06DE4139'),
  masterSalt: hex('0EC675AD498AFEEBB6960B3AABE6'),
  cipherKey: hex('C61E7A93744F39EE10734AFE3FF7A087'),
  cipherSalt: hex('30CBBC08863D8C85D49DB34A9AE1'),
  /** Longer than any HMAC-SHA1 key: the RFC shows a key of 94 octets. */
  authenticationKey: hex(`
    CEBE321F6FF7716B6FD4AB49AF256A15 6D38BAA48F0A0ACF3C34E2359E6CDBCE
    E049646C43D9327AD175578EF7227098 6371C10C9A369AC2F94A8C5FBCDDDC25
    6D6E919A48B610EF17C2041E47403576 6B68642C59BBFC2F34DB60DBDFB2`),
} as const;
