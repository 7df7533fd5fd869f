import { err, ok, type Result } from '@ringfence/bytes/result.ts';
import {
  type Flow,
  isEncrypted,
  type SocketAddress,
  type TlsFacts,
  type Transport,
} from '@ringfence/sip/transport/flow.ts';
import type { SeededRandom } from '@ringfence/testkit/random.ts';
import type { VirtualTime } from '@ringfence/testkit/virtual-time.ts';
import type { ListenerState, OutboundTarget, Transports } from '../transport/contract.ts';

/** Somebody who talks with the edge; `flow` is theirs, seen from their end. */
export interface Peer {
  receive(bytes: Uint8Array, flow: Flow): void;
}

/** One message that went over the network. */
export interface Sent {
  readonly at: number;
  /** The edge sent it. */
  readonly out: boolean;
  readonly flow: Flow;
  readonly text: string;
}

export interface Weather {
  /** Probability that a datagram is lost, or arrives twice. */
  readonly loss: number;
  readonly duplicates: number;
  /** Milliseconds. */
  readonly delay: number;
}

interface Line {
  readonly edge: Flow;
  readonly far: Flow;
  readonly peer: Peer;
  open: boolean;
}

export const listenerAddress: SocketAddress = { address: '198.51.100.1', port: 5060 };

/** A network in virtual time between one edge and its peers. Streams lose nothing and keep their order. */
export class Network implements Transports {
  readonly log: Sent[] = [];
  readonly listeners: readonly ListenerState[] = [];
  weather: Weather = { loss: 0, duplicates: 0, delay: 1 };
  /** Milliseconds that a connection of the edge takes. */
  connecting = 1;
  /** Told of what arrives at the edge. */
  deliver: (flow: Flow, bytes: Uint8Array, now: number) => void = () => {};
  onClosed: (flow: Flow) => void = () => {};
  readonly kept = new Set<number>();
  /** Names by which peers have asked to be reached over their connections. */
  readonly aliases: string[] = [];
  /** Seconds of silence that kept flows are allowed, where that is bounded. */
  readonly silence = new Map<number, number>();
  readonly #time: VirtualTime;
  readonly #random: SeededRandom;
  readonly #lines = new Map<number, Line>();
  readonly #acceptors = new Map<string, { readonly peer: Peer; readonly tls?: TlsFacts }>();
  #ids = 0;

  constructor(time: VirtualTime, random: SeededRandom) {
    this.#time = time;
    this.#random = random;
  }

