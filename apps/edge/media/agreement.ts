import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import type { SessionDescription } from '@ringfence/sdp/session.ts';
import type { MediaLeg } from './leg.ts';
import { type ReadSession, readSession } from './read-offer.ts';

/** Why an answer or a new offer cannot be taken, for a Warning header and the record. */
export interface MediaProblem {
  readonly rule: string;
  readonly warning: string;
}

const problem = (rule: string, warning: string): MediaProblem => ({ rule, warning });

/** RFC 3264 §6 and RFC 4568 §5.1.3: the answer fits what we offered, stream by stream, or is none. */
export function checkAnswer(leg: MediaLeg, session: SessionDescription): Result<ReadSession, MediaProblem> {
  const { side, streams } = leg;
  const read = readSession(session, side.demanded, side.signalling, streams);
  let agreed = 0;
  for (const [index, stream] of read.streams.entries()) {
    const state = streams[index];
    if (stream === undefined || state === undefined) continue;
    agreed += 1;
    if (state.media === 'srtp' && stream.media !== 'srtp')
      return err(problem('media.answer-unencrypted', 'SRTP was offered, the answer leaves it out'));
    if (state.media !== stream.media)
      return err(problem('media.answer-mismatch', 'The answer has another kind of media than was offered'));
    const { crypto } = stream;
    if (crypto === undefined) continue;
    const offered = state.endpoint.keys.findIndex(({ suite }) => suite === crypto.suite);
    const tag = state.suite === undefined ? offered + 1 : state.tag;
    if (offered === -1 || crypto.tag !== tag)
      return err(problem('media.answer-mismatch', 'The answer chooses a crypto line that was not offered'));
  }
  if (agreed > 0) return ok(read);
  return err(
    read.facts.unsupported
      ? problem('media.encryption-unsupported', 'The answer has no usable a=crypto')
      : problem('media.nothing-usable', 'The answer accepts no stream'),
  );
}

/** RFC 3264 §8, and that nobody may offer less protection than is agreed (CVE-2022-39269). */
export function checkReoffer(from: MediaLeg, { session, streams }: ReadSession): MediaProblem | undefined {
  if (session.media.length < from.streams.length)
    return problem('media.stream-missing', 'A new offer must keep every m= line (RFC 3264 section 8)');
  for (const [index, stream] of streams.entries()) {
    const state = from.streams[index];
    const removed = session.media[index]?.port === 0;
    if (state?.suite !== undefined && !removed && stream?.media !== 'srtp')
      return problem('media.downgrade', `The call is encrypted and stays so: keep offering ${state.suite}`);
    if (stream === undefined) continue;
    if (stream.media !== 'srtp' && from.side.demanded === 'required')
      return problem('media.encryption-required', 'Encryption is required: offer a=crypto');
    // Ports and keys of a stream are made for one kind of media.
    if (state !== undefined && state.media !== stream.media)
      return problem('media.kind-changed', 'A stream keeps its kind: add a new m= line for another');
  }
  return undefined;
}
