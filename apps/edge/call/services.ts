import type { Relay } from '@ringfence/relay/contract.ts';
import type { SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import type { TransactionLayer } from '@ringfence/sip/transaction/layer.ts';
import type { ClientTransaction, ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { Flow, SocketAddress } from '@ringfence/sip/transport/flow.ts';
import type { Configuration } from '../config/schema.ts';
import type { EventBus } from '../events/bus.ts';
import type { Troubles } from '../events/troubles.ts';
import type { Toll } from '../fraud/toll.ts';
import type { MethodGate } from '../hygiene/methods.ts';
import type { ZrtpPeers } from '../media/zrtp-peers.ts';
import type { MessageRate } from '../message/rate.ts';
import type { KnownPeers } from '../policy/known-peers.ts';
import type { Recorders } from '../recording/call-recording.ts';
import type { SoundDesk } from '../sound/desk.ts';
import type { CallRecord } from '../store/contract.ts';
import type { TrunkRealms } from './credentials.ts';
import type { Referral } from './judge-refer.ts';

/** What calls need of the rest of the edge. */
export interface CallServices {
  readonly layer: TransactionLayer;
  readonly bus: EventBus;
  readonly troubles: Troubles;
  config(): Configuration;
  relay(): Relay | undefined;
  now(): number;
  /** @returns a function that stops the timer. */
  after(milliseconds: number, run: () => void): () => void;
  /** Unguessable, URL-safe characters: 16 of them carry 96 bits. */
  token(length: number): string;
  /** In [0, 1). */
  random(): number;
  /** Digits for o= lines. */
  sessionId(): string;
  /** Runs a continuation and then sends what the transaction layer has to send. */
  run(step: () => void): void;
  /** Resolves once the record is on disk; `state` is what another process goes on with while the call lives. */
  record(call: CallRecord, state?: string): Promise<void>;
  /**
   * The same flow if it lives, else a new one to where the request's next hop is, or the one over which the phone that
   * is this party has registered last; undefined: unreachable.
   */
  route(
    flow: Flow,
    request: SipRequest,
    followTarget: boolean,
    party: string,
  ): Flow | undefined | Promise<Flow | undefined>;
  /** Address for media on that flow, and the one written into SDP. */
  mediaAddress(flow: Flow): { readonly local: string; readonly advertised: string };
  /** Somebody is rung: written down where it takes longer than a moment. */
  settingUp(call: { noteSetup(): void }): void;
  /** Plays files to parties; absent: nothing is played. */
  readonly sounds?: SoundDesk;
  /** What parties have shown of themselves in earlier calls; absent: nothing is held against it. */
  readonly peers?: KnownPeers;
  /** Answers challenges of trunks. */
  readonly realms: TrunkRealms;
  /** Who records calls; absent: nobody. */
  readonly recorders?: Recorders;
  /** An emergency call is placed from there: whatever is held against the address waits. Absent: nothing is. */
  emergencyFrom?(address: string): void;
  /** What may be sent by whom; absent: whatever is served. */
  readonly methods?: Pick<MethodGate, 'allow'>;
  readonly dialogs: DialogTable;
  /** How many messages each sender may send. */
  readonly messages: MessageRate;
  /** What is known of phones' ZRTP from earlier calls. */
  readonly zrtpPeers: ZrtpPeers;
  /** What calls by trunks cost; absent: nothing. */
  readonly toll?: Pick<Toll, 'answered' | 'move' | 'ended' | 'begin' | 'tell' | 'consult' | 'affords'>;
  /** A party of a call asks for the other one to be transferred. */
  refer(referral: Referral): void;
  /** A call is over and is forgotten; `recorded` settles when its last record is on disk, or cannot be. */
  ended(id: string, recorded: Promise<void>): void;
}

/** A leg as the dispatcher sees it: it gets the requests that carry its local tag. */
export interface DialogOwner {
  readonly remoteTag: string;
  readonly callId: string;
  /** As a principal is described, of calls. */
  readonly party?: string;
  /** User part that our INVITE asked for; absent on legs that came in. */
  readonly rang?: string;
  /** False while any tag of the peer's may make the dialog. */
  readonly begun?: boolean;
  request(transaction: ServerTransaction, request: SipRequest): void;
  acknowledged(request: SipRequest): void;
}

/** Live legs by our own tag, which is unguessable and unique. */
export type DialogTable = Map<string, DialogOwner>;

/** Context of a client transaction. */
export interface ClientOwner {
  /** The request is out; it is sent again in another transaction where a trunk asks for credentials. */
  sent?(transaction: ClientTransaction): void;
  response(response: SipResponse): void;
  /** No final response will come: timer B or F, or the connection broke. */
  failed(reason: 'timeout' | 'transport' | 'overload'): void;
}

/** Context of a server transaction of an INVITE. */
export interface InviteOwner {
  cancelled(cancel?: SipRequest): void;
  /** A reliable provisional response got no PRACK in 64*T1 (RFC 3262 §3). */
  unacknowledged?(): void;
  /** The connection that the INVITE came over is gone: no answer can reach the caller. */
  unreachable(): void;
}

export const socketText = ({ address, port }: SocketAddress): string =>
  address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
