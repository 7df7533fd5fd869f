import type { Calendar } from './rules.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
/** Calls an hour of the week is worth before anything was learned. */
const priorCalls = 1;
/** Weeks after which half is forgotten. */
const halfLifeMs = 6 * 7 * dayMs;
const slots = 48;

export const dayNames = [
  'Sunday',
  'Monday',
  'Tuesday',
  'Wednesday',
  'Thursday',
  'Friday',
  'Saturday',
] as const;

/** A moment as the site's clock shows it. */
export interface LocalTime {
  readonly hour: number;
  readonly minute: number;
  /** 0 is Sunday. */
  readonly day: number;
  /** Days since 1970 by that clock. */
  readonly date: number;
  readonly holiday: boolean;
}

export function localTime(at: number, { offset, holidays }: Calendar): LocalTime {
  const local = at + offset * 60_000;
  const date = Math.floor(local / dayMs);
  const inDay = local - date * dayMs;
  return {
    hour: Math.floor(inDay / hourMs),
    minute: Math.floor((inDay % hourMs) / 60_000),
    day: (date + 4) % 7,
    date,
    holiday: holidays.length > 0 && isHoliday(date, holidays),
  };
}

const lastAsked = new WeakMap<readonly string[], { date: number; is: boolean }>();

/** All calls of a day ask the same. */
function isHoliday(date: number, holidays: readonly string[]): boolean {
  const last = lastAsked.get(holidays);
  if (last?.date === date) return last.is;
  const text = new Date(date * dayMs).toISOString().slice(0, 10);
  const is = holidays.includes(text) || holidays.includes(text.slice(5));
  lastAsked.set(holidays, { date, is });
  return is;
}

export const isWorking = (time: LocalTime, calendar: Calendar): boolean =>
  !time.holiday &&
  calendar.days.includes(time.day) &&
  time.hour >= calendar.from &&
  time.hour < calendar.until;

/** When a tenant calls: learned for each hour of working days and of the others. 200 octets. */
export class WorkingHours {
  readonly #calls = new Float32Array(slots);
  #total = 0;
  #at = 0;
  /** Calls of one moment weigh more later on, in place of all others weighing less. */
  #scale = 1;

  learn(at: number, time: LocalTime): void {
    if (this.#at === 0) this.#at = at;
    const weeks = (at - this.#at) / halfLifeMs;
    if (weeks > 4) {
      for (let i = 0; i < slots; i += 1) this.#calls[i] = this.#calls[i]! / this.#scale;
      this.#total /= this.#scale;
      this.#at = at;
    }
    this.#scale = weeks > 4 || weeks < 0 ? 1 : 2 ** weeks;
    this.#calls[slotOf(time)] = this.#calls[slotOf(time)]! + this.#scale;
    this.#total += this.#scale;
  }

  /** Bits for fraud, which comes at any hour alike, against somebody of this tenant; -1 to 4. */
  bits(time: LocalTime, calendar: Calendar): number {
    const working = isWorking(time, calendar);
    // Where nothing was learned, nine of ten calls fall into the hours of work.
    const hours = Math.max(1, calendar.until - calendar.from) * calendar.days.length;
    const expected = working ? 0.9 / hours : 0.1 / Math.max(1, 168 - hours);
    const weekend = slotOf(time) >= 24;
    const learned = this.#calls[slotOf(time)]! / this.#scale / (weekend ? 2 : 5);
    const total = this.#total / this.#scale;
    const prior = priorCalls * hours;
    const share = (learned + expected * prior) / (total + prior);
    return Math.max(-1, Math.min(4, Math.log2(1 / 168 / share)));
  }

  get kept(): readonly number[] {
    return [this.#at, this.#total, this.#scale, ...this.#calls];
  }

  restore(kept: readonly number[]): void {
    if (kept.length !== slots + 3) return;
    const [at = 0, total = 0, scale = 1, ...calls] = kept;
    this.#at = at;
    this.#total = total;
    this.#scale = scale > 0 ? scale : 1;
    this.#calls.set(calls);
  }
}

/** Holidays are like Sundays. */
const slotOf = ({ day, hour, holiday }: LocalTime): number =>
  (day === 0 || day === 6 || holiday ? 24 : 0) + hour;
