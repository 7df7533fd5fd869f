import type { Machine } from './machine.ts';

export type InviteClientState = 'calling' | 'proceeding' | 'completed' | 'accepted' | 'terminated';

export type InviteClientEvent =
  | '1xx'
  | '2xx'
  | '300-699'
  | 'cancel-sent'
  | 'transport-error'
  | 'A'
  | 'B'
  | 'D'
  | 'M'
  | 'cancel';

/**
 * INVITE client transaction: RFC 3261 §17.1.1 figure 5 as changed by RFC 6026 §8.4, and the wait of §9.1.
 *
 * One departure: a flow that breaks in Proceeding ends the transaction, since no answer can come over it.
 */
export const inviteClient: Machine<InviteClientState, InviteClientEvent> = {
  calling: {
    A: { to: 'calling', do: ['send'], start: ['A'] },
    B: { to: 'terminated', do: ['timeout-to-tu'] },
    'transport-error': { to: 'terminated', do: ['failure-to-tu'] },
    '1xx': { to: 'proceeding', do: ['response-to-tu'], stop: ['A', 'B'] },
    '2xx': { to: 'accepted', do: ['response-to-tu'], stop: ['A', 'B'], start: ['M'] },
    '300-699': { to: 'completed', do: ['send-ack', 'response-to-tu'], stop: ['A', 'B'], start: ['D'] },
  },
  proceeding: {
    '1xx': { to: 'proceeding', do: ['response-to-tu'] },
    '2xx': { to: 'accepted', do: ['response-to-tu'], stop: ['cancel'], start: ['M'] },
    '300-699': { to: 'completed', do: ['send-ack', 'response-to-tu'], stop: ['cancel'], start: ['D'] },
    'cancel-sent': { to: 'proceeding', start: ['cancel'] },
    cancel: { to: 'terminated', do: ['timeout-to-tu'] },
    'transport-error': { to: 'terminated', do: ['failure-to-tu'] },
  },
  completed: {
    '300-699': { to: 'completed', do: ['send-ack'] },
    'transport-error': { to: 'terminated', do: ['failure-to-tu'] },
    D: { to: 'terminated' },
  },
  accepted: {
    '2xx': { to: 'accepted', do: ['response-to-tu'] },
    M: { to: 'terminated' },
  },
  terminated: {},
};
