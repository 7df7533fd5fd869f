import type { RejectCause } from './types.ts';

/** What stands behind a cause of refusal, for whoever gets it and for whoever has to explain it. */
export interface RejectReason {
  /** Cause of ITU-T Q.850 in the Reason header of the refusal (RFC 3326, RFC 6432). */
  readonly q850: number;
  /** Statuses that refusals of this cause have; a limit may have another by its configuration. */
  readonly statuses: readonly number[];
  readonly meaning: string;
  /** What an administrator can do. */
  readonly remedy: string;
}

/** The one table of why the edge refuses: wire, log, records and `docs/reject-reasons.md` all read this. */
export const rejectReasons: Readonly<Record<RejectCause, RejectReason>> = {
  rate: {
    q850: 34,
    statuses: [480, 486, 503],
    meaning: 'A limit of calls or of calls per second is reached: of a user, a domain or a trunk.',
    remedy: 'Raise `limits`, or find out who calls so much. Retry-After says when to try again.',
  },
  'no-route': {
    q850: 3,
    statuses: [404, 480, 482, 500],
    meaning:
      'Nobody and no route fits the dialled number (404), the user has no phone registered (480), the call came back to us (482), or nobody could be reached (500).',
    remedy: 'Look at the routes of the domain and at the registrations.',
  },
  authentication: {
    q850: 21,
    statuses: [401],
    meaning: 'The sender has not proven who it is, or its credentials do not hold.',
    remedy: 'Check user name, password and domain of the device; see the event `authentication.failed`.',
  },
  access: {
    q850: 21,
    statuses: [403, 404, 481],
    meaning: 'The sender is known, but what it asks for is none of its own, such as a call of somebody else.',
    remedy: 'Nothing, unless it should be allowed: see `calls.pickup`.',
  },
  policy: {
    q850: 21,
    statuses: [403, 433, 486, 491, 500],
    meaning:
      'A rule of yours forbids it: a blocking route, transfers that are switched off, a limit of transfers; or the called user does not want the call (433: not from callers who hide).',
    remedy: 'The rule stands in the event `request.refused` and in the record.',
  },
  fraud: {
    q850: 21,
    statuses: [403],
    meaning:
      'The call would leave by a trunk, and its destination is closed, the money that may be spent is spent, or fraud is suspected; or it was ended for that.',
    remedy:
      'The sentence stands in the event `fraud.verdict` and in the record. `ringfence fraud lift` lets it pass for a time, `ringfence spend set` raises a cap.',
  },
  malformed: {
    q850: 111,
    statuses: [400, 415],
    meaning:
      'The message, or the SDP in it, cannot be read, or a part of its body must be understood and is not known (415).',
    remedy: 'Look at the device: the Warning says what is wrong.',
  },
  overload: {
    q850: 42,
    statuses: [503],
    meaning: 'The edge is being stopped, or as many calls are up as `calls.maximum` allows.',
    remedy: 'Retry-After says when to try again; raise `calls.maximum` or add a node.',
  },
  media: {
    q850: 88,
    statuses: [488, 503],
    meaning:
      'Encryption or a codec that is demanded was not offered (488), or the media process has no ports (503).',
    remedy: 'The Warning says what was missing.',
  },
};

/** Value of the Reason header of a refusal: cause for machines, its name for people. */
export const reasonOfRefusal = (cause: RejectCause): string =>
  `Q.850;cause=${rejectReasons[cause].q850};text="${cause}"`;

export const isRejectCause = (cause: string): cause is RejectCause => Object.hasOwn(rejectReasons, cause);

/** `docs/reject-reasons.md`. */
export function rejectReasonsPage(): string {
  const rows = Object.entries(rejectReasons).map(
    ([cause, { q850, statuses, meaning, remedy }]) =>
      `| \`${cause}\` | ${statuses.join(', ')} | ${q850} | ${meaning} | ${remedy} |`,
  );
  return [
    '# Why a call was refused',
    '',
    'Made by `node tools/docs.ts` from `apps/edge/policy/reject-reasons.ts`.',
    '',
    'Every refusal has one of these causes. The same word stands in the Reason header of the answer',
    '(`Reason: Q.850;cause=21;text="policy"`), in the event `request.refused` in the log, and in the `cause` of the call',
    'record. A Warning header says more where there is more to say. Challenges (401) carry no Reason: whoever has proven',
    'nothing is told nothing.',
    '',
    '| cause | status | Q.850 | meaning | what to do |',
    '|---|---|---|---|---|',
    ...rows,
    '',
    'Reasons of the other side are passed on without their text: protocol (`SIP` or `Q.850`) and cause, on BYE, CANCEL and',
    'final answers. Where several phones ring and one answers, the others are cancelled with',
    '`SIP;cause=200;text="Call completed elsewhere"`, so that they show no missed call.',
    '',
  ].join('\n');
}
