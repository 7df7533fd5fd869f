import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import type { EndpointSpec, EndpointStats, Relay, RelayErrorCode } from '@ringfence/relay/contract.ts';
import { codecOf } from '@ringfence/sdp/attribute.ts';
import type { SessionDescription } from '@ringfence/sdp/session.ts';
import type { Suite } from '@ringfence/srtp/suite.ts';
import type { LegProtection } from '../policy/protection.ts';
import {
  answeringSpec,
  configOf,
  type LegSide,
  MediaLeg,
  offeringSpec,
  type StreamState,
  stateOf,
} from './leg.ts';
import { clockRates, type ReadSession, type ReadStream, readSession } from './read-offer.ts';

/** Why an answer or a new offer cannot be taken, for a Warning header and the record. */
export interface MediaProblem {
  readonly rule: string;
  readonly warning: string;
}

export interface MediaOptions {
  readonly dscp: number;
  /** Digits for o= lines. */
  newSessionId(): string;
}

/** A change that was offered and is not yet agreed. */
export interface PendingOffer {
  readonly from: MediaLeg;
  readonly to: MediaLeg;
  readonly read: ReadSession;
  /** What to send to the other side. */
  readonly description: string;
}

const profile = (secure: boolean, feedback: boolean): string =>
  `RTP/${secure ? 'S' : ''}AVP${feedback ? 'F' : ''}`;

/**
 * The media of one call: the caller's leg and one leg for each phone that is rung.
 *
 * Ports and keys of all of them are asked for in one round trip; each leg has keys of its own.
 */
export class CallMedia {
  readonly caller: MediaLeg;
  readonly callees: readonly MediaLeg[];
  readonly #relay: Relay;
  readonly #options: MediaOptions;
  readonly #offer: ReadSession;
  #connected: MediaLeg | undefined;
  #lastAnswer = '';

  private constructor(
    relay: Relay,
    options: MediaOptions,
    offer: ReadSession,
    caller: MediaLeg,
    callees: MediaLeg[],
  ) {
    this.#relay = relay;
    this.#options = options;
    this.#offer = offer;
    this.caller = caller;
    this.callees = callees;
  }

  static async open(
    relay: Relay,
    options: MediaOptions,
    offer: ReadSession,
    callerSide: LegSide,
    calleeSides: readonly LegSide[],
  ): Promise<Result<CallMedia, RelayErrorCode>> {
    const specs: EndpointSpec[] = [];
    const places: { leg: MediaLeg; index: number; stream: ReadStream; spec: EndpointSpec }[] = [];
    const caller = new MediaLeg(callerSide, options.newSessionId());
    const callees = calleeSides.map((side) => new MediaLeg(side, options.newSessionId()));
    for (const [index, stream] of offer.streams.entries()) {
      if (stream === undefined) continue;
      for (const leg of [caller, ...callees]) {
        if (leg.side.demanded === 'required' && stream.media === 'opaque') continue;
        const spec =
          leg === caller
            ? answeringSpec(leg.side, stream, options.dscp)
            : offeringSpec(leg.side, stream, options.dscp);
        specs.push(spec);
        places.push({ leg, index, stream, spec });
      }
    }
    const opened = await relay.open(specs);
    if (!opened.ok) return opened;
    for (const [i, { leg, index, stream, spec }] of places.entries()) {
      const endpoint = opened.value[i];
      if (endpoint === undefined) continue;
      leg.streams[index] = stateOf(
        endpoint,
        spec,
        leg === caller ? stream : { media: stream.media, mux: false },
      );
    }
    return ok(new CallMedia(relay, options, offer, caller, callees));
  }

  /** The offer for one phone; `plain` after it has refused SRTP and policy lets it. */
  offerTo(leg: MediaLeg, plain: boolean): string {
    return this.#describeOffer(leg, this.#offer.session, plain || leg.side.demanded === 'none');
  }

