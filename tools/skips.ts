/** Programs and data that a machine may lack; a test that needs one skips by its name, in words as these. */
export const toleratedSkips: readonly {
  readonly reason: RegExp;
  readonly where: 'anywhere' | 'outside CI';
  readonly why: string;
}[] = [
  { reason: /corpus|corpora/i, where: 'anywhere', why: 'the corpora are not part of the repository' },
  {
    reason: /root|privilege|CAP_|user namespace/i,
    where: 'anywhere',
    why: 'needs rights that a test run may not have',
  },
  { reason: /IPv6/i, where: 'anywhere', why: 'the machine has no IPv6' },
  {
    reason: /RINGFENCE_ZRTP_PEERS is not set/,
    where: 'anywhere',
    why: "programs that are built by hand from others' sources; linphonec is the implementation that every run meets",
  },
  {
    reason: /not installed|missing program|no such program/i,
    where: 'outside CI',
    why: "other people's software",
  },
];

/** Whether a skip for this reason is tolerated here. */
export const isTolerated = (reason: string, inCi: boolean): boolean =>
  toleratedSkips.some((skip) => skip.reason.test(reason) && (skip.where === 'anywhere' || !inCi));
