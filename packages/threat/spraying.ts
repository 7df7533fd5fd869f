import { BoundedMap } from '@ringfence/bytes/bounded-map.ts';
import { tenths } from './evidence.ts';
import { UsualCount } from './gamma-poisson.ts';
import { type Finding, makeFinding } from './rules.ts';
import { mix } from './source-table.ts';

/** One window. */
const windowSeconds = 600;
/** A window in which one account fails is usual anywhere; weighed as ten windows, half forgotten after a day. */
const usual = { mean: 1, windows: 10, memory: 144 } as const;
/** Chance would do this once in a million windows: 19 years of one domain. */
const surpriseBits = 20;
const least = { accounts: 10, sources: 5 } as const;
const cells = 1_024;
const domainsKept = 10_000;

/** How many different words were seen: linear counting (Whang 1990) in 128 octets, good to about 5,000. */
class Distinct {
  readonly #bits = new Uint32Array(cells / 32);
  #set = 0;

  add(word: number): void {
    const mark = mix(word) & (cells - 1);
    const bit = 1 << (mark & 31);
    if ((this.#bits[mark >>> 5]! & bit) !== 0) return;
    this.#bits[mark >>> 5] = this.#bits[mark >>> 5]! | bit;
    this.#set += 1;
  }

  get count(): number {
    return Math.round(-cells * Math.log(Math.max(1, cells - this.#set) / cells));
  }

  clear(): void {
    this.#bits.fill(0);
    this.#set = 0;
  }
}

interface Row {
  readonly accounts: Distinct;
  readonly sources: Distinct;
  readonly usual: UsualCount;
  begun: number;
  told: boolean;
}

/**
 * Few passwords on many accounts from many sources, each of which stays below every bound: how many different accounts
 * of a domain fail in ten minutes, against how many usually do.
 */
export class SprayWatch {
  readonly #domains = new BoundedMap<string, Row>({ capacity: domainsKept });

  failed(domain: string, account: number, source: number, seconds: number): Finding | undefined {
    let row = this.#domains.get(domain);
    if (row === undefined) {
      row = {
        accounts: new Distinct(),
        sources: new Distinct(),
        usual: new UsualCount(usual.mean, usual.windows, usual.memory),
        begun: seconds,
        told: false,
      };
      this.#domains.set(domain, row);
    }
    const passed = Math.floor((seconds - row.begun) / windowSeconds);
    if (passed > 0) this.#next(row, passed);
    row.accounts.add(account);
    row.sources.add(source);
    if (row.told) return undefined;
    const accounts = row.accounts.count;
    const sources = row.sources.count;
    if (accounts < least.accounts || sources < least.sources) return undefined;
    const bits = row.usual.surprise(accounts);
    if (bits < surpriseBits) return undefined;
    row.told = true;
    return makeFinding('password-spraying', surpriseBits, [
      {
        text: `Passwords of ${accounts} accounts were tried in ten minutes, from ${sources} addresses; usual are ${tenths(row.usual.mean)}.`,
        bits: tenths(bits),
      },
    ]);
  }

  #next(row: Row, passed: number): void {
    // An attack is not learned as what is usual.
    row.usual.learn(row.accounts.count, 2 * row.usual.mean + 2);
    for (let i = 1; i < Math.min(passed, 3 * usual.memory); i += 1) row.usual.learn(0);
    row.accounts.clear();
    row.sources.clear();
    row.begun += passed * windowSeconds;
    row.told = false;
  }
}
