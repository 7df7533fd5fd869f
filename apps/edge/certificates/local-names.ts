import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import type { Configuration } from '../config/schema.ts';

const maximumAddresses = 64;
const dnsName = /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]{0,62})(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]{0,62}))*$/;

/**
 * What phones may know this node by: its domain (also as a SIP URI, RFC 5922 §7.1), host name, public names, and the
 * addresses of its interfaces, at most 64.
 */
export function localNames(config: Configuration): string[] {
  const names = new Set<string>();
  const add = (name: string) => {
    const plain = name.toLowerCase().replace(/\.$/, '');
    if (isIP(plain) !== 0 || dnsName.test(plain)) names.add(plain);
  };
  add(config.domain);
  names.add(`sip:${config.domain.toLowerCase()}`);
  for (const { publicAddress } of config.listeners) if (publicAddress !== undefined) add(publicAddress);
  add(hostname());
  add('localhost');
  const addresses = Object.values(networkInterfaces())
    .flatMap((list) => list ?? [])
    // link-local addresses mean nothing without an interface
    .filter(
      (a) => !a.address.includes('%') && !/^fe[89ab]/i.test(a.address) && !a.address.startsWith('169.254.'),
    )
    .map((a) => a.address);
  for (const address of addresses.slice(0, maximumAddresses)) add(address);
  return [...names];
}
