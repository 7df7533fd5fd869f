import { hex } from './hex.ts';

/** RFC 6188 §7.1, AES-256-CM: SSRC 0, index 0. §7.3 and §7.4 are AES-192, which SDES of ours does not offer. */
export const keystream256 = {
  sessionKey: hex('57f82fe3613fd170a85ec93c40b1f092 2ec4cb0dc025b58272147cc438944a98'),
  sessionSalt: hex('f0f1f2f3f4f5f6f7f8f9fafbfcfd'),
  blocks: [
    [0x0000, hex('92bdd28a93c3f52511c677d08b5515a4')],
    [0x0001, hex('9da71b2378a854f67050756ded165bac')],
    [0x0002, hex('63c4868b7096d88421b563b8c94c9a31')],
    [0xfeff, hex('cea518c90fd91ced9cbb18c078a54711')],
    [0xff00, hex('3dbc4814f4da5f00a08772b63c6a046d')],
    [0xff01, hex('6eb246913062a16891433e97dd01a57f')],
  ] as readonly (readonly [number, Uint8Array])[],
} as const;

/** RFC 6188 §7.2, key derivation of AES_256_CM. */
export const keyDerivation256 = {
  masterKey: hex('f0f04914b513f2763a1b1fa130f10e29 98f6f6e43e4309d1e622a0e332b9f1b6'),
  masterSalt: hex('3b04803de51ee7c96423ab5b78d2'),
  cipherKey: hex('5ba1064e30ec51613cad926c5a28ef73 1ec7fb397f70a960653caf06554cd8c4'),
  cipherSalt: hex('fa31791685ca444a9e07c6c64e93'),
  authenticationKey: hex('fd9c32d39ed5fbb5a9dc96b30818454d1313dc05'),
} as const;
