import type { Relay } from '@ringfence/relay/contract.ts';
import { parseSession } from '@ringfence/sdp/parse.ts';
import { retryDelay } from '@ringfence/sip/dialog/glare.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipResponse } from '@ringfence/sip/message/types.ts';
import type { CallMedia } from '../media/call-media.ts';
import type { CallLeg } from './leg.ts';
import { product, sdpOf, withSdp } from './messages.ts';
import type { CallServices, ClientOwner } from './services.ts';

/** What a recovery tells its call. */
export interface RecoveryEvents {
  /** Both sides have agreed to their new ports and keys. */
  recovered(): void;
  /** Some side has not: the call must end, with that cause. */
  failed(cause: 'media' | 'timeout'): void;
  /** The caller's 2xx has its ACK: only then may it be offered something new (RFC 3261 §14.1). */
  confirmed(): boolean;
}

/** Attempts on one side; more than one where offers cross (491), or a phone is about to come back. */
const mostTries = 8;
const waitMs = 500;

/**
 * Gives an answered call new media, RFC 3264 §8.3.1, after those who carried it are gone: fresh ports and keys,
 * offered to both sides at once by re-INVITE. What was agreed (streams, codecs, hold, protection) stays as it was.
 */
export class Recovery {
  readonly #services: CallServices;
  readonly #legs: readonly CallLeg[];
  readonly #media: CallMedia;
  readonly #events: RecoveryEvents;
  readonly #open = new Set<CallLeg>();
  readonly #timers = new Map<CallLeg, () => void>();
  #over = false;

  constructor(services: CallServices, legs: readonly CallLeg[], media: CallMedia, events: RecoveryEvents) {
    this.#services = services;
    this.#legs = legs;
    this.#media = media;
    this.#events = events;
  }

  start(relay: Relay): void {
    void this.#media.moveTo(relay).then((moved) =>
      this.#services.run(() => {
        if (this.#over) return;
        if (!moved.ok || this.#legs.some((leg) => leg.media === undefined || leg.media.streams.length === 0))
          return this.#fail('media');
        for (const leg of this.#legs) this.#open.add(leg);
        for (const leg of this.#legs) this.#offer(leg, 1);
      }),
    );
  }

  /** The call is over. */
  stop(): void {
    this.#over = true;
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
  }

  #offer(leg: CallLeg, attempt: number): void {
    if (this.#over) return;
    const { dialog, media } = leg;
    if (dialog?.state !== 'confirmed' || media === undefined) return this.#fail('media');
    if (leg.index === 0 && !this.#events.confirmed()) return this.#later(leg, waitMs, attempt);
    const headers = new HeaderList();
    headers.add('User-Agent', product);
    headers.add('Supported', 'timer');
    leg.timer.request(headers);
    const body = withSdp(headers, this.#media.repeat(media));
    const request = dialog.request('INVITE', { contact: leg.contact, headers, body });
    leg.send(request, this.#listen(leg, attempt));
  }

  /** Hears of one INVITE; its 2xx gets its ACK whatever has become of the call. */
  #listen(leg: CallLeg, attempt: number): ClientOwner {
    let ack: Uint8Array | undefined;
    let acknowledged = false;
    return {
      response: (response) => {
        const { status } = response;
        if (status < 200) return;
        if (status >= 300) return this.#refused(leg, status, attempt);
        if (acknowledged) {
          if (ack !== undefined) this.#services.layer.resend(ack, leg.flow);
          return;
        }
        acknowledged = true;
        leg.dialog?.refreshTarget(response);
        leg.timer.agreed(response.headers, this.#services.now());
        leg.ack(response.cseq.number, (bytes) => {
          ack = new Uint8Array(bytes);
        });
        this.#agreed(leg, response);
      },
      failed: (reason) => {
        // A phone whose connection broke in the same moment may be back soon.
        if (reason === 'transport' && attempt < mostTries) this.#later(leg, waitMs * attempt, attempt + 1);
        else this.#fail('timeout');
      },
    };
  }

  #agreed(leg: CallLeg, response: SipResponse): void {
    if (this.#over || leg.media === undefined) return;
    const body = sdpOf(response);
    const session = body === undefined ? undefined : parseSession(body);
    if (session?.ok !== true || !this.#media.confirm(leg.media, session.value).ok) return this.#fail('media');
    this.#open.delete(leg);
    if (this.#open.size > 0) return;
    this.stop();
    this.#events.recovered();
  }

  #refused(leg: CallLeg, status: number, attempt: number): void {
    if (this.#over) return;
    // §14.1: our offer and theirs have crossed. §14.2: they have not done with the one before.
    if ((status === 491 || status === 500) && attempt < mostTries) {
      const random = (): number => this.#services.random();
      return this.#later(leg, retryDelay(leg.index !== 0, random), attempt + 1);
    }
    this.#fail(status === 481 || status === 408 ? 'timeout' : 'media');
  }

  #later(leg: CallLeg, milliseconds: number, attempt: number): void {
    if (this.#over) return;
    this.#timers.get(leg)?.();
    this.#timers.set(
      leg,
      this.#services.after(milliseconds, () => this.#services.run(() => this.#offer(leg, attempt))),
    );
  }

  #fail(cause: 'media' | 'timeout'): void {
    if (this.#over) return;
    this.stop();
    this.#events.failed(cause);
  }
}
