import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { makeResponse, withVia } from '../message/build.ts';
import { HeaderList } from '../message/header-list.ts';
import { serializeMessage } from '../message/serialize.ts';
import type { SipMessage, SipRequest, SipResponse, Via } from '../message/types.ts';
import { magicCookie } from '../message/via.ts';
import type { Flow } from '../transport/flow.ts';
import { TransactionCore } from './core.ts';
import { ackOfFailure, cancelOf } from './hop-by-hop.ts';
import { inviteClient } from './invite-client.ts';
import { inviteServer } from './invite-server.ts';
import { hasUniqueBranch, mergedKey, serverKey, statelessTag, tagText } from './matching.ts';
import { nonInviteClient } from './non-invite-client.ts';
import { nonInviteServer } from './non-invite-server.ts';
import type { TransactionCounters, TransactionOptions } from './options.ts';
import { ClientRecord, ServerRecord } from './record.ts';
import { TransactionTables } from './tables.ts';
import { defaultTimerValues, type TimerValues } from './timers.ts';
import type { ClientTransaction, ServerTransaction, TransactionOutput } from './transaction.ts';
import { ownVia, stampReceived } from './via.ts';

export type { TransactionCounters, TransactionOptions } from './options.ts';

const isOld = (request: SipRequest): boolean => !hasUniqueBranch(request.via[0] as Via);

/**
 * Transactions of RFC 3261 §17 with RFC 6026, matched and kept in time, without sockets or clock.
 *
 * Feed it messages and the time, then drain `poll` until it returns undefined, then ask `nextTimeout`. `now` is in
 * milliseconds of any clock that does not run backwards. Responses go where the request came from (RFC 3581 §4),
 * also for peers that did not ask for `rport`: what a Via says elsewhere would let a stranger aim our answers.
 */
export class TransactionLayer {
  readonly counters: TransactionCounters = {
    strayResponses: 0,
    strayCancels: 0,
    mergedRequests: 0,
    refusedRequests: 0,
  };
  readonly #newBranch: () => string;
  readonly #viaParams: TransactionOptions['viaParams'];
  readonly #maxServer: number;
  readonly #maxClient: number;
  readonly #retryAfter: string;
  readonly #core: TransactionCore;
  readonly #T1: number;
  readonly #tables = new TransactionTables();
  #serial = 0;

  constructor(options: TransactionOptions) {
    this.#newBranch = () => options.newBranch();
    this.#viaParams = options.viaParams;
    this.#maxServer = options.maxServer ?? 100_000;
    this.#maxClient = options.maxClient ?? 100_000;
    this.#retryAfter = String(options.retryAfter ?? 5);
    const values: TimerValues = { ...defaultTimerValues, ...options.timers };
    for (const value of Object.values(values)) {
      if (!(value > 0 && value < Number.POSITIVE_INFINITY)) {
        throw new MisuseError('bad-timer-value', 'timer values are positive numbers of milliseconds');
      }
    }
    this.#T1 = values.T1;
    this.#core = new TransactionCore(values, (transaction) => this.#tables.remove(transaction));
  }

  /** Live transactions, finished ones that still absorb repetitions included. */
  get size(): { readonly server: number; readonly client: number } {
    return { server: this.#tables.servers.size, client: this.#tables.clients.size };
  }

  /** Timers that run now. */
  get timers(): number {
    return this.#core.timers;
  }

  /** True where a server transaction knows the request: a repetition, an ACK of a failure, a CANCEL of an INVITE. */
  absorbs(request: SipRequest): boolean {
    const { method } = request;
    if (request.via.length === 0) return false;
    return this.#tables.servers.has(
      serverKey(request, method === 'ACK' || method === 'CANCEL' ? 'INVITE' : method),
    );
  }

  receive(message: SipMessage, flow: Flow, now: number): void {
    if (message.via.length === 0) return;
    if (message.kind === 'response') this.#receiveResponse(message, now);
    else this.#receiveRequest(stampReceived(message, flow), flow, now);
  }

