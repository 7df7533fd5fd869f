import { Dialog } from '@ringfence/sip/dialog/dialog.ts';
import { parseRack, ReliableUas } from '@ringfence/sip/dialog/reliable-uas.ts';
import { hasTag } from '@ringfence/sip/dialog/session-timer.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { CallLeg } from './leg.ts';
import { withSdp } from './messages.ts';
import type { CallServices } from './services.ts';

interface Said {
  readonly status: number;
  readonly description: string | undefined;
}

/**
 * What is answered to a caller's INVITE before the final response, reliably where the caller asks for it or where the
 * called side did so and the caller can (RFC 3262 §3).
 */
export class Provisionals {
  readonly #services: CallServices;
  readonly #leg: CallLeg;
  readonly #cseq: number;
  /** Let go with the final response. */
  #invite: { readonly request: SipRequest; readonly transaction: ServerTransaction } | undefined;
  readonly #gaveUp: () => void;
  readonly #required: boolean;
  readonly supported: boolean;
  #machine: ReliableUas | undefined = undefined;
  #out: { readonly said: Said; readonly response: SipResponse } | undefined = undefined;
  /** At most one waits: the one that says more. */
  #next: Said | undefined = undefined;
  #agreed: string | undefined = undefined;
  #waiting: (() => void)[] = [];
  #stopTimer: (() => void) | undefined = undefined;

  constructor(
    services: CallServices,
    leg: CallLeg,
    invite: { readonly request: SipRequest; readonly transaction: ServerTransaction },
    gaveUp: () => void,
  ) {
    this.#services = services;
    this.#leg = leg;
    const { headers, cseq } = invite.request;
    this.#cseq = cseq.number;
    this.#invite = invite;
    this.#gaveUp = gaveUp;
    this.#required = hasTag(headers, 'Require', '100rel');
    this.supported = this.#required || hasTag(headers, 'Supported', '100rel');
  }

  /** The description that the caller has acknowledged with PRACK: offer and answer of the INVITE are done with it. */
  get agreed(): string | undefined {
    return this.#agreed;
  }

  /** `reliably`: where the caller can. */
  send(status: number, description: string | undefined, reliably: boolean): void {
    const said = { status, description };
    if (!this.#required && !(reliably && this.supported)) return this.#respond(said, undefined);
    this.#machine ??= new ReliableUas(1 + Math.floor(this.#services.random() * 0x7ffffffe));
    if (this.#machine.waiting) this.#next = this.#next?.description === undefined ? said : this.#next;
    else this.#respond(said, this.#machine);
  }

  /** A PRACK came; false where it acknowledges nothing that was sent (481). */
  acknowledge({ headers }: SipRequest): boolean {
    const rack = parseRack(headers.get('RAck') ?? '');
    if (rack === undefined || rack.method !== 'INVITE' || rack.cseq !== this.#cseq) return false;
    if (this.#machine?.acknowledged(rack.rseq) !== true) return false;
    this.#stopTimer?.();
    this.#agreed ??= this.#out?.said.description;
    this.#out = undefined;
    const next = this.#next;
    this.#next = undefined;
    if (next !== undefined) this.#respond(next, this.#machine);
    this.#release();
    return true;
  }

  /** Resolves once a 2xx may go out: not while a reliable response with a description has no PRACK (RFC 3262 §3). */
  clear(): Promise<void> | undefined {
    const describing = this.#machine?.waiting === true && this.#out?.said.description !== undefined;
    if (!describing) return undefined;
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** The INVITE has its final response; a PRACK for what is out still gets its 200. */
  stop(): void {
    this.#machine?.stop();
    this.#stopTimer?.();
    this.#invite = undefined;
    this.#next = undefined;
    this.#out = undefined;
    this.#release();
  }

  #respond(said: Said, machine: ReliableUas | undefined): void {
    if (this.#invite === undefined) return;
    const { request, transaction } = this.#invite;
    const { layer } = this.#services;
    const now = this.#services.now();
    const headers = new HeaderList().add('Contact', this.#leg.contact);
    if (machine !== undefined)
      headers
        .add('Require', '100rel')
        .add('RSeq', String(machine.sent(now)))
        .add('Allow', this.#leg.allow);
    const fields = { toTag: this.#leg.localTag, headers };
    const { description } = said;
    const response = makeResponse(
      request,
      said.status,
      undefined,
      description === undefined ? fields : { ...fields, body: withSdp(headers, description) },
    );
    layer.respond(transaction, response, now);
    this.#leg.dialog ??= Dialog.uas(request, response);
    if (machine === undefined) return;
    this.#out = { said, response };
    this.#arm(machine);
  }

  #arm(machine: ReliableUas): void {
    this.#stopTimer?.();
    const wait = machine.nextTimeout() - this.#services.now();
    this.#stopTimer = this.#services.after(Math.max(0, wait), () =>
      this.#services.run(() => this.#tick(machine)),
    );
  }

  #tick(machine: ReliableUas): void {
    const now = this.#services.now();
    machine.handleTimeout(now);
    const output = machine.poll();
    if (output === 'gave-up') return this.#gaveUp();
    if (output === 'repeat' && this.#out !== undefined && this.#invite !== undefined)
      this.#services.layer.respond(this.#invite.transaction, this.#out.response, now);
    if (machine.waiting) this.#arm(machine);
  }

  #release(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }
}
