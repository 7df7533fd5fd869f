import { createCipheriv, createDecipheriv } from 'node:crypto';
import { readU32, writeU32 } from '@ringfence/bytes/reader.ts';
import { type SessionKeys, wipeKeys } from './key-derivation.ts';
import { xorIndex48, xorU32 } from './packet-index.ts';
import { encryptedFlag, indexWordLength, type Transform } from './transform.ts';

const tagLength = 16;

/** 00 00 | SSRC | rollover counter | sequence number, XOR salt, RFC 7714 §8.1. */
export function rtpNonce(salt: Uint8Array, ssrc: number, index: number): Uint8Array {
  const nonce = Uint8Array.from(salt);
  xorU32(nonce, 2, ssrc);
  xorIndex48(nonce, 6, index);
  return nonce;
}

/** 00 00 | SSRC | 00 00 | 0 and 31 bits of index, XOR salt, RFC 7714 §9.1. */
export function rtcpNonce(salt: Uint8Array, ssrc: number, index: number): Uint8Array {
  const nonce = Uint8Array.from(salt);
  xorU32(nonce, 2, ssrc);
  xorU32(nonce, 8, index);
  return nonce;
}

const algorithm = (key: Uint8Array) => (key.length === 32 ? 'aes-256-gcm' : 'aes-128-gcm');

/** Encrypts `data` and puts the tag behind it. */
function seal(key: Uint8Array, nonce: Uint8Array, associated: Uint8Array, data: Uint8Array): Uint8Array {
  const cipher = createCipheriv(algorithm(key), key, nonce, { authTagLength: tagLength });
  cipher.setAAD(associated);
  const out = new Uint8Array(data.length + tagLength);
  out.set(cipher.update(data));
  cipher.final();
  out.set(cipher.getAuthTag(), data.length);
  return out;
}

function open(
  key: Uint8Array,
  nonce: Uint8Array,
  associated: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  const end = sealed.length - tagLength;
  const decipher = createDecipheriv(algorithm(key), key, nonce, { authTagLength: tagLength });
  decipher.setAAD(associated);
  decipher.setAuthTag(sealed.subarray(end));
  const data = decipher.update(sealed.subarray(0, end));
  try {
    decipher.final();
  } catch {
    // The only way in which node:crypto reports a tag that does not match.
    return undefined;
  }
  return data;
}

/** AES-GCM, RFC 7714 §8 and §9. */
export class AeadGcmTransform implements Transform {
  readonly behindMki = { rtp: 0, rtcp: 0 } as const;
  readonly overhead = { rtp: tagLength, rtcp: tagLength + indexWordLength } as const;
  readonly #rtp: SessionKeys;
  readonly #rtcp: SessionKeys;

  constructor(keys: { readonly rtp: SessionKeys; readonly rtcp: SessionKeys }) {
    this.#rtp = keys.rtp;
    this.#rtcp = keys.rtcp;
  }

  /** Header | encrypted payload | tag | MKI; the header is the associated data, §8.2. */
  protectRtp(packet: Uint8Array, headerLength: number, index: number, mki: Uint8Array): Uint8Array {
    const header = packet.subarray(0, headerLength);
    const nonce = rtpNonce(this.#rtp.salt, readU32(packet, 8), index);
    const sealed = seal(this.#rtp.encryption, nonce, header, packet.subarray(headerLength));
    const out = new Uint8Array(headerLength + sealed.length + mki.length);
    out.set(header);
    out.set(sealed, headerLength);
    out.set(mki, headerLength + sealed.length);
    return out;
  }

  unprotectRtp(
    packet: Uint8Array,
    headerLength: number,
    index: number,
    mkiLength: number,
  ): Uint8Array | undefined {
    const header = packet.subarray(0, headerLength);
    const nonce = rtpNonce(this.#rtp.salt, readU32(packet, 8), index);
    const sealed = packet.subarray(headerLength, packet.length - mkiLength);
    const data = open(this.#rtp.encryption, nonce, header, sealed);
    if (data === undefined) return undefined;
    const out = packet.slice(0, headerLength + data.length);
    out.set(data, headerLength);
    return out;
  }

  /** First 8 octets | encrypted rest | tag | E flag and index | MKI, §9.2. */
  protectRtcp(packet: Uint8Array, index: number, mki: Uint8Array): Uint8Array {
    const associated = new Uint8Array(8 + indexWordLength);
    associated.set(packet.subarray(0, 8));
    writeU32(associated, 8, (encryptedFlag | index) >>> 0);
    const nonce = rtcpNonce(this.#rtcp.salt, readU32(packet, 4), index);
    const sealed = seal(this.#rtcp.encryption, nonce, associated, packet.subarray(8));
    const out = new Uint8Array(8 + sealed.length + indexWordLength + mki.length);
    out.set(packet.subarray(0, 8));
    out.set(sealed, 8);
    out.set(associated.subarray(8), 8 + sealed.length);
    out.set(mki, 8 + sealed.length + indexWordLength);
    return out;
  }

  /** Without the E flag all of the packet is associated data and only the tag is sealed, §9.3. */
  unprotectRtcp(
    packet: Uint8Array,
    index: number,
    encrypted: boolean,
    mkiLength: number,
  ): Uint8Array | undefined {
    const wordAt = packet.length - mkiLength - indexWordLength;
    const clear = encrypted ? 8 : wordAt - tagLength;
    const associated = new Uint8Array(clear + indexWordLength);
    associated.set(packet.subarray(0, clear));
    associated.set(packet.subarray(wordAt, wordAt + indexWordLength), clear);
    const nonce = rtcpNonce(this.#rtcp.salt, readU32(packet, 4), index);
    const data = open(this.#rtcp.encryption, nonce, associated, packet.subarray(clear, wordAt));
    if (data === undefined) return undefined;
    const out = packet.slice(0, clear + data.length);
    out.set(data, clear);
    return out;
  }

  wipe(): void {
    wipeKeys(this.#rtp);
    wipeKeys(this.#rtcp);
  }
}
