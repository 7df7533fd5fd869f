import type { Machine } from './machine.ts';

export type InviteServerState = 'proceeding' | 'completed' | 'confirmed' | 'accepted' | 'terminated';

export type InviteServerEvent =
  | 'request'
  | 'ack'
  | '1xx-from-tu'
  | '2xx-from-tu'
  | '300-699-from-tu'
  | 'transport-error'
  | 'G'
  | 'H'
  | 'I'
  | 'L';

/** INVITE server transaction: RFC 3261 §17.2.1 figure 7 as changed by RFC 6026 §8.7. */
export const inviteServer: Machine<InviteServerState, InviteServerEvent> = {
  proceeding: {
    request: { to: 'proceeding', do: ['send'] },
    '1xx-from-tu': { to: 'proceeding', do: ['send'] },
    '2xx-from-tu': { to: 'accepted', do: ['send'], start: ['L'] },
    '300-699-from-tu': { to: 'completed', do: ['send'], start: ['G', 'H'] },
    'transport-error': { to: 'proceeding', do: ['failure-to-tu'] },
  },
  completed: {
    request: { to: 'completed', do: ['send'] },
    G: { to: 'completed', do: ['send'], start: ['G'] },
    H: { to: 'terminated', do: ['timeout-to-tu'] },
    ack: { to: 'confirmed', stop: ['G', 'H'], start: ['I'] },
    'transport-error': { to: 'completed', do: ['failure-to-tu'] },
  },
  confirmed: {
    ack: { to: 'confirmed' },
    I: { to: 'terminated' },
  },
  accepted: {
    request: { to: 'accepted' },
    ack: { to: 'accepted', do: ['ack-to-tu'] },
    '2xx-from-tu': { to: 'accepted', do: ['send'] },
    'transport-error': { to: 'accepted', do: ['failure-to-tu'] },
    L: { to: 'terminated' },
  },
  terminated: {},
};
