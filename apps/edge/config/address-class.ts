import { BlockList, isIP, isIPv6 } from 'node:net';

const near = new BlockList();
for (const [net, prefix] of [
  ['127.0.0.0', 8],
  ['10.0.0.0', 8], // RFC 1918
  ['172.16.0.0', 12],
  ['192.168.0.0', 16],
  ['169.254.0.0', 16], // RFC 3927
] as const) {
  near.addSubnet(net, prefix, 'ipv4');
}
near.addAddress('::1', 'ipv6');
near.addSubnet('fc00::', 7, 'ipv6'); // RFC 4193
near.addSubnet('fe80::', 10, 'ipv6'); // RFC 4291 §2.5.6

const nowhere = new BlockList();
for (const [net, prefix] of [
  ['0.0.0.0', 8], // RFC 1122 §3.2.1.3
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['224.0.0.0', 4], // RFC 5771
  ['255.255.255.255', 32],
] as const) {
  nowhere.addSubnet(net, prefix, 'ipv4');
}
nowhere.addAddress('::', 'ipv6');
nowhere.addAddress('::1', 'ipv6');
nowhere.addSubnet('fe80::', 10, 'ipv6');
nowhere.addSubnet('ff00::', 8, 'ipv6'); // RFC 4291 §2.7

/**
 * Whether nobody else can be meant by that address: loopback, unspecified, link-local, multicast or broadcast, also
 * written as an IPv4-mapped one (CVE-2026-27624). A peer that names one means us, or many.
 */
export function isNowhere(address: string): boolean {
  const bare = address.split('%', 1)[0]!;
  const family = isIP(bare);
  // BlockList takes an IPv4-mapped address for the IPv4 one that is in it.
  return family !== 0 && nowhere.check(bare, family === 6 ? 'ipv6' : 'ipv4');
}

/**
 * Whether an IP address is loopback, private or link-local, so that plaintext stays inside.
 *
 * `0.0.0.0` and `::` bind every address and so count as public, as do names and shared space (RFC 6598).
 */
export function isInside(address: string): boolean {
  const bare = address.split('%', 1)[0]!;
  if (isIP(bare) === 0) return address === 'localhost';
  return near.check(bare, isIPv6(bare) ? 'ipv6' : 'ipv4');
}
