import type { SipRequest, SipResponse } from '../message/types.ts';
import type { Flow } from '../transport/flow.ts';
import type { InviteClientState } from './invite-client.ts';
import type { InviteServerState } from './invite-server.ts';
import type { NonInviteClientState } from './non-invite-client.ts';
import type { NonInviteServerState } from './non-invite-server.ts';

/** What both sides of a transaction have in common. RFC 3261 §17. */
interface TransactionFields {
  /** Unique among the live transactions of a layer; fit for logs. */
  readonly id: string;
  /**
   * The request as it is on the wire, topmost Via included.
   *
   * Released, so that it costs no memory, once the transaction has its final answer and `poll` has returned
   * undefined after that: reading it later throws `MisuseError` (`request-released`). An INVITE client
   * transaction keeps it for forked 2xx until it terminates.
   */
  readonly request: SipRequest;
  readonly method: string;
  readonly flow: Flow;
  /** The owner's own; the layer never touches it. */
  context: unknown;
}

/** A request that this side sent. RFC 3261 §17.1. */
export interface ClientTransaction extends TransactionFields {
  readonly kind: 'client';
  readonly state: InviteClientState | NonInviteClientState;
}

/** A request that the peer sent. RFC 3261 §17.2. */
export interface ServerTransaction extends TransactionFields {
  readonly kind: 'server';
  readonly state: InviteServerState | NonInviteServerState;
  /** To tag of the answers sent so far, also the one that the layer put into its 200 to a CANCEL (§9.2). */
  readonly localTag: string | undefined;
}

/** Why a transaction failed without a timeout: its flow broke, or the table of client transactions is full. */
export type TransactionFailure = 'transport' | 'overload';

export type TransactionOutput =
  | { readonly kind: 'send'; readonly flow: Flow; readonly bytes: Uint8Array }
  /** A new request; retransmissions never show. */
  | { readonly kind: 'request'; readonly transaction: ServerTransaction; readonly request: SipRequest }
  /** ACK of a 2xx: belongs to no transaction. */
  | { readonly kind: 'ack'; readonly request: SipRequest; readonly flow: Flow }
  /** A CANCEL matched and was answered 200 by the layer; the owner answers the INVITE with 487 (§9.2). */
  | { readonly kind: 'cancelled'; readonly transaction: ServerTransaction; readonly cancel: SipRequest }
  /** Every 1xx, every 2xx to INVITE with its repetitions and forks, any other final response once. */
  | { readonly kind: 'response'; readonly transaction: ClientTransaction; readonly response: SipResponse }
  /** Timers B, F, H, and 64*T1 after a CANCEL. */
  | { readonly kind: 'timeout'; readonly transaction: ClientTransaction | ServerTransaction }
  | {
      readonly kind: 'failed';
      readonly transaction: ClientTransaction | ServerTransaction;
      readonly reason: TransactionFailure;
    }
  /** The last word about a transaction. */
  | { readonly kind: 'terminated'; readonly transaction: ClientTransaction | ServerTransaction };
