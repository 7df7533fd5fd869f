import { lookup } from 'node:dns/promises';
import { BlockList, isIP, isIPv4 } from 'node:net';

const inside4 = new BlockList();
for (const [net, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10], // RFC 6598
  ['127.0.0.0', 8],
  ['169.254.0.0', 16], // also the metadata of clouds
  ['172.16.0.0', 12],
  ['192.0.0.0', 24], // RFC 6890
  ['192.0.2.0', 24], // RFC 5737
  ['192.88.99.0', 24], // RFC 7526
  ['192.168.0.0', 16],
  ['198.18.0.0', 15], // RFC 2544
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const)
  inside4.addSubnet(net, prefix, 'ipv4');
/** Global unicast, RFC 4291 §2.4: all else is not outside. */
const global6 = new BlockList();
global6.addSubnet('2000::', 3, 'ipv6');
const inside6 = new BlockList();
for (const [net, prefix] of [
  ['2001::', 23], // RFC 2928: Teredo and other protocols
  ['2001:db8::', 32],
  ['2002::', 16], // RFC 3056: holds an IPv4 address
  ['3fff::', 20], // RFC 9637
  ['5f00::', 16],
] as const)
  inside6.addSubnet(net, prefix, 'ipv6');

/**
 * Whether an IP address belongs to the public network. IPv4 inside IPv6 (mapped, translated, 6to4, Teredo) never does:
 * whoever has an IPv4 address writes it as one.
 */
export function isOutside(address: string): boolean {
  if (isIP(address) === 0 || address.includes('%')) return false;
  if (isIPv4(address)) return !inside4.check(address, 'ipv4');
  return global6.check(address, 'ipv6') && !inside6.check(address, 'ipv6');
}

/**
 * An address of the host that may be asked; all that DNS gives must be outside, so that no answer can be chosen.
 *
 * @throws Error with what is wrong, in words
 */
export async function outsideAddress(
  host: string,
  resolve: (host: string) => Promise<readonly string[]> = addressesOf,
): Promise<string> {
  const addresses = isIP(host) === 0 ? await resolve(host) : [host];
  const [first] = addresses;
  if (first === undefined) throw new Error(`${host} has no address`);
  const wrong = addresses.find((address) => !isOutside(address));
  if (wrong !== undefined) throw new Error(`${host} is ${wrong}, an inside address`);
  return first;
}

export const addressesOf = async (host: string): Promise<string[]> =>
  (await lookup(host, { all: true })).map(({ address }) => address);
