import { BlockList, isIP, isIPv6 } from 'node:net';
import { SourceKey } from '../admission/source.ts';
import { isInside } from '../config/address-class.ts';
import type { AccountPolicy } from '../objects/account-settings.ts';
import { instanceOf } from '../registrar/outbound.ts';

const key = new SourceKey();
const longestPhone = 64;

/** The network that an address is taken for, as an administrator writes it. */
export function networkOf(address: string, policy: AccountPolicy | undefined): string {
  key.read(address);
  const mask = (bits: number): number => (bits <= 0 ? 0 : bits >= 32 ? -1 : -1 << (32 - bits));
  if (!address.includes(':') || (key.high === 0 && address.includes('.'))) {
    const prefix = policy?.ipv4Prefix ?? 24;
    const word = (key.low & mask(prefix)) >>> 0;
    return `${word >>> 24}.${(word >>> 16) & 255}.${(word >>> 8) & 255}.${word & 255}/${prefix}`;
  }
  const prefix = policy?.ipv6Prefix ?? 48;
  const high = (key.high & mask(prefix)) >>> 0;
  const low = (key.low & mask(prefix - 32)) >>> 0;
  const groups = [high >>> 16, high & 0xffff, low >>> 16, low & 0xffff].map((group) => group.toString(16));
  return `${groups.join(':')}::/${prefix}`;
}

/**
 * What kind of phone it says that it is: its instance (RFC 5626), else its product without versions, so that an update
 * of its firmware makes it no other phone. Neither is proof of anything; a difference is a reason to ask.
 */
export function phoneOf(bindingKey: string, userAgent: string): string {
  const instance = instanceOf(bindingKey);
  if (instance !== undefined) return instance.replaceAll(/[<>"]/g, '').slice(0, longestPhone);
  const words: string[] = [];
  for (const word of userAgent.slice(0, 128).split(' ')) {
    const slash = word.indexOf('/');
    const name = slash === -1 ? word : word.slice(0, slash);
    if (name === '' || (name.charCodeAt(0) >= 0x30 && name.charCodeAt(0) <= 0x39)) break;
    words.push(name);
    if (slash !== -1) break;
  }
  return words.join(' ').slice(0, longestPhone);
}

/** Networks where phones need no confirmation, ready to be asked. */
export class InsideNetworks {
  readonly #list: BlockList | undefined;

  /** What is no address or range is left out: a slip must never let everybody in. */
  constructor(ranges: readonly string[] | undefined) {
    if (ranges === undefined) return;
    const list = new BlockList();
    for (const range of ranges) {
      const [address = '', bits] = range.split('/');
      const version = isIP(address);
      if (version === 0) continue;
      list.addSubnet(
        address,
        bits === undefined ? (version === 6 ? 128 : 32) : Number(bits),
        `ipv${version as 4 | 6}`,
      );
    }
    this.#list = list;
  }

  has(address: string): boolean {
    if (this.#list === undefined) return isInside(address);
    return isIP(address) !== 0 && this.#list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
  }
}
