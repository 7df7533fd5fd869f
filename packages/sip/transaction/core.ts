import { makeResponse } from '../message/build.ts';
import { serializeMessage } from '../message/serialize.ts';
import type { SipMessage, SipRequest, SipResponse } from '../message/types.ts';
import type { Flow } from '../transport/flow.ts';
import type { Action } from './machine.ts';
import type { ClientRecord, ServerRecord, Transaction } from './record.ts';
import { TimerQueue } from './timer-queue.ts';
import { type TimerName, type TimerValues, timerTable } from './timers.ts';
import type { TransactionFailure, TransactionOutput } from './transaction.ts';

/**
 * Runs the machines: takes a transition, does its actions, keeps its timers, queues what came of it.
 *
 * It knows neither tables nor matching; `ended` tells the owner when a transaction is over.
 */
export class TransactionCore {
  readonly #values: TimerValues;
  readonly #ended: (transaction: Transaction) => void;
  readonly #timers = new TimerQueue<Transaction>();
  #outputs: TransactionOutput[] = [];
  #head = 0;
  /** Transactions whose last word the owner has still to read before their requests are let go. */
  #closing: Transaction[] = [];

  constructor(values: TimerValues, ended: (transaction: Transaction) => void) {
    this.#values = values;
    this.#ended = ended;
  }

  /** Timers that run, for tests and metrics. */
  get timers(): number {
    return this.#timers.size;
  }

  /** Takes the transition for `event`; false where the figure has none. */
  step(transaction: Transaction, event: string, now: number, message?: SipMessage): boolean {
    const transition = transaction.machine[transaction.state]?.[event];
    if (transition === undefined) return false;
    const from = transaction.state;
    const to = transition.to;
    transaction.state = to as never;
    if (transition.do !== undefined) {
      for (const action of transition.do) this.#act(transaction, action, message);
    }
    if (transition.stop !== undefined) for (const timer of transition.stop) this.stop(transaction, timer);
    if (to !== from && to !== 'proceeding') this.#finished(transaction, to);
    if (transition.start !== undefined) {
      for (const timer of transition.start) this.start(transaction, timer, now);
    }
    return true;
  }

  /** Ends a transaction outside its figure. */
  forget(transaction: Transaction): void {
    transaction.state = 'terminated';
    this.#finished(transaction, 'terminated');
  }

  start(transaction: Transaction, name: TimerName, now: number): void {
    const row = timerTable[name];
    const node = row.role === 'end' ? transaction.end : transaction.retransmit;
    const previous = row.role === 'end' ? 0 : node.interval;
    const interval = row.interval(this.#values, transaction.flow.reliable, previous);
    if (interval === 0) this.step(transaction, row.event, now);
    else if (interval !== Number.POSITIVE_INFINITY) {
      transaction.endEvent = row.role === 'end' ? row.event : transaction.endEvent;
      transaction.retransmitEvent = row.role === 'end' ? transaction.retransmitEvent : row.event;
      this.#timers.start(node, interval, now);
    }
  }

  stop(transaction: Transaction, name: TimerName): void {
    const end = timerTable[name].role === 'end';
    this.#timers.stop(end ? transaction.end : transaction.retransmit);
  }

  handleTimeout(now: number): void {
    for (let node = this.#timers.expire(now); node !== undefined; node = this.#timers.expire(now)) {
      const transaction = node.owner;
      const event = node === transaction.end ? transaction.endEvent : transaction.retransmitEvent;
      this.step(transaction, event, now);
    }
  }

  nextTimeout(): number {
    return this.#timers.nextTimeout();
  }

  send(flow: Flow, bytes: Uint8Array): void {
    this.#outputs.push({ kind: 'send', flow, bytes });
  }

  push(output: TransactionOutput): void {
    this.#outputs.push(output);
  }

  fail(transaction: Transaction, reason: TransactionFailure): void {
    if (!transaction.silent) this.#outputs.push({ kind: 'failed', transaction, reason });
  }

  poll(): TransactionOutput | undefined {
    const output = this.#outputs[this.#head];
    if (output !== undefined) {
      this.#head++;
      return output;
    }
    if (this.#head > 0) {
      // A burst must not leave its array behind.
      if (this.#head > 1024) this.#outputs = [];
      else this.#outputs.length = 0;
      this.#head = 0;
    }
    if (this.#closing.length > 0) {
      for (const transaction of this.#closing) {
        const forks = transaction.kind === 'client' && transaction.state === 'accepted';
        transaction.release(forks ? 'body' : 'request');
        // Nothing is told to its owner any more, who must not be held for as long as repetitions are absorbed.
        if (!forks && transaction.kind === 'client') transaction.context = undefined;
      }
      this.#closing = [];
    }
    return undefined;
  }

  #act(transaction: Transaction, action: Action, message: SipMessage | undefined): void {
    switch (action) {
      case 'send':
      case 'send-ack':
        if (transaction.bytes !== undefined) this.send(transaction.flow, transaction.bytes);
        break;
      case 'send-trying':
        transaction.bytes = serializeMessage(makeResponse(transaction.request, 100, 'Trying'));
        this.send(transaction.flow, transaction.bytes);
        break;
      case 'response-to-tu':
        if (!transaction.silent) {
          const response = message as SipResponse;
          this.#outputs.push({ kind: 'response', transaction: transaction as ClientRecord, response });
        }
        break;
      case 'request-to-tu': {
        const request = message as SipRequest;
        this.#outputs.push({ kind: 'request', transaction: transaction as ServerRecord, request });
        break;
      }
      case 'ack-to-tu':
        this.#outputs.push({ kind: 'ack', request: message as SipRequest, flow: transaction.flow });
        break;
      case 'timeout-to-tu':
        if (!transaction.silent) this.#outputs.push({ kind: 'timeout', transaction });
        break;
      case 'failure-to-tu':
        this.fail(transaction, 'transport');
        break;
    }
  }

  /** Entering a state that follows the final answer; `terminated` also leaves the tables. */
  #finished(transaction: Transaction, to: string): void {
    if (to === 'terminated') {
      this.#timers.stop(transaction.retransmit);
      this.#timers.stop(transaction.end);
      this.#ended(transaction);
      if (!transaction.silent) this.#outputs.push({ kind: 'terminated', transaction });
    } else if (transaction.kind === 'client') {
      // The request will not be sent again; the ACK of a failure took its place already.
      if (to !== 'completed' || transaction.method !== 'INVITE') transaction.bytes = undefined;
    } else if (to !== 'completed') {
      // Accepted and Confirmed answer nothing any more (RFC 6026 §7.1); 2xx are repeated by their owner.
      transaction.bytes = undefined;
    }
    this.#closing.push(transaction);
  }
}
