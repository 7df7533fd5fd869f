import { BlockList, isIPv6 } from 'node:net';
import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { parseNameAddrList } from '@ringfence/sip/message/name-addr.ts';
import type { SipRequest, SipUri } from '@ringfence/sip/message/types.ts';
import { serializeUri } from '@ringfence/sip/message/uri.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';

const longestPath = 8;
const longestHop = 256;

/** The proxies that a phone has registered through, the nearest to us first (RFC 3327). */
export interface Path {
  /** Values of Route for requests to the phone. */
  readonly route: readonly string[];
  /** The proxy next to the phone keeps its flow (RFC 5626 §5.1). */
  readonly outbound: boolean;
}

const none: Path = { route: [], outbound: false };

/**
 * The Path of a REGISTER that came from a trusted proxy; whoever else sends one could aim our requests at others, so
 * theirs counts for nothing. The error says what is wrong with it.
 */
export function readPath(request: SipRequest, flow: Flow, trusted: readonly string[]): Result<Path, string> {
  if (trusted.length === 0 || !request.headers.has('Path')) return ok(none);
  if (!isTrusted(flow.remote.address, trusted)) return ok(none);
  const hops: SipUri[] = [];
  for (const value of request.headers.values('Path')) {
    const parsed = parseNameAddrList(value);
    if (!parsed.ok) return err('Invalid Path');
    for (const { uri } of parsed.value) {
      if (uri.scheme !== 'sip' && uri.scheme !== 'sips') return err('Invalid Path');
      // §5.2: loose routing is demanded.
      if (!uri.params.has('lr')) return err('Path Without lr');
      hops.push(uri);
    }
  }
  if (hops.length > longestPath) return err('Path Too Long');
  const route = hops.map((uri) => `<${serializeUri(uri)}>`);
  if (route.some((hop) => hop.length > longestHop)) return err('Path Too Long');
  return ok({ route, outbound: hops.at(-1)?.params.has('ob') === true });
}

const lists = new WeakMap<readonly string[], BlockList>();

function isTrusted(address: string, ranges: readonly string[]): boolean {
  let list = lists.get(ranges);
  if (list === undefined) {
    list = new BlockList();
    for (const range of ranges) {
      const [network = '', prefix] = range.split('/');
      const family = isIPv6(network) ? 'ipv6' : 'ipv4';
      if (prefix === undefined) list.addAddress(network, family);
      else list.addSubnet(network, Number(prefix), family);
    }
    lists.set(ranges, list);
  }
  return list.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}
