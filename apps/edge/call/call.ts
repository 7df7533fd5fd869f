import { ok, type Result } from '@ringfence/bytes/result.ts';
import type { Relay } from '@ringfence/relay/contract.ts';
import type { HandshakeEvent } from '@ringfence/relay/handshake.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import { elsewhere, reasonsFor, reasonsIn } from '../headers/reason.ts';
import type { CallMedia } from '../media/call-media.ts';
import { challengesOf } from '../pbx/credentials.ts';
import type { LegProtection } from '../policy/protection.ts';
import { CallRecording } from '../recording/call-recording.ts';
import type { CallRecord } from '../store/contract.ts';
import type { CallersChallenge } from './branch.ts';
import type { CallerSide } from './caller.ts';
import { EarlyOffers } from './early-offers.ts';
import { outcomeOf, recordEnded, recordLive } from './ending.ts';
import type { ForwardedWay } from './forward.ts';
import { handshakeTrouble, isSilence } from './handshake-trouble.ts';
import { type Agreed, HoldMusic } from './hold-music.ts';
import { type HuntEvents, type Search, statusForCaller } from './hunt.ts';
import { acceptInfo, acceptMessageInside, pressedInRtp } from './info.ts';
import type { CallLeg, LegEvents } from './leg.ts';
import { reasonOf, sdpOf, unsupportedIn } from './messages.ts';
import { Padlock } from './padlock.ts';
import { type PassedRefer, passNotify } from './pass-refer.ts';
import { ProtectionInfo } from './protection-info.ts';
import type { CallFacts } from './record.ts';
import { Recovery } from './recovery.ts';
import { acceptReferSubscribe } from './refer-subscription.ts';
import type { CallServices, InviteOwner } from './services.ts';
import { Session } from './session.ts';
import type { CallPlan, OpenedCall, SetupProblem } from './setup.ts';
import { SetupMedia } from './setup-media.ts';
import { type RestoredCall, RestoredSide, snapshotOf } from './snapshot.ts';
import { breaksPin, suspicious, tellHandshake, tellStripping } from './tampering.ts';
import type { Transfer } from './transfer.ts';
import { acceptTrickle, isTrickle } from './trickle.ts';
import type { CallView } from './view.ts';
import { stringOf, ZrtpWatch } from './zrtp-watch.ts';

/** A BYE's answer waits so long for the record to be on disk, no longer. */
const recordPatience = 200;

/** `joining`: somebody has taken the call, and the caller is answered as soon as the media is ready. */
type State = 'setup' | 'joining' | 'answered' | 'ended';
type CallIdentity = Pick<CallFacts, 'domain' | 'caller' | 'callee' | 'principal' | 'route' | 'decision'>;

/**
 * One call: the caller's dialog, the dialogs of those who are rung, and the media between (RFC 7092 §3.2, a
 * signalling and media-plane back-to-back user agent).
 *
 * Nothing is copied from one side to the other but what is on a list; both dialogs have their own identifiers.
 */
export class Call implements HuntEvents, InviteOwner {
  readonly id: string;
  readonly domain: string;
  readonly route: string;
  /** How many transfers have led to it. */
  readonly generation: number;
  /** REFERs that were accepted in it. */
  referrals = 0;
  /** What is being done at the request of one of its parties. */
  transfer: Transfer | undefined = undefined;
  /** The transfer or pickup that it is made for, until that is done. */
  comesOf: Transfer | undefined = undefined;
  /** The last REFER that was left to the other party. */
  passed: PassedRefer | undefined = undefined;
  readonly #services: CallServices;
  #identity: CallIdentity;
  readonly #caller: CallerSide;
  readonly #startedAt: number;
  readonly #padlock: Padlock;
  /** Of calls alone with ZRTP that was seen or is demanded. */
  #zrtp: ZrtpWatch | undefined = undefined;
  #state: State = 'setup';
  #hunt: Search | undefined = undefined;
  #winner: CallLeg | undefined = undefined;
  #media: CallMedia | undefined = undefined;
  #setup: SetupMedia | undefined = undefined;
  #ringingAt: number | undefined = undefined;
  #answeredAt: number | undefined = undefined;
  /** What whoever ended the call has said about it, for the other side. */
  #reasons: HeaderList | undefined = undefined;
  /** Why the last answer of a called side could not be used. */
  #problem: string | undefined = undefined;
  #early: EarlyOffers | undefined = undefined;
  #session: Session | undefined = undefined;
  #recovery: Recovery | undefined = undefined;
  /** Only of calls that were on hold. */
  #music: HoldMusic | undefined = undefined;
  /** Only of calls of domains that have a policy for recording. */
  #recording: CallRecording | undefined = undefined;
  /** Legs that were held against what is known of their parties. */
  readonly #looked = new Set<number>();
  #stopRinging: (() => void) | undefined = undefined;