  /** Adds our Via with a fresh branch, sends, and keeps sending as the timers say. */
  request(request: SipRequest, flow: Flow, now: number): ClientTransaction {
    const via = ownVia(flow, magicCookie + this.#newBranch(), this.#viaParams?.(flow));
    return this.#open(withVia(request, via), flow, now, false);
  }

  /**
   * Answers a request; an answer that the state no longer allows is ignored.
   *
   * To what is no INVITE, RFC 4320 §4.1 and §4.2: no provisional response but 100, no 408, and nothing that comes after
   * the peer has given up.
   */
  respond(transaction: ServerTransaction, response: SipResponse, now: number): void {
    const record = this.#own(transaction);
    const { status } = response;
    if (record.method !== 'INVITE') {
      if (status > 100 && status < 200) return;
      const late = now - record.at >= 64 * this.#T1;
      if ((status === 408 || late) && (record.state === 'trying' || record.state === 'proceeding'))
        return this.#core.forget(record);
    }
    let event = '1xx-from-tu';
    if (status >= 200) {
      if (record.method !== 'INVITE') event = '200-699-from-tu';
      else event = status < 300 ? '2xx-from-tu' : '300-699-from-tu';
    }
    if (record.machine[record.state]?.[event] === undefined) return;
    const tag = tagText(response.to);
    if (tag !== '') record.localTag = tag;
    const bytes = serializeMessage(response);
    // What stays for 64*T1 is copied: it lies in a pool that would be held as a whole.
    record.bytes = event === '200-699-from-tu' && !record.flow.reliable ? new Uint8Array(bytes) : bytes;
    // Whoever was refused may try our other addresses with the same request (RFC 3263 §4.3).
    if (status >= 300) this.#tables.unmerge(record);
    this.#core.step(record, event, now);
  }

  /**
   * Sends a final response once and forgets the request at once, RFC 3261 §26.3.2.4.
   *
   * For challenges and refusals of strangers over UDP: `respond` would send a failure to an INVITE up to eleven
   * times, to an address that may be forged. A repeated request comes up as a new one, an ACK as `ack`.
   */
  refuse(transaction: ServerTransaction, response: SipResponse): void {
    const record = this.#own(transaction);
    if (record.state !== 'trying' && record.state !== 'proceeding') return;
    this.#core.send(record.flow, serializeMessage(response));
    this.#core.forget(record);
  }

  /** Sends 100 Trying for an INVITE that has no answer yet (§17.2.1). */
  trying(transaction: ServerTransaction, now: number): void {
    const record = this.#own(transaction);
    if (record.method !== 'INVITE' || record.state !== 'proceeding' || record.bytes !== undefined) return;
    this.respond(record, makeResponse(record.request, 100, 'Trying'), now);
  }

  /**
   * Cancels an INVITE, RFC 3261 §9.1: at once when a provisional response came, else when it comes.
   *
   * The owner still gets the final response, or `timeout` when none came 64*T1 after the CANCEL. Nothing happens
   * to a transaction that has its final response. `headers` go into the CANCEL, e.g. Reason.
   */
  cancel(transaction: ClientTransaction, now: number, headers?: HeaderList): void {
    const record = this.#own(transaction);
    if (record.method !== 'INVITE' || record.cancelled) return;
    if (record.state !== 'calling' && record.state !== 'proceeding') return;
    record.cancelHeaders ??= headers ?? 'none';
    if (record.state === 'proceeding') this.#sendCancel(record, now);
  }

  /** Sends a request that no transaction stands behind, the ACK of a 2xx; the bytes can be sent again. */
  sendAck(request: SipRequest, flow: Flow): Uint8Array {
    const bytes = serializeMessage(withVia(request, ownVia(flow, magicCookie + this.#newBranch())));
    this.#core.send(flow, bytes);
    return bytes;
  }

  /** Sends bytes that were sent before. */
  resend(bytes: Uint8Array, flow: Flow): void {
    this.#core.send(flow, bytes);
  }

  /** A connection closed or an address proved unreachable: every transaction on it hears of it. */
  flowFailed(flowId: number, now: number): void {
    for (const transaction of this.#tables.onFlow(flowId))
      this.#core.step(transaction, 'transport-error', now);
  }

  handleTimeout(now: number): void {
    this.#core.handleTimeout(now);
  }

  /** When to call `handleTimeout`, Infinity when nothing runs. */
  nextTimeout(): number {
    return this.#core.nextTimeout();
  }

  poll(): TransactionOutput | undefined {
    return this.#core.poll();
  }

  #receiveResponse(response: SipResponse, now: number): void {
    const { method, number } = response.cseq;
    const branch = response.via[0]?.branch ?? '';
    const record = this.#tables.clients.get(method === 'CANCEL' ? `CANCEL ${branch}` : branch);
    // §17.1.3 asks for branch and CSeq method, §8.1.3.3 for a single Via; Call-ID and CSeq number keep strangers out.
    if (
      record === undefined ||
      response.via.length !== 1 ||
      record.method !== method ||
      record.callId !== response.callId ||
      record.cseq !== number
    ) {
      this.counters.strayResponses++;
      return;
    }
    const { status } = response;
    let event = '1xx';
    if (status >= 300) event = method === 'INVITE' ? '300-699' : '200-699';
    else if (status >= 200) event = method === 'INVITE' ? '2xx' : '200-699';
    const { state } = record;
    if (event === '300-699' && (state === 'calling' || state === 'proceeding')) {
      record.bytes = serializeMessage(ackOfFailure(record.request, response));
    }
    this.#core.step(record, event, now, response);
    if (record.cancelHeaders !== undefined && record.state === 'proceeding') this.#sendCancel(record, now);
  }

  #receiveRequest(request: SipRequest, flow: Flow, now: number): void {
    const { method } = request;
    if (method === 'CANCEL') {
      this.#receiveCancel(request, flow);
      return;
    }
    const key = serverKey(request, method === 'ACK' ? 'INVITE' : method);
    const known = this.#tables.servers.get(key);
    if (method === 'ACK') {
      // RFC 2543 has no unique branch: the ACK repeats the To tag of our response.
      if (known === undefined || (isOld(request) && known.localTag !== tagText(request.to)))
        this.#core.push({ kind: 'ack', request, flow });
      else this.#core.step(known, 'ack', now, request);
      return;
    }
    if (known !== undefined) {
      this.#core.step(known, 'request', now, request);
      return;
    }
    const toTag = tagText(request.to);
    const merged = toTag === '' ? mergedKey(request) : undefined;
    if (merged !== undefined && this.#tables.merged.has(merged)) {
      this.counters.mergedRequests++;
      this.#answer(request, flow, 482, 'Loop Detected', key);
      return;
    }
    if (this.#tables.servers.size >= this.#maxServer) {
      this.counters.refusedRequests++;
      const headers = new HeaderList().add('Retry-After', this.#retryAfter);
      this.#answer(request, flow, 503, 'Service Unavailable', key, headers);
      return;
    }
    const invite = method === 'INVITE';
    const record = new ServerRecord(
      ++this.#serial,
      invite ? inviteServer : nonInviteServer,
      request,
      flow,
      key,
      invite ? 'proceeding' : 'trying',
      merged,
      now,
    );
    this.#tables.add(record);
    if (!invite) this.#core.start(record, 'slow', now);
    this.#core.push({ kind: 'request', transaction: record, request });
  }

  /**
   * RFC 3261 §9.2. A CANCEL is answered without a transaction of its own: its repetition gets the same answer
   * again and means nothing new, so a flood of them costs no memory.
   */
  #receiveCancel(request: SipRequest, flow: Flow): void {
    const key = serverKey(request, 'INVITE');
    const record = this.#tables.servers.get(key);
    if (record === undefined) {
      this.counters.strayCancels++;
      this.#answer(request, flow, 481, 'Call/Transaction Does Not Exist', key);
      return;
    }
    record.localTag ??= this.#newBranch();
    this.#core.send(flow, serializeMessage(makeResponse(request, 200, 'OK', { toTag: record.localTag })));
    if (record.cancelled || record.state !== 'proceeding') return;
    record.cancelled = true;
    this.#core.push({ kind: 'cancelled', transaction: record, cancel: request });
  }

  #answer(
    request: SipRequest,
    flow: Flow,
    status: number,
    reason: string,
    key: string,
    headers?: HeaderList,
  ) {
    const toTag = tagText(request.to) === '' ? { toTag: statelessTag(key) } : {};
    const fields = headers === undefined ? toTag : { ...toTag, headers };
    this.#core.send(flow, serializeMessage(makeResponse(request, status, reason, fields)));
  }

  #open(request: SipRequest, flow: Flow, now: number, silent: boolean): ClientRecord {
    const { method } = request;
    const branch = request.via[0]?.branch ?? '';
    const invite = method === 'INVITE';
    const record = new ClientRecord(
      ++this.#serial,
      invite ? inviteClient : nonInviteClient,
      request,
      flow,
      method === 'CANCEL' ? `CANCEL ${branch}` : branch,
      invite ? 'calling' : 'trying',
      silent,
    );
    // A CANCEL only ever makes room, so it passes a full table.
    if (!silent && this.#tables.clients.size >= this.#maxClient) {
      record.state = 'terminated';
      this.#core.fail(record, 'overload');
      this.#core.push({ kind: 'terminated', transaction: record });
      return record;
    }
    this.#tables.add(record);
    const bytes = serializeMessage(request);
    if (!flow.reliable) record.bytes = bytes;
    this.#core.send(flow, bytes);
    this.#core.start(record, invite ? 'A' : 'E', now);
    this.#core.start(record, invite ? 'B' : 'F', now);
    return record;
  }

  #sendCancel(record: ClientRecord, now: number): void {
    if (record.cancelled) return;
    record.cancelled = true;
    const headers = record.cancelHeaders === 'none' ? undefined : record.cancelHeaders;
    record.cancelHeaders = undefined;
    this.#core.step(record, 'cancel-sent', now);
    this.#open(cancelOf(record.request, headers), record.flow, now, true);
  }

  #own<T extends ClientTransaction | ServerTransaction>(
    transaction: T,
  ): T extends ClientTransaction ? ClientRecord : ServerRecord {
    if (transaction instanceof ClientRecord || transaction instanceof ServerRecord)
      return transaction as never;
    throw new MisuseError('foreign-transaction', 'this object was not made by a transaction layer');
  }
}
