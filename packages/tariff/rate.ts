/** What calls to a range of numbers cost. Money in millionths of the sheet's currency. */
export interface Rate {
  /** Digits that the numbers begin with, without +; empty for a rate of a class. */
  readonly prefix: string;
  readonly perMinute: number;
  /** Once, when the call is answered. */
  readonly connection: number;
  /** Seconds that are paid for at least, and then at a time. */
  readonly initial: number;
  readonly next: number;
}

/** Seconds that are paid for by a call of that length: the first ones in any case, then whole steps. */
export function billedSeconds({ initial, next }: Rate, seconds: number): number {
  const whole = Math.max(0, Math.ceil(seconds));
  return whole <= initial ? initial : initial + Math.ceil((whole - initial) / next) * next;
}

/** Cost of an answered call of that length, rounded up to the millionth. */
export function costOf(rate: Rate, seconds: number): number {
  return rate.connection + timeCost(rate, billedSeconds(rate, seconds));
}

/** Seconds times price stays below 2^53: a day of seconds at the highest price is 8.64e14. */
const timeCost = ({ perMinute }: Rate, billed: number): number => Math.ceil((perMinute * billed) / 60);

/**
 * The longest call, in whole seconds, that costs no more than that; 0 where not even its beginning is covered.
 * Bounded by `most` seconds.
 */
export function secondsFor(rate: Rate, money: number, most: number): number {
  if (costOf(rate, 0) > money) return 0;
  const { initial, next, perMinute, connection } = rate;
  if (perMinute === 0) return most;
  const affordable = Math.floor(((money - connection) * 60) / perMinute);
  let seconds =
    affordable < initial + next ? initial : initial + Math.floor((affordable - initial) / next) * next;
  // Rounding up may have cost one step.
  while (seconds > initial && costOf(rate, seconds) > money) seconds -= next;
  return Math.min(most, seconds);
}
