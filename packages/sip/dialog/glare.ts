import { HeaderList } from '../message/header-list.ts';
import type { DialogVerdict } from './dialog.ts';

/** A number in [0, 1), from whoever owns randomness. */
export type Random = () => number;

/**
 * How long to wait before a re-INVITE that got 491 is tried again, in milliseconds (RFC 3261 §14.1).
 *
 * 2.1 to 4 s for the side that chose the Call-ID, 0 to 2 s for the other, both in steps of 10 ms.
 */
export function retryDelay(ownsCallId: boolean, random: Random): number {
  if (ownsCallId) return 2100 + 10 * Math.floor(random() * 191);
  return 10 * Math.floor(random() * 201);
}

/**
 * One offer at a time in a dialog: knows which INVITE (or UPDATE) is under way and refuses the one that crosses it.
 *
 * RFC 3261 §14.1 (no new INVITE before the last is done) and §14.2 (491, or 500 with Retry-After).
 */
export class InviteTurn {
  #sent = 0;
  #received = false;

  /** True where an INVITE of ours may be sent now. */
  get free(): boolean {
    return this.#sent === 0 && !this.#received;
  }

  /** An INVITE of ours went out. */
  sent(): void {
    this.#sent++;
  }

  /** It has its final response, and that was acknowledged if it was 2xx; or it timed out. */
  sentDone(): void {
    if (this.#sent > 0) this.#sent--;
  }

  /** Judges an INVITE that came; where it is let through, call `receivedDone` with its final response. */
  receive(random: Random): DialogVerdict {
    if (this.#received) {
      const headers = new HeaderList().add('Retry-After', String(Math.floor(random() * 11)));
      return { ok: false, status: 500, reason: 'Server Internal Error', headers };
    }
    if (this.#sent > 0) return { ok: false, status: 491, reason: 'Request Pending' };
    this.#received = true;
    return { ok: true };
  }

  /** The INVITE that was let through has its final response. */
  receivedDone(): void {
    this.#received = false;
  }
}
