import type { Encryption } from '../config/schema.ts';
import type { Rewrite } from '../objects/rewrite-settings.ts';
import type { Trunk } from '../objects/types.ts';
import type { Numbers } from '../routing/numbers.ts';
import type { Full, Limits } from './limits/limits.ts';
import type { LiveState } from './live-state.ts';
import { targetsOf } from './order.ts';
import { ownerOf } from './owner.ts';
import { type CallOut, outgoing, trunkAttempt, userOf } from './rewrite/outgoing.ts';
import { healthOf } from './watch.ts';

/** A trunk as a call would find it. */
export interface TracedTrunk {
  readonly trunk: string;
  /** Numbers as they go out. */
  readonly called: string;
  readonly caller: string;
  /** Header rules that are applied, in words. */
  readonly headers: readonly string[];
  readonly encryption: Encryption;
  readonly targets: readonly { readonly target: string; readonly priority: number; readonly share: number }[];
  /** Addresses and how they are; undefined where no edge runs, or nothing watches. */
  readonly health?: readonly { readonly address: string; readonly state: string; readonly reason: string }[];
  readonly watched: boolean;
  /** State of its registration; `unknown` where no edge runs. Absent: it does not register. */
  readonly registration?: string;
  readonly limits?: {
    readonly calls?: number;
    readonly callsPerSecond?: number;
    readonly up: number | 'unknown';
  };
  /** What has no place. */
  readonly full?: Full;
}

export function traceTrunk(
  trunk: Trunk,
  route: Rewrite | undefined,
  call: CallOut,
  numbers: Numbers,
  limits: Limits,
  live: LiveState | undefined,
): TracedTrunk {
  const owner = ownerOf(trunk);
  const attempt = trunkAttempt(trunk, route, call, numbers);
  const { headers } = outgoing(
    trunk,
    route,
    { called: call.number, caller: userOf(call.identity.number), emergency: call.emergency },
    numbers,
  );
  const addresses = (live?.targets ?? []).filter((one) => one.owner === owner);
  const limit = trunk.limits;
  const full = limit === undefined ? undefined : limits.full([{ key: owner, limit }]);
  return {
    trunk: trunk.name,
    called: attempt.number,
    caller: userOf(attempt.from),
    headers: headers.map(({ add, replace, remove, value }) =>
      add !== undefined
        ? `add ${add}: ${value}`
        : replace !== undefined
          ? `replace ${replace}: ${value}`
          : `remove ${remove}`,
    ),
    encryption: call.emergency && trunk.encryption === 'required' ? 'preferred' : trunk.encryption,
    targets: targetsByShare(trunk),
    watched: healthOf(trunk) !== undefined,
    ...(addresses.length === 0
      ? {}
      : {
          health: addresses.map(({ target, state, lastFailure }) => ({
            address: target,
            state,
            reason: state === 'quarantined' ? lastFailure : '',
          })),
        }),
    ...(trunk.registration === undefined
      ? {}
      : { registration: live?.registrations.find((one) => one.owner === owner)?.state ?? 'unknown' }),
    ...(limit === undefined
      ? {}
      : {
          limits: {
            ...(limit.calls === undefined ? {} : { calls: limit.calls }),
            ...(limit.callsPerSecond === undefined ? {} : { callsPerSecond: limit.callsPerSecond }),
            up: live === undefined ? 'unknown' : (live.usage.find(({ key }) => key === owner)?.calls ?? 0),
          },
        }),
    ...(full === undefined ? {} : { full }),
  };
}

/** By priority; `share` of the calls among those of the same one, 0 to 1. */
function targetsByShare(trunk: Trunk): TracedTrunk['targets'] {
  const targets = targetsOf(trunk);
  return [...targets]
    .sort((a, b) => a.priority - b.priority || b.weight - a.weight)
    .map(({ target, priority, weight }) => {
      const group = targets.filter((one) => one.priority === priority);
      const sum = group.reduce((total, one) => total + one.weight, 0);
      const share = sum === 0 ? 1 / group.length : weight / sum;
      return { target, priority, share: Math.round(share * 100) / 100 };
    });
}
