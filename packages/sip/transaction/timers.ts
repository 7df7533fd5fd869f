/** Timer values in milliseconds, RFC 3261 §17 table 4. Everything else is made of these. */
export interface TimerValues {
  /** Estimate of the round trip. Default 500. */
  readonly T1: number;
  /** Longest interval between retransmissions of non-INVITE requests and INVITE responses. Default 4000. */
  readonly T2: number;
  /** Longest time that a message stays in the network. Default 5000. */
  readonly T4: number;
  /** Timer D on unreliable flows: how long repeated final answers to INVITE are acknowledged. Default 32000. */
  readonly D: number;
}

export const defaultTimerValues: TimerValues = { T1: 500, T2: 4000, T4: 5000, D: 32_000 };

/** Names of RFC 3261 §17 and RFC 6026; `E*` is timer E in Proceeding, `cancel` the wait of §9.1, `slow` that of RFC 4320. */
export type TimerName =
  | 'A'
  | 'B'
  | 'D'
  | 'E'
  | 'E*'
  | 'F'
  | 'G'
  | 'H'
  | 'I'
  | 'J'
  | 'K'
  | 'L'
  | 'M'
  | 'slow'
  | 'cancel';

/** Event that a machine sees when its timer fires. */
export type TimerEvent = Exclude<TimerName, 'E*'>;

export interface TimerRow {
  /** A transaction has one place for the timer that sends again and one for the timer that ends its state. */
  readonly role: 'retransmit' | 'end';
  readonly event: TimerEvent;
  /** Next interval after `previous` (0 at first); 0 fires at once, Infinity never starts. */
  interval(values: TimerValues, reliable: boolean, previous: number): number;
}

const doubling = (event: TimerEvent, cap: (values: TimerValues) => number): TimerRow => ({
  role: 'retransmit',
  event,
  interval: (values, reliable, previous) =>
    reliable ? Number.POSITIVE_INFINITY : previous === 0 ? values.T1 : Math.min(previous * 2, cap(values)),
});

const ending = (event: TimerEvent, interval: TimerRow['interval']): TimerRow => ({
  role: 'end',
  event,
  interval,
});

/** RFC 3261 table 4 with the timers of RFC 6026 added. */
export const timerTable: Readonly<Record<TimerName, TimerRow>> = {
  A: doubling('A', () => Number.POSITIVE_INFINITY), //       §17.1.1.2 INVITE request, unreliable only
  B: ending('B', (v) => 64 * v.T1), //                       §17.1.1.2 INVITE transaction timeout
  D: ending('D', (v, reliable) => (reliable ? 0 : v.D)), //  §17.1.1.2 wait for response retransmits
  E: doubling('E', (v) => v.T2), //                          §17.1.2.2 non-INVITE request, unreliable only
  'E*': {
    role: 'retransmit',
    event: 'E', //                                           §17.1.2.2 in Proceeding always T2
    interval: (v, reliable) => (reliable ? Number.POSITIVE_INFINITY : v.T2),
  },
  F: ending('F', (v) => 64 * v.T1), //                       §17.1.2.2 non-INVITE transaction timeout
  G: doubling('G', (v) => v.T2), //                          §17.2.1   INVITE response, unreliable only
  H: ending('H', (v) => 64 * v.T1), //                       §17.2.1   wait for ACK
  I: ending('I', (v, reliable) => (reliable ? 0 : v.T4)), // §17.2.1   wait for ACK retransmits
  J: ending('J', (v, reliable) => (reliable ? 0 : 64 * v.T1)), // §17.2.2 wait for request retransmits
  K: ending('K', (v, reliable) => (reliable ? 0 : v.T4)), // §17.1.2.2 wait for response retransmits
  L: ending('L', (v) => 64 * v.T1), //                       RFC 6026 §8.7  wait for INVITE retransmits
  M: ending('M', (v) => 64 * v.T1), //                       RFC 6026 §8.4  wait for 2xx retransmits and forks
  slow: {
    role: 'retransmit',
    event: 'slow', //                                        RFC 4320 §4.1 until the peer's timer E is T2
    interval: (v) => untilT2(v),
  },
  cancel: ending('cancel', (v) => 64 * v.T1), //             §9.1 no final response after CANCEL
};

/** When timer E of the other end has doubled up to T2: 3.5 s with the usual values. */
function untilT2({ T1, T2 }: TimerValues): number {
  let at = 0;
  for (let interval = T1; interval < T2; interval *= 2) at += interval;
  return at;
}
