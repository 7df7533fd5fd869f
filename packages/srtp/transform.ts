/** The word in front of the end of an SRTCP packet: E flag and index, RFC 3711 §3.4. */
export const indexWordLength = 4;
export const encryptedFlag = 0x8000_0000;

/**
 * What a suite does to packets whose form, index and MKI are known: it moves no state.
 *
 * All methods give new memory. `undefined` says that the packet does not authenticate.
 */
export interface Transform {
  /** Octets that stand behind the MKI: a tag of HMAC does, a tag of GCM stands before it. */
  readonly behindMki: { readonly rtp: number; readonly rtcp: number };
  /** Octets that protection adds, MKI apart. */
  readonly overhead: { readonly rtp: number; readonly rtcp: number };
  protectRtp(packet: Uint8Array, headerLength: number, index: number, mki: Uint8Array): Uint8Array;
  unprotectRtp(
    packet: Uint8Array,
    headerLength: number,
    index: number,
    mkiLength: number,
  ): Uint8Array | undefined;
  protectRtcp(packet: Uint8Array, index: number, mki: Uint8Array): Uint8Array;
  unprotectRtcp(
    packet: Uint8Array,
    index: number,
    encrypted: boolean,
    mkiLength: number,
  ): Uint8Array | undefined;
  wipe(): void;
}
