import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import type { EndpointConfig, EndpointStats, Relay, RelayErrorCode } from '@ringfence/relay/contract.ts';
import type { HandshakeEvent, ZrtpRetained } from '@ringfence/relay/handshake.ts';
import { parseSession } from '@ringfence/sdp/parse.ts';
import type { SessionDescription } from '@ringfence/sdp/session.ts';
import type { LegProtection } from '../policy/protection.ts';
import type { SoundFormat } from '../sound/desk.ts';
import { checkAnswer, type MediaProblem } from './agreement.ts';
import { answerAlone } from './alone.ts';
import { adopt, judgeOffer, openChange, openedFor, type PendingOffer } from './change.ts';
import { describeAnswer, describeOffer, describeRepeat } from './describe.ts';
import { agreeHandshake, beginsAnew, newCredentials, type Offerer } from './handshake.ts';
import { describeAgain, readKnown, resumed } from './joined.ts';
import { type OfferedProtection, offersTo } from './keying.ts';
import { answeringSpec, configOf, type LegSide, MediaLeg, type StreamState, wipe } from './leg.ts';
import { type OpenedPlace, offering, openAll, ownersOf, type Place, renewing } from './places.ts';
import { answeredFirst, playedTo } from './playing-alone.ts';
import { keyingOf, type ReadSession, type ReadStream } from './read-offer.ts';
import { Renewal } from './renewal.ts';
import { stringsToRelay } from './sas-relay.ts';
import { protectionOfStreams, showing } from './shown.ts';
import { awaitingZrtp, endsHere, modeOf, offersWithZrtp, withoutIdleZrtp, zrtpConfig } from './zrtp.ts';

export interface MediaOptions {
  readonly dscp: number;
  /** Digits for o= lines. */
  newSessionId(): string;
  /** What is kept of the ZRTP of that party. */
  retained?(party: string): ZrtpRetained | undefined;
}

/**
 * The media of one call: the caller's leg and one leg for each phone that is rung.
 *
 * Ports and keys of all of them are asked for in one round trip; each leg has keys of its own.
 */
export class CallMedia {
  readonly caller: MediaLeg;
  readonly callees: MediaLeg[];
  #relay: Relay;
  readonly #options: MediaOptions;
  /** The caller's offer, until the call is settled; an INVITE may come without. */
  #offer: ReadSession | undefined;
  #connected: MediaLeg | undefined = undefined;
  #applied: Promise<void> = Promise.resolve();
  /** Only of calls whose endpoints are or were replaced. */
  #renewal: Renewal | undefined = undefined;
  #closed = false;
  /** What each leg said before anybody had taken the call. */
  readonly #early = new Map<MediaLeg, Uint8Array>();
  /** The caller is offered what the called side has answered, and has not agreed yet. */
  #joining: OfferedProtection | undefined = undefined;

  private constructor(
    relay: Relay,
    options: MediaOptions,
    offer: ReadSession | undefined,
    caller: MediaLeg,
    callees: MediaLeg[],
  ) {
    this.#relay = relay;
    this.#options = options;
    this.#offer = offer;
    this.caller = caller;
    this.callees = callees;
  }

  /** Without an offer no ports are opened yet: `reoffer` does, once somebody has made one. */
  static async open(
    relay: Relay,
    options: MediaOptions,
    offered: ReadSession | undefined,
    callerSide: LegSide,
    calleeSides: readonly (LegSide | MediaLeg)[],
  ): Promise<Result<CallMedia, RelayErrorCode>> {
    const places: Place[] = [];
    const offer = offered === undefined ? undefined : withoutIdleZrtp(offered, callerSide);
    const caller = new MediaLeg(callerSide, options.newSessionId());
    const callees = calleeSides.map((side) =>
      side instanceof MediaLeg ? side : new MediaLeg(side, options.newSessionId()),
    );
    for (const [index, stream] of (offer?.streams ?? []).entries()) {
      if (stream === undefined) continue;
      places.push({ leg: caller, index, stream, spec: answeringSpec(caller.side, stream, options.dscp) });
      for (const leg of callees) {
        if (leg.side.demanded === 'required' && stream.media === 'opaque') continue;
        if (isThere(leg, index, stream)) continue;
        places.push(offering(leg, index, stream, options.dscp));
      }
    }
    const opened = await openAll(relay, places);
    if (opened.ok) for (const { leg, index, state } of opened.value) leg.streams[index] = state;
    return opened.ok ? ok(new CallMedia(relay, options, offer, caller, callees)) : opened;
  }

