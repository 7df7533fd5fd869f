import { parseNameAddr } from '@ringfence/sip/message/name-addr.ts';
import type { SipRequest, SipUri } from '@ringfence/sip/message/types.ts';
import { type Flow, isEncrypted } from '@ringfence/sip/transport/flow.ts';
import { isInside, isNowhere } from '../config/address-class.ts';
import type { Configuration } from '../config/schema.ts';
import type { Registrar } from '../registrar/registrar.ts';
import type { Transports } from '../transport/contract.ts';
import { connect, type TargetSources } from './targets.ts';

/**
 * RFC 3261 §12.2.1.1 and §8.1.2: the topmost Route, else the Request-URI; the flow in hand if it leads there.
 *
 * A connection that lives is as good as a new one to the same peer (RFC 5923), and what was over TLS stays there.
 * Without `followTarget` only the flow in hand counts, and for a target that nobody but we can have (loopback, multicast,
 * unspecified) too. Undefined: nobody can be reached.
 */
export function nextFlow(
  transports: Transports,
  resolver: Pick<TargetSources, 'resolve' | 'resolveNumeric'>,
  flow: Flow,
  request: SipRequest,
  followTarget: boolean,
): Flow | undefined | Promise<Flow | undefined> {
  const live = flow.transport === 'udp' ? flow : transports.flow(flow.id);
  if (!followTarget || live?.reliable === true) return live;
  const next = nextHop(request);
  if (next === undefined) return live;
  const leadsAstray = (address: string): boolean => isNowhere(address) && !isNowhere(flow.remote.address);
  if (flow.transport === 'udp') {
    const candidate = resolver.resolveNumeric(next)?.[0];
    if (candidate?.transport === 'udp') {
      const { address, port } = candidate;
      if (leadsAstray(address) || (address === flow.remote.address && port === flow.remote.port)) return flow;
      return transports.udpFlow(address, port, flow.listener);
    }
  }
  return resolver.resolve(next).then(async (candidates) => {
    for (const found of candidates) {
      if (isEncrypted(flow.transport) && found.transport !== 'tls') continue;
      if (leadsAstray(found.address)) continue;
      const connected = await connect(transports, found);
      if (connected !== undefined) return connected;
    }
    return undefined;
  });
}

/**
 * The connection over which a phone has come back, RFC 5626 §5.3: that of its newest binding.
 *
 * Only for phones whose own connection is gone, and never from an encrypted one to a plain one.
 */
export function reboundFlow(
  transports: Transports,
  registrar: Registrar,
  flow: Flow,
  party: string,
  now: number,
): Flow | undefined {
  if (!flow.reliable || !party.startsWith(devicePrefix)) return undefined;
  const slash = party.lastIndexOf('/');
  const at = party.lastIndexOf('@', slash);
  if (at < 0) return undefined;
  const device = party.slice(slash + 1);
  const user = party.slice(devicePrefix.length, at);
  for (const binding of registrar.lookup(party.slice(at + 1, slash), user, now)) {
    if (binding.device !== device || binding.flow === undefined) continue;
    const live = transports.flow(binding.flow);
    if (live !== undefined && (!isEncrypted(flow.transport) || isEncrypted(live.transport))) return live;
  }
  return undefined;
}

const devicePrefix = 'device:';

function nextHop(request: SipRequest): SipUri | undefined {
  const { uri } = request;
  const own = uri.scheme === 'sip' || uri.scheme === 'sips' ? uri : undefined;
  if (!request.headers.has('Route')) return own;
  const parsed = parseNameAddr(request.headers.values('Route')[0] ?? '');
  if (!parsed.ok) return own;
  const hop = parsed.value.uri;
  return hop.scheme === 'sip' || hop.scheme === 'sips' ? hop : own;
}

/** The address to bind for media on a flow, and the one that its peer is told. */
export function mediaAddress(
  { addresses, publicAddress }: Configuration['media'],
  flow: Flow,
): { readonly local: string; readonly advertised: string } {
  const six = flow.local.address.includes(':');
  const local = addresses.find((address) => address.includes(':') === six) ?? flow.local.address;
  const outside =
    publicAddress !== undefined && publicAddress.includes(':') === six && !isInside(flow.remote.address);
  return { local, advertised: outside ? publicAddress : local };
}
