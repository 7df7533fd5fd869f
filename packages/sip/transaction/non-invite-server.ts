import type { Machine } from './machine.ts';

export type NonInviteServerState = 'trying' | 'proceeding' | 'completed' | 'terminated';

export type NonInviteServerEvent =
  | 'request'
  | '1xx-from-tu'
  | '200-699-from-tu'
  | 'transport-error'
  | 'slow'
  | 'J';

/**
 * Non-INVITE server transaction: RFC 3261 §17.2.2 figure 8.
 *
 * An owner that takes its time has 100 sent for it, RFC 4320 §4.1: so late that it changes no timer of the peer for the worse.
 * A flow that breaks in Trying is told to the owner as well, so that it may stop working on an answer.
 */
export const nonInviteServer: Machine<NonInviteServerState, NonInviteServerEvent> = {
  trying: {
    request: { to: 'trying' },
    '1xx-from-tu': { to: 'proceeding', do: ['send'], stop: ['slow'] },
    '200-699-from-tu': { to: 'completed', do: ['send'], stop: ['slow'], start: ['J'] },
    'transport-error': { to: 'terminated', do: ['failure-to-tu'] },
    slow: { to: 'proceeding', do: ['send-trying'] },
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
