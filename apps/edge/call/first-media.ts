import type { SipResponse } from '@ringfence/sip/message/types.ts';
import type { CallMedia } from '../media/call-media.ts';
import type { CallLeg } from './leg.ts';
import { sdpOf } from './messages.ts';
import type { CallServices } from './services.ts';

/** How often the media process is asked. */
const askMs = 200;

/**
 * Waits for the first packet of a leg that has answered, before anybody is told of the answer.
 *
 * The leg is joined with the caller's as for early media, so that its peer has somebody to talk to. `seen` or `none` is
 * called once, unless `stop` comes first.
 */
export class FirstMedia {
  readonly leg: CallLeg;
  readonly #services: CallServices;
  readonly #media: CallMedia;
  readonly #until: number;
  readonly #done: (seen: boolean) => void;
  #stop: (() => void) | undefined = undefined;
  #over = false;

  constructor(
    services: CallServices,
    media: CallMedia,
    leg: CallLeg,
    waitMs: number,
    done: (seen: boolean) => void,
  ) {
    this.leg = leg;
    this.#services = services;
    this.#media = media;
    this.#until = services.now() + waitMs;
    this.#done = done;
  }

  /** False where the answer is none that media could come by: nothing is waited for. */
  start(response: SipResponse): boolean {
    const { media, early } = this.leg;
    const body = early?.answer ?? sdpOf(response);
    if (media === undefined || body === undefined || this.#media.delayed) return false;
    if (early?.done !== true && !this.#media.answer(media, body, true).ok) return false;
    this.#ask();
    return true;
  }

  stop(): void {
    this.#over = true;
    this.#stop?.();
  }

  #ask(): void {
    const ids = this.leg.media?.endpointIds() ?? [];
    void this.#media.idle(ids).then((idleMs) =>
      this.#services.run(() => {
        if (this.#over) return;
        const seen = Number.isFinite(idleMs);
        // Whoever has hung up meanwhile sends nothing more.
        if (!seen && this.leg.endedAt === undefined && this.#services.now() < this.#until) {
          this.#stop = this.#services.after(askMs, () => this.#services.run(() => this.#ask()));
          return;
        }
        this.#over = true;
        this.#done(seen && this.leg.endedAt === undefined);
      }),
    );
  }
}
