import { type Grade, type Graded, rankOf, titles } from './grade.ts';

/** A change of a call's grade; `at`: Unix ms. */
export interface GradeChange {
  readonly at: number;
  readonly grade: Grade;
}

/**
 * The grade of a call over its whole life: the worst that it ever had. Written into its record, and told at its start,
 * at every change and at its end.
 */
export interface CallGrade extends Graded {
  /** The sentence of the worst moment by itself; `sentence` says when that was too. */
  readonly moment: string;
  /** The grade at this moment, which may be better. */
  readonly now: Grade;
  /** The first, and each that was another than the one before; of more than `mostChanges` the earliest, and the last. */
  readonly changes: readonly GradeChange[];
  /** When keys began to be waited for, where they still are: Unix ms. */
  readonly awaitingSince?: number;
  /** How long media may have passed in the clear before there were keys, in ms. */
  readonly openingMs?: number;
}

export const mostChanges = 16;
/** A handshake that takes longer does not come any more: what is there counts. */
export const longestHandshakeMs = 10_000;

/** The grade of the call once it has become `now`, at `at` (Unix ms). `before`: undefined when it is answered. */
export function lived(before: CallGrade | undefined, now: Graded, at: number): CallGrade {
  const since = now.awaiting ? (before?.awaitingSince ?? at) : undefined;
  if (before === undefined) return { ...begun(now, at), ...waiting(since) };
  if (now.silent) return before;
  const { awaitingSince: _since, ...former } = before;
  if (since !== undefined && at - since <= longestHandshakeMs)
    // Nothing is decided yet, neither for the better nor for the worse.
    return { ...before, awaitingSince: since };
  const openingMs = at - (before.changes[0]?.at ?? at);
  if (before.awaiting && !now.awaiting && before.changes.length === 1 && openingMs <= longestHandshakeMs) {
    // The keys that the call was answered for have come: it is judged by what they are.
    const fresh = { ...begun(now, at), openingMs };
    return { ...fresh, sentence: sentenceOf(fresh) };
  }
  const rank = rankOf(now.grade) - rankOf(before.grade);
  const graver =
    rank > 0 ||
    (rank === 0 &&
      (now.unmet.length > before.unmet.length ||
        (now.recordedBy !== undefined && before.recordedBy === undefined) ||
        weakness(now) > weakness(before)));
  const changed = before.now !== now.grade;
  const { recordedBy } = before;
  const next: CallGrade = {
    ...former,
    ...(graver ? { ...now, moment: now.sentence } : {}),
    ...(recordedBy === undefined ? {} : { recordedBy }),
    awaiting: now.awaiting,
    now: now.grade,
    changes: changed ? added(before.changes, { at, grade: now.grade }) : before.changes,
  };
  return graver || changed ? { ...next, sentence: sentenceOf(next) } : next;
}

const begun = (now: Graded, at: number): CallGrade => ({
  ...now,
  moment: now.sentence,
  now: now.grade,
  changes: [{ at, grade: now.grade }],
});

/** How many of the answers about secrecy are not the best. */
const weakness = ({ secrecy }: Graded): number =>
  secrecy.reduce(
    (sum, { forward, postQuantum }) => sum + Number(forward !== 'yes') + Number(postQuantum !== 'yes'),
    0,
  );

const waiting = (since: number | undefined): { awaitingSince?: number } =>
  since === undefined ? {} : { awaitingSince: since };

const added = (changes: readonly GradeChange[], change: GradeChange): readonly GradeChange[] =>
  changes.length < mostChanges ? [...changes, change] : [...changes.slice(0, mostChanges - 1), change];

/** Still one sentence: the worst moment, when it was, and what came after it. */
function sentenceOf({
  grade,
  now,
  changes,
  openingMs,
  moment,
}: Pick<CallGrade, 'grade' | 'now' | 'changes' | 'openingMs' | 'moment'>): string {
  const notes: string[] = [];
  const began = changes[0]?.at ?? 0;
  const worst = changes.find((change) => change.grade === grade);
  const last = changes.at(-1);
  if (worst !== undefined && worst.at > began) notes.push(`so from ${seconds(worst.at - began)} on`);
  if (last !== undefined && now !== grade)
    notes.push(`before ${seconds(last.at - began)}, and then it was ${titles[now].toLowerCase()}`);
  if (openingMs !== undefined && openingMs > 0)
    notes.push(`so once there were keys, after ${seconds(openingMs)}`);
  return notes.length === 0 ? moment : `${moment.slice(0, -1)}; that was ${notes.join(', ')}.`;
}

const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
