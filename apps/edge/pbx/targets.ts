import { serializeReplaces } from '@ringfence/sip/headers/replaces.ts';
import type { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { NameAddr, SipRequest } from '@ringfence/sip/message/types.ts';
import type { BranchTarget } from '../call/branch.ts';
import { party, userUri } from '../call/messages.ts';
import type { Places } from '../call/serial-hunt.ts';
import { type TargetSources, waysTo } from '../call/targets.ts';
import type { PbxNode } from '../objects/types.ts';
import { type DomainDirectory, nodeTrunkName } from '../routing/directory.ts';
import type { PbxDestination, PhoneDestination } from '../routing/find-route.ts';
import { credentialsOf } from './credentials.ts';
import { nodeOwner } from './nodes.ts';
import { partyIn, passedUri } from './passed.ts';
import { type Reached, reachNode } from './reach.ts';
import { replacedAtPbx } from './replaces.ts';

/** A node that does not even ring, or refuse, for so long is given up for another. */
const silenceMs = 4_000;

/** The one phone that a PBX has called by its token, over the flow that registered. */
export function phoneTargets(
  sources: TargetSources,
  directory: DomainDirectory,
  { binding }: PhoneDestination,
  from: NameAddr,
  now: number,
): BranchTarget[] {
  const demanded = directory.pbx?.phones ?? 'required';
  const token = binding.upstream?.token;
  if (sources.accounts.isWithheld(binding)) return [];
  // The other flows of the same phone, for when the first has died unheard (RFC 5626 §5.3).
  const others = sources.registrar
    .lookup(directory.name, binding.user, now)
    .filter((other) => other.key !== binding.key && other.upstream?.token === token);
  const [first, ...further] = waysTo(sources.transports, [binding, ...others], demanded === 'required');
  if (first === undefined) return [];
  return [
    {
      party: `device:${binding.user}@${directory.name}/${binding.device}`,
      demanded,
      from,
      to: party(userUri(binding.user, directory.name), undefined),
      ...first,
      further: further.filter(({ flow }) => flow.local.address === first.flow.local.address),
    },
  ];
}

/**
 * The nodes of a PBX as places for a call: the caller's own first, the others for when it says nothing or cannot.
 *
 * Request-URI and credentials are the phone's: the PBX challenges it and checks its digest, not ours. Where no node
 * takes an emergency call, it goes on to `otherwise`.
 */
export class PbxSearch implements Places {
  readonly #sources: TargetSources;
  readonly #directory: DomainDirectory;
  readonly #destination: PbxDestination;
  readonly #request: SipRequest;
  readonly #from: NameAddr;
  readonly #otherwise: Places | undefined;
  readonly #left: PbxNode[];

  constructor(
    sources: TargetSources,
    directory: DomainDirectory,
    destination: PbxDestination,
    request: SipRequest,
    from: NameAddr,
    otherwise?: Places,
  ) {
    this.#sources = sources;
    this.#directory = directory;
    this.#destination = destination;
    this.#request = request;
    this.#from = from;
    this.#otherwise = otherwise;
    this.#left = sources.nodes.order(destination.pbx, destination.sticky);
  }

  goesOn(status: number): boolean {
    // Whoever is called for help is looked for until somebody has taken the call; a challenge is for the phone.
    if (this.#otherwise !== undefined)
      return status >= 400 && status !== 487 && status !== 401 && status !== 407;
    return status === 408 || status === 503;
  }

  async next(): Promise<BranchTarget | undefined> {
    const { pbx } = this.#destination;
    for (let node = this.#left.shift(); node !== undefined; node = this.#left.shift()) {
      const reached = await reachNode(this.#sources, pbx, node).catch(() => undefined);
      if (reached !== undefined) return this.#target(node, reached);
    }
    return this.#otherwise?.next();
  }

  /** Credentials, and the dialog of the PBX that the caller wants to take over. */
  #callers(domain: string): HeaderList {
    const headers = credentialsOf(this.#request);
    const replaced = replacedAtPbx(this.#sources.names, domain, this.#request);
    if (replaced !== undefined)
      headers.add('Replaces', serializeReplaces(replaced)).add('Require', 'replaces');
    return headers;
  }

  #target(node: PbxNode, { flow, candidate }: Reached): BranchTarget {
    const { pbx } = this.#destination;
    const { name, trunks } = this.#directory;
    const trunk = trunks.get(nodeTrunkName(node.name));
    const emergency = this.#otherwise !== undefined;
    return {
      party: nodeOwner(pbx.domain, node.name),
      demanded: emergency && pbx.encryption === 'required' ? 'preferred' : pbx.encryption,
      uri: passedUri(this.#request.uri, name, flow),
      from: this.#from,
      to: partyIn(name, this.#request.to),
      flow,
      callersCredentials: this.#callers(name),
      heard: (result) => this.#sources.nodes.heard(pbx, node, candidate, result),
      ...(this.#left.length > 0 || emergency ? { silenceMs } : {}),
      ...(trunk === undefined ? {} : { trunk }),
    };
  }
}
