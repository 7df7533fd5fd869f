import type { Rate } from '@ringfence/tariff/rate.ts';
import type { Bucket, BucketRow, ChargeRow } from '@ringfence/tariff/spend-book.ts';
import type { Store } from '../store/contract.ts';
import type { SpendRow } from '../store/spend-rows.ts';
import type { OutgoingCall } from './gate.ts';

/** An answered call as another process goes on with it. */
export interface KeptCharge {
  readonly call: OutgoingCall;
  readonly rate: Rate;
  /** Seconds of it that money is set aside for. */
  readonly paid: number;
  readonly answeredAt: number;
  readonly charge: ChargeRow;
}

/** Nothing stands in the way of these for a time. */
export interface Lift {
  readonly kind: 'number' | 'account' | 'domain';
  /** + and digits, `user:alice@example.test`, or a domain. */
  readonly value: string;
  /** Unix ms. */
  readonly until: number;
  readonly by: string;
}

export interface Kept {
  readonly buckets: readonly BucketRow[];
  readonly charges: readonly (readonly [call: string, charges: readonly KeptCharge[]])[];
  readonly lifts: readonly Lift[];
}

export const bucketKey = ({ scope, period, start }: Pick<Bucket, 'scope' | 'period' | 'start'>): string =>
  `bucket|${scope}|${period}|${start}`;
export const chargeKey = (call: string): string => `charge|${call}`;
export const liftKey = ({ kind, value }: Pick<Lift, 'kind' | 'value'>): string => `lift|${kind}|${value}`;

/** What the store has kept; a row that is no JSON is left out. */
export function readKept(rows: readonly SpendRow[]): Kept {
  const buckets: BucketRow[] = [];
  const charges: [string, readonly KeptCharge[]][] = [];
  const lifts: Lift[] = [];
  for (const { key, value } of rows) {
    let found: unknown;
    try {
      found = JSON.parse(value);
    } catch {
      continue;
    }
    if (key.startsWith('bucket|')) buckets.push(found as BucketRow);
    else if (key.startsWith('charge|')) charges.push([key.slice(7), found as readonly KeptCharge[]]);
    else if (key.startsWith('lift|')) lifts.push(found as Lift);
  }
  return { buckets, charges, lifts };
}

/** So long changes are gathered into one write. */
const gatherMs = 20;

/** Writes what changes of money behind the calls: a failed write is made again with the next one. */
export class SpendKeeper {
  readonly #store: Pick<Store, 'putSpend'>;
  readonly #after: (milliseconds: number, run: () => void) => () => void;
  readonly #failed: (error: unknown) => void;
  #put = new Map<string, () => unknown>();
  #remove = new Set<string>();
  /** Takes the waiting write back. */
  #stop: (() => void) | undefined = undefined;

  constructor(
    store: Pick<Store, 'putSpend'>,
    after: (milliseconds: number, run: () => void) => () => void,
    failed: (error: unknown) => void,
  ) {
    this.#store = store;
    this.#after = after;
    this.#failed = failed;
  }

  /** `value` is asked when it is written. */
  put(key: string, value: () => unknown): void {
    this.#remove.delete(key);
    this.#put.set(key, value);
    this.#later();
  }

  remove(key: string): void {
    this.#put.delete(key);
    this.#remove.add(key);
    this.#later();
  }

  flush(): void {
    this.#stop?.();
    this.#stop = undefined;
    if (this.#put.size === 0 && this.#remove.size === 0) return;
    const put = this.#put;
    const remove = this.#remove;
    this.#put = new Map();
    this.#remove = new Set();
    const rows = [...put].map(([key, value]) => ({ key, value: JSON.stringify(value()) }));
    this.#store.putSpend(rows, [...remove]).catch((error: unknown) => {
      for (const [key, value] of put)
        if (!this.#put.has(key) && !this.#remove.has(key)) this.#put.set(key, value);
      for (const key of remove) if (!this.#put.has(key)) this.#remove.add(key);
      this.#failed(error);
    });
  }

  #later(): void {
    this.#stop ??= this.#after(gatherMs, () => this.flush());
  }
}
