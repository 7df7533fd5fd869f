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
