/** Timers of RFC 6189 §6, and two of ours; in milliseconds. */
export type TimerName =
  /** A Hello is sent again. */
  | 'T1'
  /** Anything else is sent again. */
  | 'T2'
  /** A responder hears nothing, or nobody commits. */
  | 'silence'
  /** An Error has come and nothing else since. */
  | 'grace';

/** How often and when a message is sent again: `first`, doubled up to `most`, `times` in all. */
export interface Schedule {
  readonly first: number;
  readonly most: number;
  readonly times: number;
}

/** 3.75 s in all. */
export const helloSchedule: Schedule = { first: 50, most: 200, times: 20 };
/** At least 12 s, where the peer is known to speak ZRTP. */
export const patientHelloSchedule: Schedule = { first: 50, most: 200, times: 62 };
/** 9.45 s in all. */
export const messageSchedule: Schedule = { first: 150, most: 1200, times: 10 };

/** A responder gives up after that much silence. */
export const silence = 10_000;
/** An Error ends an exchange that shows no life for as long as the longest interval of T2. */
export const grace = 1200;

/** A message on its schedule. */
export class Repeats {
  readonly message: Uint8Array;
  #schedule: Schedule;
  #sent = 0;

  constructor(message: Uint8Array, schedule: Schedule) {
    this.message = message;
    this.#schedule = schedule;
  }

  /** Milliseconds until it is due next; the last interval passes before the schedule counts as over. */
  get interval(): number {
    return Math.min(this.#schedule.first * 2 ** Math.min(this.#sent, 10), this.#schedule.most);
  }

  /** Whether it may be sent once more. */
  again(): boolean {
    if (this.#sent >= this.#schedule.times) return false;
    this.#sent++;
    return true;
  }

  prolong(schedule: Schedule): void {
    this.#schedule = schedule;
  }
}
