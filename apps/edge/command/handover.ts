/** Carries the checked configuration over into the process that serves; holds no secrets. */
export const handover = 'RINGFENCE_CHECKED_CONFIGURATION';
/** Longest text that Linux takes as one variable is 128 KiB. */
export const handoverBytes = 100_000;

/**
 * Half of what V8 gives its young generation: collecting it stops signalling for half as long, and the process is
 * 80 MB smaller under load. Below 8 the collections cost more than they spare.
 */
export const youngMegabytes = 8;
