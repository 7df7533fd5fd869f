/** How much is known of whoever sends, the least first. `denied` is a ban, and has no share of anything. */
export const trustLevels = ['unknown', 'probation', 'registered', 'trunk'] as const;
export type TrustLevel = (typeof trustLevels)[number];

const rank: Readonly<Record<TrustLevel, number>> = { unknown: 0, probation: 1, registered: 2, trunk: 3 };

/**
 * Who is still heard under load: the lowest level loses all before the next one loses anything.
 *
 * Pressure 0 sheds nobody; at 0.5 every second message of unknown sources is shed, at 1 all of them, at 1.5 those and
 * half of those in probation, and so on; at most 3.9, so that a trunk always has something. Spread evenly, without
 * drawing lots.
 */
export class Shedding {
  static readonly most = 3.9;
  #pressure = 0;
  readonly #owed = [0, 0, 0, 0];

  get pressure(): number {
    return this.#pressure;
  }

  set pressure(value: number) {
    this.#pressure = Math.min(Math.max(value, 0), Shedding.most);
  }

  /** Share of that level that is let through, 0 to 1. */
  share(level: TrustLevel): number {
    return Math.min(Math.max(rank[level] + 1 - this.#pressure, 0), 1);
  }

  /** Whether this one is let through. */
  passes(level: TrustLevel): boolean {
    if (this.#pressure <= rank[level]) return true;
    const owed = this.#owed[rank[level]]! + this.share(level);
    const passes = owed >= 1;
    this.#owed[rank[level]] = passes ? owed - 1 : owed;
    return passes;
  }
}
