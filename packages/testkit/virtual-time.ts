interface Entry {
  readonly at: number;
  readonly order: number;
  readonly action: (now: number) => void;
  cancelled: boolean;
}

/** Takes an action off the schedule. */
export type Cancel = () => void;

/**
 * A clock that moves only when told to, with the actions that wait for it.
 *
 * Actions run in the order of their times, those of one time in the order in which they were scheduled.
 */
export class VirtualTime {
  readonly #heap: Entry[] = [];
  #now: number;
  #order = 0;

  constructor(start = 0) {
    this.#now = start;
  }

  /** Milliseconds. */
  get now(): number {
    return this.#now;
  }

  /** When the next action runs, Infinity where none waits. */
  get next(): number {
    while (this.#heap[0]?.cancelled === true) this.#take();
    return this.#heap[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Runs `action` at that time, or now if it has passed. */
  at(time: number, action: (now: number) => void): Cancel {
    const entry: Entry = { at: Math.max(time, this.#now), order: this.#order++, action, cancelled: false };
    this.#heap.push(entry);
    this.#up(this.#heap.length - 1);
    return () => {
      entry.cancelled = true;
    };
  }

  after(delay: number, action: (now: number) => void): Cancel {
    return this.at(this.#now + delay, action);
  }

  /** Moves the clock without running anything; throws where that would pass over an action. */
  jump(time: number): void {
    if (time < this.#now || time > this.next)
      throw new RangeError(`cannot jump from ${this.#now} to ${time}`);
    this.#now = time;
  }

  /** Runs the next action; false where none waits. */
  step(): boolean {
    if (this.next === Number.POSITIVE_INFINITY) return false;
    const entry = this.#take();
    this.#now = entry.at;
    entry.action(entry.at);
    return true;
  }

  /** Runs everything up to that time, then stands there. */
  runUntil(time: number): void {
    while (this.next <= time) this.step();
    this.#now = Math.max(this.#now, time);
  }

  #before(a: number, b: number): boolean {
    const left = this.#heap[a] as Entry;
    const right = this.#heap[b] as Entry;
    return left.at < right.at || (left.at === right.at && left.order < right.order);
  }

  #swap(a: number, b: number): void {
    const heap = this.#heap;
    [heap[a], heap[b]] = [heap[b] as Entry, heap[a] as Entry];
  }

  #up(from: number): void {
    for (let i = from; i > 0; ) {
      const parent = (i - 1) >> 1;
      if (!this.#before(i, parent)) return;
      this.#swap(i, parent);
      i = parent;
    }
  }

  #take(): Entry {
    const heap = this.#heap;
    const first = heap[0] as Entry;
    const last = heap.pop() as Entry;
    if (heap.length > 0) {
      heap[0] = last;
      for (let i = 0; ; ) {
        let least = i;
        for (const child of [2 * i + 1, 2 * i + 2]) {
          if (child < heap.length && this.#before(child, least)) least = child;
        }
        if (least === i) break;
        this.#swap(i, least);
        i = least;
      }
    }
    return first;
  }
}
