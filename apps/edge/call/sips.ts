import { parseUri } from '@ringfence/sip/message/uri.ts';
import { type Flow, isEncrypted } from '@ringfence/sip/transport/flow.ts';
import type { Trunk } from '../objects/types.ts';
import type { RouteFacts } from '../policy/decide.ts';
import type { Destination } from '../routing/find-route.ts';
import type { BranchTarget } from './branch.ts';

/** The trunks of a destination that a sips call may take: those that are sips on every target (RFC 5630 §3.1). */
export function secureTrunks(destination: Destination): Destination {
  if (destination.kind !== 'trunk') return destination;
  const trunks = destination.trunks.filter(isSecure);
  const [trunk] = trunks;
  return trunk === undefined ? destination : { ...destination, trunk, trunks };
}

function isSecure({ target, targets = [] }: Trunk): boolean {
  return [target, ...targets.map((one) => one.target)].every((text) => {
    const uri = parseUri(text);
    return uri.ok && uri.value.scheme === 'sips';
  });
}

/** The phones that have registered a sips Contact, RFC 5630 §5.3: others must not be rung for a sips URI. */
export const secureTargets = (targets: readonly BranchTarget[]): readonly BranchTarget[] =>
  targets
    .filter(({ uri }) => uri.scheme === 'sips')
    .map((target) => ({
      ...target,
      further: (target.further ?? []).filter(({ uri }) => uri.scheme === 'sips'),
    }));

/** Why a sips call cannot go there; undefined where nothing of it would be downgraded. */
export function sipsProblem(
  flow: Flow,
  destination: Destination,
  all: readonly BranchTarget[],
  secure: readonly BranchTarget[],
): RouteFacts | undefined {
  const name = 'name' in destination ? destination.name : '';
  if (!isEncrypted(flow.transport)) return { kind: 'sips-over-plain', name };
  const reached =
    destination.kind === 'trunk'
      ? isSecure(destination.trunk)
      : destination.kind !== 'pbx' && (all.length === 0 || secure.length > 0);
  return reached ? undefined : { kind: 'no-sips', name };
}
