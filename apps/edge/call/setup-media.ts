import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import { parseSession } from '@ringfence/sdp/parse.ts';
import type { MediaProblem } from '../media/agreement.ts';
import type { CallMedia } from '../media/call-media.ts';
import { judgeOffer, type PendingOffer } from '../media/change.ts';
import type { MediaLeg } from '../media/leg.ts';

const missing: MediaProblem = { rule: 'media.answer-missing', warning: 'The called side sent no SDP' };
const noAnswer: MediaProblem = { rule: 'media.answer-missing', warning: 'The ACK carries no answer' };
const unreadable: MediaProblem = {
  rule: 'media.malformed',
  warning: 'The SDP of the called side cannot be read',
};

/**
 * Offer and answer while a call is set up, RFC 3261 §13.2.1: the caller offers and whoever takes the call answers, or
 * the caller's INVITE has no offer and it goes the other way around (RFC 3264 §4, RFC 6337 §2.1 patterns 1 and 2).
 */
export class SetupMedia {
  readonly media: CallMedia;
  /** The INVITE came without an offer. */
  readonly delayed: boolean;
  #pending: PendingOffer | undefined = undefined;
  #settled = false;

  constructor(media: CallMedia) {
    this.media = media;
    this.delayed = media.delayed;
  }

  /** Body for the INVITE to a called side, which has refused that many offers for their media. */
  offer(leg: MediaLeg, refused: number): string | undefined {
    return this.delayed ? undefined : this.media.offerTo(leg, refused);
  }

  /** The offer that came late has its answer. */
  get settled(): boolean {
    return this.#settled;
  }

  /** Late offer and answer were exchanged before the 2xx: what the caller was told holds. */
  done(): Promise<Result<string, MediaProblem>> {
    return this.media.applied.then(() => ok(this.media.caller.lastDescription));
  }

  /**
   * Takes the SDP of the 2xx. An error where it can be no part of this call; else what to tell the caller, once the
   * media process is ready for whatever comes of it.
   */
  final(
    leg: MediaLeg,
    body: Uint8Array | undefined,
  ): Result<Promise<Result<string, MediaProblem>>, MediaProblem> {
    if (body === undefined) return err(missing);
    const { media } = this;
    if (!this.delayed) {
      const answer = media.answer(leg, body);
      return answer.ok ? ok(media.applied.then(() => answer)) : answer;
    }
    const session = parseSession(body);
    if (!session.ok) return err(unreadable);
    const judged = judgeOffer(leg, media.caller, session.value);
    if (!judged.ok) return judged;
    return ok(
      media.reoffer(leg, media.caller, session.value).then((offered) => {
        if (!offered.ok) return offered;
        // Another one's offer, which nobody has answered, gives way.
        this.stop();
        this.#pending = offered.value;
        this.#settled = false;
        return ok(offered.value.description);
      }),
    );
  }

  /** The caller's answer to an offer that it was given late; gives the answer for the called side. */
  lateAnswer(body: Uint8Array | undefined): Result<string, MediaProblem> {
    const pending = this.#pending;
    if (pending === undefined || body === undefined) return err(noAnswer);
    const session = parseSession(body);
    if (!session.ok) return err({ rule: 'media.malformed', warning: `SDP: ${session.error.detail}` });
    const answer = this.media.reanswer(pending, session.value);
    if (answer.ok) {
      this.#pending = undefined;
      this.#settled = true;
    }
    return answer;
  }

  /** The call is over: ports that were opened for an offer which nobody has answered are given back. */
  stop(): void {
    if (this.#pending !== undefined) this.media.abandon(this.#pending);
    this.#pending = undefined;
  }
}
