import type { TimelineEntry } from './types.ts';

interface Entry extends TimelineEntry {
  until: number;
  count: number;
}

/** Alike and so close together are one entry with a count. */
const togetherMs = 60_000;

/**
 * What happened, in order. The first and the latest entries are kept, `most` in all; what falls out in between is
 * counted in an entry of its own, so that nobody can push the beginning out by noise.
 */
export class Timeline {
  readonly #first: Entry[];
  readonly #latest: Entry[];
  readonly #most: number;
  #gap: Entry | undefined;

  constructor(most: number, from: readonly TimelineEntry[] = []) {
    this.#most = most;
    const entries = from.filter(({ type }) => type !== 'gap').map((entry) => ({ ...entry }));
    const gap = from.find(({ type }) => type === 'gap');
    this.#gap = gap === undefined ? undefined : { ...gap };
    this.#first = entries.slice(0, most / 2);
    this.#latest = entries.slice(most / 2);
  }

  add(at: number, type: string, text: string): void {
    const all = this.#latest.length > 0 ? this.#latest : this.#first;
    const alike = all.findLast((entry) => entry.type === type && entry.text === text);
    if (alike !== undefined && at - alike.until <= togetherMs) {
      alike.until = Math.max(at, alike.until);
      alike.count += 1;
      return;
    }
    const entry = { at, until: at, count: 1, type, text };
    if (this.#first.length < this.#most / 2 && this.#latest.length === 0) {
      this.#first.push(entry);
      return;
    }
    this.#latest.push(entry);
    if (this.#latest.length <= this.#most / 2) return;
    const out = this.#latest.shift()!;
    this.#gap ??= { at: out.at, until: out.until, count: 0, type: 'gap', text: 'left out here' };
    this.#gap.until = Math.max(this.#gap.until, out.until);
    this.#gap.count += out.count;
  }

  get entries(): TimelineEntry[] {
    const gap = this.#gap === undefined ? [] : [this.#gap];
    return [...this.#first, ...gap, ...this.#latest].map((entry) => ({ ...entry }));
  }
}
