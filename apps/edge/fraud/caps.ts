import type { Calendar, Period, WorkingHours } from '@ringfence/tariff/calendar.ts';
import { unit } from '@ringfence/tariff/money.ts';
import type { Caps } from '@ringfence/tariff/spend-book.ts';
import type { FraudSettings, SpendCaps } from '../config/fraud.ts';
import type { DomainDirectory } from '../routing/directory.ts';
import { domainOf, nameOf } from './account.ts';

export const workingHoursOf = ({ workingHours }: FraudSettings): WorkingHours => ({
  days: workingHours.days,
  from: minutes(workingHours.from),
  to: minutes(workingHours.to),
  holidays: workingHours.holidays,
});

const minutes = (clock: string): number => Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));

/** Caps of somebody: his own, and, for periods that he has none for, those of everybody; in millionths. */
export function capsOf(
  scope: string,
  directory: Pick<DomainDirectory, 'users' | 'trunks' | 'spend'> | undefined,
  settings: FraudSettings,
  offHours: boolean,
): Caps {
  const name = nameOf(scope);
  const caps = scope.startsWith('domain:')
    ? { ...settings.domainCaps, ...directory?.spend }
    : scope.startsWith('trunk:')
      ? { ...settings.trunkCaps, ...directory?.trunks.get(name)?.spend }
      : { ...settings.userCaps, ...directory?.users.get(name)?.spend };
  return offHours && scope.startsWith('user:') && directory?.users.get(name)?.spend?.hour === undefined
    ? {
        ...inMillionths(caps),
        hour: Math.min(caps.hour ?? settings.offHoursCap, settings.offHoursCap) * unit,
      }
    : inMillionths(caps);
}

const inMillionths = (caps: SpendCaps): Caps => ({
  ...(caps.hour === undefined ? {} : { hour: caps.hour * unit }),
  ...(caps.day === undefined ? {} : { day: caps.day * unit }),
  ...(caps.month === undefined ? {} : { month: caps.month * unit }),
});

/** Remembers caps of a domain for as long as its directory and the settings are the same, and for minutes of the clock. */
export class CapTable {
  readonly #domains = new Map<string, { directory: DomainDirectory | undefined; caps: Map<string, Caps> }>();
  #settings: FraudSettings | undefined = undefined;
  #until = 0;
  #offHours = false;

  of(
    scope: string,
    directory: (domain: string) => DomainDirectory | undefined,
    settings: FraudSettings,
    calendar: Calendar,
    now: number,
  ): Caps {
    if (settings !== this.#settings || now >= this.#until) {
      this.#domains.clear();
      this.#settings = settings;
      this.#until = now - (now % 60_000) + 60_000;
      this.#offHours = !calendar.works(workingHoursOf(settings), now);
    }
    const domain = domainOf(scope);
    const own = directory(domain);
    let known = this.#domains.get(domain);
    if (known === undefined || known.directory !== own) {
      known = { directory: own, caps: new Map() };
      this.#domains.set(domain, known);
    }
    let caps = known.caps.get(scope);
    if (caps === undefined) {
      caps = capsOf(scope, own, settings, this.#offHours);
      known.caps.set(scope, caps);
    }
    return caps;
  }
}

export const periodNames: Readonly<Record<Period, string>> = {
  hour: 'hourly',
  day: 'daily',
  month: 'monthly',
};
