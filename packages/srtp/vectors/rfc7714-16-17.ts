import { hex } from './hex.ts';

/** RFC 7714 §16 and §17: these vectors give session keys, so no key derivation comes before them. */
export const salt = hex('51756964 2070726f 2071756f');
export const key128 = hex('00010203 04050607 08090a0b 0c0d0e0f');
export const key256 = hex('00010203 04050607 08090a0b 0c0d0e0f 10111213 14151617 18191a1b 1c1d1e1f');

/** §16: SSRC 5501a0b2, rollover counter 0, sequence number f17b. */
export const rtp = hex(`
  8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976
  69736120 696e2070 61727465 73207472 6573`);
export const rtpNonce = hex('51 75 3c 65 80 c2 72 6f 20 71 84 14');

/** §16.1.1 and §16.1.2. */
export const srtp128 = hex(`
  8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5
  0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce`);

/** §16.2.1 and §16.2.2. */
export const srtp256 = hex(`
  8040f17b 8041f8d3 5501a0b2 32b1de78 a822fe12 ef9f78fa 332e33aa b1801238
  9a58e2f3 b50b2a02 76ffae0f 1ba63799 b87b7aa3 db36dfff d6b0f9bb 7878d7a7 6c13`);

/** The packet of §17.1 to §17.4: SSRC 4d617273, index 000005d4. */
export const rtcp = hex(`
  81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
  deadbeef deadbeef deadbeef deadbeef deadbeef`);
export const rtcpIndex = 0x5d4;
export const rtcpNonce = hex('51 75 24 05 52 03 72 6f 20 71 70 bb');

/** §17.1. */
export const srtcp128 = hex(`
  81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d
  c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872
  45d9eade 800005d4`);

/** §17.2. */
export const srtcp256 = hex(`
  81c8000d 4d617273 d50ae4d1 f5ce5d30 4ba297e4 7d470c28 2c3ece5d bffe0a50
  a2eaa5c1 110555be 8415f658 c61de047 6f1b6fad 1d1eb30c 4446839f 57ff6f6c
  b26ac3be 800005d4`);

/** §17.3: authenticated, not encrypted. */
export const srtcp128TagOnly = hex(`
  81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
  deadbeef deadbeef deadbeef deadbeef deadbeef 841dd968 3dd78ec9 2ae58790
  125f62b3 000005d4`);

/** §17.4. */
export const srtcp256TagOnly = hex(`
  81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
  deadbeef deadbeef deadbeef deadbeef deadbeef 91db4afb feee5a97 8fab4393
  ed2615fe 000005d4`);
