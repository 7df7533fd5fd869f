import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import type { SessionDescription } from '@ringfence/sdp/session.ts';
import type { MediaLeg, StreamState } from './leg.ts';
import { keyingOf, type ReadSession, readSession } from './read-offer.ts';

/** Why an answer or a new offer cannot be taken, for a Warning header and the record. */
export interface MediaProblem {
  readonly rule: string;
  readonly warning: string;
}

export const problem = (rule: string, warning: string): MediaProblem => ({ rule, warning });

/**
 * RFC 3264 §6 and RFC 4568 §5.1.3: the answer fits what we offered, stream by stream, or is none.
 *
 * `streams`: what was offered. `first`: to the first offer of a call, which several early dialogs may answer, each in
 * its own way: what one of them chose binds no other.
 */
export function checkAnswer(
  leg: MediaLeg,
  session: SessionDescription,
  streams: readonly (StreamState | undefined)[] = leg.streams,
  first = false,
): Result<ReadSession, MediaProblem> {
  const { side } = leg;
  const agreed = streams.map((state) =>
    state === undefined
      ? undefined
      : {
          media: state.media,
          suite: first || state.optional === true ? undefined : state.suite,
          keying: state.keying,
        },
  );
  const read = readSession(session, side, agreed);
  let taken = 0;
  for (const [index, stream] of read.streams.entries()) {
    const state = streams[index];
    if (stream === undefined || state === undefined) continue;
    taken += 1;
    const plain = stream.media === 'rtp';
    if (state.media === 'srtp' && stream.media !== 'srtp' && !(plain && state.optional === true))
      return err(problem('media.answer-unencrypted', 'SRTP was offered, the answer leaves it out'));
    if (state.media !== stream.media && !(plain && state.optional === true))
      return err(problem('media.answer-mismatch', 'The answer has another kind of media than was offered'));
    if (!plain && stream.media === 'srtp' && keyingOf(stream) !== state.keying)
      return err(problem('media.answer-mismatch', 'The answer brings keys in another way than was offered'));
    const { crypto } = stream;
    if (crypto === undefined) continue;
    const offered = state.endpoint.keys.findIndex(({ suite }) => suite === crypto.suite);
    const tag = first || state.suite === undefined ? offered + 1 : state.tag;
    if (offered === -1 || crypto.tag !== tag)
      return err(problem('media.answer-mismatch', 'The answer chooses a crypto line that was not offered'));
  }
  if (taken > 0) return ok(read);
  return err(
    read.facts.unsupported
      ? problem('media.encryption-unsupported', 'The answer has no usable a=crypto or a=fingerprint')
      : problem('media.nothing-usable', 'The answer accepts no stream'),
  );
}

/**
 * RFC 3264 §8, and that nobody may offer less protection than is agreed (CVE-2022-39269): not for the same stream, not
 * for another one in its place or beside it, and not where policy has asked for none in the first place.
 */
export function checkReoffer(
  from: MediaLeg,
  { session, streams, facts }: ReadSession,
): MediaProblem | undefined {
  if (session.media.length < from.streams.length)
    return problem('media.stream-missing', 'A new offer must keep every m= line (RFC 3264 section 8)');
  const { demanded } = from.side;
  for (const [index, stream] of streams.entries()) {
    const state = from.streams[index];
    const removed = session.media[index]?.port === 0;
    const secured = state?.media === 'srtp' && !removed && stream?.media !== 'srtp';
    if (secured || (from.encrypted && stream?.media === 'rtp')) {
      const kept = state?.keying === 'dtls' ? 'DTLS-SRTP' : (state?.suite ?? 'encryption');
      return problem('media.downgrade', `The call is encrypted and stays so: keep offering ${kept}`);
    }
    if (stream === undefined) continue;
    const byZrtp = stream.media === 'rtp' && from.side.zrtpPolicy === 'demand';
    if (stream.media !== 'srtp' && demanded === 'required' && !byZrtp)
      return problem('media.encryption-required', 'Encryption is required: offer a=crypto or DTLS-SRTP');
    if (stream.media === 'opaque' && from.encrypted)
      return problem(
        'media.downgrade',
        'The call is encrypted and stays so: fax over UDPTL has no encryption',
      );
  }
  if (facts.usable > 0 || from.streams.length > 0) return undefined;
  return facts.unsupported
    ? problem('media.encryption-unsupported', 'The offer has no usable a=crypto or a=fingerprint')
    : problem('media.nothing-usable', 'No stream of the offer can be relayed');
}
