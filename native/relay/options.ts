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
  /** Who may come through the door, descriptor 4, when the edge is gone: a user number; -1 where there is no door. */
  readonly owner: number;
  /** Names this run of the process. */
  readonly instance: string;
  readonly pollMs: number;
  readonly oneWayAfterMs: number;
  /** Under load each thread looks at its sockets no more often than this. */
  readonly gatherMicroseconds: number;
  /** Packets a second and thread from which on it does. */
  readonly gatherAbove: number;
  readonly dtls: DtlsLimits;
  /** 12 octets in hexadecimal: by this phones know us again in ZRTP (RFC 6189 §4.9). */
  readonly zid: string;
}

export interface DtlsLimits {
  /** Until a handshake message is sent again; twice as long with each repetition, up to 4 s. */
  readonly retransmitMs: number;
  /** After which a handshake is over. */
  readonly giveUpMs: number;
  /** How long one certificate is shown by endpoints that are opened. */
  readonly certificateMs: number;
  /** Handshakes that go on at once. */
  readonly mostHandshakes: number;
}
