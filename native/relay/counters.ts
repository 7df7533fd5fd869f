/** Columns of the shared counter table, in the order of `addon/statistics.h`. One row per endpoint, all doubles. */
export const counters = {
  /** 0 where the row is free. */
  id: 0,
  receivedAt: 8,
  droppedSource: 11,
  droppedAuthentication: 12,
  droppedReplay: 13,
  sourceVersion: 16,
  exhausted: 17,
  peer: 19,
  expecting: 20,
  configuredAt: 21,
  digitCount: 22,
  /** The last eight digits, each as event + 16 * milliseconds. */
  digitRing: 23,
} as const;

export const rowLength = 32;

/** The lower bits of an endpoint's id are its row. */
export const rowOf = (id: number): number => id & 0x7fff;
