/** How much at most; what is absent is not limited. */
export interface CallLimit {
  /** At the same time. */
  readonly calls?: number;
  /** New ones; one second's worth may come at once. */
  readonly callsPerSecond?: number;
}

/** Calls of one trunk, domain or user: how many there are, and how quickly they come. */
export class Counter {
  /** Calls at present; never below zero. */
  calls = 0;
  #tokens = Number.NaN;
  #at = 0;

  /** What stands in the way of one more call. */
  full({ calls, callsPerSecond }: CallLimit, now: number): 'calls' | 'rate' | undefined {
    if (calls !== undefined && this.calls >= calls) return 'calls';
    if (callsPerSecond !== undefined && this.#refill(callsPerSecond, now) < 1) return 'rate';
    return undefined;
  }

  /** Counts one more; also where it is full, as for emergency calls. */
  take({ callsPerSecond }: CallLimit, now: number): void {
    this.calls += 1;
    if (callsPerSecond !== undefined) this.#tokens = Math.max(0, this.#refill(callsPerSecond, now) - 1);
  }

  give(): void {
    if (this.calls > 0) this.calls -= 1;
  }

  /** Milliseconds until the rate admits one more. */
  wait({ callsPerSecond }: CallLimit, now: number): number {
    if (callsPerSecond === undefined) return 0;
    return Math.ceil((Math.max(0, 1 - this.#refill(callsPerSecond, now)) * 1000) / callsPerSecond);
  }

  /** Nothing is left that a new counter would not know. */
  idle(now: number): boolean {
    return this.calls === 0 && now - this.#at > 1000;
  }

  #refill(rate: number, now: number): number {
    const gained = (Math.max(0, now - this.#at) * rate) / 1000;
    this.#tokens = Number.isNaN(this.#tokens) ? rate : Math.min(rate, this.#tokens + gained);
    this.#at = now;
    return this.#tokens;
  }
}
