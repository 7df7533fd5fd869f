import { describePrincipal, type Principal } from '../policy/types.ts';
import { isNodeTrunk } from '../routing/directory.ts';

/** Who pays for a call that leaves by a trunk; undefined for those who have proven nothing. */
export function accountOf(principal: Principal): string | undefined {
  if (principal.kind === 'device') return `user:${principal.user.toLowerCase()}@${principal.domain}`;
  return principal.kind === 'trunk' ? describePrincipal(principal) : undefined;
}

/** `user:alice@example.test` → `example.test`; so of trunks and of domains. */
export const domainOf = (scope: string): string =>
  scope.startsWith('domain:') ? scope.slice(7) : scope.slice(scope.lastIndexOf('@') + 1);

/** `user:alice@example.test` → `alice`. */
export const nameOf = (scope: string): string =>
  scope.slice(scope.indexOf(':') + 1, scope.startsWith('domain:') ? undefined : scope.lastIndexOf('@'));

export const isFree = (trunk: { readonly name: string; readonly free?: boolean }): boolean =>
  trunk.free === true || isNodeTrunk(trunk.name);
