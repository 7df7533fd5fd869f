import { makeResponse } from '@ringfence/sip/message/build.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import { CallMedia } from '../media/call-media.ts';
import { frameMs } from '../sound/frames.ts';
import { Caller } from './caller.ts';
import type { CallLeg, LegEvents } from './leg.ts';
import type { CallServices, InviteOwner } from './services.ts';
import type { AcceptedCall } from './setup.ts';

/** How long a caller hears why at most; a longer file is cut. */
const longestMs = 60_000;
/** How long the file may take to be read at its first use, and the last packet to arrive. */
const readMs = 5000;
const tailMs = 100;

/** What is left to be said once the announcement is over: the refusal, or what the caller has made of it. */
export type Farewell = (caller: Caller, outcome: 'heard' | 'cancelled' | 'failed') => void;

/**
 * Early media of our own (RFC 3960 §3.1, RFC 5009): a caller that is refused hears why, and then gets its refusal.
 *
 * The stream is encrypted as any other of that caller's would be. Nothing that the caller says is heard by anybody.
 */
export class Announcement implements LegEvents, InviteOwner {
  readonly id: string;
  readonly #services: CallServices;
  readonly #caller: Caller;
  readonly #farewell: Farewell;
  #media: CallMedia | undefined = undefined;
  #stop: (() => void) | undefined = undefined;
  #over = false;

  constructor(services: CallServices, accepted: AcceptedCall, path: string, farewell: Farewell) {
    this.id = accepted.id;
    this.#services = services;
    this.#farewell = farewell;
    this.#caller = new Caller(services, this, accepted);
    accepted.transaction.context = this;
    void this.#start(accepted, path);
  }

  async #start(accepted: AcceptedCall, path: string): Promise<void> {
    const services = this.#services;
    const relay = services.relay();
    const { offer, side } = accepted;
    if (relay === undefined || offer === undefined) return this.#finish('failed');
    const opened = await CallMedia.open(
      relay,
      { dscp: services.config().media.dscp, newSessionId: () => services.sessionId() },
      offer,
      side,
      [],
    );
    if (!opened.ok) return this.#finish('failed');
    const media = opened.value;
    if (this.#over) return void media.close();
    this.#media = media;
    const said = media.playingAlone();
    const id = said === undefined ? undefined : media.caller.streams[said.index]?.endpoint.id;
    if (said === undefined || id === undefined || services.sounds === undefined)
      return this.#finish('failed');
    this.#stop = services.after(readMs, () => this.#finish('failed'));
    const wanted = (): boolean => {
      if (this.#over) return false;
      // Before the first packet: a phone plays nothing that it has not been told of.
      services.run(() => this.#caller.ringing(183, said.description));
      return true;
    };
    const played = await services.sounds.play(relay, id, path, said.format, false, wanted);
    if (this.#over) return;
    this.#stop?.();
    if (!played.ok) {
      services.bus.emit({ type: 'edge.error', where: 'sounds', detail: played.error });
      return this.#finish('failed');
    }
    const length = Math.min(longestMs, (played.value?.frames.length ?? 0) * frameMs) + tailMs;
    this.#stop = services.after(length, () => this.#finish('heard'));
  }

  #finish(outcome: Parameters<Farewell>[1]): void {
    if (this.#over) return;
    this.#over = true;
    this.#stop?.();
    this.#services.run(() => this.#farewell(this.#caller, outcome));
    this.#caller.leg.forget();
    void this.#media?.close();
  }

  cancelled(): void {
    this.#finish('cancelled');
  }

  unacknowledged(): void {
    this.#finish('failed');
  }

  unreachable(): void {
    this.#finish('cancelled');
  }

  inDialog(leg: CallLeg, transaction: ServerTransaction, request: SipRequest): void {
    const { layer, now } = this.#services;
    const answer = (status: number): void => layer.respond(transaction, makeResponse(request, status), now());
    const order = leg.dialog?.receive(request);
    if (order?.ok !== true) return answer(481);
    if (request.method === 'PRACK') return answer(this.#caller.prack(request) ? 200 : 481);
    if (request.method !== 'BYE') return answer(480);
    answer(200);
    this.#finish('cancelled');
  }

  acknowledged(): void {}
}