  /**
   * Takes a callee's answer, joins the two legs, gives the answer for the caller.
   *
   * The same answer repeated (183, then 200) changes nothing.
   */
  answer(leg: MediaLeg, body: string, session: SessionDescription): Result<string, MediaProblem> {
    if (this.#connected === leg && this.#lastAnswer === body) return ok(this.caller.lastDescription);
    const read = this.#readAnswer(leg, session);
    if (!read.ok) return read;
    this.#applyAnswer(leg, this.caller, read.value);
    this.#connected = leg;
    this.#lastAnswer = body;
    return ok(this.#describeAnswer(this.caller, this.#offer, session));
  }

  /** The phones that were not taken give their ports back. */
  async releaseOthers(winner: MediaLeg): Promise<void> {
    const ids: number[] = [];
    for (const leg of this.callees) {
      if (leg === winner) continue;
      ids.push(...leg.endpointIds());
      leg.wipe();
      leg.streams.length = 0;
    }
    if (ids.length > 0) await this.#relay.close(ids);
  }

  /**
   * A new offer within the call (RFC 3264 §8): hold, other codecs, another address, new keys.
   *
   * A stream that has been encrypted stays encrypted: whoever offers less is refused.
   */
  async reoffer(
    from: MediaLeg,
    to: MediaLeg,
    session: SessionDescription,
  ): Promise<Result<PendingOffer, MediaProblem>> {
    const agreed = (index: number): Suite | undefined => from.streams[index]?.suite;
    const read = readSession(session, from.side.demanded, from.side.signalling, agreed);
    if (session.media.length < from.streams.length)
      return err({
        rule: 'media.stream-missing',
        warning: 'A new offer must keep every m= line (RFC 3264 section 8)',
      });
    for (const [index, stream] of read.streams.entries()) {
      const state = from.streams[index];
      if (state?.suite !== undefined && session.media[index]?.port !== 0 && stream?.media !== 'srtp')
        return err({
          rule: 'media.downgrade',
          warning: `The call is encrypted and stays so: keep offering ${state.suite}`,
        });
      if (stream !== undefined && from.side.demanded === 'required' && stream.media !== 'srtp')
        return err({ rule: 'media.encryption-required', warning: 'Encryption is required: offer a=crypto' });
    }
    const opened = await this.#openMissing(from, to, read);
    if (!opened.ok) return err({ rule: 'media.no-ports', warning: 'No media ports are left' });
    const description = this.#describeOffer(to, session, !this.#encrypted(to));
    return ok({ from, to, read, description });
  }

  /** The other side has agreed: now, and only now, the new offer takes effect. */
  reanswer(pending: PendingOffer, session: SessionDescription): Result<string, MediaProblem> {
    const { from, to, read } = pending;
    const answer = this.#readAnswer(to, session);
    if (!answer.ok) return answer;
    for (const [index, stream] of read.streams.entries()) {
      const state = from.streams[index];
      if (stream === undefined || state === undefined) continue;
      this.#configure(state, stream, read.session, index);
    }
    this.#applyAnswer(to, from, answer.value);
    return ok(this.#describeAnswer(from, read, session));
  }

  /** An answer to an offer that we repeated (a re-INVITE without SDP). */
  confirm(leg: MediaLeg, session: SessionDescription): Result<undefined, MediaProblem> {
    const read = this.#readAnswer(leg, session);
    if (!read.ok) return read;
    for (const [index, stream] of read.value.streams.entries()) {
      const state = leg.streams[index];
      if (stream !== undefined && state !== undefined) this.#configure(state, stream, session, index);
    }
    return ok(undefined);
  }

  /** Ends all media, overwrites our copies of keys, gives the last counters, by leg (0 is the caller). */
  async close(): Promise<readonly (readonly EndpointStats[])[]> {
    const legs = [this.caller, ...this.callees];
    const owners = new Map<number, number>();
    for (const [index, leg] of legs.entries()) for (const id of leg.endpointIds()) owners.set(id, index);
    const stats: EndpointStats[][] = legs.map(() => []);
    if (owners.size === 0) return stats;
    for (const leg of legs) leg.wipe();
    for (const row of await this.#relay.close([...owners.keys()])) stats[owners.get(row.id) ?? 0]?.push(row);
    return stats;
  }

  protectionOf(leg: MediaLeg, secureSignalling: boolean): LegProtection['media'] {
    const live = leg.streams.filter(
      (stream): stream is StreamState => stream !== undefined && stream.media !== 'opaque',
    );
    if (live.length === 0) return { protocol: 'none' };
    const weakest = live.find(({ media }) => media === 'rtp');
    if (weakest !== undefined) return { protocol: 'rtp' };
    const suite = live[0]?.suite;
    return {
      protocol: 'srtp',
      ...(suite === undefined ? {} : { suite }),
      keyExchange: 'sdes',
      keysExposed: !secureSignalling,
    };
  }

  #encrypted(leg: MediaLeg): boolean {
    return leg.streams.some((stream) => stream?.media === 'srtp');
  }

  #describeOffer(leg: MediaLeg, session: SessionDescription, plain: boolean): string {
    return leg.describe(session, (index) => {
      const stream = leg.streams[index];
      const media = session.media[index];
      if (stream === undefined || media === undefined || media.port === 0) return leg.refused();
      if (stream.media === 'opaque') return leg.anchor(stream, media.protocol, []);
      const feedback = media.protocol.toUpperCase().endsWith('AVPF');
      const agreed = stream.suite !== undefined;
      stream.media = plain ? 'rtp' : 'srtp';
      return leg.anchor(
        stream,
        profile(!plain, feedback),
        plain ? [] : agreed ? leg.answeredCrypto(stream) : leg.offeredCrypto(stream),
      );
    });
  }

  #describeAnswer(leg: MediaLeg, offer: ReadSession, answer: SessionDescription): string {
    return leg.describe(answer, (index) => {
      const stream = leg.streams[index];
      const offered = offer.session.media[index];
      if (offered === undefined) return leg.refused();
      if (stream === undefined || answer.media[index]?.port === 0) return leg.refused(offered.protocol);
      return leg.anchor(stream, offered.protocol, leg.answeredCrypto(stream));
    });
  }

  /** RFC 3264 §6 and RFC 4568 §5.1.3: the answer fits the offer, stream by stream, or is none. */
  #readAnswer(leg: MediaLeg, session: SessionDescription): Result<ReadSession, MediaProblem> {
    const read = readSession(session, leg.side.demanded, leg.side.signalling, (i) => leg.streams[i]?.suite);
    let agreed = 0;
    for (const [index, stream] of read.streams.entries()) {
      const state = leg.streams[index];
      if (stream === undefined || state === undefined) continue;
      agreed += 1;
      if (state.media === 'srtp' && stream.media !== 'srtp')
        return err({
          rule: 'media.answer-unencrypted',
          warning: 'SRTP was offered, the answer leaves it out',
        });
      if (state.media !== 'srtp' && stream.media === 'srtp')
        return err({ rule: 'media.answer-mismatch', warning: 'The answer has keys that were not asked for' });
      const crypto = stream.crypto;
      if (crypto === undefined) continue;
      const offered = state.endpoint.keys.findIndex(({ suite }) => suite === crypto.suite);
      const tag = state.suite === undefined ? offered + 1 : state.tag;
      if (offered === -1 || crypto.tag !== tag)
        return err({
          rule: 'media.answer-mismatch',
          warning: 'The answer chooses a crypto line that was not offered',
        });
    }
    if (agreed === 0)
      return err(
        read.facts.unsupported
          ? { rule: 'media.encryption-unsupported', warning: 'The answer has no usable a=crypto' }
          : { rule: 'media.nothing-usable', warning: 'The answer accepts no stream' },
      );
    return ok(read);
  }

