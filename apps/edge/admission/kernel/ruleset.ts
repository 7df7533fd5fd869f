import type { AddressRange } from '../../objects/address-range.ts';

/** Ports of the listeners; nothing else of the machine is touched. */
export interface GuardedPorts {
  readonly udp: readonly number[];
  /** TCP, TLS and WebSockets. */
  readonly tcp: readonly number[];
}

/** `INVITE` at the beginning of a datagram. */
const invite = '0x494e56495445';

/** Sets by family, and by whether they hold hosts (an IPv4 address, an IPv6 /64) or wider blocks. */
const setOf = ({ family, prefix }: AddressRange): string =>
  family === 4 ? (prefix === 32 ? 'hosts4' : 'nets4') : prefix >= 64 ? 'hosts6' : 'nets6';

/**
 * Lines for `nft -i` that make the table. It belongs to the program that reads them (`flags owner`), so the system takes
 * it away with that program, however it ends.
 *
 * Of banned sources the kernel drops what goes to our ports, but lets through so many datagrams that begin an INVITE,
 * and so many new connections, that a call for help is heard: the edge looks at those.
 */
export function tableLines(table: string, { udp, tcp }: GuardedPorts, maximum: number): string[] {
  const denied = (rule: string): string => `add rule inet ${table} denied ${rule}`;
  const early = (rule: string): string => `add rule inet ${table} early ${rule} jump denied`;
  const rules: string[] = [];
  if (udp.length > 0) {
    const ports = `udp dport { ${udp.join(', ')} }`;
    rules.push(denied(`${ports} @th,64,48 ${invite} limit rate 50/second burst 50 packets accept`));
    rules.push(denied(`${ports} counter name dropped drop`));
  }
  if (tcp.length > 0) {
    const syn = `tcp dport { ${tcp.join(', ')} } tcp flags & (syn | ack) == syn`;
    rules.push(denied(`${syn} limit rate 5/second burst 5 packets accept`));
    rules.push(denied(`${syn} counter name dropped drop`));
  }
  return [
    `add table inet ${table} { flags owner; }`,
    `add counter inet ${table} dropped`,
    `add set inet ${table} hosts4 { type ipv4_addr; flags timeout; size ${maximum}; }`,
    `add set inet ${table} hosts6 { type ipv6_addr; flags timeout; size ${maximum}; }`,
    `add set inet ${table} exempt4 { type ipv4_addr; flags timeout; size 4096; }`,
    `add set inet ${table} exempt6 { type ipv6_addr; flags timeout; size 4096; }`,
    `add set inet ${table} nets4 { type ipv4_addr; flags interval, timeout; size ${maximum}; }`,
    `add set inet ${table} nets6 { type ipv6_addr; flags interval, timeout; size ${maximum}; }`,
    `add chain inet ${table} denied`,
    ...rules,
    `add chain inet ${table} early { type filter hook prerouting priority raw; policy accept; }`,
    `add rule inet ${table} early ip saddr @exempt4 accept`,
    `add rule inet ${table} early ip6 saddr & ffff:ffff:ffff:ffff:: @exempt6 accept`,
    early('ip saddr @hosts4'),
    early('ip saddr @nets4'),
    early('ip6 saddr & ffff:ffff:ffff:ffff:: @hosts6'),
    early('ip6 saddr @nets6'),
  ];
}

export interface Denied {
  readonly range: AddressRange;
  /** As nft reads it: an address, or a block. */
  readonly text: string;
  readonly seconds: number;
}

/** Elements in one line; each line is a transaction of its own. */
const atOnce = 500;

export function addLines(table: string, denied: readonly Denied[]): string[] {
  return linesOf(denied, (one) => `${one.text} timeout ${Math.max(1, Math.ceil(one.seconds))}s`).map(
    ({ set, elements }) => `add element inet ${table} ${set} { ${elements} }`,
  );
}

/** Nothing is dropped of that address for so long, whatever set it is in. */
export const exemptLine = (table: string, { range, text, seconds }: Denied): string =>
  `add element inet ${table} exempt${range.family} { ${bare(text)} timeout ${Math.max(1, Math.ceil(seconds))}s }`;

/** One a line: what has timed out meanwhile is an error that takes its line with it. */
export const deleteLines = (table: string, denied: readonly Pick<Denied, 'range' | 'text'>[]): string[] =>
  denied.map(({ range, text }) => `delete element inet ${table} ${setOf(range)} { ${bare(text)} }`);

/** An IPv6 /64 is a host: its first address stands for it. */
const bare = (text: string): string => (text.endsWith('::/64') ? text.slice(0, -'/64'.length) : text);

function linesOf(
  denied: readonly Denied[],
  element: (one: Denied) => string,
): { readonly set: string; readonly elements: string }[] {
  const bySet = new Map<string, string[]>();
  for (const one of denied) {
    const set = setOf(one.range);
    const list = bySet.get(set) ?? [];
    list.push(element({ ...one, text: bare(one.text) }));
    bySet.set(set, list);
  }
  const lines: { set: string; elements: string }[] = [];
  for (const [set, list] of bySet)
    for (let i = 0; i < list.length; i += atOnce)
      lines.push({ set, elements: list.slice(i, i + atOnce).join(', ') });
  return lines;
}

/** Packets that the kernel has dropped, of the answer to `list counter`; undefined where it says something else. */
export function readCounter(output: string): number | undefined {
  const at = output.lastIndexOf('packets ');
  if (at < 0) return undefined;
  const packets = Number.parseInt(output.slice(at + 8, at + 28), 10);
  return Number.isNaN(packets) ? undefined : packets;
}
