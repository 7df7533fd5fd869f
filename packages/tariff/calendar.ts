/** Times over which spending is added up. */
export const periods = ['hour', 'day', 'month'] as const;
export type Period = (typeof periods)[number];

/** Unix milliseconds; `end` is the first moment of the next one. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

interface Local {
  readonly year: number;
  readonly month: number;
  readonly day: number;
  readonly hour: number;
  readonly minute: number;
  readonly second: number;
}

/** When a site works. */
export interface WorkingHours {
  /** 1 is Monday, 7 Sunday. */
  readonly days: readonly number[];
  /** Minutes of the day. */
  readonly from: number;
  readonly to: number;
  /** `2026-12-25`. */
  readonly holidays: readonly string[];
}

/**
 * Hours, days and months as the clocks of a site show them, over every change of daylight saving time.
 *
 * The present span of each is remembered: asking for it costs two comparisons.
 */
export class Calendar {
  readonly #format: Intl.DateTimeFormat;
  readonly #spans: Record<Period, Span> = {
    hour: { start: 0, end: 0 },
    day: { start: 0, end: 0 },
    month: { start: 0, end: 0 },
  };

  /** @param timeZone such as `Europe/Berlin`; throws a RangeError where there is none of that name. */
  constructor(timeZone: string) {
    this.#format = new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  }

  span(period: Period, at: number): Span {
    const known = this.#spans[period];
    if (at >= known.start && at < known.end) return known;
    const found = this.#find(period, at);
    this.#spans[period] = found;
    return found;
  }

  /** `02:14 on Sunday`. */
  clock(at: number): string {
    const { hour, minute } = this.#local(at);
    const pad = (n: number): string => String(n).padStart(2, '0');
    return `${pad(hour)}:${pad(minute)} on ${names[this.weekday(at) - 1]}`;
  }

  /** 1 is Monday, 7 Sunday. */
  weekday(at: number): number {
    const { year, month, day } = this.#local(at);
    return new Date(Date.UTC(year, month - 1, day)).getUTCDay() || 7;
  }

  works({ days, from, to, holidays }: WorkingHours, at: number): boolean {
    const { year, month, day, hour, minute } = this.#local(at);
    const pad = (n: number): string => String(n).padStart(2, '0');
    if (!days.includes(this.weekday(at)) || holidays.includes(`${year}-${pad(month)}-${pad(day)}`))
      return false;
    const now = hour * 60 + minute;
    return now >= from && now < to;
  }

  #find(period: Period, at: number): Span {
    const { year, month, day, minute, second } = this.#local(at);
    if (period === 'hour') {
      const start = at - (at % 1000) - (minute * 60 + second) * 1000;
      return { start, end: start + 3_600_000 };
    }
    return period === 'day'
      ? { start: this.#instant(year, month, day), end: this.#instant(year, month, day + 1) }
      : { start: this.#instant(year, month, 1), end: this.#instant(year, month + 1, 1) };
  }

  /** The first moment of a day there. Months and days over the end count on. */
  #instant(year: number, month: number, day: number): number {
    const wanted = Date.UTC(year, month - 1, day);
    let found = wanted - this.#offset(wanted);
    found = wanted - this.#offset(found);
    // Where midnight is left out, the day begins when the clocks are put forward.
    if (this.#offset(found) + found < wanted) found += 3_600_000;
    return found;
  }

  #offset(at: number): number {
    const { year, month, day, hour, minute, second } = this.#local(at);
    return Date.UTC(year, month - 1, day, hour, minute, second) - (at - (((at % 1000) + 1000) % 1000));
  }

  #local(at: number): Local {
    const found: Record<string, number> = {};
    for (const { type, value } of this.#format.formatToParts(at)) found[type] = Number(value);
    const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = found;
    return { year, month, day, hour, minute, second };
  }
}

const names = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'];