  #applyAnswer(leg: MediaLeg, other: MediaLeg, read: ReadSession): void {
    for (const [index, stream] of read.streams.entries()) {
      const state = leg.streams[index];
      const peer = other.streams[index];
      if (stream === undefined || state === undefined) {
        if (peer !== undefined) this.#relay.unlink(peer.endpoint.id);
        continue;
      }
      this.#configure(state, stream, read.session, index);
      if (peer === undefined) continue;
      peer.codec = state.codec;
      this.#relay.link(peer.endpoint.id, state.endpoint.id);
    }
  }

  #configure(state: StreamState, stream: ReadStream, session: SessionDescription, index: number): void {
    const media = session.media[index];
    const clocks = media === undefined ? undefined : clockRates(media);
    const format = media?.formats[0];
    if (media !== undefined && format !== undefined) state.codec = codecOf(media, format)?.encoding ?? '';
    state.media = stream.media;
    if (stream.crypto !== undefined) {
      state.suite = stream.crypto.suite;
      state.tag = stream.crypto.tag;
      state.receive = stream.crypto.keys[0].material;
    }
    this.#relay.configure(state.endpoint.id, configOf(stream, clocks));
  }

  /** Streams that a new offer adds get ports on both legs. */
  async #openMissing(
    from: MediaLeg,
    to: MediaLeg,
    read: ReadSession,
  ): Promise<Result<undefined, RelayErrorCode>> {
    const specs: EndpointSpec[] = [];
    const places: { leg: MediaLeg; index: number; stream: ReadStream; spec: EndpointSpec }[] = [];
    for (const [index, stream] of read.streams.entries()) {
      if (stream === undefined) continue;
      for (const leg of [from, to]) {
        if (leg.streams[index] !== undefined) continue;
        const { dscp } = this.#options;
        const spec =
          leg === from ? answeringSpec(leg.side, stream, dscp) : offeringSpec(leg.side, stream, dscp);
        specs.push(spec);
        places.push({
          leg,
          index,
          stream: leg === from ? stream : { media: stream.media, mux: false },
          spec,
        });
      }
    }
    if (specs.length === 0) return ok(undefined);
    const opened = await this.#relay.open(specs);
    if (!opened.ok) return opened;
    for (const [i, { leg, index, stream, spec }] of places.entries()) {
      const endpoint = opened.value[i];
      if (endpoint !== undefined) leg.streams[index] = stateOf(endpoint, spec, stream);
    }
    return ok(undefined);
  }
}
