import type { Machine } from './machine.ts';

export type NonInviteServerState = 'trying' | 'proceeding' | 'completed' | 'terminated';

export type NonInviteServerEvent = 'request' | '1xx-from-tu' | '200-699-from-tu' | 'transport-error' | 'J';

/**
 * Non-INVITE server transaction: RFC 3261 §17.2.2 figure 8.
 *
 * A flow that breaks in Trying is told to the owner as well, so that it may stop working on an answer.
 */
export const nonInviteServer: Machine<NonInviteServerState, NonInviteServerEvent> = {
  trying: {
    request: { to: 'trying' },
    '1xx-from-tu': { to: 'proceeding', do: ['send'] },
    '200-699-from-tu': { to: 'completed', do: ['send'], start: ['J'] },
    'transport-error': { to: 'terminated', do: ['failure-to-tu'] },
  },
  proceeding: {
    request: { to: 'proceeding', do: ['send'] },
    '1xx-from-tu': { to: 'proceeding', do: ['send'] },
    '200-699-from-tu': { to: 'completed', do: ['send'], start: ['J'] },
    'transport-error': { to: 'terminated', do: ['failure-to-tu'] },
  },
  completed: {
    request: { to: 'completed', do: ['send'] },
    'transport-error': { to: 'terminated', do: ['failure-to-tu'] },
    J: { to: 'terminated' },
  },
  terminated: {},
};