  /** A peer opens a flow to the edge; gives its own end. */
  open(
    peer: Peer,
    transport: Transport,
    remote: SocketAddress,
    options: { readonly listener?: string; readonly tls?: Partial<TlsFacts> } = {},
  ): Flow {
    const known = [...this.#lines.values()].find(
      ({ edge, open }) => open && edge.transport === transport && same(edge.remote, remote),
    );
    return (known ?? this.#line(peer, transport, remote, options.listener, options.tls)).far;
  }

  /** A peer waits for connections and datagrams of the edge. */
  listen(peer: Peer, transport: Transport, at: SocketAddress, tls?: TlsFacts): void {
    this.#acceptors.set(key(transport, at), tls === undefined ? { peer } : { peer, tls });
  }

  unlisten(transport: Transport, at: SocketAddress): void {
    this.#acceptors.delete(key(transport, at));
  }

  /** A peer sends over its end. */
  toEdge(far: Flow, bytes: Uint8Array): void {
    const line = this.#lines.get(far.id);
    if (line === undefined) return;
    this.#carry(line, bytes, false, (copy) => this.deliver(line.edge, copy, this.#time.now));
  }

  /** Breaks a connection; both ends hear of it. */
  break(far: Flow): void {
    const line = this.#lines.get(far.id);
    if (line === undefined || !line.open) return;
    line.open = false;
    this.onClosed(line.edge);
  }

  connect(target: OutboundTarget): Promise<Result<Flow, { code: string; detail: string }>> {
    const { transport, address, port } = target;
    for (const { edge, open } of this.#lines.values())
      if (open && edge.transport === transport && same(edge.remote, target)) return Promise.resolve(ok(edge));
    const acceptor = this.#acceptors.get(key(transport, target));
    return new Promise((resolve) => {
      this.#time.after(this.connecting, () => {
        if (acceptor === undefined) resolve(err({ code: 'refused', detail: 'nobody listens' }));
        else
          resolve(ok(this.#line(acceptor.peer, transport, { address, port }, 'phones', acceptor.tls).edge));
      });
    });
  }

  udpFlow(address: string, port: number): Flow {
    const remote = { address, port };
    for (const { edge } of this.#lines.values())
      if (edge.transport === 'udp' && same(edge.remote, remote)) return edge;
    const silent: Peer = { receive: () => undefined };
    return this.#line(this.#acceptors.get(key('udp', remote))?.peer ?? silent, 'udp', remote).edge;
  }

  flow(id: number): Flow | undefined {
    const line = this.#lines.get(id);
    return line?.open === true ? line.edge : undefined;
  }

  send(flow: Flow, bytes: Uint8Array): boolean {
    const line = this.#lines.get(flow.id);
    if (line === undefined || !line.open) return false;
    this.#carry(line, bytes, true, (copy) => line.peer.receive(copy, line.far));
    return true;
  }

  keep(flowId: number, keep: boolean, silenceSeconds?: number): void {
    if (silenceSeconds !== undefined) this.silence.set(flowId, silenceSeconds);
    if (keep) this.kept.add(flowId);
    else this.kept.delete(flowId);
  }

  drop(flowId: number): void {
    const line = this.#lines.get(flowId);
    if (line?.edge.reliable === true) this.break(line.far);
  }

  backlog(): number {
    return 0;
  }

  alias(_flow: Flow, host: string, port: number): boolean {
    this.aliases.push(`${host}:${port}`);
    return true;
  }

  reloadCertificates(): Promise<void> {
    return Promise.resolve();
  }

  handOver(): readonly [] {
    return [];
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #carry(line: Line, bytes: Uint8Array, out: boolean, arrive: (copy: Uint8Array) => void): void {
    this.log.push({ at: this.#time.now, out, flow: line.edge, text: Buffer.from(bytes).toString('latin1') });
    const copy = bytes.slice();
    const { loss, duplicates, delay } = this.weather;
    if (line.edge.reliable) {
      this.#time.after(delay, () => {
        if (line.open) arrive(copy);
      });
      return;
    }
    if (this.#random.chance(loss)) return;
    this.#time.after(delay, () => arrive(copy));
    if (this.#random.chance(duplicates)) this.#time.after(delay * 3, () => arrive(copy));
  }

  #line(
    peer: Peer,
    transport: Transport,
    remote: SocketAddress,
    listener: string = isEncrypted(transport) ? 'phones' : 'inside',
    facts: Partial<TlsFacts> = {},
  ): Line {
    this.#ids += 1;
    const local = { ...listenerAddress, port: isEncrypted(transport) ? 5061 : 5060 };
    const common = { id: this.#ids, transport, reliable: transport !== 'udp', listener };
    const tls = { version: 'TLSv1.3', cipher: 'TLS_AES_256_GCM_SHA384', group: 'X25519MLKEM768', ...facts };
    const edge: Flow = {
      ...common,
      local,
      remote,
      sentBy: `${local.address}:${local.port}`,
      ...(isEncrypted(transport) ? { tls } : {}),
    };
    // Browsers know no address of their own (RFC 7118 §5.1).
    const web = transport === 'ws' || transport === 'wss';
    const sentBy = web ? `${common.id}.invalid` : `${remote.address}:${remote.port}`;
    const far: Flow = { ...common, local: remote, remote: local, sentBy };
    const line = { edge, far, peer, open: true };
    this.#lines.set(common.id, line);
    return line;
  }
}

const same = (a: SocketAddress, b: SocketAddress): boolean => a.address === b.address && a.port === b.port;
const key = (transport: Transport, { address, port }: SocketAddress): string =>
  `${transport} ${address} ${port}`;
