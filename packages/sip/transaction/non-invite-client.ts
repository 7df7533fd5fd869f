import type { Machine } from './machine.ts';

export type NonInviteClientState = 'trying' | 'proceeding' | 'completed' | 'terminated';

export type NonInviteClientEvent = '1xx' | '200-699' | 'transport-error' | 'E' | 'F' | 'K';

/** Non-INVITE client transaction: RFC 3261 §17.1.2 figure 6. */
export const nonInviteClient: Machine<NonInviteClientState, NonInviteClientEvent> = {
  trying: {
    E: { to: 'trying', do: ['send'], start: ['E'] },
    F: { to: 'terminated', do: ['timeout-to-tu'] },
    'transport-error': { to: 'terminated', do: ['failure-to-tu'] },
    '1xx': { to: 'proceeding', do: ['response-to-tu'] },
    '200-699': { to: 'completed', do: ['response-to-tu'], stop: ['E', 'F'], start: ['K'] },
  },
  proceeding: {
    E: { to: 'proceeding', do: ['send'], start: ['E*'] },
    F: { to: 'terminated', do: ['timeout-to-tu'] },
    'transport-error': { to: 'terminated', do: ['failure-to-tu'] },
    '1xx': { to: 'proceeding', do: ['response-to-tu'] },
    '200-699': { to: 'completed', do: ['response-to-tu'], stop: ['E', 'F'], start: ['K'] },
  },
  completed: {
    K: { to: 'terminated' },
  },
  terminated: {},
};
