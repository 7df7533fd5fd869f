import type { SipResponse } from '@ringfence/sip/message/types.ts';
import type { CallMedia } from '../media/call-media.ts';
import type { CallLeg } from './leg.ts';
import type { CallServices } from './services.ts';

/** How often both ends of an answered call are asked whether it still is there. */
const probeMs = 300_000;
/** A peer that does not answer is given up once its media has been silent for so long. */
const silenceMs = 30_000;

/**
 * Finds calls whose peer is gone without a BYE: an OPTIONS within the dialog, RFC 3261 §11, every five minutes.
 *
 * 481 says that the dialog is over (§12.2.1.2). No answer at all ends the call only where no media comes either,
 * since a phone may have lost its connection and still be talking.
 */
export class Liveness {
  readonly #services: CallServices;
  readonly #legs: readonly CallLeg[];
  readonly #media: CallMedia;
  readonly #dead: () => void;
  #stop: (() => void) | undefined;

  constructor(services: CallServices, legs: readonly CallLeg[], media: CallMedia, dead: () => void) {
    this.#services = services;
    this.#legs = legs;
    this.#media = media;
    this.#dead = dead;
    this.#arm();
  }

  stop(): void {
    this.#stop?.();
    this.#stop = undefined;
  }

  #arm(): void {
    this.#stop = this.#services.after(probeMs, () => this.#services.run(() => this.probe()));
  }

  /** Asks now, and again after the usual time. */
  probe(): void {
    this.#stop?.();
    this.#arm();
    for (const leg of this.#legs) {
      if (leg.dialog?.state !== 'confirmed') continue;
      leg.send(leg.dialog.request('OPTIONS'), {
        response: ({ status }: SipResponse) => {
          if (status === 481) this.#end();
          else if (status === 408) this.#listen(leg);
        },
        failed: () => this.#listen(leg),
      });
    }
  }

  #listen(leg: CallLeg): void {
    const relay = this.#services.relay();
    const ids = leg.media?.endpointIds() ?? [];
    if (relay === undefined || ids.length === 0) return this.#end();
    void this.#media.idle(ids).then((idleMs) =>
      this.#services.run(() => {
        if (idleMs >= silenceMs) this.#end();
      }),
    );
  }

  #end(): void {
    if (this.#stop === undefined) return;
    this.stop();
    this.#dead();
  }
}
