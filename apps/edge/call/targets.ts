import type { NameAddr, SipUri } from '@ringfence/sip/message/types.ts';
import { parseUri } from '@ringfence/sip/message/uri.ts';
import type { Candidate } from '@ringfence/sip/resolve/target.ts';
import { type Flow, isEncrypted } from '@ringfence/sip/transport/flow.ts';
import type { Accounts } from '../accounts/accounts.ts';
import { deviceWishes } from '../media/wishes.ts';
import type { User } from '../objects/types.ts';
import type { PbxNodes } from '../pbx/nodes.ts';
import { isInstance } from '../registrar/gruu.ts';
import { byPhone } from '../registrar/outbound.ts';
import type { LiveBinding, Registrar } from '../registrar/registrar.ts';
import type { DomainDirectory } from '../routing/directory.ts';
import type { DialogNames } from '../subscription/dialog-names.ts';
import type { Transports } from '../transport/contract.ts';
import type { SearchSources } from '../trunks/search.ts';
import type { BranchTarget, BranchWay } from './branch.ts';
import { party, userUri } from './messages.ts';

/** What turns a destination into somebody to ring. */
export interface TargetSources {
  readonly registrar: Registrar;
  /** Which phones are not themselves. */
  readonly accounts: Pick<Accounts, 'standing' | 'isWithheld'>;
  readonly transports: Transports;
  readonly nodes: PbxNodes;
  /** What the phones of PBXs know dialogs by. */
  readonly names: DialogNames;
  resolveNumeric(uri: SipUri): readonly Candidate[] | undefined;
  resolve(uri: SipUri): Promise<readonly Candidate[]>;
  /** What trunks are looked for with. */
  readonly search: SearchSources;
}

/**
 * Every phone of a user that can be reached with the protection that its device demands.
 *
 * A phone with several flows is rung over the latest; the others are for when that one fails (RFC 5626 §7).
 */
export function userTargets(
  sources: TargetSources,
  directory: DomainDirectory,
  user: User,
  from: NameAddr,
  now: number,
  maximum: number,
  /** Only the phone that a GRUU names (RFC 5627 §5.3). */
  instance?: string,
): BranchTarget[] {
  const targets: BranchTarget[] = [];
  for (const bindings of byPhone(sources.registrar.lookup(directory.name, user.name, now))) {
    if (targets.length >= maximum) break;
    if (instance !== undefined && bindings[0] !== undefined && !isInstance(bindings[0], instance)) continue;
    const device = directory.devices.get(bindings[0]?.device ?? '')?.device;
    if (device === undefined || (bindings[0] !== undefined && sources.accounts.isWithheld(bindings[0])))
      continue;
    const [first, ...further] = waysTo(sources.transports, bindings, device.encryption === 'required');
    if (first === undefined) continue;
    targets.push({
      party: `device:${user.name}@${directory.name}/${device.name}`,
      demanded: device.encryption,
      ...deviceWishes(device),
      from,
      to: party(userUri(user.name, directory.name), undefined),
      ...first,
      // What the leg says of itself was made for the first one's side of the network.
      further: further.filter(({ flow }) => flow.local.address === first.flow.local.address),
    });
  }
  return targets;
}

/** How each of these bindings is reached; with `encrypted` over encrypted flows alone. */
export function waysTo(
  transports: Transports,
  bindings: readonly LiveBinding[],
  encrypted: boolean,
): BranchWay[] {
  const ways: BranchWay[] = [];
  for (const binding of bindings) {
    const flow = flowOf(transports, binding);
    const uri = parseUri(binding.contact);
    if (flow === undefined || !uri.ok || (encrypted && !isEncrypted(flow.transport))) continue;
    ways.push({ uri: uri.value, flow, ...(binding.path === undefined ? {} : { route: binding.path }) });
  }
  return ways;
}

/** The connection that registered; over UDP the address that registered, also after a restart. */
export function flowOf(transports: Transports, binding: LiveBinding): Flow | undefined {
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
