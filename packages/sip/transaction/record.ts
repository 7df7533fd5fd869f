import { MisuseError } from '@ringfence/bytes/misuse.ts';
import type { HeaderList } from '../message/header-list.ts';
import type { SipRequest } from '../message/types.ts';
import type { Flow } from '../transport/flow.ts';
import type { InviteClientState } from './invite-client.ts';
import type { InviteServerState } from './invite-server.ts';
import type { Machine } from './machine.ts';
import type { NonInviteClientState } from './non-invite-client.ts';
import type { NonInviteServerState } from './non-invite-server.ts';
import { TimerNode } from './timer-queue.ts';
import type { TimerEvent } from './timers.ts';
import type { ClientTransaction, ServerTransaction } from './transaction.ts';

const noBody = new Uint8Array(0);

/** A transaction as the layer sees it. */
abstract class TransactionRecord {
  abstract readonly kind: 'client' | 'server';
  abstract state: string;
  readonly serial: number;
  readonly machine: Machine;
  readonly method: string;
  readonly flow: Flow;
  /** Key in the layer's table. */
  readonly key: string;
  context: unknown = undefined;
  /** What `send` sends: the request, or the latest response. */
  bytes: Uint8Array | undefined = undefined;
  /** What the two timers mean while they run. */
  retransmitEvent: TimerEvent = 'A';
  endEvent: TimerEvent = 'B';
  readonly retransmit: TimerNode<Transaction>;
  readonly end: TimerNode<Transaction>;
  #request: SipRequest | undefined;

  constructor(serial: number, machine: Machine, request: SipRequest, flow: Flow, key: string) {
    this.serial = serial;
    this.machine = machine;
    this.method = request.method;
    this.flow = flow;
    this.key = key;
    this.#request = request;
    const owner = this as unknown as Transaction;
    this.retransmit = new TimerNode<Transaction>(owner);
    this.end = new TimerNode<Transaction>(owner);
  }

  get request(): SipRequest {
    if (this.#request === undefined) {
      throw new MisuseError('request-released', `the ${this.method} of a finished transaction was released`);
    }
    return this.#request;
  }

  /** Lets go of the parsed request, or of its body alone. */
  release(what: 'request' | 'body'): void {
    if (what === 'request') this.#request = undefined;
    else if (this.#request !== undefined) this.#request = { ...this.#request, body: noBody };
  }
}

export class ClientRecord extends TransactionRecord implements ClientTransaction {
  readonly kind = 'client';
  state: InviteClientState | NonInviteClientState;
  /** CANCEL asked for before a provisional response came (RFC 3261 §9.1). */
  cancelHeaders: HeaderList | 'none' | undefined = undefined;
  cancelled = false;
  /** What a response has to repeat. */
  readonly callId: string;
  readonly cseq: number;
  /** A CANCEL is the layer's own business: its owner hears nothing of it. */
  readonly silent: boolean;

  constructor(
    serial: number,
    machine: Machine,
    request: SipRequest,
    flow: Flow,
    key: string,
    state: ClientRecord['state'],
    silent: boolean,
  ) {
    super(serial, machine, request, flow, key);
    this.state = state;
    this.silent = silent;
    this.callId = request.callId;
    this.cseq = request.cseq.number;
  }

  get id(): string {
    return `c${this.serial}`;
  }
}

export class ServerRecord extends TransactionRecord implements ServerTransaction {
  readonly kind = 'server';
  state: InviteServerState | NonInviteServerState;
  localTag: string | undefined = undefined;
  /** When the request came. */
  readonly at: number;
  readonly merged: string | undefined;
  cancelled = false;
  readonly silent = false;

  constructor(
    serial: number,
    machine: Machine,
    request: SipRequest,
    flow: Flow,
    key: string,
    state: ServerRecord['state'],
    merged: string | undefined,
    at: number,
  ) {
    super(serial, machine, request, flow, key);
    this.state = state;
    this.merged = merged;
    this.at = at;
  }

  get id(): string {
    return `s${this.serial}`;
  }
}

export type Transaction = ClientRecord | ServerRecord;
