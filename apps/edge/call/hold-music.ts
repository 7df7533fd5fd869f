import { effectiveDirection } from '@ringfence/sdp/attribute.ts';
import type { SessionDescription } from '@ringfence/sdp/session.ts';
import { mayHear, soundFormatOf } from '../media/playing-alone.ts';
import type { SoundFormat } from '../sound/desk.ts';
import type { CallLeg } from './leg.ts';
import type { CallServices } from './services.ts';

/** What two sides of a call have agreed to last, each in its own words. */
export interface Agreed {
  readonly from: CallLeg;
  readonly to: CallLeg;
  readonly offer: SessionDescription;
  readonly answer: SessionDescription;
}

/** What somebody on hold is to hear. */
interface Heard {
  readonly leg: CallLeg;
  readonly index: number;
  readonly format: SoundFormat;
}

/**
 * Music for whoever is put on hold (RFC 5359 §2.3), in place of what the other side sends meanwhile.
 *
 * A phone that holds with `sendonly` leaves the other one listening: that one hears the music. One that holds with
 * `inactive`, or whose media nobody here can read, wants nothing to be heard.
 */
export class HoldMusic {
  readonly #services: CallServices;
  readonly #call: string;
  #heard: readonly Heard[] = [];

  constructor(services: CallServices, call: string) {
    this.#services = services;
    this.#call = call;
  }

  /** Something new was agreed: who listens now hears music, everybody else hears the other side again. */
  follow({ from, to, offer, answer }: Agreed): void {
    const relay = this.#services.relay();
    const heard: Heard[] = [];
    for (const [index, media] of offer.media.entries()) {
      const answered = answer.media[index];
      if (answered === undefined || media.port === 0 || answered.port === 0) continue;
      for (const [holds, said, leg, listens, hears] of [
        [offer, media, to, answer, answered],
        [answer, answered, from, offer, media],
      ] as const) {
        const endpoint = leg.media?.streams[index]?.endpoint.id;
        if (endpoint === undefined) continue;
        const holding = effectiveDirection(holds, said) === 'sendonly';
        const format = holding && mayHear(listens, hears) ? soundFormatOf(hears) : undefined;
        if (format !== undefined) heard.push({ leg, index, format });
        // Also where another process has begun it.
        else relay?.hush?.(endpoint);
      }
    }
    this.#heard = heard;
    this.play();
  }

  /** Begins, or begins again where the streams have new endpoints. */
  play(): void {
    const { holdMusic } = this.#services.config().sounds;
    const relay = this.#services.relay();
    const { sounds } = this.#services;
    if (holdMusic === undefined || relay === undefined || sounds === undefined) return;
    const heard = this.#heard;
    for (const { leg, index, format } of heard) {
      const stream = leg.media?.streams[index];
      if (stream === undefined) continue;
      const { id } = stream.endpoint;
      const wanted = (): boolean =>
        this.#heard === heard && leg.media?.streams[index]?.endpoint.id === id && leg.endedAt === undefined;
      void sounds.play(relay, id, holdMusic, format, true, wanted).then((played) => {
        if (!played.ok)
          this.#services.bus.emit({
            type: 'edge.error',
            where: 'sounds',
            detail: `no music for call ${this.#call}: ${played.error}`,
          });
      });
    }
  }
}
