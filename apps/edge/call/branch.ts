import { makeRequest } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { NameAddr, SipResponse, Uri } from '@ringfence/sip/message/types.ts';
import type { ClientTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { Encryption } from '../config/schema.ts';
import { reasonsIn } from '../headers/reason.ts';
import { type MediaWishes, offersTo } from '../media/keying.ts';
import type { Trunk } from '../objects/types.ts';
import { isStale } from '../pbx/credentials.ts';
import { reasonOfRefusal } from '../policy/reject-reasons.ts';
import { type Credentials, isChallenge } from './credentials.ts';
import { type EarlyDialog, EarlyDialogs, reliableSequence } from './early-dialogs.ts';
import { takeAnswer } from './forks.ts';
import { CallLeg, type LegEvents } from './leg.ts';
import { product, sdpOf, withSdp } from './messages.ts';
import { protectionPackage } from './protection-info.ts';
import { redirectedTo } from './redirection.ts';
import type { CallServices, ClientOwner } from './services.ts';
import { tricklePackage } from './trickle.ts';

/** How a branch gets to whom it rings. */
export interface BranchWay {
  /** Request-URI. */
  readonly uri: Uri;
  readonly flow: Flow;
  /** Values of Route (RFC 3327 §5.4). */
  readonly route?: readonly string[];
}

/** Whom a branch rings, and how it gets there. */
export interface BranchTarget extends BranchWay, MediaWishes {
  readonly party: string;
  readonly demanded: Encryption;
  readonly from: NameAddr;
  readonly to: NameAddr;
  /** Other flows of the same phone, tried where the one before fails (RFC 5626 §7). */
  readonly further?: readonly BranchWay[];
  readonly trunk?: Trunk;
  /** What this side is told beside what all are. */
  readonly headers?: HeaderList;
  /** Writes header fields as the other side wants them, after all others. */
  readonly writeHeaders?: (headers: HeaderList) => void;
  /** The attempt is given up where nothing but 100 has come within this time. */
  readonly silenceMs?: number;
  /** An answer counts only when media comes within this time. */
  readonly noMediaMs?: number;
  /** Told what became of the INVITE: the status of its first answer that is not 100, or why there was none. */
  readonly heard?: (result: number | 'timeout' | 'transport' | 'no-media') => void;
  /** A PBX checks the caller's own digest: what the caller sent for it; the PBX's challenge is for the caller. */
  readonly callersCredentials?: HeaderList;
}

/** A challenge that the caller itself has to answer. */
export interface CallersChallenge {
  readonly response: SipResponse;
  /** The caller has sent no credentials yet, or some that have only grown old: it is asked for them. */
  readonly first: boolean;
}

/** What a branch tells whoever rings; the leg's own requests go to the call. */
export interface BranchEvents {
  provisional(branch: Branch, response: SipResponse, reliable: boolean): void;
  /** False: the answer cannot be used, the called side is hung up. */
  answered(branch: Branch, response: SipResponse): boolean;
  failed(branch: Branch, status: number): void;
}

/** What all branches of a call send. */
export interface BranchInvite {
  /** Header fields to pass on. */
  readonly headers: HeaderList;
  readonly maxForwards: number;
  /** The caller can be told reliably what comes before the answer (RFC 3262). */
  reliable(): boolean;
  /**
   * The description to offer on the leg, after so many have been refused for their media; undefined: the called side
   * makes the offer.
   */
  offer(leg: CallLeg, refused: number): string | undefined;
}

const noRoute: readonly string[] = [];
const nowhere: readonly Uri[] = [];
const hasCredentials = (headers: HeaderList): boolean =>
  headers.has('Authorization') || headers.has('Proxy-Authorization');

const transportFailure = 503;
const timedOut = 408;
const notAcceptable = 488;
/** How often a called side may ask for a longer session (RFC 4028 §7.3). */
const mostRaises = 3;

/** One attempt to reach one phone or trunk: an INVITE, its retries, and the dialog that comes of it. */
export class Branch implements ClientOwner {
  readonly leg: CallLeg;
  readonly target: BranchTarget;
  /** What the other side has said beside its refusal. */
  reasons: HeaderList | undefined = undefined;
  /** Where it sends the call instead. */
  contacts: readonly Uri[] = nowhere;
  state: 'idle' | 'calling' | 'early' | 'answered' | 'failed' = 'idle';
  readonly #services: CallServices;
  readonly #events: BranchEvents;
  readonly #invite: BranchInvite;
  #transaction: ClientTransaction | undefined = undefined;
  #way: BranchWay;
  #ways = 0;
  #cseq = 0;
  /** Offers that were refused for their media. */
  #refused = 0;
  #offered = true;
  #dialogs: EarlyDialogs | undefined = undefined;
  #raised = 0;
  #cancelled = false;
  #credentials: Credentials | undefined = undefined;
  challenge: CallersChallenge | undefined = undefined;
  #told = false;
  #stopWaiting: (() => void) | undefined = undefined;

  constructor(
    services: CallServices,
    events: BranchEvents,
    legEvents: LegEvents,
    index: number,
    target: BranchTarget,
    invite: BranchInvite,
  ) {
    this.#services = services;
    this.#events = events;
    this.#invite = invite;
    this.target = target;
    this.#way = target;
    const { party, demanded, flow, uri, trunk } = target;
    this.leg = new CallLeg(services, legEvents, {
      index,
      party,
      demanded,
      flow,
      followTarget: trunk !== undefined,
      callId: services.token(24),
      secure: uri.scheme === 'sips',
      rang: 'user' in uri ? (uri.user ?? '') : '',
      ...(trunk === undefined ? {} : { trunk }),
    });
  }

  invite(): void {
    const { leg, target } = this;
    const headers = new HeaderList();
    for (const hop of this.#way.route ?? noRoute) headers.add('Route', hop);
    headers.add('Contact', leg.contact);
    headers.add('Allow', leg.allow);
    const offer = this.#invite.offer(leg, this.#refused);
    this.#offered = offer !== undefined;
    if (this.#offered && leg.media?.nothingLeft === true) return this.#nothingInCommon();
    // An offer in a reliable response needs a caller who can answer it before the call is taken.
    headers.add('Supported', this.#offered || this.#invite.reliable() ? 'timer, 100rel' : 'timer');
    leg.timer.request(headers);
    if (leg.media?.ice === true) headers.add('Recv-Info', tricklePackage);
    headers.add('User-Agent', product);
    // Browsers alone have a page of ours; what others do with an unknown package is not to be found out in a call.
    if (leg.flow.transport === 'wss' && target.trunk === undefined)
      headers.add('Recv-Info', protectionPackage);
    if (this.#credentials !== undefined) headers.add(this.#credentials.name, this.#credentials.value);
    if (target.callersCredentials !== undefined)
      for (const [name, value] of target.callersCredentials) headers.add(name, value);
    for (const [name, value] of this.#invite.headers) headers.add(name, value);
    if (target.headers !== undefined) for (const [name, value] of target.headers) headers.add(name, value);
    target.writeHeaders?.(headers);
    this.#cseq += 1;
    const request = makeRequest({
      method: 'INVITE',
      uri: this.#way.uri,
      from: { ...target.from, params: new Map([['tag', leg.localTag]]) },
      to: target.to,
      callId: leg.callId,
      cseq: { number: this.#cseq, method: 'INVITE' },
      maxForwards: this.#invite.maxForwards,
      headers,
      ...(offer === undefined ? {} : { body: withSdp(headers, offer) }),
    });
    leg.dialog = undefined;
    leg.early = undefined;
    this.#dialogs = undefined;
    this.state = 'calling';
    this.#transaction = this.#services.layer.request(request, leg.flow, this.#services.now());
    this.#transaction.context = this;
    if (target.silenceMs !== undefined)
      this.#stopWaiting ??= this.#services.after(target.silenceMs, () =>
        this.#services.run(() => this.#silent()),
      );
  }

  /** An offer of refused streams alone says nothing, and some answer it all the same (RFC 3264 §6). */
  #nothingInCommon(): void {
    this.state = 'calling';
    this.reasons = new HeaderList().add('Reason', reasonOfRefusal('media'));
    this.#services.after(0, () => this.#services.run(() => this.#fail(notAcceptable)));
  }

  /** Ends the attempt; a 2xx that crosses it is acknowledged and hung up. */
  cancel(reasons?: HeaderList): void {
    if (this.#cancelled || this.state === 'answered' || this.state === 'failed') return;
    this.#cancelled = true;
    this.#stopWaiting?.();
    const { layer, now } = this.#services;
    if (this.#transaction !== undefined) layer.cancel(this.#transaction, now(), reasons);
    else this.#fail(487);
  }

  response(response: SipResponse): void {
    const { status } = response;
    if (status < 200) {
      if (status === 100 || this.#cancelled || this.state === 'answered') return;
      this.#heard(status);
      return this.#provisional(response);
    }
    this.#heard(status);
    if (status < 300) return this.#success(response);
    // Its repetitions are the transaction's own business; a call that is over is not held by it.
    if (this.#transaction !== undefined) this.#transaction.context = undefined;
    this.leg.status = status;
    this.reasons = reasonsIn(response.headers);
    if (this.#cancelled) return this.#fail(status);
    if (status < 400) this.contacts = redirectedTo(response);
    if (isChallenge(status)) {
      const { callersCredentials } = this.target;
      if (callersCredentials !== undefined)
        this.challenge = { response, first: !hasCredentials(callersCredentials) || isStale(response) };
      else if (this.#authenticate(response)) return;
    }
    if (status === 422 && this.leg.timer.raise(response.headers) && this.#raised++ < mostRaises)
      return this.invite();
    if ((status === 488 || status === 415 || status === 606) && this.#offerOtherwise()) return;
    if ((status === 430 || status === 408) && this.#retryFlow()) return;
    this.#fail(status);
  }

  failed(reason: 'timeout' | 'transport' | 'overload'): void {
    const status = reason === 'timeout' ? timedOut : transportFailure;
    if (reason !== 'overload') this.#heard(reason);
    if (this.state === 'answered' || (!this.#cancelled && this.#retryFlow())) return;
    this.#fail(status);
  }

  /** Only the first thing that is heard of an INVITE says whether anybody is there. */
  #heard(result: number | 'timeout' | 'transport'): void {
    this.#stopWaiting?.();
    // Whoever rings and answers has shown nothing yet where only media counts.
    if (this.#told || (this.target.noMediaMs !== undefined && typeof result === 'number' && result < 300))
      return;
    this.#told = true;
    this.target.heard?.(result);
  }

  /** Nobody has rung in time: the attempt goes to its end by itself, and whoever hunts may go on at once. */
  #silent(): void {
    if (this.state !== 'calling' || this.#transaction === undefined || this.#cancelled) return;
    this.#heard('timeout');
    this.#cancelled = true;
    this.#services.layer.cancel(this.#transaction, this.#services.now());
    this.#over(timedOut);
  }

  #provisional(response: SipResponse): void {
    const { leg } = this;
    if (this.#transaction === undefined) return;
    this.#dialogs ??= new EarlyDialogs();
    const early = this.#dialogs.take(this.#transaction.request, response);
    const rseq = reliableSequence(response);
    // RFC 3262 §4: out of order, or once more, or one early dialog too many.
    if (rseq !== undefined && early?.order.receive(rseq) !== true) return;
    this.state = 'early';
    leg.heard(response);
    if (early !== undefined) {
      leg.dialog = early.dialog;
      if (rseq !== undefined) this.#acknowledge(early, rseq, response);
      leg.early = { answer: early.answer, done: early.answer !== undefined || early.answered };
    }
    this.#events.provisional(this, response, rseq !== undefined);
  }

  /** PRACK, RFC 3262 §4; where the response makes the offer it waits for the answer. */
  #acknowledge(early: EarlyDialog, rseq: number, response: SipResponse): void {
    const { leg } = this;
    const body = sdpOf(response);
    const rack = `${rseq} ${response.cseq.number} INVITE`;
    const send = (answer?: string): void => {
      const headers = new HeaderList().add('RAck', rack).add('User-Agent', product);
      const fields = answer === undefined ? { headers } : { headers, body: withSdp(headers, answer) };
      leg.send(early.dialog.request('PRACK', fields), { response: () => undefined, failed: () => undefined });
    };
    if (this.#offered) {
      early.answer ??= body?.slice();
      return send();
    }
    if (body === undefined || early.answered) return send();
    leg.awaitAnswer((answer) => {
      early.answered = answer !== undefined;
      if (early.answered) leg.early = { answer: undefined, done: true };
      send(answer);
    });
  }

  #success(response: SipResponse): void {
    const transaction = this.#transaction;
    if (transaction === undefined) return;
    const { leg, state } = this;
    this.state = 'answered';
    const early = this.#dialogs?.of(response);
    if (early !== undefined) leg.dialog = early.dialog;
    leg.early = early && { answer: early.answer, done: early.answer !== undefined || early.answered };
    const offers = !this.#offered && early?.answered !== true;
    takeAnswer(this.#services, leg, transaction, response, this.#credentials, offers);
    if (this.#cancelled) {
      leg.bye();
      return state === 'failed' ? undefined : this.#over(487);
    }
    leg.answeredAt = this.#services.now();
    leg.heard(response);
    leg.timer.agreed(response.headers, leg.answeredAt);
    if (this.#events.answered(this, response)) return;
    leg.bye();
    this.#over(488);
  }

  /** RFC 3261 §22.2: once, with the credentials that the trunk was given. */
  #authenticate(response: SipResponse): boolean {
    if (this.#credentials !== undefined) return false;
    const { trunk, uri } = this.target;
    this.#credentials = this.#services.realms.answer(trunk, {
      response,
      method: 'INVITE',
      uri,
      cnonce: this.#services.token(16),
    });
    if (this.#credentials === undefined) return false;
    this.invite();
    return true;
  }

  /** Other keys than those that the peer has refused, or none where policy lets it. */
  #offerOtherwise(): boolean {
    const { media } = this.leg;
    if (!this.#offered || media === undefined || this.#refused + 1 >= offersTo(media.side).length)
      return false;
    this.#refused += 1;
    this.invite();
    return true;
  }

  /** RFC 5626 §7: the next flow of the same phone. */
  #retryFlow(): boolean {
    const next = this.target.further?.[this.#ways];
    if (next === undefined || this.state === 'failed') return false;
    this.#ways += 1;
    this.#way = next;
    this.leg.flow = next.flow;
    this.invite();
    return true;
  }

  #fail(status: number): void {
    this.leg.forget();
    if (this.state !== 'failed') this.#over(status);
  }

  #over(status: number): void {
    this.state = 'failed';
    this.leg.status = status;
    this.leg.endedAt = this.#services.now();
    this.#events.failed(this, status);
  }
}
