import { createSocket } from 'node:dgram';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';

const probesPerSecond = 50;
const cacheLimit = 4096;
const interfacesMilliseconds = 5000;

interface Network {
  readonly address: string;
  readonly words: readonly number[];
  readonly prefix: number;
}

/**
 * The local address that reaches a peer: what a wildcard-bound listener must write into Via and SDP.
 *
 * An interface address in the peer's subnet if there is one, else what the routing table chooses (asked by
 * connecting a datagram socket, which sends nothing). Cached per IPv4 /24 and IPv6 /64 in a bounded map. Unknown
 * peers can cause at most 50 route look-ups a second; beyond that the default route's address is told.
 */
export class LocalAddresses {
  readonly #clock: () => number;
  readonly #cache = new Map<string, string>();
  #networks: readonly Network[] = [];
  #readAt = Number.NEGATIVE_INFINITY;
  #probes = 0;
  #probesFrom = 0;
  #default4: string | undefined;
  #default6: string | undefined;

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  towards(peer: string): string {
    const key = networkOf(peer);
    const known = this.#cache.get(key);
    if (known !== undefined) return known;
    const { address, sure } = this.#find(peer);
    if (sure) {
      if (this.#cache.size >= cacheLimit) this.#cache.delete(this.#cache.keys().next().value!);
      this.#cache.set(key, address);
    }
    return address;
  }

  #find(peer: string): { address: string; sure: boolean } {
    const now = this.#clock();
    if (Math.abs(now - this.#readAt) > interfacesMilliseconds) {
      this.#readAt = now;
      this.#networks = readNetworks();
      this.#cache.clear();
      this.#default4 = undefined;
      this.#default6 = undefined;
    }
    const words = addressWords(peer);
    let best: Network | undefined;
    for (const network of this.#networks) {
      if (network.words.length !== words.length || !inNetwork(words, network)) continue;
      if (best === undefined || network.prefix > best.prefix) best = network;
    }
    if (best !== undefined) return { address: best.address, sure: true };
    if (Math.abs(now - this.#probesFrom) >= 1000) {
      this.#probesFrom = now;
      this.#probes = 0;
    }
    if (this.#probes++ < probesPerSecond) {
      const address = askRoute(peer);
      if (address !== undefined) return { address, sure: true };
    }
    return { address: this.#default(peer), sure: false };
  }

  /** Addresses of documentation prefixes (RFC 5737, 3849) are in no table, so the default route answers. */
  #default(peer: string): string {
    if (isIP(peer) === 6) {
      this.#default6 ??= askRoute('2001:db8::1') ?? '::1';
      return this.#default6;
    }
    this.#default4 ??= askRoute('192.0.2.1') ?? '127.0.0.1';
    return this.#default4;
  }
}

/** Connecting a UDP socket makes the kernel choose its source address; with numeric hosts all of it is synchronous. */
const askRoute = (peer: string): string | undefined => {
  const family = isIP(peer);
  if (family === 0) return undefined;
  const lookup = (
    _host: string,
    _options: unknown,
    callback: (error: null, address: string, family: number) => void,
  ): void => callback(null, peerOrAny, family);
  let peerOrAny = family === 6 ? '::' : '0.0.0.0';
  const socket = createSocket({ type: family === 6 ? 'udp6' : 'udp4', lookup: lookup as never });
  socket.on('error', () => undefined);
  try {
    socket.bind({ port: 0, address: peerOrAny, exclusive: true });
    peerOrAny = peer;
    socket.connect(9, peer);
    const { address } = socket.address();
    return address === '0.0.0.0' || address === '::' ? undefined : address;
  } catch {
    return undefined;
  } finally {
    socket.close();
  }
};

const networkOf = (address: string): string => {
  if (address.indexOf(':') < 0) return address.slice(0, address.lastIndexOf('.'));
  const words = addressWords(address);
  return `${words.slice(0, 4).join(':')}${address.indexOf('%') < 0 ? '' : address.slice(address.indexOf('%'))}`;
};

/** Eight 16-bit groups of an IPv6 address, or the two of an IPv4 address. */
export const addressWords = (address: string): number[] => {
  const bare = address.indexOf('%') < 0 ? address : address.slice(0, address.indexOf('%'));
  if (bare.indexOf(':') < 0) return ipv4Words(bare);
  const [head = '', tail] = bare.split('::');
  const before = groups(head);
  if (tail === undefined) return before;
  const after = groups(tail);
  return [...before, ...Array<number>(Math.max(0, 8 - before.length - after.length)).fill(0), ...after];
};

const groups = (text: string): number[] =>
  text === ''
    ? []
    : text.split(':').flatMap((g) => (g.includes('.') ? ipv4Words(g) : [Number.parseInt(g, 16)]));

const ipv4Words = (text: string): number[] => {
  const [a = 0, b = 0, c = 0, d = 0] = text.split('.').map(Number);
  return [(a << 8) | b, (c << 8) | d];
};

const inNetwork = (words: readonly number[], network: Network): boolean => {
  for (let i = 0, left = network.prefix; left > 0; i++, left -= 16) {
    const mask = left >= 16 ? 0xffff : (0xffff << (16 - left)) & 0xffff;
    if ((words[i]! & mask) !== (network.words[i]! & mask)) return false;
  }
  return true;
};

const readNetworks = (): Network[] => {
  const found: Network[] = [];
  for (const list of Object.values(networkInterfaces())) {
    for (const { address, cidr } of list ?? []) {
      if (cidr === null) continue;
      const prefix = Number(cidr.slice(cidr.indexOf('/') + 1));
      if (prefix > 0) found.push({ address, words: addressWords(address), prefix });
    }
  }
  return found;
};
