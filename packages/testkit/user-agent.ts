import { Dialog, requestDialogKey } from '@ringfence/sip/dialog/dialog.ts';
import { retryDelay } from '@ringfence/sip/dialog/glare.ts';
import { Uac2xx } from '@ringfence/sip/dialog/invite-uac.ts';
import { Uas2xx } from '@ringfence/sip/dialog/invite-uas.ts';
import { makeRequest, makeResponse, tagOf } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { parseMessage } from '@ringfence/sip/message/parse.ts';
import type { NameAddr, SipRequest, SipResponse } from '@ringfence/sip/message/types.ts';
import { sipUri } from '@ringfence/sip/message/uri.ts';
import { TransactionLayer, type TransactionOptions } from '@ringfence/sip/transaction/layer.ts';
import type { ClientTransaction, ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import { AgentCall } from './agent-call.ts';
import type { SeededRandom } from './random.ts';

/** What a client transaction of a user agent is about. */
interface Sent {
  readonly call: AgentCall;
  readonly purpose: 'invite' | 'reinvite' | 'bye';
  readonly request: SipRequest;
  acks?: Uac2xx;
}

export interface AgentOptions {
  readonly name: string;
  readonly flow: Flow;
  readonly random: SeededRandom;
  readonly transactions?: Partial<TransactionOptions>;
  /** Milliseconds until an unanswered INVITE is cancelled, twice that until it is refused. Default 120,000. */
  readonly patience?: number;
}

/** A small user agent made of nothing but the protocol packages: places and takes calls in virtual time. */
export class UserAgent {
  readonly layer: TransactionLayer;
  readonly calls = new Map<string, AgentCall>();
  /** Calls that are over, in the order of their end. */
  readonly over: AgentCall[] = [];
  /** Puts bytes on the link. */
  send: (bytes: Uint8Array) => void = () => {};
  /** Told of a call that comes in; it may answer, ring or reject at once or later. */
  onInvite: (call: AgentCall, now: number) => void = (call, now) => this.answer(call, now);
  /** Told when a call is up on this side. */
  onAnswered: (call: AgentCall, now: number) => void = () => {};
  readonly #flow: Flow;
  readonly #random: SeededRandom;
  readonly #name: string;
  readonly #patience: number;

  constructor(options: AgentOptions) {
    this.#flow = options.flow;
    this.#random = options.random;
    this.#name = options.name;
    this.#patience = options.patience ?? 120_000;
    this.layer = new TransactionLayer({
      newBranch: () => this.#random.token(),
      ...options.transactions,
    });
  }

  /** Nothing is going on any more. */
  get idle(): boolean {
    const { server, client } = this.layer.size;
    return server + client + this.layer.timers + this.calls.size === 0;
  }

  receive(bytes: Uint8Array, now: number): void {
    const parsed = parseMessage(bytes);
    if (!parsed.ok) throw new Error(`an own message does not parse: ${parsed.error.detail}`);
    this.layer.receive(parsed.value, this.#flow, now);
    this.#drain(now);
  }

  invite(user: string, now: number): AgentCall {
    const call = new AgentCall(`${this.#random.token()}@${this.#name}`, true);
    const to: NameAddr = { uri: sipUri({ user, host: this.#flow.remote.address }), params: new Map() };
    const request = makeRequest({
      method: 'INVITE',
      uri: to.uri,
      from: this.#self(),
      to,
      callId: call.callId,
      cseq: 1,
      headers: new HeaderList().add('Contact', this.#contact()),
    });
    this.calls.set(call.callId, call);
    call.giveUpAt = now + this.#patience;
    call.turn.sent();
    call.inviteRequest = request;
    call.invite = this.#request({ call, purpose: 'invite', request }, now);
    this.#drain(now);
    return call;
  }

  cancel(call: AgentCall, now: number): void {
    call.wantsEnd = true;
    if (call.invite?.kind === 'client') this.layer.cancel(call.invite, now);
    this.#drain(now);
  }

  ring(call: AgentCall, now: number): void {
    this.#respondInvite(call, 180, now);
  }

  answer(call: AgentCall, now: number): void {
    this.#respondInvite(call, 200, now);
  }

  reject(call: AgentCall, status: number, now: number): void {
    this.#respondInvite(call, status, now);
  }

  bye(call: AgentCall, now: number, cause = 'bye-sent'): void {
    if (call.state !== 'answered' || call.dialog === undefined) return;
    call.state = 'ending';
    call.cause = cause;
    call.retryAt = Number.POSITIVE_INFINITY;
    for (const waiting of call.pending.values()) waiting.machine.acknowledged();
    call.pending.clear();
    this.#request({ call, purpose: 'bye', request: call.dialog.request('BYE') }, now);
    this.#drain(now);
  }

  /** Starts a re-INVITE; where another is under way, or a 2xx is still without ACK, it is left out. */
  reinvite(call: AgentCall, now: number): void {
    if (call.pending.size > 0) return;
    if (call.state !== 'answered' || call.dialog === undefined || !call.turn.free) return;
    call.turn.sent();
    const request = call.dialog.request('INVITE', { contact: this.#contact() });
    this.#request({ call, purpose: 'reinvite', request }, now);
    this.#drain(now);
  }

  nextTimeout(): number {
    let next = this.layer.nextTimeout();
    for (const call of this.calls.values()) {
      next = Math.min(next, call.retryAt, call.giveUpAt);
      for (const waiting of call.pending.values()) next = Math.min(next, waiting.machine.nextTimeout());
    }
    return next;
  }

  handleTimeout(now: number): void {
    this.layer.handleTimeout(now);
    this.#drain(now);
    for (const call of [...this.calls.values()]) {
      if (call.giveUpAt <= now) {
        call.giveUpAt = Number.POSITIVE_INFINITY;
        if (call.outgoing) this.cancel(call, now);
        else this.reject(call, 480, now);
      }
      if (call.retryAt <= now) {
        call.retryAt = Number.POSITIVE_INFINITY;
        this.reinvite(call, now);
      }
      for (const waiting of [...call.pending.values()]) {
        waiting.machine.handleTimeout(now);
        const output = waiting.machine.poll();
        if (output === 'repeat') this.layer.respond(waiting.transaction, waiting.response, now);
        else if (output === 'gave-up') this.bye(call, now, 'no-ack');
      }
    }
    this.#drain(now);
  }

  #self(): NameAddr {
    const uri = sipUri({ user: this.#name, host: this.#flow.local.address });
    return { uri, params: new Map([['tag', this.#random.token()]]) };
  }

  #contact(): string {
    return `<sip:${this.#name}@${this.#flow.sentBy}>`;
  }

  #request(sent: Sent, now: number): ClientTransaction {
    const transaction = this.layer.request(sent.request, this.#flow, now);
    transaction.context = sent;
    return transaction;
  }

  #drain(now: number): void {
    for (let output = this.layer.poll(); output !== undefined; output = this.layer.poll()) {
      switch (output.kind) {
        case 'send':
          this.send(output.bytes);
          break;
        case 'request':
          this.#received(output.transaction, output.request, now);
          break;
        case 'ack':
          this.#acknowledged(output.request);
          break;
        case 'cancelled': {
          const call = output.transaction.context as AgentCall;
          if (call.state === 'ringing' || call.state === 'inviting') this.reject(call, 487, now);
          break;
        }
        case 'response':
          this.#answered(output.transaction, output.response, now);
          break;
        case 'timeout':
        case 'failed':
          if (output.transaction.kind === 'client') this.#unanswered(output.transaction.context as Sent, now);
          break;
        case 'terminated':
          break;
      }
    }
  }

  #received(transaction: ServerTransaction, request: SipRequest, now: number): void {
    const inDialog = requestDialogKey(request) !== undefined;
    const call = this.calls.get(request.callId);
    if (!inDialog && request.method === 'INVITE') {
      this.#receivedInvite(transaction, request, now);
    } else if (call?.dialog === undefined || requestDialogKey(request) !== call.dialog.key) {
      this.layer.respond(transaction, makeResponse(request, 481), now);
    } else {
      const verdict = call.dialog.receive(request);
      if (!verdict.ok) this.layer.respond(transaction, makeResponse(request, verdict.status), now);
      else if (request.method === 'BYE') this.#receivedBye(call, transaction, request, now);
      else this.#receivedReinvite(call, transaction, request, now);
    }
  }

  #receivedInvite(transaction: ServerTransaction, request: SipRequest, now: number): void {
    const call = new AgentCall(request.callId, false);
    transaction.context = call;
    call.invite = transaction;
    call.inviteRequest = request;
    call.giveUpAt = now + 2 * this.#patience;
    this.calls.set(call.callId, call);
    this.layer.trying(transaction, now);
    this.onInvite(call, now);
  }

  #receivedBye(call: AgentCall, transaction: ServerTransaction, request: SipRequest, now: number): void {
    this.layer.respond(transaction, makeResponse(request, 200), now);
    if (call.state === 'ringing') this.reject(call, 487, now);
    // Where BYEs cross, the answer to our own ends the call (§15).
    if (call.state === 'answered') this.#end(call, 'bye-received');
  }

  #receivedReinvite(call: AgentCall, transaction: ServerTransaction, request: SipRequest, now: number): void {
    const verdict = call.state === 'answered' ? call.turn.receive(() => this.#random.next()) : undefined;
    if (verdict === undefined || !verdict.ok) {
      this.layer.respond(transaction, makeResponse(request, verdict?.status ?? 481), now);
      return;
    }
    call.dialog?.refreshTarget(request);
    this.#accept(call, transaction, request, now);
    call.turn.receivedDone();
    call.renegotiated.received++;
  }

  #accept(call: AgentCall, transaction: ServerTransaction, request: SipRequest, now: number): SipResponse {
    const headers = new HeaderList().add('Contact', this.#contact());
    const toTag = call.dialog?.localTag ?? transaction.localTag ?? this.#random.token();
    const response = makeResponse(request, 200, undefined, { toTag, headers });
    this.layer.respond(transaction, response, now);
    call.pending.set(request.cseq.number, { transaction, response, machine: new Uas2xx(now) });
    return response;
  }

  #respondInvite(call: AgentCall, status: number, now: number): void {
    const { invite, inviteRequest } = call;
    if (invite?.kind !== 'server' || inviteRequest === undefined) return;
    if (call.state !== 'inviting' && call.state !== 'ringing') return;
    if (status >= 200 && status < 300) {
      const response = this.#accept(call, invite, inviteRequest, now);
      if (call.dialog === undefined) call.dialog = Dialog.uas(inviteRequest, response);
      else call.dialog.confirm(response);
      call.state = 'answered';
      call.answered = true;
      call.giveUpAt = Number.POSITIVE_INFINITY;
      this.onAnswered(call, now);
    } else {
      const toTag = call.dialog?.localTag ?? invite.localTag ?? this.#random.token();
      const headers = new HeaderList().add('Contact', this.#contact());
      const response = makeResponse(inviteRequest, status, undefined, { toTag, headers });
      this.layer.respond(invite, response, now);
      if (status >= 300) this.#end(call, String(status));
      else {
        call.dialog ??= Dialog.uas(inviteRequest, response);
        call.state = 'ringing';
      }
    }
    this.#drain(now);
  }

  #acknowledged(request: SipRequest): void {
    const call = this.calls.get(request.callId);
    const waiting = call?.pending.get(request.cseq.number);
    if (call === undefined || waiting === undefined) return;
    waiting.machine.acknowledged();
    call.pending.delete(request.cseq.number);
    call.acknowledged = true;
  }

  #answered(transaction: ClientTransaction, response: SipResponse, now: number): void {
    const sent = transaction.context as Sent;
    const { call, purpose, request } = sent;
    const { status } = response;
    if (purpose === 'bye') {
      if (status >= 200) this.#end(call, call.cause);
      return;
    }
    if (status < 200) {
      if (status > 100 && purpose === 'invite' && tagOf(response.to) !== undefined) {
        call.dialog ??= Dialog.uac(request, response);
        if (call.state === 'inviting') call.state = 'ringing';
      }
      return;
    }
    if (status < 300) this.#accepted(sent, response, now);
    else {
      call.turn.sentDone();
      if (purpose === 'invite') this.#end(call, String(status));
      else if (status === 491) {
        call.glares++;
        call.retryAt = now + retryDelay(call.outgoing, () => this.#random.next());
      } else if (status === 481 || status === 408) this.bye(call, now, String(status));
    }
  }

  #accepted(sent: Sent, response: SipResponse, now: number): void {
    const { call, purpose, request } = sent;
    const tag = tagOf(response.to) ?? '';
    const again = sent.acks?.ackFor(tag);
    if (again !== undefined) {
      this.layer.resend(again, this.#flow);
      return;
    }
    if (call.dialog === undefined) call.dialog = Dialog.uac(request, response);
    else if (purpose === 'invite') call.dialog.confirm(response);
    else call.dialog.refreshTarget(response);
    sent.acks ??= new Uac2xx(now);
    sent.acks.remember(tag, this.layer.sendAck(call.dialog.ack(request.cseq.number), this.#flow));
    call.turn.sentDone();
    if (purpose === 'reinvite') {
      call.renegotiated.sent++;
      return;
    }
    call.giveUpAt = Number.POSITIVE_INFINITY;
    call.state = 'answered';
    call.answered = true;
    call.acknowledged = true;
    // The CANCEL came too late (§9.1): the call is up and has to be ended as such.
    if (call.wantsEnd) this.bye(call, now, 'cancel-lost');
    else this.onAnswered(call, now);
  }

  #unanswered(sent: Sent, now: number): void {
    const { call, purpose } = sent;
    if (purpose === 'reinvite') {
      call.turn.sentDone();
      this.bye(call, now, 'timeout');
    } else this.#end(call, purpose === 'bye' ? call.cause : 'timeout');
  }

  #end(call: AgentCall, cause: string): void {
    if (call.state === 'ended') return;
    call.state = 'ended';
    call.cause = cause;
    call.dialog?.terminate();
    call.pending.clear();
    this.calls.delete(call.callId);
    this.over.push(call);
  }
}
