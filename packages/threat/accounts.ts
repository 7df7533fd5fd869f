import { fade, tenths } from './evidence.ts';
import { type Finding, makeFinding } from './rules.ts';
import { mix, SourceTable } from './source-table.ts';
import { halfLife } from './source-weights.ts';

/** Bits of each further source that fails on the same account: whoever mistypes does so from one or two places. */
const perSource = Math.log2(0.7 / 0.15);
const usualSources = 2;
const retellSeconds = 600;
const keepSeconds = 3_600;
const stride = 4;
const place = { sources: 0, failures: 1, seen: 2, told: 3 } as const;

/**
 * What is tried on each account, from wherever it comes: one account guessed from many addresses shows nowhere else.
 *
 * 65 octets an account; names that do not exist count as well, so their number is bounded as that of sources is.
 */
export class AccountJudge {
  readonly #table: SourceTable;
  readonly #rows: Float64Array;
  readonly #marks: Uint32Array;
  readonly #seed: number;
  readonly #threshold: () => number;

  constructor(accounts: number, seed: number, threshold: () => number) {
    this.#table = new SourceTable(accounts, seed);
    this.#rows = new Float64Array(this.#table.slots * stride);
    this.#marks = new Uint32Array(this.#table.slots * 2);
    this.#seed = seed;
    this.#threshold = threshold;
  }

  get octets(): number {
    return this.#table.slots * (12 + 8 * stride + 8);
  }

  /** `account` and `source` are words that stand for them. */
  failed(account: number, source: number, seconds: number): Finding | undefined {
    const slot = this.#table.claim(account, mix(account), seconds);
    const at = slot * stride;
    const rows = this.#rows;
    if (this.#table.fresh) {
      rows.fill(0, at, at + stride);
      this.#marks.fill(0, slot * 2, slot * 2 + 2);
    } else this.#age(slot, seconds);
    rows[at + place.seen] = seconds;
    rows[at + place.failures] = rows[at + place.failures]! + 1;
    this.#table.keep(slot, seconds + keepSeconds);
    const mark = mix(source ^ this.#seed);
    const index = slot * 2 + ((mark >>> 5) & 1);
    const bit = 1 << (mark & 31);
    if ((this.#marks[index]! & bit) !== 0) return undefined;
    this.#marks[index] = this.#marks[index]! | bit;
    const sources = rows[at + place.sources]! + 1;
    rows[at + place.sources] = sources;
    const bits = (sources - usualSources) * perSource;
    const told = rows[at + place.told]!;
    if (bits < this.#threshold() || (told !== 0 && seconds - told < retellSeconds)) return undefined;
    rows[at + place.told] = seconds;
    const failures = Math.round(rows[at + place.failures]!);
    return makeFinding('account-attacked', this.#threshold(), [
      {
        text: `Wrong passwords for it came from ${Math.round(sources)} addresses (${failures} in all, lately).`,
        bits: tenths(bits),
      },
    ]);
  }

  /** Wrong passwords for the account of late, and whether that source was among those who sent them. */
  lately(
    account: number,
    source: number,
    seconds: number,
  ): { readonly failures: number; readonly there: boolean } {
    const slot = this.#table.find(account, mix(account));
    if (slot < 0) return { failures: 0, there: false };
    this.#age(slot, seconds);
    const mark = mix(source ^ this.#seed);
    const there = (this.#marks[slot * 2 + ((mark >>> 5) & 1)]! & (1 << (mark & 31))) !== 0;
    return { failures: this.#rows[slot * stride + place.failures]!, there };
  }

  #age(slot: number, seconds: number): void {
    const at = slot * stride;
    const passed = seconds - this.#rows[at + place.seen]!;
    if (passed <= 0) return;
    this.#rows[at + place.seen] = seconds;
    const left = fade(passed, halfLife);
    this.#rows[at + place.sources] = this.#rows[at + place.sources]! * left;
    this.#rows[at + place.failures] = this.#rows[at + place.failures]! * left;
    if (passed > 3 * halfLife) this.#marks.fill(0, slot * 2, slot * 2 + 2);
  }
}
