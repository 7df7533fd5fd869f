import type { Socket } from 'node:net';
import type { Admission } from '../admission/admission.ts';
import type { EdgeEvent } from '../events/types.ts';
import type { Connection, ConnectionHost } from './connection.ts';
import type { TransportEvents } from './contract.ts';
import { type StreamFacts, StreamFlow } from './stream.ts';

const sweepMilliseconds = 1000;

export interface StreamsOptions {
  readonly admission: Admission;
  readonly events: TransportEvents;
  readonly emit: (event: EdgeEvent) => void;
  readonly clock: () => number;
}

/** All live connections, whoever opened them. */
export class Streams implements ConnectionHost {
  readonly admission: Admission;
  readonly clock: () => number;
  readonly #options: StreamsOptions;
  readonly #flows = new Map<number, Connection>();
  readonly #sweeper: NodeJS.Timeout;

  constructor(options: StreamsOptions) {
    this.#options = options;
    this.admission = options.admission;
    this.clock = options.clock;
    this.#sweeper = setInterval(() => this.sweep(), sweepMilliseconds).unref();
  }

  get size(): number {
    return this.#flows.size;
  }

  flow(id: number): Connection | undefined {
    return this.#flows.get(id);
  }

  adopt(facts: StreamFacts, socket: Socket): StreamFlow {
    const flow = new StreamFlow(facts, socket, this);
    this.add(flow);
    return flow;
  }

  add(flow: Connection): void {
    this.#flows.set(flow.id, flow);
    this.#options.emit({
      type: 'flow.opened',
      flow: flow.id,
      listener: flow.listener,
      source: flow.remote.address,
      transport: flow.transport,
      ...(flow.tls === undefined ? {} : { tls: flow.tls.version }),
      ...(flow.tls?.group === undefined ? {} : { group: flow.tls.group }),
    });
  }

  message(flow: Connection, bytes: Uint8Array, now: number): void {
    this.#options.events.message(flow, bytes, now);
  }

  ended(flow: Connection, reason: string): void {
    if (!this.#flows.delete(flow.id)) return;
    this.#options.emit({ type: 'flow.closed', flow: flow.id, source: flow.remote.address, reason });
    this.#options.events.closed(flow, reason);
  }

  /** One timer for all connections: cheaper than one each, and a second early or late does not matter. */
  sweep(): void {
    const now = this.clock();
    for (const flow of this.#flows.values()) flow.check(now);
  }

  close(reason: string): void {
    clearInterval(this.#sweeper);
    for (const flow of [...this.#flows.values()]) flow.close(reason);
  }
}
