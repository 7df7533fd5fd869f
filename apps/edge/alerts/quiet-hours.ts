import { type AlertSettings, clock } from '../config/alerts.ts';
import { severityRank } from '../events/bus.ts';
import type { Severity } from '../events/types.ts';

const minuteMs = 60_000;

/** Hours in which what is not grave waits. */
export class QuietHours {
  readonly #from: number | undefined;
  readonly #to: number | undefined;
  readonly #rank: number;
  readonly #format: Intl.DateTimeFormat;

  constructor({ quietFrom, quietTo, quietZone, quietLevel }: AlertSettings) {
    this.#from = minutesOf(quietFrom);
    this.#to = minutesOf(quietTo);
    this.#rank = severityRank[quietLevel];
    this.#format = new Intl.DateTimeFormat('en-GB', {
      timeZone: quietZone,
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
  }

  /** When something of that severity may go out: now, or at the end of the quiet hours. */
  mayGoAt(severity: Severity, now: number): number {
    const from = this.#from;
    const to = this.#to;
    if (from === undefined || to === undefined || from === to) return now;
    if (severityRank[severity] <= this.#rank || !this.#isQuiet(now, from, to)) return now;
    // Looked for on the clock of the zone, which may jump meanwhile.
    const begun = now - (now % minuteMs);
    for (let minutes = 1; minutes <= 26 * 60; minutes += 1)
      if (!this.#isQuiet(begun + minutes * minuteMs, from, to)) return begun + minutes * minuteMs;
    return now;
  }

  #isQuiet(now: number, from: number, to: number): boolean {
    const at = minutesOf(this.#format.format(now)) ?? 0;
    return from < to ? at >= from && at < to : at >= from || at < to;
  }
}

function minutesOf(time: string | undefined): number | undefined {
  const match = time === undefined ? null : clock.exec(time);
  return match === null ? undefined : Number(match[1]) * 60 + Number(match[2]);
}
