/** What came lately: it fades with the time constant of its window, so that nobody waits for a window to end. */
export class Leaky {
  #value = 0;
  #at = 0;

  /** As of `at`; clocks that run back fade nothing. @param window ms */
  read(at: number, window: number): number {
    if (this.#value === 0) return 0;
    const passed = at - this.#at;
    return passed <= 0 ? this.#value : this.#value * Math.exp(-passed / window);
  }

  /** Returns what is in it then; never below 0. */
  add(at: number, window: number, amount: number): number {
    this.#value = Math.max(0, this.read(at, window) + amount);
    if (at > this.#at) this.#at = at;
    return this.#value;
  }

  get kept(): readonly [value: number, at: number] {
    return [this.#value, this.#at];
  }

  restore(value: number, at: number): void {
    this.#value = Number.isFinite(value) ? Math.max(0, value) : 0;
    this.#at = Number.isFinite(at) ? at : 0;
  }
}
