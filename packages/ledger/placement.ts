import type { DamageList } from './damage.ts';

/** In a form that threads can hand to each other. */
export interface Placed {
  readonly runs: readonly Readonly<Run>[];
  readonly gaps: readonly Range[];
  readonly beyond: Beyond | undefined;
}

interface Run {
  readonly place: number;
  readonly sequence: number;
  length: number;
}

type Range = readonly [from: number, to: number];

/** What was too much to be kept one by one. */
interface Beyond {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/** Runs and gaps that are kept, some 100 octets each: a ledger that was shuffled must not fill the memory. */
const mostKept = 100_000;

/**
 * Tells what was dropped from what was moved: entries that do not carry the number of their place, as runs.
 *
 * A gap that was closed by moving up the rest is one run, however long the ledger is.
 */
export class Placement {
  readonly #most: number;
  readonly #runs: Run[] = [];
  readonly #gaps: Range[] = [];
  #beyond: Beyond | undefined;

  constructor(most = mostKept) {
    this.#most = most;
  }

  get state(): Placed {
    return { runs: this.#runs, gaps: this.#gaps, beyond: this.#beyond };
  }

  misplaced(place: number, sequence: number): void {
    this.#run({ place, sequence, length: 1 });
  }

  gap(from: number, to: number): void {
    if (this.#gaps.length < this.#most) this.#gaps.push([from, to]);
    else this.#tooMuch({ from, to, count: to - from + 1 });
  }

  /** Takes what another has seen of later places. */
  join({ runs, gaps, beyond }: Placed): void {
    for (const run of runs) this.#run(run);
    for (const [from, to] of gaps) this.gap(from, to);
    if (beyond !== undefined) this.#tooMuch(beyond);
  }

  #run({ place, sequence, length }: Readonly<Run>): void {
    const last = this.#runs.at(-1);
    if (last !== undefined && last.place + last.length === place && last.sequence + last.length === sequence)
      last.length += length;
    else if (this.#runs.length < this.#most) this.#runs.push({ place, sequence, length });
    else this.#tooMuch({ from: place, to: place + length - 1, count: length });
  }

  #tooMuch({ from, to, count }: Beyond): void {
    const { from: first, to: last, count: before } = this.#beyond ?? { from, to, count: 0 };
    this.#beyond = { from: Math.min(first, from), to: Math.max(last, to), count: before + count };
  }

  tell(damages: DamageList): void {
    if (this.#beyond !== undefined) return this.#tellMany(damages, this.#beyond);
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

  /** So many that what was dropped can no longer be told from what was moved. */
  #tellMany(damages: DamageList, { from, to, count }: Beyond): void {
    for (const [first, last] of this.#gaps)
      damages.add('dropped', first, last, (range) => `${range} is not in its place, and perhaps nowhere`);
    for (const { place, sequence, length } of this.#runs)
      damages.add(
        'reordered',
        place,
        place + length - 1,
        (range) => `${range} is not in its place: numbers from ${sequence} on stand there`,
      );
    damages.add(
      'reordered',
      from,
      to,
      (range) =>
        `${count} more among ${range} are not in their places, or dropped: too many to be told apart`,
    );
  }
}

/** What of `ranges` is in none of `taken`, which are in the order of their beginnings. */
function* without(ranges: readonly Range[], taken: readonly Range[]): Generator<Range> {
  const apart: [from: number, to: number][] = [];
  for (const [start, end] of taken) {
    const last = apart.at(-1);
    if (last !== undefined && start <= last[1] + 1) last[1] = Math.max(last[1], end);
    else apart.push([start, end]);
  }
  for (const [from, to] of ranges) {
    let at = from;
    // by halving: a ledger that was shuffled has as many runs as entries
    let low = 0;
    let high = apart.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((apart[middle]?.[1] ?? 0) < at) low = middle + 1;
      else high = middle;
    }
    for (let i = low; i < apart.length; i++) {
      const [start, end] = apart[i] as Range;
      if (start > to) break;
      if (start > at) yield [at, start - 1];
      at = Math.max(at, end + 1);
    }
    if (at <= to) yield [at, to];
  }
}
