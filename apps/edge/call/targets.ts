import type { NameAddr, SipRequest, SipUri } from '@ringfence/sip/message/types.ts';
import { parseUri } from '@ringfence/sip/message/uri.ts';
import type { Candidate } from '@ringfence/sip/resolve/target.ts';
import { type Flow, isEncrypted } from '@ringfence/sip/transport/flow.ts';
import type { User } from '../objects/types.ts';
import type { Principal } from '../policy/types.ts';
import type { LiveBinding, Registrar } from '../registrar/registrar.ts';
import type { DomainDirectory } from '../routing/directory.ts';
import type { Transports } from '../transport/contract.ts';
import type { SearchSources } from '../trunks/search.ts';
import type { BranchTarget } from './branch.ts';
import { party, userUri } from './messages.ts';

/** What turns a destination into somebody to ring. */
export interface TargetSources {
  readonly registrar: Registrar;
  readonly transports: Transports;
  resolveNumeric(uri: SipUri): readonly Candidate[] | undefined;
  resolve(uri: SipUri): Promise<readonly Candidate[]>;
  /** What trunks are looked for with. */
  readonly search: SearchSources;
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

export async function connect(transports: Transports, candidate: Candidate): Promise<Flow | undefined> {
  const { transport, address, port, serverName } = candidate;
  if (transport === 'udp') return transports.udpFlow(address, port);
  const connected = await transports.connect({ transport, address, port, serverName });
  return connected.ok ? connected.value : undefined;
}
