import type { PackedAddress } from '@ringfence/datagram/socket.ts';
import type { Flow, SocketAddress } from '@ringfence/sip/transport/flow.ts';

/** What a UDP flow is sent with. */
export interface DatagramSender {
  /** Undefined where the address is not a numeric one. */
  pack(remote: SocketAddress): PackedAddress | undefined;
  sendTo(remote: PackedAddress, bytes: Uint8Array): boolean;
}

/** One local socket and one remote address. Never closed; forgotten when not used for long, unless kept. */
export class UdpFlow implements Flow {
  readonly transport = 'udp';
  readonly reliable = false;
  readonly id: number;
  readonly local: SocketAddress;
  readonly remote: SocketAddress;
  readonly sentBy: string;
  readonly listener: string;
  /** When a keepalive was answered last. */
  answeredAt = Number.NEGATIVE_INFINITY;
  readonly #sender: DatagramSender;
  #packed: PackedAddress | undefined;

  constructor(facts: Pick<Flow, 'id' | 'local' | 'remote' | 'sentBy' | 'listener'>, sender: DatagramSender) {
    this.id = facts.id;
    this.local = facts.local;
    this.remote = facts.remote;
    this.sentBy = facts.sentBy;
    this.listener = facts.listener;
    this.#sender = sender;
  }

  send(bytes: Uint8Array): boolean {
    this.#packed ??= this.#sender.pack(this.remote);
    return this.#packed !== undefined && this.#sender.sendTo(this.#packed, bytes);
  }
}

interface Generation {
  readonly byAddress: Map<string, UdpFlow | Map<number, UdpFlow>>;
  readonly byId: Map<number, UdpFlow>;
}

const empty = (): Generation => ({ byAddress: new Map(), byId: new Map() });

/**
 * The flows of one UDP socket, found by remote address without building a key.
 *
 * Bounded to two generations of `limit` flows: when the younger is full it becomes the older, and what has not been
 * used for a whole generation is forgotten. A forgotten flow object can still be sent over; only its id and its
 * identity with later packets are gone. Kept flows (those with a registration) are never forgotten.
 */
export class UdpFlows {
  readonly #limit: number;
  readonly #make: (remote: SocketAddress) => UdpFlow;
  #young = empty();
  #old = empty();
  readonly #kept = empty();
  #last: UdpFlow | undefined;

  constructor(make: (remote: SocketAddress) => UdpFlow, limit = 16_384) {
    this.#make = make;
    this.#limit = limit;
  }

  get size(): number {
    return this.#young.byId.size + this.#old.byId.size + this.#kept.byId.size;
  }

  get(address: string, port: number): UdpFlow {
    const last = this.#last;
    if (last !== undefined && last.remote.port === port && last.remote.address === address) return last;
    const flow =
      find(this.#young, address, port) ?? find(this.#kept, address, port) ?? this.#fromOld(address, port);
    this.#last = flow;
    return flow;
  }

  byId(id: number): UdpFlow | undefined {
    return this.#young.byId.get(id) ?? this.#old.byId.get(id) ?? this.#kept.byId.get(id);
  }

  /** The flow from there, if it has a registration. */
  kept(address: string, port: number): UdpFlow | undefined {
    return find(this.#kept, address, port);
  }

  /** False where there is no such flow. */
  keep(id: number, keep: boolean): boolean {
    const flow = this.byId(id);
    if (flow === undefined) return false;
    if (keep) {
      remove(this.#young, flow);
      remove(this.#old, flow);
      add(this.#kept, flow);
    } else if (remove(this.#kept, flow)) this.#addYoung(flow);
    return true;
  }

  #fromOld(address: string, port: number): UdpFlow {
    const known = find(this.#old, address, port);
    if (known !== undefined) remove(this.#old, known);
    const flow = known ?? this.#make({ address, port });
    this.#addYoung(flow);
    return flow;
  }

  #addYoung(flow: UdpFlow): void {
    if (this.#young.byId.size >= this.#limit) {
      this.#old = this.#young;
      this.#young = empty();
    }
    add(this.#young, flow);
  }
}

const find = (generation: Generation, address: string, port: number): UdpFlow | undefined => {
  const entry = generation.byAddress.get(address);
  if (entry === undefined) return undefined;
  if (entry instanceof Map) return entry.get(port);
  return entry.remote.port === port ? entry : undefined;
};

const add = (generation: Generation, flow: UdpFlow): void => {
  const { address, port } = flow.remote;
  generation.byId.set(flow.id, flow);
  const entry = generation.byAddress.get(address);
  if (entry === undefined) generation.byAddress.set(address, flow);
  else if (entry instanceof Map) entry.set(port, flow);
  else if (entry !== flow)
    generation.byAddress.set(
      address,
      new Map([
        [entry.remote.port, entry],
        [port, flow],
      ]),
    );
};

const remove = (generation: Generation, flow: UdpFlow): boolean => {
  if (!generation.byId.delete(flow.id)) return false;
  const { address, port } = flow.remote;
  const entry = generation.byAddress.get(address);
  if (entry instanceof Map) {
    entry.delete(port);
    if (entry.size === 0) generation.byAddress.delete(address);
  } else generation.byAddress.delete(address);
  return true;
};
