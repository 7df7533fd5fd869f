import type { EdgeEvent } from '../events/types.ts';
import { describeSource } from './source.ts';

type RefusedEvent = Extract<EdgeEvent, { type: 'admission.refused' }>;

interface Row {
  readonly listener: string;
  readonly rule: string;
  readonly threshold: number;
  readonly next: Row | undefined;
  count: number;
}

/**
 * Counts refusals and tells of them once per window, source, listener and rule, so that a flood cannot become a
 * flood of events.
 *
 * At most `sources` are named per window; the rest are told of together, as source `*`.
 */
export class Refusals {
  static readonly windowMilliseconds = 10_000;
  readonly #emit: (event: EdgeEvent) => void;
  readonly #limit: number;
  readonly #rows = new Map<string, Row>();
  #started = 0;
  #count = 0;
  #others = 0;
  #unseen = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(emit: (event: EdgeEvent) => void, sources = 256) {
    this.#emit = emit;
    this.#limit = sources;
  }

  /** Refusals since the start, of all sources. */
  get total(): number {
    return this.#count;
  }

  note(address: string, listener: string, rule: string, threshold: number, now: number): void {
    this.#count++;
    if (this.#rows.size > 0 && now - this.#started >= Refusals.windowMilliseconds) this.flush();
    const source = describeSource(address);
    const head = this.#rows.get(source);
    for (let row = head; row !== undefined; row = row.next) {
      if (row.rule === rule && row.listener === listener) {
        row.count++;
        return;
      }
    }
    if (head === undefined && this.#rows.size >= this.#limit) {
      this.#others++;
      return;
    }
    if (this.#rows.size === 0) {
      this.#started = now;
      this.#timer ??= setTimeout(() => this.flush(), Refusals.windowMilliseconds).unref();
    }
    this.#rows.set(source, { listener, rule, threshold, next: head, count: 1 });
  }

  /** Refused before it was known whose it was: told of with the next window, as source `*`. */
  noteUnseen(count: number): void {
    this.#count += count;
    this.#unseen += count;
    if (this.#unseen > 0) this.#timer ??= setTimeout(() => this.flush(), Refusals.windowMilliseconds).unref();
  }

  /** Tells of what was refused since the last time. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#unseen > 0) this.#emit(event('*', '*', 'admission.flood', this.#unseen, 0));
    this.#unseen = 0;
    if (this.#rows.size === 0) return;
    const rows = [...this.#rows];
    const others = this.#others;
    this.#rows.clear();
    this.#others = 0;
    for (const [source, head] of rows) {
      for (let row: Row | undefined = head; row !== undefined; row = row.next) {
        this.#emit(event(source, row.listener, row.rule, row.count, row.threshold));
      }
    }
    if (others > 0) this.#emit(event('*', '*', 'admission.others', others, this.#limit));
  }
}

const event = (
  source: string,
  listener: string,
  rule: string,
  count: number,
  threshold: number,
): RefusedEvent => ({
  type: 'admission.refused',
  source,
  listener,
  rule,
  count,
  threshold,
});
