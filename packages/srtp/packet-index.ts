/**
 * The arithmetic of packet indexes: 48 bits, a 32-bit rollover counter over a 16-bit sequence number,
 * RFC 3711 §3.3.1.
 *
 * JavaScript's bit operators have 32 bits and a sign, so none is used on an index; a number holds 53 bits exactly.
 */

/** 2^48 - 1: the last SRTP index of a key. */
export const lastRtpIndex = 2 ** 48 - 1;

/** 2^31 - 1: the last SRTCP index of a key, RFC 3711 §3.4. */
export const lastRtcpIndex = 2 ** 31 - 1;

/** 2^32 - 1. */
export const lastRolloverCounter = 2 ** 32 - 1;

const sequences = 2 ** 16;
const half = 2 ** 15;

export const packetIndex = (rolloverCounter: number, sequence: number): number =>
  rolloverCounter * sequences + sequence;

export const rolloverCounterOf = (index: number): number => Math.floor(index / sequences);

export const sequenceOf = (index: number): number => index % sequences;

/**
 * The index that a received sequence number most likely has, RFC 3711 §3.3.1 and appendix A.
 *
 * `highest` is the highest index authenticated so far. `undefined` where the packet would lie before index 0 or
 * behind the last one: no key covers it.
 */
export function estimateIndex(highest: number, sequence: number): number | undefined {
  const rolloverCounter = rolloverCounterOf(highest);
  const last = sequenceOf(highest);
  let guess = rolloverCounter;
  if (last < half) {
    if (sequence - last > half) guess -= 1;
  } else if (last - half > sequence) guess += 1;
  const index = packetIndex(guess, sequence);
  return index < 0 || index > lastRtpIndex ? undefined : index;
}

/** Exclusive-ors an index into six octets, most significant first. */
export function xorIndex48(into: Uint8Array, at: number, index: number): void {
  const high = Math.floor(index / 2 ** 32);
  const low = index % 2 ** 32;
  into[at]! ^= high >>> 8;
  into[at + 1]! ^= high & 0xff;
  into[at + 2]! ^= low >>> 24;
  into[at + 3]! ^= (low >>> 16) & 0xff;
  into[at + 4]! ^= (low >>> 8) & 0xff;
  into[at + 5]! ^= low & 0xff;
}

/** Exclusive-ors four octets of an unsigned number into place. */
export function xorU32(into: Uint8Array, at: number, value: number): void {
  into[at]! ^= value >>> 24;
  into[at + 1]! ^= (value >>> 16) & 0xff;
  into[at + 2]! ^= (value >>> 8) & 0xff;
  into[at + 3]! ^= value & 0xff;
}
