import type { Encryption } from '../config/schema.ts';
import type { Principal } from '../policy/types.ts';
import type { DomainDirectory } from '../routing/directory.ts';
import { claimsOf } from '../trunks/limits/judge.ts';
import type { Claim } from '../trunks/limits/limits.ts';

/**
 * Who a party of a call is by what is known now: a user or trunk that is gone has no rights any more.
 *
 * @param party `device:alice@example.test/desk` or `trunk:carrier@example.test`, as records have it.
 */
export function partyOf(
  directory: DomainDirectory,
  party: string,
): { readonly principal: Principal; readonly encryption: Encryption } | undefined {
  const at = party.lastIndexOf('@');
  const colon = party.indexOf(':');
  const slash = party.indexOf('/', at);
  if (at < 0 || colon < 0 || colon > at) return undefined;
  const domain = slash < 0 ? party.slice(at + 1) : party.slice(at + 1, slash);
  if (domain !== directory.name) return undefined;
  const name = party.slice(colon + 1, at);
  const kind = party.slice(0, colon);
  if (kind === 'trunk') {
    const trunk = directory.trunks.get(name);
    if (trunk === undefined) return undefined;
    const { encryption } = trunk;
    const principal: Principal = { kind: 'trunk', domain, trunk: name, encryption, proof: 'address' };
    return { principal, encryption };
  }
  // The users of a PBX are its own to know; they have proven themselves to it.
  if (kind === 'device' && slash >= 0 && directory.pbx !== undefined) {
    const { encryption } = directory.pbx;
    const device = party.slice(slash + 1);
    return { principal: { kind, domain, user: name, device, encryption, proof: 'digest' }, encryption };
  }
  const entry = slash < 0 ? undefined : directory.devices.get(party.slice(slash + 1));
  if (kind !== 'device' || entry?.user.name !== name) return undefined;
  const { encryption } = entry.device;
  const principal: Principal = {
    kind: 'device',
    domain,
    user: name,
    device: entry.device.name,
    encryption,
    proof: 'digest',
  };
  return { principal, encryption };
}

/** What calls with these parties count for at the trunks that they are reached by. */
export function trunkClaims(
  directory: DomainDirectory,
  legs: readonly { readonly party: string }[],
): Claim[] {
  const claims: Claim[] = [];
  for (const { party } of legs) {
    const principal = partyOf(directory, party)?.principal;
    if (principal?.kind === 'trunk')
      claims.push(...claimsOf(principal, directory).filter(({ key }) => key.startsWith('trunk:')));
  }
  return claims;
}
