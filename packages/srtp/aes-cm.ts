import { createCipheriv, createHmac, timingSafeEqual } from 'node:crypto';
import { readU32, writeU32 } from '@ringfence/bytes/reader.ts';
import { type SessionKeys, wipeKeys } from './key-derivation.ts';
import { rolloverCounterOf, xorIndex48, xorU32 } from './packet-index.ts';
import type { SuiteParameters } from './suite.ts';
import { encryptedFlag, indexWordLength, type Transform } from './transform.ts';

/** The first counter block: (salt * 2^16) XOR (SSRC * 2^64) XOR (index * 2^16), RFC 3711 §4.1.1. */
export function counterBlock(salt: Uint8Array, ssrc: number, index: number): Uint8Array {
  const block = new Uint8Array(16);
  block.set(salt);
  xorU32(block, 4, ssrc);
  xorIndex48(block, 8, index);
  return block;
}

/** Encrypts and decrypts alike, RFC 3711 §4.1.1, RFC 6188 §2; a packet is far below 2^16 blocks. */
export const aesCounterMode = (key: Uint8Array, counter: Uint8Array, data: Uint8Array): Uint8Array =>
  createCipheriv(`aes-${key.length * 8}-ctr`, key, counter).update(data);

/** AES counter mode with a HMAC-SHA1 tag: RFC 3711 §4, RFC 6188. */
export class AesCmTransform implements Transform {
  readonly behindMki: { readonly rtp: number; readonly rtcp: number };
  readonly overhead: { readonly rtp: number; readonly rtcp: number };
  readonly #rtp: SessionKeys;
  readonly #rtcp: SessionKeys;

  constructor(suite: SuiteParameters, keys: { readonly rtp: SessionKeys; readonly rtcp: SessionKeys }) {
    this.#rtp = keys.rtp;
    this.#rtcp = keys.rtcp;
    this.behindMki = { rtp: suite.srtpTagLength, rtcp: suite.srtcpTagLength };
    this.overhead = { rtp: suite.srtpTagLength, rtcp: suite.srtcpTagLength + indexWordLength };
  }

  /** Header | encrypted payload | MKI | tag; the tag covers header, payload and rollover counter, §4.2. */
  protectRtp(packet: Uint8Array, headerLength: number, index: number, mki: Uint8Array): Uint8Array {
    const tagLength = this.behindMki.rtp;
    const out = new Uint8Array(packet.length + mki.length + tagLength);
    out.set(packet.subarray(0, headerLength));
    const counter = counterBlock(this.#rtp.salt, readU32(packet, 8), index);
    out.set(aesCounterMode(this.#rtp.encryption, counter, packet.subarray(headerLength)), headerLength);
    out.set(mki, packet.length);
    const tag = this.#rtpTag(out.subarray(0, packet.length), index);
    out.set(tag.subarray(0, tagLength), packet.length + mki.length);
    return out;
  }

  unprotectRtp(
    packet: Uint8Array,
    headerLength: number,
    index: number,
    mkiLength: number,
  ): Uint8Array | undefined {
    const tagAt = packet.length - this.behindMki.rtp;
    const end = tagAt - mkiLength;
    const tag = this.#rtpTag(packet.subarray(0, end), index).subarray(0, this.behindMki.rtp);
    if (!timingSafeEqual(tag, packet.subarray(tagAt))) return undefined;
    const out = packet.slice(0, end);
    const counter = counterBlock(this.#rtp.salt, readU32(packet, 8), index);
    out.set(aesCounterMode(this.#rtp.encryption, counter, packet.subarray(headerLength, end)), headerLength);
    return out;
  }

  /** First 8 octets | encrypted rest | E flag and index | MKI | tag; the tag covers all before the MKI, §3.4. */
  protectRtcp(packet: Uint8Array, index: number, mki: Uint8Array): Uint8Array {
    const tagLength = this.behindMki.rtcp;
    const end = packet.length + indexWordLength;
    const out = new Uint8Array(end + mki.length + tagLength);
    out.set(packet.subarray(0, 8));
    const counter = counterBlock(this.#rtcp.salt, readU32(packet, 4), index);
    out.set(aesCounterMode(this.#rtcp.encryption, counter, packet.subarray(8)), 8);
    writeU32(out, packet.length, (encryptedFlag | index) >>> 0);
    out.set(mki, end);
    out.set(this.#rtcpTag(out.subarray(0, end)).subarray(0, tagLength), end + mki.length);
    return out;
  }

  unprotectRtcp(
    packet: Uint8Array,
    index: number,
    encrypted: boolean,
    mkiLength: number,
  ): Uint8Array | undefined {
    const tagAt = packet.length - this.behindMki.rtcp;
    const wordAt = tagAt - mkiLength - indexWordLength;
    const tag = this.#rtcpTag(packet.subarray(0, wordAt + indexWordLength)).subarray(0, this.behindMki.rtcp);
    if (!timingSafeEqual(tag, packet.subarray(tagAt))) return undefined;
    const out = packet.slice(0, wordAt);
    if (!encrypted) return out;
    const counter = counterBlock(this.#rtcp.salt, readU32(packet, 4), index);
    out.set(aesCounterMode(this.#rtcp.encryption, counter, packet.subarray(8, wordAt)), 8);
    return out;
  }

  wipe(): void {
    wipeKeys(this.#rtp);
    wipeKeys(this.#rtcp);
  }

  #rtpTag(covered: Uint8Array, index: number): Buffer {
    const rolloverCounter = new Uint8Array(4);
    writeU32(rolloverCounter, 0, rolloverCounterOf(index));
    return createHmac('sha1', this.#rtp.authentication).update(covered).update(rolloverCounter).digest();
  }

  #rtcpTag(covered: Uint8Array): Buffer {
    return createHmac('sha1', this.#rtcp.authentication).update(covered).digest();
  }
}
