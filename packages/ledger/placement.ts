import type { DamageList } from './damage.ts';

interface Run {
  readonly place: number;
  readonly sequence: number;
  length: number;
}

type Range = readonly [from: number, to: number];

/**
 * Tells what was dropped from what was moved: entries that do not carry the number of their place, as runs.
 *
 * A gap that was closed by moving up the rest is one run, however long the ledger is.
 */
export class Placement {
  readonly #runs: Run[] = [];
  readonly #gaps: Range[] = [];

  get clean(): boolean {
    return this.#runs.length === 0 && this.#gaps.length === 0;
  }

  misplaced(place: number, sequence: number): void {
    const last = this.#runs.at(-1);
    if (last !== undefined && last.place + last.length === place && last.sequence + last.length === sequence)
      last.length += 1;
    else this.#runs.push({ place, sequence, length: 1 });
  }

  gap(from: number, to: number): void {
    this.#gaps.push([from, to]);
  }

  /** Takes what another has seen of later places. */
  join(other: Placement): void {
    for (const { place, sequence, length } of other.#runs) {
      const last = this.#runs.at(-1);
      if (
        last !== undefined &&
        last.place + last.length === place &&
        last.sequence + last.length === sequence
      )
        last.length += length;
      else this.#runs.push({ place, sequence, length });
    }
    this.#gaps.push(...other.#gaps);
  }

  tell(damages: DamageList): void {
    const missing: Range[] = this.#runs.map(({ place, length }): Range => [place, place + length - 1]);
    const found = this.#runs
      .map(({ sequence, length }): Range => [sequence, sequence + length - 1])
      .sort(([a], [b]) => a - b);
    for (const [from, to] of [...without([...missing, ...this.#gaps], found)].sort(([a], [b]) => a - b))
      damages.add('dropped', from, to, (range) => `${range} was dropped: it is nowhere in the ledger`);
    for (const { place, sequence, length } of this.#runs)
      damages.add('reordered', place, place + length - 1, (range) =>
        length === 1
          ? `${range} is not in its place: number ${sequence} stands there`
          : `${range} are not in their places: numbers from ${sequence} on stand there`,
      );
  }
}

/** What of `ranges` is in none of `taken`, which are in order. */
function* without(ranges: readonly Range[], taken: readonly Range[]): Generator<Range> {
  for (const [from, to] of ranges) {
    let at = from;
    for (const [start, end] of taken) {
      if (end < at) continue;
      if (start > to) break;
      if (start > at) yield [at, start - 1];
      at = Math.max(at, end + 1);
    }
    if (at <= to) yield [at, to];
  }
}
