import { parseUri } from '@ringfence/sip/message/uri.ts';
import type { Candidate } from '@ringfence/sip/resolve/target.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import { connect, type TargetSources } from '../call/targets.ts';
import type { Pbx, PbxNode } from '../objects/types.ts';
import type { PbxNodes } from './nodes.ts';

/** What nodes are reached with. */
export interface NodeSources extends Pick<TargetSources, 'transports' | 'resolve' | 'resolveNumeric'> {
  readonly nodes: PbxNodes;
}

export interface Reached {
  readonly flow: Flow;
  readonly candidate: Candidate;
}

/**
 * A way to a node: over TLS alone where the PBX's entry requires encryption; addresses that are known to be dead are
 * tried last. Undefined: nothing connects.
 */
export async function reachNode(sources: NodeSources, pbx: Pbx, node: PbxNode): Promise<Reached | undefined> {
  const { nodes } = sources;
  const target = parseUri(node.target);
  if (!target.ok || (target.value.scheme !== 'sip' && target.value.scheme !== 'sips')) return undefined;
  const found = (sources.resolveNumeric(target.value) ?? (await sources.resolve(target.value))).filter(
    ({ transport }) => pbx.encryption !== 'required' || transport === 'tls',
  );
  const dead = (candidate: Candidate): boolean => nodes.isDead(pbx, node, candidate);
  for (const candidate of [...found.filter((one) => !dead(one)), ...found.filter(dead)]) {
    const flow = await connect(sources.transports, candidate);
    if (flow !== undefined) return { flow, candidate };
    nodes.heard(pbx, node, candidate, 'transport');
  }
  return undefined;
}
