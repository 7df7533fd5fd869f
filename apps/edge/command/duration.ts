import { UsageError } from './usage-error.ts';

const units: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** Seconds of `90`, `90s`, `15m`, `12h`, `30d`; up to a year. */
export function secondsOf(wanted: string): number {
  const [, digits = '', unit = 's'] = /^([0-9]{1,8})([smhd]?)$/.exec(wanted) ?? [];
  const seconds = Number(digits) * (units[unit === '' ? 's' : unit] ?? 1);
  if (seconds < 1 || seconds > 31_536_000)
    throw new UsageError('--for is a time up to a year, such as 15m, 12h or 30d');
  return seconds;
}
