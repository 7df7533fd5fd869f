import type { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipResponse, Uri } from '@ringfence/sip/message/types.ts';
import { elsewhere, refusedForAll } from '../headers/reason.ts';
import {
  Branch,
  type BranchEvents,
  type BranchInvite,
  type BranchTarget,
  type CallersChallenge,
} from './branch.ts';
import type { ForwardedWay } from './forward.ts';
import type { CallLeg, LegEvents } from './leg.ts';
import type { CallServices } from './services.ts';

/** What a hunt tells its call. */
export interface HuntEvents extends LegEvents {
  /** `reliable`: with RSeq, RFC 3262. */
  provisional(leg: CallLeg, response: SipResponse, reliable: boolean): void;
  /** False: the answer cannot be used, and the others go on ringing. */
  answered(leg: CallLeg, response: SipResponse): boolean;
  /** A phone sends the call on. False: that way is not gone. */
  redirected?(leg: CallLeg, status: number, contacts: readonly Uri[]): boolean;
  /** The call goes on where a phone has sent it. */
  forwarded?(way: ForwardedWay): void;
  /** Nobody took the call; the status is the best of those that came, `challenge` what the caller has to answer. */
  exhausted(status: number, challenge?: CallersChallenge, reasons?: HeaderList): void;
}

/** What a call is answered by: phones and trunks that are rung, or a party of another call (transfer). */
export interface Search {
  readonly legs: CallLeg[];
  start(): void;
  /** Whoever has not answered is left alone from now on; `reasons` say why (RFC 3326). */
  stop(reasons?: HeaderList): void;
}

/** Rings everybody at once, takes the first who answers, ends the others (RFC 3261 §16.7). */
export class Hunt implements BranchEvents, Search {
  readonly #events: HuntEvents;
  readonly #branches: readonly Branch[];
  #best = 0;
  /** What the branch with the best answer said beside it. */
  #reasons: HeaderList | undefined = undefined;
  #over = false;

  constructor(
    services: CallServices,
    events: HuntEvents,
    targets: readonly BranchTarget[],
    invite: BranchInvite,
    /** Number of the first leg: 1 unless others have been tried before. */
    first = 1,
  ) {
    this.#events = events;
    this.#branches = targets.map(
      (target, i) => new Branch(services, this, events, first + i, target, invite),
    );
  }

  get legs(): CallLeg[] {
    return this.#branches.map(({ leg }) => leg);
  }

  start(): void {
    for (const branch of this.#branches) if (!this.#over) branch.invite();
  }

  /** Whoever has not answered is cancelled; what comes of it is nobody's concern any more. */
  stop(reasons?: HeaderList): void {
    this.#over = true;
    for (const branch of this.#branches) branch.cancel(reasons);
  }

  provisional(branch: Branch, response: SipResponse, reliable: boolean): void {
    if (!this.#over) this.#events.provisional(branch.leg, response, reliable);
  }

  /** Two phones picked up at once: the later one is hung up. */
  answered(branch: Branch, response: SipResponse): boolean {
    if (this.#over || !this.#events.answered(branch.leg, response)) return false;
    this.stop(elsewhere);
    return true;
  }

  failed(branch: Branch, status: number): void {
    if (this.#over) return;
    const { contacts } = branch;
    if (contacts.length > 0 && this.#events.redirected?.(branch.leg, status, contacts) === true) return;
    const before = this.#best;
    this.#best = better(before, status);
    if (this.#best !== before) this.#reasons = branch.reasons;
    // RFC 3261 §16.7 step 5: a 6xx ends the search.
    if (status >= 600)
      for (const other of this.#branches) if (other !== branch) other.cancel(refusedForAll(status));
    if (this.#over || this.#branches.some(({ state }) => state !== 'failed')) return;
    this.#over = true;
    this.#events.exhausted(this.#best, branch.challenge, this.#reasons);
  }
}

/** RFC 3261 §16.7 step 6: 6xx first, then what the caller can mend, then the lowest class. */
export function better(a: number, b: number): number {
  if (a === 0 || a === b) return b;
  return rank(a) <= rank(b) ? a : b;
}

function rank(status: number): number {
  if (status >= 600) return 0;
  if (status === 415 || status === 420 || status === 484) return 1;
  if (status === 486 || status === 488) return 2;
  // A branch that we cancelled ourselves says nothing about the called side.
  if (status === 487) return 8;
  if (status === 503 || status === 408) return 9;
  return 2 + Math.floor(status / 100);
}

/**
 * What the caller hears of it. Redirections are never passed on, challenges of the called side
 * are none of the caller's (it would send its credentials there), and its overload is not ours (§16.7 step 6).
 */
export function statusForCaller(status: number): number {
  if (status < 400) return 480;
  // RFC 5626 §11.5: between proxies and registrars only.
  if (status === 430) return 480;
  if (status === 401 || status === 407) return 502;
  // What we asked for was ours to mend, the caller's INVITE is none the better for it (RFC 4028 §7.3, RFC 3262 §4).
  return status === 503 || status === 422 || status === 421 || status === 420 ? 500 : status;
}
