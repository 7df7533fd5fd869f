/** Carries the checked configuration over into the process that serves; holds no secrets. */
export const handover = 'RINGFENCE_CHECKED_CONFIGURATION';
/** Longest text that Linux takes as one variable is 128 KiB. */
export const handoverBytes = 100_000;
