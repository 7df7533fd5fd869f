import type { RouteFacts } from '../policy/decide.ts';
import type { Destination } from '../routing/find-route.ts';
import type { BranchTarget } from './branch.ts';

/** What policy has to know of where a call would go. */
export function routeFacts(destination: Destination, targets: readonly BranchTarget[]): RouteFacts {
  switch (destination.kind) {
    case 'none':
      return { kind: 'none' };
    case 'blocked':
      return { kind: 'blocked', name: destination.name, why: destination.why };
    case 'user':
    case 'phone':
      return targets.length === 0
        ? { kind: 'offline', name: destination.name }
        : { kind: 'found', name: destination.name };
    case 'trunk':
    case 'pbx':
      return { kind: 'found', name: destination.name };
  }
}
