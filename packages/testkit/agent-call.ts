import type { Dialog } from '@ringfence/sip/dialog/dialog.ts';
import { InviteTurn } from '@ringfence/sip/dialog/glare.ts';
import type { Uas2xx } from '@ringfence/sip/dialog/invite-uas.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import type { ClientTransaction, ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';

/** A 2xx of ours that waits for its ACK. */
interface Unacknowledged {
  readonly transaction: ServerTransaction;
  readonly response: SipResponse;
  readonly machine: Uas2xx;
}

/** One call as one side sees it. */
export class AgentCall {
  readonly callId: string;
  readonly outgoing: boolean;
  state: 'inviting' | 'ringing' | 'answered' | 'ending' | 'ended' = 'inviting';
  /** A 2xx was sent or received. */
  answered = false;
  /** The ACK of the first 2xx was sent or received. */
  acknowledged = false;
  /** Why it ended: a status, `timeout`, `bye-sent`, `bye-received`, `no-ack`. */
  cause = '';
  /** Re-INVITEs of ours that were accepted, and of the peer that we accepted. */
  renegotiated = { sent: 0, received: 0 };
  glares = 0;
  dialog: Dialog | undefined = undefined;
  readonly turn = new InviteTurn();
  readonly pending = new Map<number, Unacknowledged>();
  invite: ClientTransaction | ServerTransaction | undefined = undefined;
  inviteRequest: SipRequest | undefined = undefined;
  /** When to try a re-INVITE again after 491. */
  retryAt = Number.POSITIVE_INFINITY;
  /** When to cancel an INVITE that nobody answers, or to refuse one that nobody cancels. */
  giveUpAt = Number.POSITIVE_INFINITY;
  wantsEnd = false;

  constructor(callId: string, outgoing: boolean) {
    this.callId = callId;
    this.outgoing = outgoing;
  }
}
