import { ok, type Result } from '@ringfence/bytes/result.ts';
import type { EndpointSpec, Relay, RelayErrorCode } from '@ringfence/relay/contract.ts';
import { type MediaLeg, offeringSpec, renewingSpec, type StreamState, stateOf } from './leg.ts';
import type { ReadStream } from './read-offer.ts';

/** A stream of a leg that wants ports. */
export interface Place {
  readonly leg: MediaLeg;
  readonly index: number;
  readonly stream: ReadStream;
  readonly spec: EndpointSpec;
  /** What a stream that gets other ports has agreed to already. */
  readonly agreed?: Pick<
    StreamState,
    'suite' | 'tag' | 'keying' | 'mid' | 'bundled' | 'says' | 'hello' | 'zrtpMode'
  >;
}

/** The place with the ports that it was given. */
export interface OpenedPlace extends Place {
  readonly state: StreamState;
}

/** Endpoints that the media process opens in one request. */
const mostAtOnce = 64;

/** A place for a stream that we offer; the other side's keys and address are none of its business. */
export const offering = (leg: MediaLeg, index: number, stream: ReadStream, dscp: number): Place => ({
  leg,
  index,
  stream: { media: stream.media, mux: false, codec: stream.codec },
  spec: offeringSpec(leg.side, stream, dscp, leg.offers),
});

/** Opens all or none, all of them near each other and near an endpoint that is there already. */
export async function openAll(
  relay: Relay,
  places: readonly Place[],
  near?: number,
): Promise<Result<readonly OpenedPlace[], RelayErrorCode>> {
  const done: OpenedPlace[] = [];
  for (let from = 0; from < places.length; from += mostAtOnce) {
    const part = places.slice(from, from + mostAtOnce);
    const beside = near ?? done[0]?.state.endpoint.id;
    const opened = await relay.open(
      part.map(({ spec }) => (beside === undefined ? spec : { ...spec, near: beside })),
    );
    if (!opened.ok) {
      if (done.length > 0) void relay.close(done.map(({ state }) => state.endpoint.id));
      return opened;
    }
    for (const [i, place] of part.entries()) {
      const endpoint = opened.value[i];
      if (endpoint === undefined) continue;
      const state = stateOf(endpoint, place.spec, place.stream);
      if (place.agreed !== undefined) {
        state.suite = place.agreed.suite;
        state.tag = place.agreed.tag;
        state.keying = place.agreed.keying;
        state.says = place.agreed.says;
        state.hello = place.agreed.hello;
        state.zrtpMode = place.agreed.zrtpMode;
        if (place.agreed.mid !== undefined) state.mid = place.agreed.mid;
        if (place.agreed.bundled === true) state.bundled = true;
      }
      done.push({ ...place, state });
    }
  }
  return ok(done);
}

/** Other ports and keys for the streams of these legs that are wanted; what they have agreed to stays. */
export function renewing(
  legs: readonly MediaLeg[],
  dscp: number,
  wanted: (state: StreamState) => boolean,
): Place[] {
  const places: Place[] = [];
  for (const leg of legs)
    for (const [index, state] of leg.streams.entries()) {
      if (state === undefined || !wanted(state)) continue;
      const { media, mux, codec } = state;
      const spec = renewingSpec(leg.side, state, dscp);
      places.push({ leg, index, stream: { media, mux, codec }, spec, agreed: state });
    }
  return places;
}

export function ownersOf(legs: readonly MediaLeg[]): Map<number, MediaLeg> {
  const owners = new Map<number, MediaLeg>();
  for (const leg of legs) for (const id of leg.endpointIds()) owners.set(id, leg);
  return owners;
}
