/**
 * What counts as one source: an IPv4 address, or an IPv6 /64, since one host commonly holds all of a /64.
 *
 * The key is two 32-bit words, made without allocation, because this runs for every datagram received.
 */
export class SourceKey {
  high = 0;
  low = 0;

  /** Reads the text that the socket gave. Text that is not an address gives the key 0:0 of its own kind. */
  read(address: string): this {
    if (address.indexOf(':') < 0) {
      this.high = 0;
      this.low = readIpv4(address, 0);
    } else this.#readIpv6(address);
    return this;
  }

  #readIpv6(address: string): void {
    // Only the first four groups matter. `::` inside them is a run of zeros.
    let groups = 0;
    let value = 0;
    let digits = 0;
    this.high = 0;
    this.low = 0;
    for (let i = 0; i <= address.length && groups < 4; i++) {
      const c = i < address.length ? address.charCodeAt(i) : 58;
      const digit = hexDigit(c);
      if (digit >= 0) {
        value = (value << 4) | digit;
        digits++;
        continue;
      }
      if (c === 46 && groups === 0) break;
      if (digits > 0) this.#group(groups++, value);
      value = 0;
      digits = 0;
      if (c === 58 && address.charCodeAt(i + 1) === 58) {
        this.#afterZeros(address, i + 2, groups);
        return;
      }
      if (c !== 58) return;
    }
  }

  /** Groups behind `::` reach into the first four only when the address is written with few zeros left out. */
  #afterZeros(address: string, from: number, before: number): void {
    if (address.startsWith('ffff:', from) && address.indexOf('.', from) > 0) {
      // ::ffff:192.0.2.1 is the IPv4 address, however it came to be written so.
      this.high = 0;
      this.low = readIpv4(address, from + 5);
      return;
    }
    let after = from < address.length && hexDigit(address.charCodeAt(from)) >= 0 ? 1 : 0;
    let i = from;
    for (; i < address.length && address.charCodeAt(i) !== 37; i++) if (address.charCodeAt(i) === 58) after++;
    let place = 8 - after;
    if (place < before) return;
    let value = 0;
    for (i = from; i <= address.length && place < 4; i++) {
      const digit = i < address.length ? hexDigit(address.charCodeAt(i)) : -1;
      if (digit >= 0) value = (value << 4) | digit;
      else {
        this.#group(place++, value);
        value = 0;
      }
    }
  }

  #group(place: number, value: number): void {
    const shifted = place & 1 ? value & 0xffff : (value & 0xffff) << 16;
    if (place < 2) this.high |= shifted;
    else this.low |= shifted;
  }
}

/** The network of a source: the /24 of an IPv4 address, the /48 of an IPv6 one. */
export class NetworkKey extends SourceKey {
  from(source: SourceKey): this {
    // An IPv4 address has nothing in its high word.
    this.high = source.high;
    this.low = source.high === 0 ? source.low & ~0xff : source.low & ~0xffff;
    return this;
  }
}

const readIpv4 = (text: string, from: number): number => {
  let word = 0;
  let octet = 0;
  for (let i = from; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 46) {
      word = (word << 8) | octet;
      octet = 0;
    } else octet = (octet * 10 + c - 48) & 0xff;
  }
  return (word << 8) | octet;
};

const hexDigit = (c: number): number => {
  if (c >= 48 && c <= 57) return c - 48;
  const lower = c | 32;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
};

/** 127.0.0.0/8 and ::1. */
export const isLoopback = (address: string): boolean => address.startsWith('127.') || address === '::1';

const named = new SourceKey();

/** The source as an administrator reads it: the IPv4 address, or the /64 in its shortest common form. */
export const describeSource = (address: string): string => {
  if (address.indexOf(':') < 0) return address;
  named.read(address);
  if (named.high === 0 && address.indexOf('.') > 0) return address.slice(address.lastIndexOf(':') + 1);
  const hex = (word: number): string =>
    `${((word >>> 16) & 0xffff).toString(16)}:${(word & 0xffff).toString(16)}`;
  return `${hex(named.high)}:${hex(named.low)}::/64`;
};
