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
  | 'forked';

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

/** A list that names the first ten thousand damages and counts the rest. Neighbours of a kind become one. */
export class DamageList {
  readonly #named: Damage[] = [];
  #more = 0;

  get named(): readonly Damage[] {
    return this.#named;
  }

  get more(): number {
    return this.#more;
  }

  add(kind: DamageKind, from: number, to: number, text: (range: string) => string): void {
    const last = this.#named.at(-1);
    if (last !== undefined && last.kind === kind && from <= last.to + 1 && from >= last.from) {
      const end = Math.max(to, last.to);
      this.#named[this.#named.length - 1] = {
        kind,
        from: last.from,
        to: end,
        text: text(entries(last.from, end)),
      };
    } else if (this.#named.length >= mostNamed) this.#more += 1;
    else this.#named.push({ kind, from, to, text: text(entries(from, to)) });
  }
}
