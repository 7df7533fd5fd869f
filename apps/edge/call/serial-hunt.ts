import type { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { CallMedia } from '../media/call-media.ts';
import type { LegSide } from '../media/leg.ts';
import type { BranchInvite, BranchTarget, CallersChallenge } from './branch.ts';
import { FirstMedia } from './first-media.ts';
import { Hunt, type HuntEvents, type Search } from './hunt.ts';
import type { CallLeg } from './leg.ts';
import type { CallServices } from './services.ts';

/** What the caller hears where the last place has answered and sent no media. */
const noMedia = 504;

/** Finds whom to ring, one after another. */
export interface Places {
  next(): BranchTarget | undefined | Promise<BranchTarget | undefined>;
  /** Does the call go on to the next one after that final status? */
  goesOn(status: number): boolean;
  /** Why there was nobody to ring at all, where that is known. */
  readonly problem?: SetupProblem | undefined;
}

export interface SetupProblem {
  readonly status: number;
  readonly cause: string;
  readonly warning: string;
  /** Seconds. */
  readonly retryAfter?: number;
}

/** Where a hunt goes on, and what the legs there get their ports from. */
export interface Continuation {
  readonly places: Places;
  readonly media: CallMedia;
  side(target: BranchTarget): LegSide;
}

/**
 * Rings one place after another until somebody takes the call, or says what nobody else can mend.
 *
 * Each place is a hunt of its own, with a leg, ports and keys of its own; the ports of the one before are given back.
 */
export class SerialHunt implements Search, HuntEvents {
  readonly #services: CallServices;
  readonly #events: HuntEvents;
  readonly #invite: BranchInvite;
  readonly #continuation: Continuation;
  readonly #tried: CallLeg[] = [];
  #hunt: Hunt;
  #target: BranchTarget | undefined;
  #waiting: FirstMedia | undefined = undefined;
  #over = false;

  constructor(
    services: CallServices,
    events: HuntEvents,
    targets: readonly BranchTarget[],
    invite: BranchInvite,
    continuation: Continuation,
    /** Number of the first leg: 1 unless others have been tried before. */
    first = 1,
  ) {
    this.#services = services;
    this.#events = events;
    this.#invite = invite;
    this.#continuation = continuation;
    this.#hunt = new Hunt(services, this, targets, invite, first);
    this.#target = targets[0];
  }

  get id(): string {
    return this.#events.id;
  }

  /** Those that have failed come first. */
  get legs(): CallLeg[] {
    return this.#tried.length === 0 ? this.#hunt.legs : [...this.#tried, ...this.#hunt.legs];
  }

  start(): void {
    this.#hunt.start();
  }

  stop(reasons?: HeaderList): void {
    this.#over = true;
    if (this.#waiting !== undefined) this.#leave(this.#waiting);
    this.#hunt.stop(reasons);
  }

  provisional(leg: CallLeg, response: SipResponse, reliable: boolean): void {
    this.#events.provisional(leg, response, reliable);
  }

  answered(leg: CallLeg, response: SipResponse): boolean {
    const target = this.#target;
    if (target?.noMediaMs === undefined) return this.#events.answered(leg, response);
    const { media } = this.#continuation;
    const waiting = new FirstMedia(this.#services, media, leg, target.noMediaMs, (seen) => {
      this.#waiting = undefined;
      if (this.#over) return;
      target.heard?.(seen ? response.status : 'no-media');
      if (seen && this.#events.answered(leg, response)) return;
      this.#leave(waiting);
      if (seen) this.exhausted(488);
      else this.#goOn(noMedia);
    });
    if (!waiting.start(response)) return this.#events.answered(leg, response);
    this.#waiting = waiting;
    return true;
  }

  exhausted(status: number, challenge?: CallersChallenge, reasons?: HeaderList): void {
    if (this.#over || !this.#continuation.places.goesOn(status))
      return this.#events.exhausted(status, challenge, reasons);
    this.#goOn(status, reasons);
  }

  /** Rings the next place; where there is none the call has ended with that status. */
  #goOn(status: number, reasons?: HeaderList): void {
    const { media } = this.#continuation;
    void this.#next().then((target) =>
      this.#services.run(() => {
        if (this.#over) return;
        if (target === undefined) return this.#events.exhausted(status, undefined, reasons);
        this.#tried.push(...this.#hunt.legs);
        this.#target = target;
        this.#hunt = new Hunt(this.#services, this, [target], this.#invite, media.callees.length);
        for (const leg of this.#hunt.legs) leg.media = media.callees[leg.index - 1];
        this.#hunt.start();
      }),
    );
  }

  /** Hangs up somebody who has answered, and whom the caller never heard of. */
  #leave(waiting: FirstMedia): void {
    this.#waiting = undefined;
    waiting.stop();
    waiting.leg.endedAt ??= this.#services.now();
    waiting.leg.bye();
  }

  /** The next place, with a leg and ports of its own; undefined where there is none, no ports, or no call any more. */
  async #next(): Promise<BranchTarget | undefined> {
    const { places, media, side } = this.#continuation;
    const target = await places.next();
    if (target === undefined || this.#over) return undefined;
    const added = await media.replaceCallees([side(target)]);
    if (!this.#over) return added.ok ? target : undefined;
    // The call has ended, and has given back what it knew of.
    media.releaseCallees();
    return undefined;
  }

  inDialog(leg: CallLeg, transaction: ServerTransaction, request: SipRequest): void {
    this.#events.inDialog(leg, transaction, request);
  }

  acknowledged(leg: CallLeg, request: SipRequest): void {
    this.#events.acknowledged(leg, request);
  }
}
