import { Dialog } from '@ringfence/sip/dialog/dialog.ts';
import { maxForks } from '@ringfence/sip/dialog/invite-uac.ts';
import { parseRseq, ReliableUac } from '@ringfence/sip/dialog/reliable-uas.ts';
import { hasTag } from '@ringfence/sip/dialog/session-timer.ts';
import { tagOf } from '@ringfence/sip/message/build.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';

/** What one who rings has said so far. */
export interface EarlyDialog {
  readonly dialog: Dialog;
  readonly order: ReliableUac;
  /** Its answer in a reliable response: nothing that follows changes it (RFC 3262 §5, RFC 6337 §3.1.1). */
  answer: Uint8Array | undefined;
  /** It has made the offer, and has its answer. */
  answered: boolean;
}

/** RSeq of a reliable provisional response, RFC 3262 §4; undefined: it is none. */
export function reliableSequence({ headers }: SipResponse): number | undefined {
  const rseq = headers.get('RSeq');
  return rseq === undefined || !hasTag(headers, 'Require', '100rel') ? undefined : parseRseq(rseq);
}

/** The early dialogs of one INVITE of ours, RFC 3261 §12.1.2: as many as have answered behind the peer, 16 at most. */
export class EarlyDialogs {
  readonly #byTag = new Map<string, EarlyDialog>();

  /** The dialog that a provisional response makes or belongs to; undefined without a tag, or where there are too many. */
  take(request: SipRequest, response: SipResponse): EarlyDialog | undefined {
    const tag = tagOf(response.to);
    if (tag === undefined) return undefined;
    const known = this.#byTag.get(tag);
    if (known !== undefined || this.#byTag.size >= maxForks) return known;
    const dialog = Dialog.uac(request, response);
    const early = { dialog, order: new ReliableUac(), answer: undefined, answered: false };
    this.#byTag.set(tag, early);
    return early;
  }

  /** The one that a final response belongs to. */
  of(response: SipResponse): EarlyDialog | undefined {
    return this.#byTag.get(tagOf(response.to) ?? '');
  }
}
