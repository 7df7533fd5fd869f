/** What the handshake thread has counted, in the order of `addon/dtls.h`. */
export const dtlsCounts = {
  waiting: 0,
  droppedFull: 1,
  droppedShare: 2,
  droppedBusy: 3,
  droppedUseless: 4,
  verifications: 5,
  begun: 6,
  secured: 7,
  failed: 8,
} as const;
