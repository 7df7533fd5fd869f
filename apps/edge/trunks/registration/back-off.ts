/** Upper bound of the first wait and of any, RFC 5626 §4.5: 30 s where every flow has failed, and half an hour. */
const baseMs = 30_000;
const longestMs = 1_800_000;

/**
 * How long to wait before the next try, RFC 5626 §4.5: the bound doubles with each failure in a row, and the wait is
 * drawn between half of it and all of it.
 *
 * @param failures in a row, 1 after the first.
 * @param random 0 up to, and without, 1.
 */
export function backOff(failures: number, random: number): number {
  const bound = Math.min(longestMs, baseMs * 2 ** Math.min(failures, 16));
  return Math.round(bound * (0.5 + random / 2));
}
