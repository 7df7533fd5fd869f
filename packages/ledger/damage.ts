/** What `verify` can find. The kinds are stable. */
export type DamageKind =
  /** Content or header are not what was recorded. */
  | 'edited'
  /** There is no such entry any more. */
  | 'dropped'
  /** Entries stand in places that are not theirs. */
  | 'reordered'
  /** Content is gone, and no act of retention has taken it. */
  | 'removed'
  /** Signed heads know of entries at the end that are not there. */
  | 'truncated'
  /** Entries and all that follow fit each other, but not what was signed. */
  | 'rewritten'
  /** Entries that no signed head covers. */
  | 'unsigned'
  /** A head whose signature is not of this ledger's key, or that is of another ledger. */
  | 'head-forged'
  /** Two signed heads of one size that differ: two histories were told. */
  | 'forked'
  /** A recorded time stamp that is not a good one, or is over another head than it claims. */
  | 'stamp-forged';

export interface Damage {
  readonly kind: DamageKind;
  /** First and last entry concerned. */
  readonly from: number;
  readonly to: number;
  /** One sentence for the administrator. */
  readonly text: string;
}

export const entries = (from: number, to: number): string =>
  from === to ? `entry ${from}` : `entries ${from} to ${to}`;

/** Names are given for so many; what is beyond is counted. */
export const mostNamed = 10_000;

/** As a list keeps it: the sentence has its range open, so that neighbours can still become one. */
export interface OpenDamage {
  readonly kind: DamageKind;
  readonly from: number;
  readonly to: number;
  /** With `rangeMark` where the range stands. */
  readonly sentence: string;
}
const rangeMark = '\0';

/** What a list holds, in a form that threads can hand to each other. */
export interface ListedDamages {
  readonly named: readonly OpenDamage[];
  readonly more: number;
}

/** A list that names the first ten thousand damages and counts the rest. Neighbours of a kind become one. */
export class DamageList {
  readonly #named: OpenDamage[] = [];
  #more = 0;

  get named(): readonly Damage[] {
    return this.#named.map(({ kind, from, to, sentence }) => ({
      kind,
      from,
      to,
      text: sentence.replace(rangeMark, entries(from, to)),
    }));
  }

  get more(): number {
    return this.#more;
  }

  get state(): ListedDamages {
    return { named: [...this.#named], more: this.#more };
  }

  /** Whether something is named that begins below this entry, of another kind than these. */
  hasBelow(place: number, ...others: readonly DamageKind[]): boolean {
    return this.#named.some(({ kind, from }) => from < place && !others.includes(kind));
  }

  add(kind: DamageKind, from: number, to: number, text: (range: string) => string): void {
    this.#put({ kind, from, to, sentence: text(rangeMark) });
  }

  join({ named, more }: ListedDamages): void {
    for (const damage of named) this.#put(damage);
    this.#more += more;
  }

  #put(damage: OpenDamage): void {
    const last = this.#named.at(-1);
    const { kind, from, to } = damage;
    if (last !== undefined && last.kind === kind && from <= last.to + 1 && from >= last.from)
      this.#named[this.#named.length - 1] = { ...damage, from: last.from, to: Math.max(to, last.to) };
    else if (this.#named.length >= mostNamed) this.#more += 1;
    else this.#named.push(damage);
  }
}
