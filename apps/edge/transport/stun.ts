import type { SocketAddress } from '@ringfence/sip/transport/flow.ts';
import { addressWords } from './local-address.ts';

const headerBytes = 20;
/** A keepalive has no attributes, or few. */
const mostBytes = 548;
const bindingRequest = 0x0001;
const bindingSuccess = 0x0101;
const magicCookie = 0x2112a442;
const xorMappedAddress = 0x0020;
/** From here on attributes may be passed over by who does not know them, RFC 8489 §14. */
const optional = 0x8000;

/** True for what begins as a STUN binding request does. */
export const isBindingRequest = (bytes: Uint8Array): boolean =>
  bytes.length >= headerBytes && bytes[0] === 0 && bytes[1] === bindingRequest;

/**
 * The answer to a STUN binding request that keeps a flow alive, RFC 5626 §8 and RFC 8489 §6.3: where it came from.
 *
 * ```
 *  0                   1                   2                   3
 *  |0 0|  message type             |  length, without these 20     |
 *  |                   magic cookie 0x2112A442                     |
 *  |                   transaction id (96 bits)                    |
 * ```
 *
 * Undefined for everything else: what is not whole, of another kind, or demands what nobody here knows.
 */
export function answerBinding(request: Uint8Array, from: SocketAddress): Uint8Array | undefined {
  if (!isBindingRequest(request) || request.length > mostBytes) return undefined;
  const view = new DataView(request.buffer, request.byteOffset, request.length);
  if (view.getUint16(2) !== request.length - headerBytes || view.getUint32(4) !== magicCookie)
    return undefined;
  for (let at = headerBytes; at < request.length; ) {
    if (at + 4 > request.length || view.getUint16(at) < optional) return undefined;
    at += 4 + ((view.getUint16(at + 2) + 3) & ~3);
    if (at > request.length) return undefined;
  }
  const six = from.address.includes(':');
  const valueBytes = six ? 20 : 8;
  const answer = new Uint8Array(headerBytes + 4 + valueBytes);
  const out = new DataView(answer.buffer);
  out.setUint16(0, bindingSuccess);
  out.setUint16(2, 4 + valueBytes);
  answer.set(request.subarray(4, headerBytes), 4);
  out.setUint16(20, xorMappedAddress);
  out.setUint16(22, valueBytes);
  out.setUint16(24, six ? 2 : 1);
  out.setUint16(26, from.port ^ (magicCookie >>> 16));
  // RFC 8489 §14.2: the address is laid over the cookie, and over the transaction id behind it.
  addressWords(from.address).forEach((word, i) => {
    out.setUint16(28 + 2 * i, word ^ view.getUint16(4 + 2 * i));
  });
  return answer;
}
