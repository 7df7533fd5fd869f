const windowMs = 10_000;
const mostKeys = 256;

/** Says of each key once in ten seconds that it may be told of; of what is more than 256 keys only of one. */
export class OnceInAWhile {
  readonly #keys = new Set<string>();
  #since = 0;

  take(key: string, now: number): boolean {
    if (now - this.#since >= windowMs) {
      this.#keys.clear();
      this.#since = now;
    }
    const one = this.#keys.size < mostKeys ? key : '*';
    if (this.#keys.has(key) || this.#keys.has(one)) return false;
    this.#keys.add(one);
    return true;
  }
}
