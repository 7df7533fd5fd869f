import { MisuseError } from './misuse.ts';

export interface BoundedMapOptions<K, V> {
  /** Most entries. Memory is this many times what a key and a value take, and about 100 octets each on top. */
  readonly capacity: number;
  /**
   * Who goes first when it is full: `use` the one not read or written for longest (LRU), `insertion` the one that
   * came first. Default `use`.
   */
  readonly order?: 'use' | 'insertion';
  /** Called for each entry that had to make room, after it has gone; not for `delete` and `clear`. */
  readonly onEvict?: (key: K, value: V) => void;
}

/** A map that a peer cannot make grow beyond its capacity. All operations take constant time. */
export class BoundedMap<K, V> {
  readonly #entries = new Map<K, V>();
  readonly #capacity: number;
  readonly #byUse: boolean;
  readonly #onEvict: ((key: K, value: V) => void) | undefined;

  /** @throws MisuseError `bounded-map-capacity` unless the capacity is an integer above 0. */
  constructor({ capacity, order = 'use', onEvict }: BoundedMapOptions<K, V>) {
    if (!Number.isSafeInteger(capacity) || capacity < 1)
      throw new MisuseError('bounded-map-capacity', 'a capacity is an integer above 0');
    this.#capacity = capacity;
    this.#byUse = order === 'use';
    this.#onEvict = onEvict;
  }

  get size(): number {
    return this.#entries.size;
  }

  get capacity(): number {
    return this.#capacity;
  }

  has(key: K): boolean {
    return this.#entries.has(key);
  }

  /** Reads, and with order `use` marks as used. */
  get(key: K): V | undefined {
    const value = this.#entries.get(key);
    if (this.#byUse && (value !== undefined || this.#entries.has(key))) {
      this.#entries.delete(key);
      this.#entries.set(key, value as V);
    }
    return value;
  }

  /** Reads and leaves the order alone. */
  peek(key: K): V | undefined {
    return this.#entries.get(key);
  }

  set(key: K, value: V): void {
    const known = this.#entries.has(key);
    if (known && this.#byUse) this.#entries.delete(key);
    this.#entries.set(key, value);
    if (known || this.#entries.size <= this.#capacity) return;
    const [oldest, evicted] = this.#entries.entries().next().value as [K, V];
    this.#entries.delete(oldest);
    this.#onEvict?.(oldest, evicted);
  }

  delete(key: K): boolean {
    return this.#entries.delete(key);
  }

  clear(): void {
    this.#entries.clear();
  }

  /** Oldest first. */
  entries(): MapIterator<[K, V]> {
    return this.#entries.entries();
  }

  keys(): MapIterator<K> {
    return this.#entries.keys();
  }

  values(): MapIterator<V> {
    return this.#entries.values();
  }
}
