import type { NameAddr, SipRequest, SipUri } from '@ringfence/sip/message/types.ts';
import { parseUri, sipUri } from '@ringfence/sip/message/uri.ts';
import type { Candidate } from '@ringfence/sip/resolve/target.ts';
import { type Flow, isEncrypted } from '@ringfence/sip/transport/flow.ts';
import type { User } from '../objects/types.ts';
import type { Principal } from '../policy/types.ts';
import type { LiveBinding, Registrar } from '../registrar/registrar.ts';
import type { DomainDirectory } from '../routing/directory.ts';
import type { Destination } from '../routing/find-route.ts';
import type { Transports } from '../transport/contract.ts';
import type { BranchTarget } from './branch.ts';
import { party, userUri } from './messages.ts';

/** What turns a destination into somebody to ring. */
export interface TargetSources {
  readonly registrar: Registrar;
  readonly transports: Transports;
  resolveNumeric(uri: SipUri): readonly Candidate[] | undefined;
  resolve(uri: SipUri): Promise<readonly Candidate[]>;
}

/**
 * The caller as the called side shall see it: what was proven, never what was claimed.
 *
 * A device is its user, by number towards trunks; a trunk's callers are the trunk's word.
 */
export function callerIdentity(
  directory: DomainDirectory,
  principal: Principal,
  request: SipRequest,
  towardsTrunk: boolean,
): NameAddr {
  if (principal.kind === 'device') {
    const user = directory.users.get(principal.user.toLowerCase());
    const name = towardsTrunk ? (user?.number ?? principal.user) : principal.user;
    return party(userUri(name, directory.name), user?.displayName);
  }
  const { uri, display } = request.from;
  const claimed = uri.scheme === 'tel' ? uri.number : uri.scheme === 'other' ? undefined : uri.user;
  return party(userUri(claimed ?? 'anonymous', directory.name), display);
}

/** Every phone of a user that can be reached with the protection that its device demands. */
export function userTargets(
  sources: TargetSources,
  directory: DomainDirectory,
  user: User,
  from: NameAddr,
  now: number,
  maximum: number,
): BranchTarget[] {
  const targets: BranchTarget[] = [];
  for (const binding of sources.registrar.lookup(directory.name, user.name, now)) {
    if (targets.length >= maximum) break;
    const device = directory.devices.get(binding.device)?.device;
    const flow = flowOf(sources.transports, binding);
    const uri = parseUri(binding.contact);
    if (device === undefined || flow === undefined || !uri.ok) continue;
    if (device.encryption === 'required' && !isEncrypted(flow.transport)) continue;
    targets.push({
      party: `device:${user.name}@${directory.name}/${device.name}`,
      demanded: device.encryption,
      uri: uri.value,
      from,
      to: party(userUri(user.name, directory.name), undefined),
      flow,
      alternatives: [],
    });
  }
  return targets;
}

/** The connection that registered; over UDP the address that registered, also after a restart. */
function flowOf(transports: Transports, binding: LiveBinding): Flow | undefined {
  const flow = binding.flow === undefined ? undefined : transports.flow(binding.flow);
  if (flow !== undefined || binding.transport !== 'udp') return flow;
  const [address, port] = binding.source.split(' ');
  return address === undefined || port === undefined
    ? undefined
    : transports.udpFlow(address, Number(port), binding.listener);
}

/**
 * The trunk's first reachable address, the others as alternatives (RFC 3263 §4.3); empty where none can be reached.
 *
 * A trunk that requires encryption is reached over TLS or not at all. An emergency call asks it for SRTP, but
 * takes what it gives.
 */
export function trunkTargets(
  sources: TargetSources,
  destination: Extract<Destination, { kind: 'trunk' }>,
  from: NameAddr,
  emergency: boolean,
): readonly BranchTarget[] | Promise<readonly BranchTarget[]> {
  const { trunk, number } = destination;
  const parsed = parseUri(trunk.target);
  if (!parsed.ok || (parsed.value.scheme !== 'sip' && parsed.value.scheme !== 'sips')) return [];
  const target = parsed.value;
  const uri = sipUri({
    scheme: target.scheme,
    user: number,
    host: target.host,
    ...(target.port === undefined ? {} : { port: target.port }),
    params: target.params,
  });
  const build = (flow: Flow, rest: readonly Candidate[]): BranchTarget[] => [
    {
      party: `trunk:${trunk.name}@${trunk.domain}`,
      demanded: emergency && trunk.encryption === 'required' ? 'preferred' : trunk.encryption,
      uri,
      from,
      to: party(sipUri({ user: number, host: target.host }), undefined),
      flow,
      alternatives: rest.map((candidate) => () => connect(sources.transports, candidate)),
      trunk,
    },
  ];
  const numeric = sources.resolveNumeric(target)?.[0];
  if (numeric !== undefined && numeric.transport === 'udp' && trunk.encryption !== 'required') {
    const flow = sources.transports.udpFlow(numeric.address, numeric.port);
    return flow === undefined ? [] : build(flow, []);
  }
  return sources.resolve(target).then(async (found) => {
    const candidates =
      trunk.encryption === 'required' ? found.filter(({ transport }) => transport === 'tls') : found;
    for (const [i, candidate] of candidates.entries()) {
      const flow = await connect(sources.transports, candidate);
      if (flow !== undefined) return build(flow, candidates.slice(i + 1));
    }
    return [];
  });
}

export async function connect(transports: Transports, candidate: Candidate): Promise<Flow | undefined> {
  const { transport, address, port, serverName } = candidate;
  if (transport === 'udp') return transports.udpFlow(address, port);
  const connected = await transports.connect({ transport, address, port, serverName });
  return connected.ok ? connected.value : undefined;
}