  /** Everybody rung so far has failed: their ports are given back, and others get their own. */
  async replaceCallees(sides: readonly LegSide[]): Promise<Result<undefined, RelayErrorCode>> {
    this.releaseCallees();
    const places: Place[] = [];
    for (const side of sides) {
      const leg = new MediaLeg(side, this.#options.newSessionId());
      this.callees.push(leg);
      for (const [index, stream] of (this.#offer?.streams ?? []).entries()) {
        if (stream === undefined || (side.demanded === 'required' && stream.media === 'opaque')) continue;
        places.push(offering(leg, index, stream, this.#options.dscp));
      }
    }
    const opened = await openAll(this.#relay, places);
    if (!opened.ok) return opened;
    for (const { leg, index, state } of opened.value) leg.streams[index] = state;
    return ok(undefined);
  }

  /** Gives back the ports of everybody who has been rung. */
  releaseCallees(): void {
    const ids = this.callees.flatMap((leg) => this.#release(leg));
    if (ids.length > 0) void this.#relay.close(ids);
  }

  /** Forgets what a leg has; gives the endpoints to be closed. */
  #release(leg: MediaLeg): number[] {
    const ids = leg.endpointIds();
    leg.wipe();
    leg.streams.length = 0;
    return ids;
  }

  /** The media of an answered call that another edge process set up; `relay` is where its endpoints live. */
  static restore(
    relay: Relay,
    options: MediaOptions,
    caller: MediaLeg,
    callee: MediaLeg,
    index: number,
  ): CallMedia {
    // Counters are told by the number of the leg: those who were rung beside this one have left their places.
    const callees = Array.from({ length: index }, (_, i) =>
      i === index - 1 ? callee : new MediaLeg(callee.side, '0'),
    );
    return new CallMedia(relay, options, undefined, caller, callees);
  }

  /** Nobody has made an offer yet: the called side does. */
  get delayed(): boolean {
    return this.#offer === undefined;
  }

  /** Whoever talks now is heard from the first word: all that was agreed is in effect, or what comes earlier is kept. */
  get applied(): Promise<void> {
    return this.#applied;
  }

  /**
   * The media of a call between parties of other calls: every leg is offered to, the caller's too. Theirs are
   * `continued`; what was agreed before stays in force until they have agreed anew.
   *
   * @param session what the caller is known to be able to do.
   */
  static async openJoined(
    relay: Relay,
    options: MediaOptions,
    session: SessionDescription,
    caller: MediaLeg,
    callees: MediaLeg[],
  ): Promise<Result<CallMedia, RelayErrorCode>> {
    const offer = readKnown(resumed(session));
    const places: Place[] = [];
    for (const [index, stream] of offer.streams.entries()) {
      if (stream === undefined) continue;
      for (const leg of [caller, ...callees]) {
        if (leg.side.demanded === 'required' && stream.media === 'opaque') continue;
        if (isThere(leg, index, stream)) continue;
        places.push(offering(leg, index, stream, options.dscp));
      }
    }
    const opened = await openAll(relay, places, caller.streams.find((one) => one !== undefined)?.endpoint.id);
    if (!opened.ok) return opened;
    for (const { leg, index, state } of opened.value) leg.streams[index] = state;
    const media = new CallMedia(relay, options, offer, caller, callees);
    media.#joining = caller.agreedAs ?? 'plain';
    return ok(media);
  }

  /** The offer for one phone, after it has refused so many; in the way of another call where it has agreed there. */
  offerTo(leg: MediaLeg, refused: number): string {
    if (this.#offer === undefined) return leg.lastDescription;
    // Who had encryption in the call before has it in this one: a dialog's level never falls (CVE-2022-39269).
    const protection =
      leg.agreedAs ?? offersWithZrtp(leg.side, offersTo(leg.side), this.#offer)[refused] ?? 'plain';
    return leg.lastDescription === ''
      ? describeOffer(leg, this.#offer.session, () => protection)
      : describeAgain(leg, this.#offer.session, protection);
  }

  /**
   * Takes a callee's answer, joins the two legs, gives the answer for the caller.
   *
   * The same answer repeated after `early` (183, then 200) changes nothing. Of several early dialogs the one that has
   * answered last is heard.
   */
  answer(leg: MediaLeg, body: Uint8Array, early = false): Result<string, MediaProblem> {
    const offer = this.#offer;
    if (offer === undefined) return err({ rule: 'media.late', warning: 'The call is settled' });
    const said = this.#early.get(leg);
    const repeated = said !== undefined && Buffer.compare(said, body) === 0;
    if (repeated && (early || this.#connected === leg)) return ok(this.caller.lastDescription);
    const session = parseSession(body);
    if (!session.ok)
      return err({ rule: 'media.malformed', warning: 'The answer of the called side cannot be read' });
    const checked = checkAnswer(leg, session.value, leg.streams, leg.agreedAs === undefined);
    if (!checked.ok) return checked;
    const read = ok(withoutIdleZrtp(checked.value, leg.side));
    // Of endpoints that were never linked the media process keeps what comes too early.
    const first =
      this.#connected === undefined && leg.agreedAs === undefined && this.#relay.keepsFirst === true;
    this.#join(leg, this.caller, read.value, first);
    this.#connected = leg;
    if (early) this.#early.set(leg, body.slice());
    return ok(
      this.#joining === undefined
        ? describeAnswer(this.caller, offer.session, read.value.session)
        : describeAgain(this.caller, read.value.session, this.#joining),
    );
  }

  /** Our answer to a caller who is played something and hears nobody; undefined where its offer leaves no room for it. */
  playingAlone():
    | { readonly description: string; readonly index: number; readonly format: SoundFormat }
    | undefined {
    const offer = this.#offer?.session;
    const played = offer === undefined ? undefined : playedTo(offer);
    if (offer === undefined || played === undefined) return undefined;
    const { session, index, format } = played;
    return { description: describeAnswer(this.caller, offer, session), index, format };
  }

  /** Our answer to a caller whom nobody of those who were rung has answered: as it was told before, else one stream of it. */
  answeringFirst(): string | undefined {
    const offer = this.#offer?.session;
    if (offer === undefined) return undefined;
    // RFC 6337 §3.1.1: what a provisional response has said stays.
    if (this.caller.lastDescription !== '') return this.caller.lastDescription;
    const alone = answeredFirst(offer);
    return alone === undefined ? undefined : describeAnswer(this.caller, offer, alone);
  }

  /** The caller of a joined call has agreed to what `answer` gave. */
  joined(session: SessionDescription): Result<undefined, MediaProblem> {
    const confirmed = this.confirm(this.caller, session);
    if (!confirmed.ok) return confirmed;
    this.#joining = undefined;
    this.caller.keepAgreedKeys();
    for (const [index, state] of this.caller.streams.entries()) {
      const peer = this.#connected?.streams[index];
      if (state === undefined) continue;
      if (peer === undefined || session.media[index]?.port === 0) this.#relay.unlink(state.endpoint.id);
      else this.#relay.link(state.endpoint.id, peer.endpoint.id);
    }
    this.#applied = this.#relay.flush();
    return confirmed;
  }

  /** Somebody has been taken, or nobody of those who were rung: the others give their ports back, and what only set-up needs is let go. */
  settle(winner: MediaLeg | undefined): void {
    this.#offer = undefined;
    this.#early.clear();
    const ids: number[] = [];
    for (const leg of this.callees) {
      if (leg === winner) continue;
      ids.push(...this.#release(leg));
    }
    if (this.#joining === undefined) this.caller.keepAgreedKeys();
    winner?.keepAgreedKeys();
    if (ids.length > 0) void this.#relay.close(ids);
  }

  /**
   * A new offer within the call (RFC 3264 §8): hold, other codecs, another address, new keys, fax. And the first offer
   * of a call whose INVITE had none.
   *
   * A stream that has been encrypted stays encrypted: whoever offers less is refused.
   */
  async reoffer(
    from: MediaLeg,
    to: MediaLeg,
    session: SessionDescription,
  ): Promise<Result<PendingOffer, MediaProblem>> {
    const judged = judgeOffer(from, to, session);
    if (!judged.ok) return judged;
    const read = withoutIdleZrtp(judged.value, from.side);
    const pending = await openChange(this.#relay, from, to, read, this.#options.dscp);
    if (!pending.ok) return err({ rule: 'media.no-ports', warning: 'No media ports are left' });
    return ok(pending.value);
  }

  /** The other side has agreed: now, and only now, the new offer takes effect. */
  reanswer(pending: PendingOffer, session: SessionDescription): Result<string, MediaProblem> {
    const { from, to, read } = pending;
    const checked = checkAnswer(to, session, pending.toStreams);
    if (!checked.ok) return checked;
    const answer = ok(withoutIdleZrtp(checked.value, to.side));
    const owners = ownersOf([from, to]);
    this.#retire(adopt(pending), owners);
    for (const [index, stream] of read.streams.entries()) {
      const state = from.streams[index];
      if (stream !== undefined && state !== undefined) this.#configure(from, state, stream, 'peer');
    }
    this.#join(to, from, answer.value);
    from.keepAgreedKeys();
    to.keepAgreedKeys();
    return ok(describeAnswer(from, read.session, answer.value.session));
  }

  /** The other side has not agreed: ports that were opened for it are given back, all else stays. */
  abandon(pending: PendingOffer): void {
    const opened = openedFor(pending);
    if (opened.length > 0) void this.#relay.close(opened);
  }

  /** A new offer of one side while the other cannot be asked: answered by what that one has agreed to, or refused. */
  absorb(leg: MediaLeg, session: SessionDescription): Result<string, MediaProblem> {
    const alone = answerAlone(leg, session);
    if (!alone.ok) return alone;
    for (const [index, stream] of alone.value.read.streams.entries()) {
      const state = leg.streams[index];
      if (stream !== undefined && state !== undefined) this.#configure(leg, state, stream, 'peer');
    }
    this.#applied = this.#relay.flush();
    return ok(alone.value.describe());
  }

  /** What we have said to a leg, as a new offer: with the agreed keys and no others, or with those of `renewKeys`. */
  repeat(leg: MediaLeg): string {
    return describeRepeat(leg, this.#renewal?.streamsOf(leg));
  }

  /** New ports and keys for streams whose keys nobody here knows. Until the peer has agreed, what serves now goes on. */
  async renewKeys(leg: MediaLeg): Promise<Result<undefined, RelayErrorCode>> {
    const opened = await this.#openAgain([leg], (state) => state.keyless === true);
    if (!opened.ok) return opened;
    this.#renewal ??= new Renewal();
    this.#renewal.propose(leg, opened.value);
    return ok(undefined);
  }

  /** The peer has not agreed to new keys: what was opened for them is given back. */
  dropKeys(leg: MediaLeg): void {
    const opened = this.#renewal?.drop(leg) ?? [];
    if (opened.length > 0) void this.#relay.close(opened);
  }

  /** New ports and keys for all streams, in the media process that has taken the place of one that is gone. */
  async moveTo(relay: Relay): Promise<Result<undefined, RelayErrorCode>> {
    this.#relay = relay;
    // Whatever was open or proposed is gone with it.
    this.#renewal?.forget();
    const opened = await this.#openAgain([this.caller, ...this.callees], () => true);
    if (!opened.ok) return opened;
    for (const { leg, index, state } of opened.value) {
      const gone = leg.streams[index];
      if (gone !== undefined) wipe(gone);
      leg.streams[index] = state;
    }
    const callee = this.callees.find(({ streams }) => streams.length > 0);
    if (callee !== undefined) this.#linkWith(this.caller, callee);
    return ok(undefined);
  }

  async #openAgain(
    legs: readonly MediaLeg[],
    wanted: (state: StreamState) => boolean,
  ): Promise<Result<readonly OpenedPlace[], RelayErrorCode>> {
    const opened = await openAll(this.#relay, renewing(legs, this.#options.dscp, wanted));
    if (!opened.ok || !this.#closed) return opened;
    // The call has ended meanwhile.
    if (opened.value.length > 0) void this.#relay.close(opened.value.map(({ state }) => state.endpoint.id));
    return err('relay-down');
  }

  /** Closes endpoints whose place others have taken; their counters count for the record. */
  #retire(ids: readonly number[], owners: ReadonlyMap<number, MediaLeg>): void {
    if (ids.length === 0) return;
    this.#renewal ??= new Renewal();
    const { keep } = this.#renewal;
    void this.#relay.close(ids).then((rows) => {
      for (const row of rows) keep(owners.get(row.id), row);
    });
  }

  /** An answer to an offer that we repeated: to a re-INVITE without SDP, or in our own refresh. */
  confirm(leg: MediaLeg, session: SessionDescription): Result<undefined, MediaProblem> {
    const proposed = this.#renewal?.streamsOf(leg);
    const read = checkAnswer(leg, session, proposed);
    if (!read.ok) return read;
    if (proposed !== undefined) {
      const owners = ownersOf([leg]);
      this.#retire(this.#renewal?.adopt(leg) ?? [], owners);
    }
    const other = leg === this.caller ? this.callees.find(({ streams }) => streams.length > 0) : this.caller;
    for (const [index, stream] of read.value.streams.entries()) {
      const state = leg.streams[index];
      if (stream === undefined || state === undefined) continue;
      this.#agreeZrtp(leg, state, stream, other, other?.streams[index]);
      this.#configure(leg, state, stream, 'us');
    }
    if (proposed !== undefined && other !== undefined) this.#linkWith(leg, other);
    return ok(undefined);
  }

  #linkWith(leg: MediaLeg, other: MediaLeg): void {
    for (const [index, state] of leg.streams.entries()) {
      const peer = other.streams[index];
      if (state !== undefined && peer !== undefined) this.#relay.link(state.endpoint.id, peer.endpoint.id);
    }
    this.#applied = this.#relay.flush();
  }

  /** Milliseconds since the last packet of any of these endpoints; Infinity where none ever came. */
  async idle(ids: readonly number[]): Promise<number> {
    let least = Number.POSITIVE_INFINITY;
    for (const { received } of await this.#relay.stats(ids))
      if (received.idleMs >= 0) least = Math.min(least, received.idleMs);
    return least;
  }

  /** Ends all media, overwrites our copies of keys, gives the last counters, by leg (0 is the caller). */
  async close(): Promise<readonly (readonly EndpointStats[])[]> {
    const legs = [this.caller, ...this.callees];
    const owners = new Map<number, number>();
    for (const [index, leg] of legs.entries()) for (const id of leg.endpointIds()) owners.set(id, index);
    const stats: EndpointStats[][] = legs.map((leg) => this.#renewal?.past(leg) ?? []);
    this.#closed = true;
    for (const leg of legs) this.dropKeys(leg);
    if (owners.size === 0) return stats;
    for (const leg of legs) leg.wipe();
    for (const row of await this.#relay.close([...owners.keys()])) stats[owners.get(row.id) ?? 0]?.push(row);
    return stats;
  }

  protectionOf(leg: MediaLeg, secureSignalling: boolean): LegProtection['media'] {
    return protectionOfStreams(leg.streams, secureSignalling);
  }

  /** Keeps what a handshake on the path of media has shown. False: the endpoint is none of this leg's. */
  handshake(leg: MediaLeg, event: HandshakeEvent): boolean {
    const stream = leg.streams.find((one) => one?.endpoint.id === event.endpoint);
    if (stream === undefined) return false;
    stream.shown = showing(stream.shown ?? {}, event);
    return true;
  }

  /**
   * A person has compared the short authentication string of ZRTP that ends here: the peer's secret counts as verified
   * from now on. False: this leg has no such string, or another one.
   */
  confirmSas(leg: MediaLeg, sas: string): boolean {
    let found = false;
    for (const stream of leg.streams) {
      const zrtp = stream?.shown?.zrtp;
      if (stream === undefined || zrtp?.mode !== 'end' || !zrtp.confirmed || zrtp.sas !== sas) continue;
      stream.shown = { ...stream.shown, zrtp: { ...zrtp, verified: true } };
      this.#relay.confirmSas?.(stream.endpoint.id);
      found = true;
    }
    return found;
  }

  /**
   * Has the phones of both legs show one string, where at least one has enrolled here (RFC 6189 §7.3); nothing where they do
   * already.
   */
  relaySas(one: MediaLeg, other: MediaLeg): void {
    const relay = this.#relay;
    if (relay.relaySas === undefined) return;
    for (const [index, stream] of one.streams.entries())
      for (const [to, from] of stringsToRelay(stream, other.streams[index])) relay.relaySas(to, from);
  }

  /** A person has compared the string, and it is another one: it counts as not verified. False as above. */
  denySas(leg: MediaLeg, sas: string): boolean {
    let found = false;
    for (const stream of leg.streams) {
      const zrtp = stream?.shown?.zrtp;
      if (stream === undefined || zrtp?.mode !== 'end' || !zrtp.confirmed || zrtp.sas !== sas) continue;
      stream.shown = { ...stream.shown, zrtp: { ...zrtp, verified: false } };
      found = true;
    }
    return found;
  }

  /** Puts what a leg has agreed to into effect and links it with the other, stream by stream. */
  #join(leg: MediaLeg, other: MediaLeg, read: ReadSession, first = false): void {
    for (const [index, peer] of other.streams.entries()) {
      const stream = read.streams[index];
      const state = leg.streams[index];
      // A caller who has not agreed yet talks to somebody else as long.
      const waiting = this.#joining !== undefined;
      if (stream === undefined || state === undefined) {
        if (peer !== undefined && !waiting) this.#relay.unlink(peer.endpoint.id);
        continue;
      }
      this.#agreeZrtp(leg, state, stream, other, peer);
      this.#configure(leg, state, stream, 'us');
      if (peer === undefined || waiting) continue;
      peer.codec = state.codec;
      this.#relay.link(peer.endpoint.id, state.endpoint.id);
    }
    // Whoever hears the answer may talk at once: the media process has to know first.
    if (!first) this.#applied = this.#relay.flush();
  }

  /** Where ZRTP may end on either side of a stream: how it goes, now that a side has said this. */
  #agreeZrtp(
    leg: MediaLeg,
    state: StreamState,
    stream: ReadStream,
    other: MediaLeg | undefined,
    peer: StreamState | undefined,
  ): void {
    state.media = stream.media;
    state.hello = stream.zrtp;
    if (endsHere(leg.side)) state.zrtpMode = modeOf(state, other?.side ?? {}, peer);
    if (peer === undefined || other === undefined || !endsHere(other.side)) return;
    const mode = modeOf(peer, leg.side, state);
    if (mode === peer.zrtpMode) return;
    peer.zrtpMode = mode;
    if (peer.base !== undefined) this.#put(other, peer, peer.base);
  }

  /** Has the media process do it; `base` is all but ZRTP that may end here. */
  #put(leg: MediaLeg, state: StreamState, base: EndpointConfig): void {
    if (!endsHere(leg.side)) return this.#relay.configure(state.endpoint.id, base);
    state.base = base;
    const { party } = leg.side;
    const retained = party === undefined ? undefined : this.#options.retained?.(party);
    state.shown = awaitingZrtp(leg.side, state, state.shown);
    this.#relay.configure(state.endpoint.id, { ...base, ...zrtpConfig(leg.side, state, retained) });
    // It is on its way.
    retained?.rs1.fill(0);
    retained?.rs2?.fill(0);
    retained?.pbx?.fill(0);
  }

  #configure(leg: MediaLeg, state: StreamState, stream: ReadStream, offerer: Offerer): void {
    state.codec = stream.codec;
    state.telephoneEvent = stream.telephoneEvent;
    state.media = stream.media;
    state.hello = stream.zrtp;
    state.optional = false;
    if (stream.crypto !== undefined) {
      const { suite, tag, keys } = stream.crypto;
      state.suite = suite;
      state.tag = tag;
      if (state.receive !== keys[0].material) state.receive?.fill(0);
      state.receive = keys[0].material;
    }
    state.keying = keyingOf(stream);
    if (state.keying === 'dtls') state.suite = undefined;
    if (stream.mid !== undefined && offerer === 'peer') state.mid = stream.mid;
    const { ice } = state.endpoint;
    if (ice !== undefined && beginsAnew(stream, offerer, state.handshake)) {
      state.handshake = { ...state.handshake, firstName: state.handshake?.firstName ?? ice.ufrag };
      state.endpoint = { ...state.endpoint, ice: newCredentials() };
    }
    state.handshake = agreeHandshake(stream, ice && state.ice, offerer, state.handshake);
    // Ours are said again with each, once they are not those that the endpoint was opened with.
    const ours = state.handshake?.firstName === undefined ? undefined : state.endpoint.ice;
    this.#put(leg, state, configOf(stream, leg.side, state.handshake, ours));
  }
}

/** The leg has a place for a stream of that kind. */
const isThere = (leg: MediaLeg, index: number, stream: ReadStream): boolean => {
  const state = leg.streams[index];
  return state !== undefined && (state.media === 'opaque') === (stream.media === 'opaque');
};
