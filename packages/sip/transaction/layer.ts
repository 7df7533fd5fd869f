import type { HeaderList } from '../message/header-list.ts';
import type { SipMessage, SipRequest, SipResponse } from '../message/types.ts';
import type { Flow } from '../transport/flow.ts';
import type { TimerValues } from './timers.ts';
import type { ClientTransaction, ServerTransaction, TransactionOutput } from './transaction.ts';

export interface TransactionOptions {
  /** Fresh randomness in token characters, without `z9hG4bK`. */
  newBranch(): string;
  readonly timers?: Partial<TimerValues>;
  readonly maxServer?: number;
  readonly maxClient?: number;
}

export declare class TransactionLayer {
  constructor(options: TransactionOptions);
  receive(message: SipMessage, flow: Flow, now: number): void;
  request(request: SipRequest, flow: Flow, now: number): ClientTransaction;
  respond(transaction: ServerTransaction, response: SipResponse, now: number): void;
  trying(transaction: ServerTransaction, now: number): void;
  cancel(transaction: ClientTransaction, now: number, headers?: HeaderList): void;
  sendAck(request: SipRequest, flow: Flow): Uint8Array;
  resend(bytes: Uint8Array, flow: Flow): void;
  flowFailed(flowId: number, now: number): void;
  handleTimeout(now: number): void;
  nextTimeout(): number;
  poll(): TransactionOutput | undefined;
  readonly size: { readonly server: number; readonly client: number };
}