  constructor(
    services: CallServices,
    plan: Pick<CallPlan, 'id' | 'generation' | keyof CallIdentity> | RestoredCall,
    side: (events: LegEvents) => CallerSide,
  ) {
    const { domain, caller, callee, principal, route, decision } = plan;
    const reasons = typeof decision === 'string' ? decision : JSON.stringify(decision);
    this.id = plan.id;
    this.domain = domain;
    this.route = route;
    this.generation = 'generation' in plan ? (plan.generation ?? 0) : 0;
    this.#services = services;
    this.#identity = { domain, caller, callee, principal, route, decision: reasons };
    this.#startedAt = 'startedAt' in plan ? plan.startedAt : services.now();
    this.#padlock = new Padlock(services, plan.id, 'grade' in plan ? plan.grade : '');
    this.#caller = side(this);
  }

  /** Goes on with an answered call that another process has left. */
  static restore(services: CallServices, restored: RestoredCall): Call {
    const call = new Call(services, restored, (events) => new RestoredSide(services, events, restored));
    const side = call.#caller as RestoredSide;
    call.#state = 'answered';
    call.#ringingAt = restored.ringingAt;
    call.#answeredAt = restored.answeredAt;
    call.#winner = side.callee;
    call.#media = side.media;
    call.#begin(side.media);
    // Recordings of the process before have ended with it.
    if (services.recorders?.of(call.domain) !== undefined)
      services.after(0, () => services.run(() => call.recording?.answered()));
    return call;
  }

  /** What was dialled, as the edge understood it. */
  get callee(): string {
    return this.#identity.callee;
  }

  get live(): boolean {
    return this.#state === 'answered';
  }

