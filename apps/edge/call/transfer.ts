import { sipfragOf, sipfragType } from '@ringfence/sip/headers/sipfrag.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { Call } from './call.ts';
import type { CallLeg } from './leg.ts';
import type { CallServices } from './services.ts';

/** How long a referrer may take to hear of the end before its call is over all the same. */
const farewellMs = 2000;

/** A leg of a call, with the call. */
export interface Place {
  readonly call: Call;
  readonly leg: CallLeg;
}

export interface TransferFields {
  /** Where the REFER came from; first the one it came in, then the one that it names (attended). */
  readonly referrers: readonly Place[];
  /** RFC 4488: no NOTIFY is wanted. */
  readonly silent: boolean;
  /** CSeq of the REFER where it is not the first of its dialog: tells its NOTIFYs apart (RFC 3515 §2.4.6). */
  readonly id: number | undefined;
  /** The same, told or not. */
  readonly cseq: number;
  /** How long it may take at most, in seconds. */
  readonly expires: number;
  /** What the records of the calls that end by it give as their cause. */
  readonly cause: 'transferred' | 'replaced';
}

/**
 * A REFER that the edge carries out itself, or a Replaces: what the referrer is told (RFC 3515 §2.4), and what
 * becomes of the calls that it is about.
 *
 * As long as it lasts the calls that it is about stay up, also without the referrer. One at a time in each call.
 */
export class Transfer {
  /** The parties are being asked to change over: no offers of theirs meanwhile. */
  joining = false;
  readonly #services: CallServices;
  readonly #fields: TransferFields;
  readonly #gone = new Set<CallLeg>();
  /** The call that comes of it. */
  #made: Call | undefined = undefined;
  #last = 0;
  #over = false;
  #expires: number;
  /** The referrer wants to hear no more of it. */
  #unsubscribed = false;
  #stopSubscription: (() => void) | undefined = undefined;

  constructor(services: CallServices, fields: TransferFields) {
    this.#services = services;
    this.#fields = fields;
    this.#expires = fields.expires;
    for (const { call } of fields.referrers) call.transfer = this;
  }

  /** From here on the referrer hears how it goes. */
  begin(made: Call): void {
    this.#made = made;
    made.comesOf = this;
    this.progress(100);
  }

  progress(status: number): void {
    if (this.#over || status <= this.#last) return;
    this.#last = status;
    this.#notify(status, `active;expires=${this.#expires}`);
  }

  /**
   * A SUBSCRIBE for what the REFER has begun (RFC 3515 §2.4.4): gives the seconds that are granted, and what has to be
   * done once that is answered; undefined where there is no such subscription.
   */
  subscribed(
    leg: CallLeg,
    id: number | undefined,
    seconds: number,
  ): { readonly seconds: number; tell(): void } | undefined {
    const { silent, referrers, cseq, expires } = this.#fields;
    if (this.#over || silent || this.#unsubscribed || referrers[0]?.leg !== leg) return undefined;
    if (id !== this.#fields.id && id !== cseq) return undefined;
    const granted = Math.min(seconds, expires);
    this.#stopSubscription?.();
    this.#expires = granted;
    const end = (): void => {
      if (this.#over || this.#unsubscribed) return;
      this.#notify(this.#last, 'terminated;reason=timeout');
      this.#unsubscribed = true;
    };
    if (granted > 0)
      this.#stopSubscription = this.#services.after(1000 * granted, () => this.#services.run(end));
    const tell = granted === 0 ? end : () => this.#notify(this.#last, `active;expires=${granted}`);
    return { seconds: granted, tell };
  }

  /** The remaining parties talk to each other: the referrer is told, and released. */
  succeeded(): void {
    if (this.#over) return;
    const { toll } = this.#services;
    if (this.#made !== undefined)
      for (const { call, leg } of this.#fields.referrers) toll?.move(call.id, this.#made.id, leg.party);
    this.#finish();
    let released = false;
    const release = (): void => {
      if (released) return;
      released = true;
      stop();
      for (const { call } of this.#fields.referrers) call.handedOver(this.#fields.cause);
    };
    const stop = this.#services.after(farewellMs, () => this.#services.run(release));
    this.#notify(200, 'terminated;reason=noresource', release);
  }

  /** Nothing has come of it: the calls go on as they were, unless the referrer has left them. */
  failed(status: number): void {
    if (this.#over) return;
    this.#finish();
    this.#notify(status, 'terminated;reason=noresource');
    for (const { call, leg } of this.#fields.referrers) {
      call.transfer = undefined;
      if (this.#gone.has(leg)) call.hangUp('normal');
    }
  }

  /** A party has lost its media to a call that is not there any more. */
  lost(): void {
    this.#finish();
    for (const { call } of this.#fields.referrers) call.hangUp('media');
  }

  /** A party hangs up. True: it is the referrer, and its call goes on for the others. */
  leaves(leg: CallLeg): boolean {
    if (this.#over || !this.#fields.referrers.some((place) => place.leg === leg)) return false;
    this.#gone.add(leg);
    return true;
  }

  /** One of the calls has ended: there is nobody to transfer any more. */
  ended(): void {
    if (this.#over) return;
    this.#finish();
    for (const { call } of this.#fields.referrers) call.transfer = undefined;
    this.#made?.hangUp('normal');
    for (const { call, leg } of this.#fields.referrers) if (this.#gone.has(leg)) call.hangUp('normal');
  }

  /** The call that comes of it may last for hours, and holds nothing of this. */
  #finish(): void {
    this.#over = true;
    this.#stopSubscription?.();
    if (this.#made !== undefined) this.#made.comesOf = undefined;
  }

  #notify(status: number, state: string, done: () => void = () => {}): void {
    const [first] = this.#fields.referrers;
    const dialog = first?.leg.dialog;
    if (first === undefined || this.#fields.silent || this.#unsubscribed || dialog?.state !== 'confirmed')
      return done();
    const { id } = this.#fields;
    const headers = new HeaderList()
      .add('Event', id === undefined ? 'refer' : `refer;id=${id}`)
      .add('Subscription-State', state)
      .add('Content-Type', sipfragType);
    first.leg.send(
      dialog.request('NOTIFY', { contact: first.leg.contact, headers, body: sipfragOf(status) }),
      {
        response: (response) => {
          if (response.status >= 200) done();
        },
        failed: done,
      },
    );
  }
}
