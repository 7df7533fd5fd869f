import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { codecOf, effectiveDirection } from '@ringfence/sdp/attribute.ts';
import { answerDirection, isSameCodec } from '@ringfence/sdp/offer-answer.ts';
import { parseSession } from '@ringfence/sdp/parse.ts';
import type { MediaDescription, SessionDescription } from '@ringfence/sdp/session.ts';
import { checkReoffer, type MediaProblem, problem } from './agreement.ts';
import { type MediaLeg, wantsAnother } from './leg.ts';
import { type ReadSession, readSession } from './read-offer.ts';

/** A new offer of one side that is answered for the other by what that one has agreed to. */
export interface AloneAnswer {
  readonly read: ReadSession;
  /** Our answer; to be made once the offer is in effect. */
  describe(): string;
}

/**
 * Whether an offer can be answered without asking the other side: the same streams of the same kind, and a codec of
 * what was agreed, under the number that it has there (we relay packets as they are).
 */
export function answerAlone(leg: MediaLeg, session: SessionDescription): Result<AloneAnswer, MediaProblem> {
  const agreed = leg.streams.map((state) =>
    state === undefined ? undefined : { media: state.media, suite: state.suite, keying: state.keying },
  );
  const read = readSession(session, leg.side, agreed);
  const refused = checkReoffer(leg, read);
  if (refused !== undefined) return err(refused);
  const said = parseSession(Buffer.from(leg.lastDescription, 'utf8'));
  if (!said.ok) return err(problem('media.nothing-agreed', 'Nothing is agreed that could be changed'));
  for (const [index, stream] of read.streams.entries()) {
    const state = leg.streams[index];
    if (stream === undefined) continue;
    const ours = said.value.media[index];
    const theirs = session.media[index];
    if (state === undefined || ours === undefined || theirs === undefined || state.media !== stream.media)
      return err(problem('media.other-side', 'The other side cannot be asked for another kind of media now'));
    if (wantsAnother(state, stream))
      return err(problem('media.other-side', 'Another association cannot be begun now'));
    if (!ours.formats.some((format) => isCommon(ours, theirs, format)))
      return err(problem('media.other-side', 'The other side cannot be asked for another codec now'));
  }
  return ok({ read, describe: () => describe(leg, session, said.value) });
}

function describe(leg: MediaLeg, session: SessionDescription, said: SessionDescription): string {
  return leg.describe(said, (index) => {
    const stream = leg.streams[index];
    const ours = said.media[index];
    const theirs = session.media[index];
    if (
      stream === undefined ||
      ours === undefined ||
      theirs === undefined ||
      theirs.port === 0 ||
      ours.port === 0
    )
      return leg.refused(theirs?.protocol);
    const offered = effectiveDirection(session, theirs);
    return {
      ...leg.anchor(stream, theirs.protocol, leg.answeredCrypto(stream), 'peer'),
      direction: answerDirection(offered, effectiveDirection(said, ours)),
      keepFormat: (format: string) => isCommon(ours, theirs, format),
    };
  });
}

function isCommon(ours: MediaDescription, theirs: MediaDescription, format: string): boolean {
  if (!theirs.formats.includes(format)) return false;
  const [a, b] = [codecOf(ours, format), codecOf(theirs, format)];
  return a === undefined || b === undefined ? a === b : isSameCodec(a, b);
}
