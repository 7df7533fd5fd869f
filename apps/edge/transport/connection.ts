import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { Admission } from '../admission/admission.ts';

/** Bytes waiting to be sent to a peer that does not read; beyond it the connection is closed. */
export const writeQueueBytes = 256 * 1024;
/** How long anything may wait to be sent. */
export const writeStallMilliseconds = 30_000;
/** How long a connection that got a last word may live on. */
export const lingerMilliseconds = 1000;
/** Messages in a row that admission may refuse before the connection is closed. */
export const refusalsInARow = 100;
/** Keepalives answered on one connection. */
const pongsPerSecond = 10;

/** An open connection that carries SIP, whatever its framing. */
export interface Connection extends Flow {
  readonly open: boolean;
  /** Has a registration: closed only after so much silence, in place of `admission.idleSeconds`. */
  keptSeconds: number | undefined;
  /** False when the connection is gone, or the peer has not read what was sent before. */
  send(bytes: Uint8Array): boolean;
  /** Closes what has outstayed its time; to be called about once a second. */
  check(now: number): void;
  /** Later calls do nothing. */
  close(reason: string): void;
}

/** Who owns connections. */
export interface ConnectionHost {
  readonly admission: Admission;
  readonly clock: () => number;
  message(flow: Connection, bytes: Uint8Array, now: number): void;
  ended(flow: Connection, reason: string): void;
}

/** Answers to keepalives are answers to anybody, so they have a bound. */
export class PongAllowance {
  #given = 0;
  #from = 0;

  take(now: number): boolean {
    if (Math.abs(now - this.#from) >= 1000) {
      this.#from = now;
      this.#given = 0;
    }
    return this.#given++ < pongsPerSecond;
  }
}
