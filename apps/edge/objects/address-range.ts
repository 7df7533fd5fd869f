import { isIP, isIPv4 } from 'node:net';

/** An address or CIDR block as first and last address. */
export interface AddressRange {
  readonly family: 4 | 6;
  readonly first: bigint;
  readonly last: bigint;
  readonly prefix: number;
}

/** Undefined where the text is neither an address nor a block whose host bits are zero. */
export function readRange(text: string): AddressRange | undefined {
  const slash = text.indexOf('/');
  const address = slash < 0 ? text : text.slice(0, slash);
  if (isIP(address) === 0 || address.includes('%')) return undefined;
  const family = isIPv4(address) ? 4 : 6;
  const bits = family === 4 ? 32 : 128;
  const length = slash < 0 ? String(bits) : text.slice(slash + 1);
  if (!/^(?:0|[1-9][0-9]{0,2})$/.test(length) || Number(length) > bits) return undefined;
  const prefix = Number(length);
  const first = family === 4 ? number4(address) : number6(address);
  const size = 1n << BigInt(bits - prefix);
  if (first % size !== 0n) return undefined;
  return { family, first, last: first + size - 1n, prefix };
}

export const overlap = (a: AddressRange, b: AddressRange): boolean =>
  a.family === b.family && a.first <= b.last && b.first <= a.last;

const number4 = (text: string): bigint => text.split('.').reduce((n, part) => n * 256n + BigInt(part), 0n);

function number6(text: string): bigint {
  // an IPv4 tail (RFC 4291 §2.2) stands for the last two groups
  const tail = text.lastIndexOf(':') + 1;
  const plain = text.includes('.')
    ? `${text.slice(0, tail)}${(number4(text.slice(tail)) >> 16n).toString(16)}:${(number4(text.slice(tail)) & 0xffffn).toString(16)}`
    : text;
  const [head = '', rest] = plain.split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':'));
  const before = groups(head);
  const after = rest === undefined ? [] : groups(rest);
  const zeros = rest === undefined ? [] : Array<string>(8 - before.length - after.length).fill('0');
  return [...before, ...zeros, ...after].reduce((n, group) => n * 65536n + BigInt(`0x${group}`), 0n);
}
