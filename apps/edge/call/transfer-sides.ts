import { parseSession } from '@ringfence/sdp/parse.ts';
import type { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipResponse } from '@ringfence/sip/message/types.ts';
import type { CallMedia } from '../media/call-media.ts';
import type { BranchInvite } from './branch.ts';
import type { CallerSide } from './caller.ts';
import type { HuntEvents, Search } from './hunt.ts';
import type { CallLeg, LegEvents } from './leg.ts';
import { sdpOf } from './messages.ts';
import { Reinvite } from './reinvite.ts';
import type { CallServices } from './services.ts';

/** What becomes of a party of one call that is to be joined with somebody new. */
export interface TransfereeEvents {
  ringing(status: number): void;
  /** Somebody has answered: from now on the party is asked to change over. */
  joining(): void;
  /** It has changed over; its old call has no part in it any more. */
  joined(): void;
  refused(status: number): void;
  /** It changed over when nobody was there any longer. */
  lost(): void;
}

/**
 * A party of one call as the caller's side of another: instead of an answer to its INVITE it gets a re-INVITE once
 * somebody has answered (RFC 5359 §2.4, with the edge as the transferee's agent).
 *
 * Until it has agreed its old call serves its dialog and its media.
 */
export class Transferee implements CallerSide {
  readonly leg: CallLeg;
  media: CallMedia | undefined = undefined;
  readonly #services: CallServices;
  readonly #former: CallLeg;
  readonly #events: TransfereeEvents;
  #reinvite: Reinvite | undefined = undefined;
  #told = false;

  constructor(services: CallServices, former: CallLeg, legEvents: LegEvents, events: TransfereeEvents) {
    this.#services = services;
    this.#former = former;
    this.#events = events;
    this.leg = former.continuation(legEvents, 0);
  }

  get confirming(): boolean {
    return this.#reinvite !== undefined;
  }

  ringing(status: number): void {
    this.#events.ringing(status);
  }

  refuse(status: number): void {
    this.#refused(status);
  }

  accept(description: string, gaveUp: () => void): void {
    const give = (status: number): void => {
      this.#reinvite = undefined;
      this.#refused(status);
      gaveUp();
    };
    this.#events.joining();
    this.#reinvite = new Reinvite(this.#services, this.#former, description, {
      answered: (response) => {
        const body = sdpOf(response);
        const parsed = body === undefined ? undefined : parseSession(body);
        this.leg.takeOver();
        this.#reinvite = undefined;
        if (parsed?.ok === true && this.media?.joined(parsed.value).ok === true) {
          this.#told = true;
          return this.#events.joined();
        }
        // Its old media is gone with the new offer that it took: nothing is left to go back to.
        give(488);
      },
      failed: give,
      lost: () => this.#events.lost(),
    });
  }

  acknowledged(): void {}

  left(): void {}

  bye(why?: HeaderList): void {
    this.#reinvite?.stop();
    this.#refused(480);
    this.leg.bye(why);
  }

  #refused(status: number): void {
    if (this.#told) return;
    this.#told = true;
    this.#events.refused(status);
  }
}

/** What becomes of a party that is asked to talk to somebody else. */
export interface RejoinedEvents {
  answered(): void;
  failed(status: number): void;
  /** It agreed when nobody was there any longer, or to what cannot be used. */
  lost(): void;
}

/** A party of another call in the place of phones that are rung: it is asked by re-INVITE and never rings. */
export class Rejoined implements Search {
  readonly leg: CallLeg;
  readonly #services: CallServices;
  readonly #former: CallLeg;
  readonly #events: HuntEvents;
  readonly #invite: BranchInvite;
  readonly #hear: RejoinedEvents;
  #reinvite: Reinvite | undefined = undefined;

  constructor(
    services: CallServices,
    former: CallLeg,
    events: HuntEvents,
    invite: BranchInvite,
    hear: RejoinedEvents,
  ) {
    this.#services = services;
    this.#former = former;
    this.#events = events;
    this.#invite = invite;
    this.#hear = hear;
    this.leg = former.continuation(events, 1);
  }

  get legs(): CallLeg[] {
    return [this.leg];
  }

  start(): void {
    const description = this.#invite.offer(this.leg, 0);
    if (description === undefined) return this.#events.exhausted(500);
    this.#reinvite = new Reinvite(this.#services, this.#former, description, {
      answered: (response) => this.#answered(response),
      failed: (status) => {
        this.#hear.failed(status);
        this.#events.exhausted(status);
      },
      lost: () => this.#hear.lost(),
    });
  }

  stop(): void {
    this.#reinvite?.stop();
    this.#hear.failed(487);
  }

  #answered(response: SipResponse): void {
    this.leg.takeOver();
    if (this.#events.answered(this.leg, response)) return this.#hear.answered();
    this.leg.bye();
    this.#hear.lost();
    this.#events.exhausted(488);
  }
}
