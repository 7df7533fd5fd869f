import { type Calendar, type Period, periods } from './calendar.ts';

/** Most money over an hour, a day or a month, in millionths; what is absent is not limited. */
export type Caps = { readonly [P in Period]?: number };

/** What somebody has spent in one hour, day or month, and what live calls have set aside of it. */
export interface Bucket {
  readonly scope: string;
  readonly period: Period;
  /** Unix milliseconds. */
  readonly start: number;
  readonly end: number;
  spent: number;
  reserved: number;
  /** Percent that was warned of; 100: nothing is left. */
  warned: number;
}

/** Money set aside for a call, in the buckets of the time when it was. */
interface Booking {
  readonly buckets: readonly Bucket[];
  amount: number;
}

/** What one call has set aside; made by `SpendBook.open`. */
export interface Charge {
  readonly scopes: readonly string[];
  /** The oldest first; one an hour. */
  readonly bookings: Booking[];
}

/** The cap that leaves least. */
export interface Room {
  readonly left: number;
  readonly cap: number;
  readonly scope: string;
  readonly period: Period;
}

/** As it is kept over a restart. */
export interface BucketRow {
  readonly scope: string;
  readonly period: Period;
  readonly start: number;
  readonly spent: number;
  readonly warned: number;
}

export interface ChargeRow {
  readonly scopes: readonly string[];
  readonly bookings: readonly { readonly at: number; readonly amount: number }[];
}

export interface SpendBookParts {
  calendar(): Calendar;
  caps(scope: string): Caps;
  /** Percents of a cap that are told of, in rising order, below 100. */
  levels(): readonly number[];
  /** A level was reached; 100: a call was refused or cut off. Once for each level, scope and period. */
  reached?(bucket: Bucket, level: number, cap: number): void;
  changed?(bucket: Bucket): void;
}

/**
 * Who has spent how much: money is set aside before it is spent, and settled when the call is over.
 *
 * What is spent and set aside together never passes a cap by `reserve`; nothing is ever below zero; of a call that was
 * settled nothing stays set aside. An hour, a day and a month for each account, trunk and domain: about 300 octets a
 * scope, dropped by `sweep` when their time is over.
 */
export class SpendBook {
  readonly #parts: SpendBookParts;
  readonly #buckets = new Map<string, Bucket>();
  /** The bucket of each period that was asked for last. */
  readonly #present = new Map<string, { readonly [P in Period]?: Bucket }>();

  constructor(parts: SpendBookParts) {
    this.#parts = parts;
  }

  /** The least that any cap leaves; undefined where there is none. */
  room(scopes: readonly string[], now: number): Room | undefined {
    let least: Room | undefined;
    for (const scope of scopes) {
      const caps = this.#parts.caps(scope);
      for (const period of periods) {
        const cap = caps[period];
        if (cap === undefined) continue;
        const { spent, reserved } = this.#bucket(scope, period, now);
        const left = Math.max(0, cap - spent - reserved);
        if (least === undefined || left < least.left) least = { left, cap, scope, period };
      }
    }
    return least;
  }

  open(scopes: readonly string[]): Charge {
    return { scopes, bookings: [] };
  }

  /** Sets money aside, whether there is room or not: whoever asks has looked. */
  reserve(charge: Charge, amount: number, now: number): void {
    const buckets = charge.scopes.flatMap((scope) =>
      periods.map((period) => this.#bucket(scope, period, now)),
    );
    const last = charge.bookings.at(-1);
    if (last?.buckets.every((bucket, i) => bucket === buckets[i]) === true) last.amount += amount;
    else charge.bookings.push({ buckets, amount });
    for (const bucket of buckets) {
      bucket.reserved += amount;
      this.#warn(bucket);
    }
  }

  /** Everything that a call has set aside. */
  reserved({ bookings }: Charge): number {
    let sum = 0;
    for (const { amount } of bookings) sum += amount;
    return sum;
  }

  /** The call is over and has cost that much: the rest is free again. What it cost beyond counts, too. Once. */
  settle(charge: Charge, cost: number, now: number): void {
    let left = Math.max(0, cost);
    for (const { buckets, amount } of charge.bookings.splice(0)) {
      const used = Math.min(left, amount);
      left -= used;
      for (const bucket of buckets) {
        bucket.reserved -= amount;
        bucket.spent += used;
        this.#parts.changed?.(bucket);
      }
    }
    if (left === 0) return;
    for (const scope of charge.scopes)
      for (const period of periods) {
        const bucket = this.#bucket(scope, period, now);
        bucket.spent += left;
        this.#warn(bucket);
        this.#parts.changed?.(bucket);
      }
  }

  /** Nothing is left of that cap: told once. */
  exhausted({ scope, period, cap }: Room, now: number): void {
    const bucket = this.#bucket(scope, period, now);
    if (bucket.warned >= 100) return;
    bucket.warned = 100;
    this.#parts.reached?.(bucket, 100, cap);
    this.#parts.changed?.(bucket);
  }

  /** The present buckets of a scope. */
  of(scope: string, now: number): readonly Bucket[] {
    return periods.map((period) => this.#bucket(scope, period, now));
  }

  all(): readonly Bucket[] {
    return [...this.#buckets.values()];
  }

  /** Forgets spans that are over and of which no live call has anything. */
  sweep(now: number): readonly Bucket[] {
    const gone: Bucket[] = [];
    for (const [key, bucket] of this.#buckets)
      if (bucket.end <= now && bucket.reserved === 0) {
        this.#buckets.delete(key);
        if (this.#present.get(bucket.scope)?.[bucket.period] === bucket) this.#present.delete(bucket.scope);
        gone.push(bucket);
      }
    return gone;
  }

  restore({ scope, period, start, spent, warned }: BucketRow): void {
    const bucket = this.#bucket(scope, period, start);
    bucket.spent += spent;
    bucket.warned = Math.max(bucket.warned, warned);
  }

  /** A call's money as it was set aside before a restart. */
  reopen({ scopes, bookings }: ChargeRow): Charge {
    const charge = this.open(scopes);
    for (const { at, amount } of bookings) this.reserve(charge, amount, at);
    return charge;
  }

  rowOf({ scopes, bookings }: Charge): ChargeRow {
    return {
      scopes,
      bookings: bookings.map(({ buckets, amount }) => ({ at: buckets[0]?.start ?? 0, amount })),
    };
  }

  #bucket(scope: string, period: Period, at: number): Bucket {
    const { start, end } = this.#parts.calendar().span(period, at);
    const present = this.#present.get(scope)?.[period];
    if (present !== undefined && present.start === start) return present;
    const key = `${scope}|${period}|${start}`;
    let bucket = this.#buckets.get(key);
    if (bucket === undefined) {
      bucket = { scope, period, start, end, spent: 0, reserved: 0, warned: 0 };
      this.#buckets.set(key, bucket);
    }
    this.#present.set(scope, { ...this.#present.get(scope), [period]: bucket });
    return bucket;
  }

  #warn(bucket: Bucket): void {
    const cap = this.#parts.caps(bucket.scope)[bucket.period];
    if (cap === undefined || cap === 0) return;
    const percent = ((bucket.spent + bucket.reserved) * 100) / cap;
    let reached = 0;
    for (const level of this.#parts.levels()) if (percent >= level && level > bucket.warned) reached = level;
    if (reached === 0) return;
    bucket.warned = reached;
    this.#parts.reached?.(bucket, reached, cap);
    this.#parts.changed?.(bucket);
  }
}
