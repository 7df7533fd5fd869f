/** A timer that can be started, stopped and started again without allocating. */
export class TimerNode<Owner> {
  readonly owner: Owner;
  /** When it fires, in the clock of whoever drives the queue; meaningless while stopped. */
  at = 0;
  /** Interval of the last start, 0 before the first. */
  interval = 0;
  list: TimerList<Owner> | undefined = undefined;
  previous: TimerNode<Owner> | undefined = undefined;
  next: TimerNode<Owner> | undefined = undefined;

  constructor(owner: Owner) {
    this.owner = owner;
  }

  get running(): boolean {
    return this.list !== undefined;
  }
}

class TimerList<Owner> {
  readonly interval: number;
  head: TimerNode<Owner> | undefined = undefined;
  tail: TimerNode<Owner> | undefined = undefined;

  constructor(interval: number) {
    this.interval = interval;
  }
}

/**
 * Timers that share few distinct intervals, as those of transactions do.
 *
 * Time does not run backwards, so the timers of one interval fire in the order in which they were started: each
 * interval has a linked list, start and stop are O(1), and the next timeout is the earliest of a dozen heads.
 * A stopped timer leaves nothing behind. Should `now` run backwards, a timer fires late, never out of order.
 */
export class TimerQueue<Owner> {
  readonly #lists = new Map<number, TimerList<Owner>>();
  readonly #all: TimerList<Owner>[] = [];
  #size = 0;

  get size(): number {
    return this.#size;
  }

  start(node: TimerNode<Owner>, interval: number, now: number): void {
    if (node.list !== undefined) this.stop(node);
    let list = this.#lists.get(interval);
    if (list === undefined) {
      list = new TimerList<Owner>(interval);
      this.#lists.set(interval, list);
      this.#all.push(list);
    }
    const tail = list.tail;
    const at = now + interval;
    node.at = tail !== undefined && tail.at > at ? tail.at : at;
    node.interval = interval;
    node.list = list;
    node.previous = tail;
    if (tail === undefined) list.head = node;
    else tail.next = node;
    list.tail = node;
    this.#size++;
  }

  stop(node: TimerNode<Owner>): void {
    const list = node.list;
    if (list === undefined) return;
    if (node.previous === undefined) list.head = node.next;
    else node.previous.next = node.next;
    if (node.next === undefined) list.tail = node.previous;
    else node.next.previous = node.previous;
    node.list = undefined;
    node.previous = undefined;
    node.next = undefined;
    this.#size--;
  }

  /** When the earliest timer fires, Infinity when none runs. */
  nextTimeout(): number {
    let earliest = Number.POSITIVE_INFINITY;
    for (const list of this.#all) {
      if (list.head !== undefined && list.head.at < earliest) earliest = list.head.at;
    }
    return earliest;
  }

  /** Stops and returns the earliest timer that is due, undefined when none is. */
  expire(now: number): TimerNode<Owner> | undefined {
    let first: TimerNode<Owner> | undefined;
    for (const list of this.#all) {
      const head = list.head;
      if (head !== undefined && head.at <= now && (first === undefined || head.at < first.at)) first = head;
    }
    if (first !== undefined) this.stop(first);
    return first;
  }
}
