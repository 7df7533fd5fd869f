import { tooSmall } from '@ringfence/sip/dialog/session-timer.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { CallMedia } from '../media/call-media.ts';
import type { Agreed } from './hold-music.ts';
import type { CallLeg } from './leg.ts';
import { Liveness } from './liveness.ts';
import { sdpOf } from './messages.ts';
import { Refresh, type RefreshOutcome } from './refresh.ts';
import { Renegotiation } from './renegotiation.ts';
import type { CallServices } from './services.ts';

/** What a session tells its call. */
export interface SessionEvents {
  /** Media or keys have changed; `agreed` where both sides have said something new. */
  changed(agreed?: Agreed): void;
  /** A side is gone: the call must end. */
  lost(): void;
  /** The caller has been told the answer and has not confirmed it yet. */
  confirming(): boolean;
}

/** Answers a request within a dialog. */
export type Answer = (status: number, headers?: HeaderList) => void;

/** How long a refresh waits for an offer that is under way, in milliseconds. */
const busyMs = 2000;

/**
 * A call that was answered: new offers from either side, one at a time (RFC 3261 §14, RFC 3311), session timers on both
 * legs (RFC 4028), and whether the peers are still there.
 */
export class Session {
  readonly #services: CallServices;
  readonly #legs: readonly CallLeg[];
  readonly #media: CallMedia;
  readonly #events: SessionEvents;
  readonly #liveness: Liveness;
  #renegotiation: Renegotiation | undefined = undefined;
  #refresh: Refresh | undefined = undefined;
  #armedAt = Number.POSITIVE_INFINITY;
  #stopTimer: (() => void) | undefined = undefined;
  #over = false;

  constructor(services: CallServices, legs: readonly CallLeg[], media: CallMedia, events: SessionEvents) {
    this.#services = services;
    this.#legs = legs;
    this.#media = media;
    this.#events = events;
    this.#liveness = new Liveness(services, legs, media, () => events.lost());
    this.#arm();
  }

  /** INVITE or UPDATE within the dialog of a leg. */
  request(leg: CallLeg, transaction: ServerTransaction, request: SipRequest, answer: Answer): void {
    const { minimumSessionExpires } = this.#services.config().calls;
    if (tooSmall(request.headers, minimumSessionExpires))
      return answer(422, new HeaderList().add('Min-SE', String(minimumSessionExpires)));
    leg.heard(request);
    const offers = request.method === 'INVITE' || sdpOf(request) !== undefined;
    if (!offers) return this.#refreshed(leg, request, answer);
    const other = this.#legs.find((one) => one !== leg);
    // RFC 3261 §14.2, RFC 3311 §5.2: its own earlier offer has no answer yet.
    if (this.#renegotiation?.from === leg)
      return answer(
        500,
        new HeaderList().add('Retry-After', String(Math.floor(this.#services.random() * 10) + 1)),
      );
    if (
      other === undefined ||
      this.#renegotiation !== undefined ||
      this.#refresh?.offers === true ||
      this.#events.confirming()
    )
      return answer(491);
    leg.dialog?.refreshTarget(request);
    this.#renegotiation = new Renegotiation(
      this.#services,
      {
        changed: (agreed) => this.#events.changed(agreed),
        broken: () => this.#events.lost(),
        finished: () => {
          this.#renegotiation = undefined;
          this.#arm();
        },
      },
      this.#media,
      { from: leg, to: other },
      transaction,
      request,
    );
    this.#renegotiation.start();
  }

  acknowledged(leg: CallLeg, ack: SipRequest): void {
    this.#renegotiation?.acknowledged(leg, ack);
  }

  /** Asks both sides whether they still are there. */
  probe(): void {
    this.#liveness.probe();
  }

  /** What is under way comes to nothing: the media that it was about is gone. */
  interrupt(): void {
    this.#renegotiation?.stop();
  }

  stop(): void {
    this.#over = true;
    this.#stopTimer?.();
    this.#liveness.stop();
    this.#renegotiation?.stop();
  }

  /** UPDATE without SDP: where the peer is now, and that it is there (RFC 3311 §5.2, RFC 4028 §9). */
  #refreshed(leg: CallLeg, request: SipRequest, answer: Answer): void {
    leg.dialog?.refreshTarget(request);
    const headers = new HeaderList().add('Contact', leg.contact).add('Allow', leg.allow);
    leg.timer.accept(request.headers, this.#services.now(), headers);
    answer(200, headers);
    this.#arm();
  }

  /** One timer for both legs: whoever is due first. */
  #arm(): void {
    if (this.#over) return;
    let next = Number.POSITIVE_INFINITY;
    for (const { timer } of this.#legs) next = Math.min(next, timer.nextTimeout());
    // A timer that was put off may fire early: it finds nothing to do then.
    if (next >= this.#armedAt) return;
    this.#stopTimer?.();
    this.#armedAt = next;
    const wait = Math.max(0, next - this.#services.now());
    this.#stopTimer = this.#services.after(wait, () => this.#services.run(() => this.#tick()));
  }

  #tick(): void {
    this.#armedAt = Number.POSITIVE_INFINITY;
    const now = this.#services.now();
    for (const leg of this.#legs) {
      leg.timer.handleTimeout(now);
      const output = leg.timer.poll();
      if (output === 'lapsed') return this.#events.lost();
      if (output === 'refresh') this.#refreshLeg(leg, now);
    }
    this.#arm();
  }

  #refreshLeg(leg: CallLeg, now: number): void {
    const busy =
      this.#refresh !== undefined || this.#renegotiation !== undefined || this.#events.confirming();
    if (busy) return leg.timer.again(now, busyMs);
    this.#refresh = new Refresh(this.#services, leg, this.#media, (outcome) => {
      this.#refresh = undefined;
      this.#after(leg, outcome);
    });
    this.#refresh.start();
  }

  #after(leg: CallLeg, outcome: RefreshOutcome): void {
    if (this.#over) return;
    if (outcome === 'gone') return this.#events.lost();
    if (outcome !== 'done') leg.timer.again(this.#services.now(), outcome.later);
    this.#arm();
  }
}