  /** Once the way is found and ports are there it rings; whatever fails there is told to the caller. */
  start(
    { headers, maxForwards }: Pick<CallPlan, 'headers' | 'maxForwards'>,
    opened: Promise<Result<OpenedCall, SetupProblem>>,
  ): void {
    void opened.then((ready) =>
      this.#services.run(() => {
        if (!ready.ok)
          return this.#refuse(
            ready.error.status,
            ready.error.cause,
            'failed',
            ready.error.warning,
            ready.error.retryAfter,
          );
        const { media, search } = ready.value;
        if (this.#state === 'ended') return void media.close();
        const setup = new SetupMedia(media);
        this.#media = media;
        this.#setup = setup;
        this.#caller.leg.media = media.caller;
        this.#early = new EarlyOffers(this.#services, setup, this.#caller, {
          going: () => this.#state === 'setup',
          failed: (status, why) => this.#refuse(status, 'media', 'failed', why),
          only: () => (this.#hunt?.legs.length === 1 ? this.#hunt.legs[0] : undefined),
        });
        const hunt = search(this, {
          headers,
          maxForwards,
          // Of several offers the caller could answer one alone.
          reliable: () => this.#caller.reliable === true && hunt.legs.length === 1,
          offer: (leg, refused) => (leg.media === undefined ? undefined : setup.offer(leg.media, refused)),
        });
        for (const leg of hunt.legs) leg.media = media.callees[leg.index - 1];
        this.#hunt = hunt;
        this.#ringFor(this.#services.config().calls.ringSeconds);
        hunt.start();
        this.#services.settingUp(this);
      }),
    );
  }

  /** A party has pressed a key, as RFC 4733 events in its media. */
  pressed(index: number, key: string, durationMs: number): void {
    const leg = this.#legs().find((one) => one.index === index);
    if (this.#state !== 'answered' || leg === undefined) return;
    this.#zrtp?.pressed(leg, key);
    pressedInRtp(this.#services, this.id, leg, this.other(leg), { key, duration: durationMs });
    this.#recording?.key(leg, key);
  }

  /** Keys of a stream, or the want of them. What the record says changes with it. */
  handshake(index: number, event: HandshakeEvent): void {
    const leg = this.#legs().find((one) => one.index === index);
    if (leg?.media === undefined || this.#media?.handshake(leg.media, event) !== true) return;
    // Most phones have no ZRTP; of those that must, the watch tells.
    const unasked = event.kind === 'unsecured' && event.by === 'zrtp' && event.reason === 'timeout';
    if (event.kind === 'unsecured' && !unasked) {
      const { by, reason, detail } = event;
      this.#services.bus.emit({ type: 'media.unsecured', call: this.id, leg: index, by, reason, detail });
      const one = this.protection().find((record) => record.leg === index);
      if (one !== undefined) tellHandshake(this.#services, this.id, one, event);
    }
    // It may ring for minutes: who has not been told yet where we are, or looks at no early answer, begins nothing before.
    const early = this.#state === 'setup' && isSilence(event);
    const trouble = early ? undefined : handshakeTrouble(event);
    if (trouble !== undefined) this.#silenced(index, trouble);
    else if (this.#state === 'answered') this.#changed();
    if (event.kind === 'zrtp-passed' || (event.kind !== 'ice' && event.by === 'zrtp'))
      this.#watchZrtp().handshake(leg, event);
    // Nothing is sent there any more; whether somebody still is there the dialog says (RFC 7675 §5.1).
    if (event.kind === 'ice' && event.state === 'lost') this.#session?.probe();
  }

  /** No media can pass on a leg: the call ends, but for phones that ring on beside the one that it was. */
  #silenced(index: number, why: string): void {
    if (this.#state === 'answered') return void this.#end('answered', 488, 'media', why);
    if (this.#state === 'joining' || index === this.#caller.leg.index)
      this.#refuse(488, 'media', 'failed', why);
  }

  #watchZrtp(): ZrtpWatch {
    this.#zrtp ??= new ZrtpWatch(this.#services, {
      id: this.id,
      legs: () => this.#legs(),
      emergency: this.#emergency,
      end: (leg, why) => this.#silenced(leg.index, why),
      compared: (leg, sas, same) => {
        if (leg.media === undefined) return false;
        const found = this.#media?.[same ? 'confirmSas' : 'denySas'](leg.media, sas) === true;
        if (found) this.#changed();
        return found;
      },
    });
    return this.#zrtp;
  }

  /** Nobody rings for ever, and for the caller no longer than it wants (RFC 3261 §13.3.1: then 487). */
  #ringFor(seconds: number): void {
    const { expires = 0 } = this.#caller;
    const wanted = expires > 0 ? expires : seconds;
    const status = wanted < seconds ? 487 : 408;
    this.#stopRinging = this.#services.after(1000 * Math.min(wanted, seconds), () =>
      this.#services.run(() => this.#refuse(status, 'timeout', 'unanswered')),
    );
  }

  /** Both parties are there, and nobody is transferring one of them. */
  get transferable(): boolean {
    return this.#state === 'answered' && this.transfer === undefined && !this.#caller.confirming;
  }

  /** Those who ring now, for a caller whom somebody else could answer in their place; nobody where that cannot be. */
  get rung(): readonly CallLeg[] {
    const free = this.#state === 'setup' && this.transfer === undefined && this.#setup?.delayed === false;
    return free ? (this.#hunt?.legs ?? []).filter(({ endedAt }) => endedAt === undefined) : [];
  }

  /**
   * Somebody who was not rung takes the call (RFC 3891 §3): the others stop ringing, and the caller is answered. `ready`:
   * it has confirmed that, and can be asked to talk to whoever it is. False: its offer leaves nothing to answer with.
   */
  pickedUp(ready: () => void): boolean {
    const media = this.#media;
    const description = this.#state === 'setup' ? media?.answeringFirst() : undefined;
    if (media === undefined || description === undefined) return false;
    this.#state = 'joining';
    this.#stopRinging?.();
    this.#early?.stop();
    this.#hunt?.stop(elsewhere);
    const take = (): void => {
      if (this.#state !== 'joining') return;
      this.#state = 'answered';
      this.#answeredAt = this.#services.now();
      this.#caller.accept(description, () => void this.#end('failed', 408, 'timeout'), ready);
      this.#setup = undefined;
      media.settle(undefined);
    };
    const clear = this.#caller.clear?.();
    if (clear === undefined) take();
    else void clear.then(() => this.#services.run(take));
    return true;
  }

  /** Whom a party of an answered call talks to. */
  other(leg: CallLeg): CallLeg | undefined {
    if (leg !== this.#caller.leg) return this.#caller.leg;
    return this.#winner;
  }

  /** Caller or called party as the records have it, whichever is not on that leg. */
  partyFacing(leg: CallLeg): string {
    return leg === this.#caller.leg ? this.#identity.callee : this.#identity.caller;
  }

  /** Another call has taken a party over: this one is done. */
  handedOver(cause: string): void {
    if (this.#state === 'answered') void this.#end('answered', 200, cause);
  }

  /** The caller gave up before anybody answered. */
  cancelled(cancel?: SipRequest): void {
    if (this.#state !== 'setup' && this.#state !== 'joining') return;
    this.#reasons = cancel === undefined ? undefined : reasonsIn(cancel.headers);
    this.#refuse(487, 'normal', 'cancelled');
  }

  unacknowledged(): void {
    this.#refuse(504, 'timeout', 'failed', 'No PRACK came');
  }

  unreachable(): void {
    this.#refuse(487, 'transport', 'cancelled');
  }

  /** Ends the call from our side: drain, media lost, reload. */
  hangUp(cause: string): void {
    if (this.#state === 'setup' || this.#state === 'joining') this.#refuse(503, cause, 'failed');
    else if (this.#state === 'answered') void this.#end('answered', 200, cause);
  }

  /** Ends the call for what it costs: both sides are told why in those words. */
  cutOff(why: string): void {
    if (this.#state === 'answered') void this.#end('answered', 403, 'fraud', why);
    else if (this.#state !== 'ended') this.#refuse(403, 'fraud', 'refused', why);
  }

  /**
   * The media process is gone and another one has taken its place: both sides are offered new ports and keys. A call
   * that nobody has taken yet ends, as one that cannot be offered anew does.
   */
  recoverMedia(relay: Relay): void {
    const media = this.#media;
    if (this.#state !== 'answered' || media === undefined) return this.hangUp('media');
    this.#session?.interrupt();
    this.#recovery?.stop();
    const began = this.#services.now();
    const recovery = new Recovery(this.#services, this.#legs(), media, {
      confirmed: () => !this.#caller.confirming,
      recovered: () => {
        this.#recovery = undefined;
        this.#music?.play();
        const milliseconds = this.#services.now() - began;
        this.#services.bus.emit({ type: 'call.media-recovered', call: this.id, milliseconds });
        // Other keys, perhaps at another engine: whoever holds them now is told.
        this.#changed();
        this.#recording?.renew();
      },
      failed: (cause) => this.hangUp(cause),
    });
    this.#recovery = recovery;
    recovery.start(relay);
  }

  provisional(leg: CallLeg, response: SipResponse, reliable: boolean): void {
    if (this.#state !== 'setup') return;
    this.#ringingAt ??= this.#services.now();
    if (this.#services.bus.wants('call.ringing'))
      this.#services.bus.emit({ type: 'call.ringing', call: this.id, party: leg.party });
    this.#early?.provisional(leg, response, reliable);
  }

  answered(leg: CallLeg, response: SipResponse): boolean {
    const setup = this.#setup;
    if (this.#state !== 'setup' || setup === undefined || leg.media === undefined) return false;
    if (breaksPin(this.#services, this, leg.media.side.pinned, leg.protection(undefined), 'refused')) {
      this.#problem = 'The called side shows another certificate than it must have';
      return false;
    }
    const joined =
      setup.delayed && leg.early?.done === true
        ? ok(setup.done())
        : setup.final(leg.media, leg.early?.answer ?? sdpOf(response));
    if (!joined.ok) {
      this.#problem = joined.error.warning;
      tellStripping(this.#services, this.id, leg, joined.error);
      return false;
    }
    this.#state = 'joining';
    this.#winner = leg;
    this.#hunt = undefined;
    const clear = this.#caller.clear?.();
    const ready = clear === undefined ? joined.value : clear.then(() => joined.value);
    void ready.then((description) =>
      this.#services.run(() => {
        if (this.#state !== 'joining') return setup.stop();
        if (description.ok) return this.#take(setup, leg, description.value);
        this.#refuse(503, 'media', 'failed', description.error.warning);
      }),
    );
    return true;
  }

  /** The media is ready: now the caller hears that its call was taken. */
  #take(setup: SetupMedia, leg: CallLeg, description: string): void {
    const { media, delayed } = setup;
    this.#state = 'answered';
    this.#stopRinging?.();
    this.#stopRinging = undefined;
    leg.servedBy(this);
    this.#answeredAt = this.#services.now();
    this.#services.toll?.answered(this.id, leg.party, leg.rang);
    this.#caller.accept(
      description,
      () => void this.#end('failed', 408, 'timeout'),
      (ack) => {
        if (delayed && !setup.settled) this.#answerLate(setup, leg, ack);
      },
    );
    if ((!delayed || setup.settled) && leg.media !== undefined) media.settle(leg.media);
    // What served the set-up alone is not held by a call that may last for hours.
    if (this.#early?.busy !== true) this.#early = undefined;
    if (!delayed || setup.settled) this.#setup = undefined;
    this.#begin(media);
    const protection = this.protection();
    this.#padlock.answered(protection);
    this.#tell(protection);
    this.keep(protection);
    // Whoever comes from another call is asked to change over first.
    if (!this.#caller.leg.elsewhere) this.recording?.answered();
    this.#suspect(protection);
  }

  /** The caller's answer came with its ACK: the called side gets it with ours, or both are hung up (§13.2.2.4). */
  #answerLate(setup: SetupMedia, leg: CallLeg, ack: SipRequest): void {
    const answer = setup.lateAnswer(sdpOf(ack));
    if (!answer.ok) return void this.#end('failed', 488, 'media', answer.error.warning);
    void setup.media.applied.then(() => this.#services.run(() => leg.answerOffer(answer.value)));
    if (leg.media !== undefined) setup.media.settle(leg.media);
    this.#setup = undefined;
    this.#changed();
  }

  /** From now on both sides may change what was agreed, and have to show that they are there. */
  #begin(media: CallMedia): void {
    this.#session = new Session(this.#services, this.#legs(), media, {
      changed: (agreed) => this.#changed(agreed),
      lost: () => this.hangUp('timeout'),
      confirming: () =>
        this.#caller.confirming || this.transfer?.joining === true || this.#recovery !== undefined,
    });
    if (ZrtpWatch.isDemanded(this.#legs())) this.#watchZrtp().answered();
  }

  #changed(agreed?: Agreed): void {
    // Of a call that is being picked up its heir tells.
    if (this.#winner === undefined) return;
    if (agreed !== undefined && this.#services.config().sounds.holdMusic !== undefined) {
      this.#music ??= new HoldMusic(this.#services, this.id);
      this.#music.follow(agreed);
    }
    this.#recording?.follow();
    this.#relaySas();
    const protection = this.protection();
    this.#padlock.changed(protection, this.#recording?.now);
    this.#tell(protection);
    this.keep(protection);
    this.#suspect(protection);
  }

  /** Phones that trust the edge as their PBX show the string of whoever they talk with now. */
  #relaySas(): void {
    const { media: called } = this.#winner ?? {};
    const { media: caller } = this.#caller.leg;
    if (caller !== undefined && called !== undefined) this.#media?.relaySas(caller, called);
  }

  /** Is each leg what configuration has of its party, and, once for each as soon as its keys are there, what it always was? */
  #suspect(protection: readonly LegProtection[]): void {
    if (this.#state !== 'answered') return;
    // What is pinned holds for whatever was agreed since, too.
    for (const [i, { media }] of this.#legs().entries()) {
      const one = protection[i];
      if (media?.side.pinned === undefined || one === undefined || one.media.awaiting !== undefined) continue;
      if (breaksPin(this.#services, this, media.side.pinned, one, 'ended')) return this.hangUp('policy');
    }
    const fresh = protection.filter(
      ({ leg, media }) => media.awaiting === undefined && !this.#looked.has(leg),
    );
    if (fresh.length === 0) return;
    for (const { leg } of fresh) this.#looked.add(leg);
    if (suspicious(this.#services, { id: this.id, emergency: this.#emergency }, fresh)) this.hangUp('policy');
  }

  get #emergency(): boolean {
    return this.callee === 'sos' || this.route.includes('emergency:');
  }

  /** Phones that have asked for it are told what protects their call. */
  #tell(protection: readonly LegProtection[]): void {
    for (const leg of [this.#caller.leg, this.#winner]) {
      if (leg?.takesProtection !== true) continue;
      leg.told ??= new ProtectionInfo(this.#services, leg);
      leg.told.tell(protection, this.#recording?.now);
    }
  }

  /** Somebody has compared the short authentication strings of those legs that have this one. */
  #confirmSas(sas: string): boolean {
    const legs = this.#legs().filter((leg) => stringOf(leg) === sas);
    return legs.filter((leg) => this.#watchZrtp().compared(leg, sas, true, 'phone-page')).length > 0;
  }

  /**
   * The administrator has had the short authentication string of a side compared: `same` or not. Gives that string;
   * undefined where the side has none.
   */
  compared(side: 'caller' | 'called', same: boolean): string | undefined {
    const leg = this.#legs()[side === 'caller' ? 0 : 1];
    const sas = this.#state !== 'answered' || leg === undefined ? undefined : stringOf(leg);
    if (leg === undefined || sas === undefined) return undefined;
    return this.#watchZrtp().compared(leg, sas, same, 'administrator') ? sas : undefined;
  }

  /** Recording of the call; undefined where its domain has no policy for it, or nobody has taken the call. */
  get recording(): CallRecording | undefined {
    const { recorders } = this.#services;
    if (this.#state !== 'answered' || recorders?.of(this.domain) === undefined) return this.#recording;
    this.#recording ??= new CallRecording(this.#services, recorders, {
      id: this.id,
      domain: this.domain,
      emergency: this.#emergency,
      legs: () => this.#legs(),
      parties: () => [this.#identity.caller, this.#identity.callee],
      protection: () => this.protection(),
      changed: () => {
        if (this.#state === 'answered') this.#changed();
      },
      hangUp: (cause) => this.hangUp(cause),
    });
    return this.#recording;
  }

  /** A party of another call has come into this one with what it has agreed to anew. */
  joined(): void {
    if (this.#state !== 'answered') return;
    this.#changed();
    this.recording?.answered();
  }

  /** A called phone has sent it on: the record says who, and by whose rights it goes there. */
  forwarded({ route, decision }: ForwardedWay): void {
    if (this.#state !== 'setup') return;
    this.#identity = { ...this.#identity, route, decision: JSON.stringify(decision) };
    this.#caller.forwarded?.();
  }

  exhausted(best: number, challenge?: CallersChallenge, reasons?: HeaderList): void {
    if (challenge !== undefined) return this.#pass(challenge);
    const status = statusForCaller(best);
    const [cause, disposition] = outcomeOf(best);
    const refused = status === 488 ? 'The called side cannot do the media that policy asks for' : undefined;
    this.#reasons = reasons;
    this.#refuse(status, cause, disposition, this.#problem ?? refused);
  }

  acknowledged(leg: CallLeg, request: SipRequest): void {
    if (leg === this.#caller.leg) this.#caller.acknowledged(request);
    this.#session?.acknowledged(leg, request);
  }

  inDialog(leg: CallLeg, transaction: ServerTransaction, request: SipRequest): void {
    const answer = (status: number, headers = new HeaderList()): void =>
      this.#services.layer.respond(
        transaction,
        makeResponse(request, status, undefined, { headers }),
        this.#services.now(),
      );
    if (leg.dialog === undefined) return answer(481);
    const order = leg.dialog.receive(request);
    if (!order.ok) return answer(order.status, order.headers);
    const unknown = unsupportedIn(request);
    if (unknown !== undefined) return answer(420, new HeaderList().add('Unsupported', unknown));
    switch (request.method) {
      case 'BYE':
        this.#reasons = reasonsIn(request.headers);
        return this.#bye(leg, () => answer(200));
      case 'INVITE':
      case 'UPDATE':
        if (this.#state === 'ended') return answer(481);
        if (this.#session === undefined) return this.#beforeAnswer(leg, transaction, request, answer);
        return this.#session.request(leg, transaction, request, answer);
      case 'PRACK':
        if (leg !== this.#caller.leg || this.#caller.prack?.(request) !== true) return answer(481);
        if (this.#state !== 'setup' || this.#early === undefined) return answer(200);
        return this.#early.acknowledged(transaction, request);
      case 'REFER':
        return this.#services.refer({ call: this, leg, transaction, request });
      case 'SUBSCRIBE':
        return acceptReferSubscribe(this.transfer, leg, request, answer);
      case 'INFO':
      case 'MESSAGE': {
        if (request.method === 'INFO' && isTrickle(request))
          return answer(acceptTrickle(this.#services.relay(), leg.media, request));
        const other = this.#state === 'answered' ? this.other(leg) : undefined;
        if (other === undefined) return answer(480);
        const confirmSas = (sas: string): boolean => this.#confirmSas(sas);
        const keyed = (key: string): void => this.#recording?.key(leg, key);
        const inside = { call: this.id, leg, other, transaction, request, confirmSas, keyed };
        return request.method === 'INFO'
          ? acceptInfo(this.#services, inside)
          : acceptMessageInside(this.#services, inside);
      }
      case 'NOTIFY':
        if (this.passed?.to !== leg) return answer(481);
        return passNotify(this.#services, this.passed, transaction, request);
      case 'OPTIONS':
        return answer(200, new HeaderList().add('Allow', leg.allow).add('Accept', 'application/sdp'));
      default:
        return answer(405, new HeaderList().add('Allow', leg.allow));
    }
  }

  /** UPDATE, and a re-INVITE that comes too early: the first offer has no final answer yet (RFC 3261 §14.2). */
  #beforeAnswer(
    leg: CallLeg,
    transaction: ServerTransaction,
    request: SipRequest,
    answer: (status: number) => void,
  ): void {
    if (request.method === 'INVITE' || this.#state !== 'setup' || this.#early === undefined)
      return answer(491);
    this.#early.update(leg, transaction, request);
  }

  /** Writes down what another process would need to go on with the call; whoever changes a dialog or media calls it. */
  keep(protection = this.protection()): void {
    if (this.#state !== 'answered') return;
    const legs = this.#legs();
    const facts = this.#facts('live', 200, 'normal', undefined);
    recordLive(this.#services, facts, legs, protection, snapshotOf(this.#services, legs));
  }

  /** Writes down that somebody is being called: should this process die, the call has a record all the same. */
  noteSetup(): void {
    if (this.#state !== 'setup') return;
    const facts = this.#facts('live', 0, 'normal', undefined);
    recordLive(this.#services, facts, this.#legs(), this.protection(), '');
  }

  /** The padlock's facts, caller first. */
  protection(): LegProtection[] {
    return this.#legs().map((leg) => leg.protection(this.#media));
  }

  /** What an administrator is shown of it; undefined: it is over. */
  view(): CallView | undefined {
    if (this.#state === 'ended') return undefined;
    const { domain, caller, callee, route } = this.#identity;
    const grade = this.#padlock.grade;
    return {
      id: this.id,
      domain,
      caller,
      callee,
      route,
      state: this.#state === 'answered' ? 'answered' : 'setup',
      emergency: this.#emergency,
      startedAt: this.#startedAt,
      ...(this.#answeredAt === undefined ? {} : { answeredAt: this.#answeredAt }),
      ...(grade === undefined ? {} : { grade: grade.grade, sentence: grade.sentence }),
      recorded: this.#recording?.now !== undefined,
      legs: this.protection(),
    };
  }

  /** Which leg an endpoint of the relay belongs to; undefined: none of ours. */
  legOfEndpoint(endpoint: number): number | undefined {
    return this.#legs().find((leg) => leg.media?.endpointIds().includes(endpoint))?.index;
  }

  /** The caller's and the winner's; of a call that nobody has taken, all that were tried. */
  #legs(): CallLeg[] {
    const caller = this.#caller.leg;
    return this.#winner === undefined ? [caller, ...(this.#hunt?.legs ?? [])] : [caller, this.#winner];
  }

  /** The PBX wants the caller's digest: a call that is only asked for it leaves no record. */
  #pass({ response, first }: CallersChallenge): void {
    if (this.#state !== 'setup') return;
    this.#caller.refuse(response.status, undefined, undefined, challengesOf(response));
    void this.#end('refused', response.status, 'authentication', undefined, !first);
  }

  #refuse(
    status: number,
    cause: string,
    disposition: CallRecord['disposition'],
    why?: string,
    retryAfter?: number,
  ): void {
    if (this.#state !== 'setup' && this.#state !== 'joining') return;
    const trunk = this.#identity.principal.startsWith('trunk:');
    const said = status === 487 ? undefined : this.#reasons;
    this.#caller.refuse(status, why, retryAfter, reasonsFor(status, cause, said, trunk));
    void this.#end(disposition, status, cause);
  }

  #bye(leg: CallLeg, answer: () => void): void {
    leg.left();
    if (leg === this.#caller.leg) {
      this.#caller.left();
      // §15.1.2: a BYE on the early dialog ends the INVITE too.
      this.#refuse(487, 'normal', 'cancelled');
    } else if (this.#state === 'joining' && leg === this.#winner) this.#refuse(480, 'normal', 'failed');
    if (this.#state !== 'answered' || this.transfer?.leaves(leg) === true) return answer();
    let answered = false;
    const once = (): void => {
      if (answered) return;
      answered = true;
      stop();
      this.#services.run(answer);
    };
    const stop = this.#services.after(recordPatience, once);
    void this.#end('answered', 200, 'normal').then(once);
  }

  /** Of the dialogs that it has, the caller's first. */
  get callIds(): string[] {
    return this.#legs().map(({ callId }) => callId);
  }

  /** Once: everything is given back and written down. Resolves when the record is on disk, or cannot be. */
  #end(
    disposition: CallRecord['disposition'],
    status: number,
    cause: string,
    why?: string,
    keep = true,
  ): Promise<void> {
    const endedAt = this.#services.now();
    this.#state = 'ended';
    this.#stopRinging?.();
    this.#early?.stop();
    this.#session?.stop();
    this.transfer?.ended();
    this.#recovery?.stop();
    this.#recording?.ended();
    this.#zrtp?.stop();
    const legs = this.#legs();
    if (this.#caller.leg.status === 0) this.#caller.leg.status = status;
    this.#hunt?.stop(this.#reasons);
    this.#hunt = undefined;
    this.#setup?.stop();
    const told = why === undefined ? this.#reasons : new HeaderList().add('Reason', reasonOf(status, why));
    this.#winner?.bye(told);
    this.#caller.bye(told);
    this.comesOf?.failed(status);
    const grade = this.#padlock.ended(() => this.protection());
    const cost = this.#services.toll?.ended(this.id, status, cause);
    const facts = { ...this.#facts(disposition, status, cause, endedAt), endedAt, grade, cost };
    const recorded = recordEnded(this.#services, facts, legs, this.#media, keep);
    this.#services.ended(this.id, recorded);
    return recorded;
  }

  #facts(
    disposition: CallRecord['disposition'],
    status: number,
    cause: string,
    endedAt: number | undefined,
  ): CallFacts {
    return {
      id: this.id,
      ...this.#identity,
      startedAt: this.#startedAt,
      ringingAt: this.#ringingAt,
      answeredAt: this.#answeredAt,
      endedAt,
      disposition,
      status,
      cause,
      grade: this.#padlock.text,
    };
  }
}
