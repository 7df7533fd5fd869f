import type { Pbx } from '../objects/types.ts';
import type { Principal } from '../policy/types.ts';
import type { Registrar } from '../registrar/registrar.ts';
import { type DomainDirectory, isNodeTrunk } from '../routing/directory.ts';
import { type Destination, type Dialled, findRoute, type RouteNote } from '../routing/find-route.ts';

/**
 * Where a call of a domain with a PBX goes: from its nodes to the phone whose token is called, else by the domain's
 * routes (so that the PBX calls out through the edge's trunks); from phones and trunks to the PBX, unless a route
 * of the domain says otherwise for trunks.
 *
 * Emergency calls of phones go to the trunk that is set for them, where one is set in this domain, else to the PBX.
 */
export function pbxRoute(
  directory: DomainDirectory,
  pbx: Pbx,
  principal: Principal,
  dialled: Dialled,
  registrar: Registrar,
  emergencyTrunk: string | undefined,
  now: number,
  note?: RouteNote,
): Destination {
  if (principal.kind === 'trunk' && isNodeTrunk(principal.trunk)) {
    const binding = registrar.byToken(dialled.text, now);
    // A token of another tenant is nobody's here.
    if (binding !== undefined && binding.domain === directory.name)
      return { kind: 'phone', name: `phone:${binding.user}`, binding };
    // Never back to where it came from.
    return findRoute(withoutNodes(directory), asUser(principal), dialled, emergencyTrunk, note);
  }
  if (dialled.emergency && emergencyTrunk !== undefined && directory.trunks.has(emergencyTrunk))
    return findRoute(directory, principal, dialled, emergencyTrunk, note);
  if (principal.kind === 'trunk') {
    const routed = findRoute(directory, principal, dialled, emergencyTrunk, note);
    if (routed.kind !== 'none') return routed;
  }
  const sticky = principal.kind === 'device' ? nodeOf(registrar, directory, principal.user, now) : undefined;
  return {
    kind: 'pbx',
    name: `pbx:${pbx.name}`,
    pbx,
    ...(sticky === undefined ? {} : { sticky }),
  };
}

/** Its calls are those of the domain's users. */
const asUser = ({ domain, encryption }: Extract<Principal, { kind: 'trunk' }>): Principal => ({
  kind: 'device',
  domain,
  user: '',
  device: '',
  encryption,
  proof: 'certificate',
});

const nodeOf = (
  registrar: Registrar,
  directory: DomainDirectory,
  user: string,
  now: number,
): string | undefined =>
  registrar.lookup(directory.name, user, now).find(({ upstream }) => upstream !== undefined)?.upstream?.node;

const withoutNodes = (directory: DomainDirectory): DomainDirectory => ({
  ...directory,
  trunks: new Map([...directory.trunks].filter(([name]) => !isNodeTrunk(name))),
});
