import { isIP } from 'node:net';
import { type AddressRange, readRange } from '../../objects/address-range.ts';
import { describeSource } from '../source.ts';

/** What a ban is asked for: a block, and the socket in it where one was named. */
export interface BanTarget {
  /** An IPv4 address, an IPv6 /64, or the block that was named. */
  readonly range: AddressRange;
  /** As it is shown, e.g. `192.0.2.1`, `2001:db8:0:1::/64`, `192.0.2.0/24`. */
  readonly text: string;
  /** An address inside, as it was named. */
  readonly address: string;
  readonly port: number | undefined;
}

const zone = /%.*$/;

/** Reads `192.0.2.1`, `192.0.2.0/24`, `192.0.2.1:5060`, `2001:db8::1`, `[2001:db8::1]:5060`; else undefined. */
export function readBanTarget(source: string): BanTarget | undefined {
  if (source.length > 80) return undefined;
  const { host, port } = splitPort(source);
  const slash = host.indexOf('/');
  const address = unmapped((slash < 0 ? host : host.slice(0, slash)).replace(zone, ''));
  if (isIP(address) === 0) return undefined;
  const text = slash < 0 ? describeSource(address) : `${address}${host.slice(slash)}`;
  const range = readRange(text);
  if (range === undefined) return undefined;
  return { range, text, address, port };
}

function splitPort(source: string): { host: string; port: number | undefined } {
  const bracket = source.startsWith('[') ? source.indexOf(']') : -1;
  const colon = bracket > 0 ? bracket + 1 : source.indexOf(':');
  const bare = bracket > 0 ? source.slice(1, bracket) : source;
  if (colon < 0 || (bracket < 0 && source.indexOf(':', colon + 1) > 0))
    return { host: bare, port: undefined };
  const digits = source.slice(colon + 1);
  const port = /^[1-9][0-9]{0,4}$/.test(digits) ? Number(digits) : undefined;
  return { host: bracket > 0 ? bare : source.slice(0, colon), port };
}

/** `::ffff:192.0.2.1` is the IPv4 address. */
const unmapped = (address: string): string =>
  address.toLowerCase().startsWith('::ffff:') && address.includes('.')
    ? address.slice(address.lastIndexOf(':') + 1)
    : address;
