/**
 * Milliseconds until the next multiple of `period`, more than 0.
 *
 * Timers that are set so fall together: one wake-up of the process serves them all.
 */
export const untilNext = (now: number, period: number): number => period - (now % period);
