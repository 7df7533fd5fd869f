export interface Uas2xxTimers {
  /** Milliseconds; default 500. */
  readonly T1?: number;
  /** Milliseconds; default 4000. */
  readonly T2?: number;
}

/** `repeat`: send the 2xx again. `gave-up`: no ACK in 64*T1, the dialog is confirmed but the owner sends BYE. */
export type Uas2xxOutput = 'repeat' | 'gave-up';

/**
 * Repeats a 2xx to INVITE until its ACK comes, RFC 3261 §13.3.1.4: after T1, doubling to T2, for 64*T1.
 *
 * On every transport, since the 2xx and its ACK go from end to end. Make it when the 2xx was first sent.
 */
export class Uas2xx {
  readonly #cap: number;
  readonly #end: number;
  #interval: number;
  #next: number;
  #output: Uas2xxOutput | undefined = undefined;

  constructor(now: number, timers: Uas2xxTimers = {}) {
    const first = timers.T1 ?? 500;
    this.#cap = timers.T2 ?? 4000;
    this.#interval = first;
    this.#next = now + first;
    this.#end = now + 64 * first;
  }

  get running(): boolean {
    return this.#next !== Number.POSITIVE_INFINITY;
  }

  /** The ACK came. */
  acknowledged(): void {
    this.#next = Number.POSITIVE_INFINITY;
    this.#output = undefined;
  }

  handleTimeout(now: number): void {
    if (!this.running) return;
    if (now >= this.#end) {
      this.#next = Number.POSITIVE_INFINITY;
      this.#output = 'gave-up';
    } else if (now >= this.#next) {
      this.#interval = Math.min(this.#interval * 2, this.#cap);
      this.#next = Math.min(now + this.#interval, this.#end);
      this.#output = 'repeat';
    }
  }

  /** When to call `handleTimeout`, Infinity once it is over. */
  nextTimeout(): number {
    return this.#next;
  }

  poll(): Uas2xxOutput | undefined {
    const output = this.#output;
    this.#output = undefined;
    return output;
  }
}
