import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import type { Relay, RelayErrorCode } from '@ringfence/relay/contract.ts';
import type { SessionDescription } from '@ringfence/sdp/session.ts';
import { checkReoffer, type MediaProblem, problem } from './agreement.ts';
import { describeOffer } from './describe.ts';
import { type OfferedProtection, offersTo } from './keying.ts';
import { answeringSpec, type MediaLeg, type StreamState, wantsAnother, wipe } from './leg.ts';
import { offering, openAll, type Place } from './places.ts';
import { type ReadSession, readSession } from './read-offer.ts';

type Streams = readonly (StreamState | undefined)[];

/** A change that was offered and is not yet agreed: until it is, both legs stay as they are. */
export interface PendingOffer {
  readonly from: MediaLeg;
  readonly to: MediaLeg;
  readonly read: ReadSession;
  /** What to send to the other side. */
  readonly description: string;
  /** The streams as they will be, those that stay and those that are new or replaced. */
  readonly fromStreams: Streams;
  readonly toStreams: Streams;
}

/** Whether an offer may be made to the other side at all; what it lacks stands in a Warning. */
export function judgeOffer(
  from: MediaLeg,
  to: MediaLeg,
  session: SessionDescription,
): Result<ReadSession, MediaProblem> {
  // Plain RTP may become SRTP, so only the suite that is agreed binds, not that there was none.
  const agreed = from.streams.map((state) =>
    state === undefined
      ? undefined
      : { media: 'srtp' as const, suite: suiteOf(state), keying: keyingAgreed(state) },
  );
  const read = readSession(session, from.side, agreed);
  const refused = checkReoffer(from, read);
  if (refused !== undefined) return err(refused);
  const { demanded } = to.side;
  const fax = read.streams.some((stream) => stream?.media === 'opaque');
  if (fax && (demanded === 'required' || to.encrypted))
    return err(problem('media.downgrade', 'The other side is encrypted: fax over UDPTL has no encryption'));
  return ok(read);
}

/** Ports for what is new, then our offer to the other side. */
export async function openChange(
  relay: Relay,
  from: MediaLeg,
  to: MediaLeg,
  read: ReadSession,
  dscp: number,
): Promise<Result<PendingOffer, RelayErrorCode>> {
  const places: Place[] = [];
  for (const [index, stream] of read.streams.entries()) {
    if (stream === undefined) continue;
    const ours = from.streams[index];
    // Ports and keys are made for one kind of media: another kind gets new ones.
    if (ours === undefined || ours.keyless === true || wantsAnother(ours, stream))
      places.push({ leg: from, index, stream, spec: answeringSpec(from.side, stream, dscp) });
    const theirs = to.streams[index];
    if (
      theirs === undefined ||
      theirs.keyless === true ||
      (theirs.media === 'opaque') !== (stream.media === 'opaque')
    )
      places.push(offering(to, index, stream, dscp));
  }
  const opened = await openAll(relay, places, from.endpointIds()[0] ?? to.endpointIds()[0]);
  if (!opened.ok) return opened;
  const fromStreams = [...from.streams];
  const toStreams = [...to.streams];
  for (const { leg, index, state } of opened.value) (leg === from ? fromStreams : toStreams)[index] = state;
  const description = describeOffer(to, read.session, (stream) => protectionOf(to, stream), toStreams);
  return ok({ from, to, read, description, fromStreams, toStreams });
}

/** Puts the proposed streams into the legs; gives the endpoints that they replace. */
export function adopt({ from, to, fromStreams, toStreams }: PendingOffer): number[] {
  const replaced: number[] = [];
  for (const [leg, streams] of [
    [from, fromStreams],
    [to, toStreams],
  ] as const)
    for (const [index, state] of streams.entries()) {
      const old = leg.streams[index];
      if (old === state) continue;
      if (old !== undefined) {
        replaced.push(old.endpoint.id);
        wipe(old);
      }
      leg.streams[index] = state;
    }
  return replaced;
}

/** The endpoints that were opened for a change; none once it was adopted. */
export function openedFor({ from, to, fromStreams, toStreams }: PendingOffer): number[] {
  const opened: number[] = [];
  for (const [leg, streams] of [
    [from, fromStreams],
    [to, toStreams],
  ] as const)
    for (const [index, state] of streams.entries())
      if (state !== undefined && leg.streams[index] !== state) opened.push(state.endpoint.id);
  return opened;
}

const suiteOf = ({ media, suite }: StreamState): StreamState['suite'] =>
  media === 'srtp' ? suite : undefined;

const keyingAgreed = ({ media, keying }: StreamState): StreamState['keying'] =>
  media === 'srtp' ? keying : undefined;

/** What is agreed stays as it is; new streams are as protected as the others, and at first as policy asks. */
function protectionOf(leg: MediaLeg, stream: StreamState): OfferedProtection | 'optional' {
  if (leg.streams.includes(stream)) return stream.media === 'rtp' ? 'plain' : (stream.keying ?? 'sdes');
  if (leg.encrypted) return leg.protection;
  const { demanded, web } = leg.side;
  // A browser takes nothing but keys.
  if (demanded !== 'preferred' || web === true) return offersTo(leg.side)[0] ?? 'plain';
  return leg.lastDescription === '' ? 'optional' : 'plain';
}
