import type { NameAddr, SipRequest } from '@ringfence/sip/message/types.ts';
import type { CallerIdentity } from '../headers/identity.ts';
import type { CallerPolicy } from '../objects/caller-settings.ts';
import type { Decision, Principal } from '../policy/types.ts';
import { type DomainDirectory, isNodeTrunk } from '../routing/directory.ts';
import type { Dialled } from '../routing/find-route.ts';
import type { Numbers } from '../routing/numbers.ts';
import { callerFacts } from './facts.ts';
import { type CallerVerdict, judgeCaller } from './judge.ts';

/**
 * Judges who says that he calls, for calls that come from a trunk; undefined where there is nothing to say.
 *
 * A device is its user whatever it writes, and the nodes of a tenant's own PBX speak for its users: neither is judged.
 */
export function judgeInbound(
  directory: DomainDirectory,
  principal: Principal,
  request: Pick<SipRequest, 'from' | 'headers'>,
  identity: CallerIdentity,
  dialled: Dialled,
  numbers: Numbers,
): CallerVerdict | undefined {
  if (principal.kind !== 'trunk' || dialled.emergency || isNodeTrunk(principal.trunk)) return undefined;
  const trunk = directory.trunks.get(principal.trunk);
  if (trunk === undefined) return undefined;
  const verdict = judgeCaller(
    callerFacts(directory, trunk, request, identity, dialled, numbers),
    trunk.callers,
  );
  return verdict.reasons.length === 0 ? undefined : verdict;
}

/** The refusal of a call whose caller is not who he says. */
export const blocked = ({ reasons }: CallerVerdict): Decision => ({
  verdict: 'refuse',
  cause: 'policy',
  status: 403,
  reason: 'Forbidden',
  warning: 'The number shown cannot be that of the caller.',
  reasons,
});

const defaultLabel = 'Unverified';
/** 3GPP TS 24.229 §7.2A.20. */
const verstat = ';verstat=No-TN-Validation';

/** As phones shall see a caller whose number may not be his. */
export function labelled(
  identity: CallerIdentity,
  label: string | undefined,
  policy: CallerPolicy | undefined,
): CallerIdentity {
  const { name } = identity;
  const { uri } = name;
  const user = 'user' in uri ? (uri.user ?? '') : '';
  const shown = name.display ?? user;
  const marked: NameAddr = {
    ...name,
    display: `${label ?? defaultLabel}: ${shown}`.slice(0, 128),
    uri:
      policy?.verstat !== true || !/^\+?\d+$/.test(user) || uri.scheme === 'tel' || uri.scheme === 'other'
        ? uri
        : { ...uri, user: `${user}${verstat}`, params: new Map([...uri.params, ['user', 'phone']]) },
  };
  return { ...identity, name: marked };
}
