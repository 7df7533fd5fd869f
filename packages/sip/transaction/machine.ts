import type { TimerName } from './timers.ts';

/** What a transition makes the layer do, in the words of the figures of RFC 3261 §17. */
export type Action =
  /** Sends the stored bytes: the request of a client transaction, the latest response of a server one. */
  | 'send'
  /** Sends the ACK of a 300-699 answer, built once (§17.1.1.3). */
  | 'send-ack'
  /** Sends 100 Trying of the layer's own. */
  | 'send-trying'
  | 'request-to-tu'
  | 'response-to-tu'
  | 'ack-to-tu'
  | 'timeout-to-tu'
  | 'failure-to-tu';

export interface Transition<State extends string = string> {
  readonly to: State;
  readonly do?: readonly Action[];
  readonly stop?: readonly TimerName[];
  readonly start?: readonly TimerName[];
}

/** A figure: per state, per event, what happens; what is not listed is ignored. */
export type Machine<State extends string = string, Event extends string = string> = {
  readonly [S in State]: { readonly [E in Event]?: Transition<State> };
};
