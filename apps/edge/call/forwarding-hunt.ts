import type { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest, SipResponse, Uri } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import { refusedForAll } from '../headers/reason.ts';
import type { CallMedia } from '../media/call-media.ts';
import type { LegSide } from '../media/leg.ts';
import type { BranchInvite, BranchTarget, CallersChallenge } from './branch.ts';
import type { ForwardedWay, Forwarder } from './forward.ts';
import { Hunt, type HuntEvents, type Search } from './hunt.ts';
import type { CallLeg } from './leg.ts';
import { SerialHunt } from './serial-hunt.ts';
import type { CallServices } from './services.ts';

/** What a search goes on with after a redirection. */
export interface ForwardingTools {
  forwarder(): Forwarder;
  readonly media: CallMedia;
  side(target: BranchTarget): LegSide;
}

/**
 * Rings a user's phones, and follows where one of them sends the call (RFC 3261 §16.7, RFC 5359 §2.7 to 2.9).
 *
 * A phone that sends a call on speaks for its user: the others stop ringing, and the call goes on to the places named,
 * best first, one after another. Who is rung there may send it on again; the forwarder sees to an end of that.
 */
export class ForwardingHunt implements Search, HuntEvents {
  readonly #services: CallServices;
  readonly #events: HuntEvents;
  readonly #invite: BranchInvite;
  readonly #tools: ForwardingTools;
  readonly #tried: CallLeg[] = [];
  #search: Search;
  /** Made at the first redirection. */
  #forwarder: Forwarder | undefined = undefined;
  /** Where the call goes next. */
  #ways: readonly ForwardedWay[] = [];
  #over = false;

  constructor(
    services: CallServices,
    events: HuntEvents,
    targets: readonly BranchTarget[],
    invite: BranchInvite,
    tools: ForwardingTools,
  ) {
    this.#services = services;
    this.#events = events;
    this.#invite = invite;
    this.#tools = tools;
    this.#search = new Hunt(services, this, targets, invite);
  }

  get id(): string {
    return this.#events.id;
  }

  /** Those that have failed come first. */
  get legs(): CallLeg[] {
    return this.#tried.length === 0 ? this.#search.legs : [...this.#tried, ...this.#search.legs];
  }

  start(): void {
    this.#search.start();
  }

  stop(reasons?: HeaderList): void {
    this.#over = true;
    this.#search.stop(reasons);
  }

  redirected(leg: CallLeg, status: number, contacts: readonly Uri[]): boolean {
    if (this.#over) return false;
    this.#forwarder ??= this.#tools.forwarder();
    const ways = this.#forwarder.ways(leg, contacts);
    if (ways.length === 0) return false;
    this.#search.stop(refusedForAll(status));
    this.#ways = [...ways, ...this.#ways];
    this.#goOn(status);
    return true;
  }

  provisional(leg: CallLeg, response: SipResponse, reliable: boolean): void {
    this.#events.provisional(leg, response, reliable);
  }

  answered(leg: CallLeg, response: SipResponse): boolean {
    return this.#events.answered(leg, response);
  }

  exhausted(status: number, challenge?: CallersChallenge, reasons?: HeaderList): void {
    if (this.#over || this.#ways.length === 0) return this.#events.exhausted(status, challenge, reasons);
    this.#goOn(status, reasons);
  }

  /** Goes the next way; where there is none the call has ended with that status. */
  #goOn(status: number, reasons?: HeaderList): void {
    const [way, ...others] = this.#ways;
    this.#ways = others;
    if (way === undefined) return this.#events.exhausted(status, undefined, reasons);
    void this.#open(way).then((search) =>
      this.#services.run(() => {
        if (this.#over) return;
        if (search === undefined) return this.#goOn(status, reasons);
        this.#tried.push(...this.#search.legs);
        this.#search = search;
        const { media } = this.#tools;
        for (const leg of search.legs) leg.media = media.callees[leg.index - 1];
        this.#events.forwarded?.(way);
        search.start();
      }),
    );
  }

  /** Ports for whoever is rung on that way; undefined where nobody can be, there are none, or no call any more. */
  async #open({ targets }: ForwardedWay): Promise<Search | undefined> {
    const { media, side } = this.#tools;
    const wanted = 'next' in targets ? await targets.next() : targets;
    const found = wanted === undefined ? [] : 'uri' in wanted ? [wanted] : wanted;
    if (found.length === 0 || this.#over) return undefined;
    const first = media.callees.length + 1;
    const opened = await media.replaceCallees(found.map(side));
    if (this.#over) {
      // The call has ended, and has given back what it knew of.
      media.releaseCallees();
      return undefined;
    }
    if (!opened.ok) return undefined;
    return 'next' in targets
      ? new SerialHunt(this.#services, this, found, this.#invite, { places: targets, media, side }, first)
      : new Hunt(this.#services, this, found, this.#invite, first);
  }

  inDialog(leg: CallLeg, transaction: ServerTransaction, request: SipRequest): void {
    this.#events.inDialog(leg, transaction, request);
  }

  acknowledged(leg: CallLeg, request: SipRequest): void {
    this.#events.acknowledged(leg, request);
  }
}
