import type { Involved } from './types.ts';

/** Names in the order in which they came: so many are kept, the others counted, as well as they can be told apart. */
export class InvolvedNames {
  readonly #names: Set<string>;
  readonly #most: number;
  #more: number;
  #last = '';

  constructor(most: number, from: Involved = { names: [], more: 0 }) {
    this.#most = most;
    this.#names = new Set(from.names.slice(0, most));
    this.#more = from.more;
  }

  /** True where the name is new and is kept. */
  add(name: string): boolean {
    if (this.#names.has(name)) return false;
    if (this.#names.size < this.#most) {
      this.#names.add(name);
      return true;
    }
    // One who goes on and on is counted once as long as nobody comes in between.
    if (name !== this.#last) this.#more += 1;
    this.#last = name;
    return false;
  }

  has(name: string): boolean {
    return this.#names.has(name);
  }

  [Symbol.iterator](): Iterator<string> {
    return this.#names.values();
  }

  get state(): Involved {
    return { names: [...this.#names], more: this.#more };
  }
}
