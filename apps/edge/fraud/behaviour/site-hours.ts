import type { FraudSettings } from '../../config/fraud.ts';
import type { SiteHours } from './rule-sets.ts';

/** Hours of work as rules have them, with the offset that the site's clocks have at that moment. */
export function siteHours({ workingHours, timeZone }: FraudSettings, at: number): SiteHours {
  const { days, from, to, holidays } = workingHours;
  return { offset: offsetOf(timeZone, at), days, from, to, holidays };
}

/** Minutes that clocks there are east of UTC at that moment; an empty zone is that of the machine. */
function offsetOf(timeZone: string, at: number): number {
  if (timeZone === '') return -new Date(at).getTimezoneOffset();
  const parts = new Intl.DateTimeFormat('en-US', { timeZone, timeZoneName: 'longOffset' }).formatToParts(at);
  const [, sign = '+', hours = '0', minutes = '0'] =
    /GMT([+-])(\d{2}):(\d{2})/.exec(parts.find(({ type }) => type === 'timeZoneName')?.value ?? '') ?? [];
  return (sign === '-' ? -1 : 1) * (Number(hours) * 60 + Number(minutes));
}
