/** What the media process is told when it starts. */
export interface ProcessOptions {
  /** First and last local port, both included. */
  readonly from: number;
  readonly to: number;
  readonly threads: number;
  /** Most open descriptors: a pair of ports takes two, or three once media flows. */
  readonly descriptors: number;
  /** Account to run as where it was started by root. */
  readonly user: string;
  /** Scheduling priority, -20 to 19, where the process may set it. */
  readonly nice: number;
  /** How long media flows on after the control socket has closed. */
  readonly graceMs: number;
  readonly pollMs: number;
  readonly oneWayAfterMs: number;
  /** Under load each thread looks at its sockets no more often than this. */
  readonly gatherMicroseconds: number;
  /** Packets a second and thread from which on it does. */
  readonly gatherAbove: number;
}
