const earliest = Date.UTC(1990, 0, 1);
/** Unix ms; no time in a file is as late. */
export const latest = Date.UTC(2100, 0, 1);

/** `+02:00`, `-0500`, `Z` as minutes east of UTC; undefined for anything else. */
export function readZone(text: string): number | undefined {
  if (text === 'Z' || text === 'z' || text.toUpperCase() === 'UTC') return 0;
  const found = /^([+-])(\d{2}):?(\d{2})?$/.exec(text);
  if (found === null) return undefined;
  const minutes = Number(found[2]) * 60 + Number(found[3] ?? 0);
  return minutes > 14 * 60 ? undefined : found[1] === '-' ? -minutes : minutes;
}

/**
 * Unix ms of a time in a call record: seconds or milliseconds since 1970, or date and time as ISO 8601 has them.
 *
 * @param zone minutes east of UTC for times that do not say; undefined: those are refused.
 */
export function readMoment(text: string, zone: number | undefined): number | string {
  if (/^\d{9,11}(?:\.\d{1,9})?$/.test(text)) return within(Number(text) * 1_000);
  if (/^\d{12,14}$/.test(text)) return within(Number(text));
  if (/^\d{15,17}$/.test(text)) return within(Number(text) / 1_000);
  const found =
    /^(\d{4})-(\d{2})-(\d{2})[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?[ ]?(Z|UTC|[+-]\d{2}:?\d{0,2})?$/i.exec(
      text,
    );
  if (found === null) return 'is no time; write 2026-05-01T14:00:00Z, or seconds since 1970';
  const [, year, month, date, hours, minutes, seconds = '0', fraction = '0', written] = found;
  const offset = written === undefined ? zone : readZone(written);
  if (offset === undefined)
    return 'does not say its time zone; say which with --zone, such as `--zone +01:00`';
  const at = Date.UTC(
    Number(year),
    Number(month) - 1,
    Number(date),
    Number(hours),
    Number(minutes),
    Number(seconds),
  );
  if (new Date(at).getUTCDate() !== Number(date) || Number(hours) > 24 || Number(minutes) > 59)
    return 'is no time of any calendar';
  return within(at + Math.floor(Number(`0.${fraction}`) * 1_000) - offset * 60_000);
}

const within = (at: number): number | string =>
  at >= earliest && at < latest ? at : 'is not between 1990 and 2100';
