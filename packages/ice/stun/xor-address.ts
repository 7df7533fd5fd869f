import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { addressOctets, addressText } from '../address.ts';
import { magicCookie, type TransportAddress } from './message.ts';

/*
 * RFC 8489 §14.2, figure 6
 *
 *    0                   1                   2                   3
 *    0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |0 0 0 0 0 0 0 0|    Family     |         X-Port                |
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 *   |                X-Address (Variable)
 *   +-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+-+
 */

/** What address and port are mixed with: the cookie, then the transaction id. */
function mask(transactionId: Uint8Array): Uint8Array {
  const octets = new Uint8Array(16);
  new DataView(octets.buffer).setUint32(0, magicCookie);
  octets.set(transactionId, 4);
  return octets;
}

/** `undefined` where the value is no XOR-MAPPED-ADDRESS. */
export function readXorAddress(value: Uint8Array, transactionId: Uint8Array): TransportAddress | undefined {
  const length = value[1] === 1 ? 4 : value[1] === 2 ? 16 : 0;
  if (length === 0 || value.length !== 4 + length) return undefined;
  const key = mask(transactionId);
  const port = ((value[2]! ^ key[0]!) << 8) | (value[3]! ^ key[1]!);
  return { address: addressText(value.subarray(4).map((octet, i) => octet ^ key[i]!)), port };
}

/** @throws MisuseError `stun-encode` where the address is none. */
export function writeXorAddress({ address, port }: TransportAddress, transactionId: Uint8Array): Uint8Array {
  const octets = addressOctets(address);
  if (octets === undefined || !Number.isInteger(port) || port < 0 || port > 65_535)
    throw new MisuseError('stun-encode', 'a mapped address is an address literal and a port');
  const key = mask(transactionId);
  const value = new Uint8Array(4 + octets.length);
  value[1] = octets.length === 4 ? 1 : 2;
  value[2] = (port >>> 8) ^ key[0]!;
  value[3] = (port & 0xff) ^ key[1]!;
  octets.forEach((octet, i) => {
    value[4 + i] = octet ^ key[i]!;
  });
  return value;
}
