/**
 * Evidence is counted in bits: the binary logarithm of how much likelier what was seen is under attack than without.
 *
 * Wald's sequential probability ratio test (1945) decides when the sum passes a bound that follows from the errors
 * that are taken: too many false alarms (`falseAlarm`) or misses (`miss`).
 */
export interface WaldBounds {
  /** From here on it is an attack. */
  readonly upper: number;
  /** From here down it is none; sums are held there, so that nobody saves up innocence. */
  readonly lower: number;
}

export const waldBounds = (falseAlarm: number, miss: number): WaldBounds => ({
  upper: Math.log2((1 - miss) / falseAlarm),
  lower: Math.log2(miss / (1 - falseAlarm)),
});

/** Bits of an outcome with that probability under attack and without it. */
export const bitsOf = (underAttack: number, otherwise: number): number => Math.log2(underAttack / otherwise);

/** What is left of evidence after so many seconds. */
export const fade = (seconds: number, halfLife: number): number => 2 ** (-seconds / halfLife);

const sixtyFour = Array.from({ length: 64 }, (_, i) => i);

/** The same for one half-life and whole seconds, from two short tables: raising to a power costs as much as all else. */
export const fader = (halfLife: number): ((seconds: number) => number) => {
  const ones = Float64Array.from(sixtyFour, (i) => fade(i, halfLife));
  const sixtyFours = Float64Array.from(sixtyFour, (i) => fade(64 * i, halfLife));
  return (seconds) =>
    seconds < 4_096 ? ones[seconds & 63]! * sixtyFours[seconds >>> 6]! : fade(seconds, halfLife);
};

/** One sentence of a finding. */
export interface Part {
  readonly text: string;
  /** Tenths. */
  readonly bits: number;
}

export const tenths = (bits: number): number => Math.round(bits * 10) / 10;

/**
 * Bits of one event after so many seconds since the last, where attackers send `attack` a second and others `usual`:
 * the ratio of two exponential distributions, held within `least` and `most`.
 */
export const pacedBits = (
  seconds: number,
  attack: number,
  usual: number,
  least: number,
  most: number,
): number => {
  const bits = Math.log2(attack / usual) - (attack - usual) * seconds * Math.LOG2E;
  return Math.max(least, Math.min(most, bits));
};
