import { fade, tenths } from './evidence.ts';
import { type Finding, makeFinding } from './rules.ts';
import { keyWords, mix, SourceTable } from './source-table.ts';
import { halfLife } from './source-weights.ts';

/** Bits of each further source that fails on the same account: whoever mistypes does so from one or two places. */
const perSource = Math.log2(0.7 / 0.15);
const usualSources = 2;
const retellSeconds = 600;
const keepSeconds = 3_600;
/** Words of a record behind its key: two counts, two times, and 64 marks of sources. */
const place = { sources: 0, failures: 1, seen: 2, told: 3, marks: 4 } as const;
const recordWords = keyWords + 6;

/**
 * What is tried on each account, from wherever it comes: one account guessed from many addresses shows nowhere else.
 *
 * 50 octets an account; names that do not exist count as well, so their number is bounded as that of sources is.
 */
export class AccountJudge {
  readonly #table: SourceTable;
  readonly #seed: number;
  readonly #threshold: () => number;

  constructor(accounts: number, seed: number, threshold: () => number) {
    this.#table = new SourceTable(accounts, recordWords, seed);
    this.#seed = seed;
    this.#threshold = threshold;
  }

  get octets(): number {
    return this.#table.octets;
  }

  /** `account` and `source` are words that stand for them. */
  failed(account: number, source: number, seconds: number): Finding | undefined {
    const slot = this.#table.claim(account, mix(account), seconds);
    const at = this.#table.at(slot) + keyWords;
    const { words, floats } = this.#table;
    if (!this.#table.fresh) this.#age(at, seconds);
    words[at + place.seen] = seconds;
    floats[at + place.failures] = floats[at + place.failures]! + 1;
    this.#table.keep(slot, seconds + keepSeconds);
    const mark = mix(source ^ this.#seed);
    const index = at + place.marks + ((mark >>> 5) & 1);
    const bit = 1 << (mark & 31);
    if ((words[index]! & bit) !== 0) return undefined;
    words[index] = words[index]! | bit;
    const sources = floats[at + place.sources]! + 1;
    floats[at + place.sources] = sources;
    const bits = (sources - usualSources) * perSource;
    const told = words[at + place.told]!;
    if (bits < this.#threshold() || (told !== 0 && seconds - told < retellSeconds)) return undefined;
    words[at + place.told] = seconds;
    const failures = Math.round(floats[at + place.failures]!);
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
    const at = this.#table.at(slot) + keyWords;
    const { words, floats } = this.#table;
    this.#age(at, seconds);
    const mark = mix(source ^ this.#seed);
    const there = (words[at + place.marks + ((mark >>> 5) & 1)]! & (1 << (mark & 31))) !== 0;
    return { failures: floats[at + place.failures]!, there };
  }

  #age(at: number, seconds: number): void {
    const { words, floats } = this.#table;
    const passed = seconds - words[at + place.seen]!;
    if (passed <= 0) return;
    words[at + place.seen] = seconds;
    const left = fade(passed, halfLife);
    floats[at + place.sources] = floats[at + place.sources]! * left;
    floats[at + place.failures] = floats[at + place.failures]! * left;
    if (passed > 3 * halfLife) words.fill(0, at + place.marks, at + place.marks + 2);
  }
}
