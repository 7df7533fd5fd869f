import { DatagramSocket, type PackedAddress, packAddress } from '@ringfence/datagram/socket.ts';
import type { SocketAddress } from '@ringfence/sip/transport/flow.ts';
import type { Admission } from '../admission/admission.ts';
import { isBlank } from '../admission/first-look.ts';
import type { Sender } from '../admission/sender.ts';
import type { Listener } from '../config/schema.ts';
import type { ListenerState, TransportEvents } from './contract.ts';
import type { LocalAddresses } from './local-address.ts';
import { isWildcard, sentBy } from './sent-by.ts';
import { answerBinding, isBindingRequest } from './stun.ts';
import { type DatagramSender, UdpFlow, UdpFlows } from './udp-flows.ts';

const bufferBytes = 4 << 20;

/** What is not SIP is looked at, for whom to hold it against, no more often than this. */
const junkPerSecond = 500;
/** Between two answers to keepalives on one flow; a lost one is repeated after 500 ms (RFC 8489 §6.2.1). */
const stunMilliseconds = 100;

export interface UdpOptions {
  readonly admission: Admission;
  readonly events: TransportEvents;
  readonly clock: () => number;
  readonly nextId: () => number;
  readonly localAddresses: LocalAddresses;
  /** The socket failed. Datagrams that the system refuses to send are lost silently, as any other. */
  readonly trouble: (listener: string, error: Error) => void;
  /** Bound by the program whose place this one has taken. */
  readonly inherited?: number | undefined;
}

/** One UDP socket for SIP, RFC 3261 §18. Datagrams that are not admitted leave no trace but a count. */
export class UdpListener implements ListenerState, DatagramSender {
  readonly name: string;
  readonly transport = 'udp';
  readonly bound: SocketAddress;
  readonly #socket: DatagramSocket;
  readonly #flows: UdpFlows;
  readonly #options: UdpOptions;
  readonly #sender: Sender = {
    reachable: false,
    isRegistered: (address, port) => this.#flows.kept(address, port) !== undefined,
  };
  #open = true;
  /** `unknownPerSecond` as the socket knows it. */
  #bound = 0;

  /** Rejects with the system's error when the address cannot be bound. */
  static async open(listener: Listener, options: UdpOptions): Promise<UdpListener> {
    return new UdpListener(listener, options);
  }

  private constructor(listener: Listener, options: UdpOptions) {
    this.name = listener.name;
    this.#options = options;
    this.#socket = new DatagramSocket(
      listener.address,
      listener.port,
      bufferBytes,
      { received: this.#received, failed: (error) => options.trouble(this.name, error) },
      options.inherited,
    );
    this.#limit();
    const { address, port } = this.#socket;
    this.bound = { address, port };
    const { nextId, localAddresses } = options;
    const wildcard = isWildcard(address);
    const fixed = wildcard ? undefined : this.bound;
    const fixedSentBy =
      listener.publicAddress === undefined && wildcard
        ? undefined
        : sentBy(listener.publicAddress ?? address, port);
    this.#flows = new UdpFlows((remote) => {
      const local = fixed ?? { address: localAddresses.towards(remote.address), port };
      const via = fixedSentBy ?? sentBy(local.address, port);
      return new UdpFlow({ id: nextId(), local, remote, sentBy: via, listener: listener.name }, this);
    });
  }

  /** Datagrams that came before this are lost, as datagrams may be. */
  start(): void {
    this.#socket.start();
  }

  /** Reads no more; the descriptor, for the program that takes this one's place. */
  handOver(): number {
    return this.#socket.handOver();
  }

  /** How full the receive queue is, 0 to 1; admission hears what the socket has dropped meanwhile. */
  takeStock(): number {
    if (!this.#open) return 0;
    const { admission } = this.#options;
    admission.droppedBelow(this.#socket.refused());
    if (this.#bound !== admission.settings.unknownPerSecond) this.#limit();
    return this.#socket.backlog();
  }

  /** Admission decides on what is less than this; what is more than it could ever let in costs it nothing. */
  #limit(): void {
    this.#bound = this.#options.admission.settings.unknownPerSecond;
    this.#socket.limit(2 * this.#bound, junkPerSecond);
  }

  get flows(): number {
    return this.#flows.size;
  }

  flow(id: number): UdpFlow | undefined {
    return this.#flows.byId(id);
  }

  flowTo(address: string, port: number): UdpFlow {
    return this.#flows.get(address, port);
  }

  keep(id: number, keep: boolean): boolean {
    return this.#flows.keep(id, keep);
  }

  pack(remote: SocketAddress): PackedAddress | undefined {
    return packAddress(remote.address, remote.port);
  }

  sendTo(remote: PackedAddress, bytes: Uint8Array): boolean {
    if (!this.#open) return false;
    this.#socket.send(bytes, remote);
    return true;
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#socket.close();
  }

  /**
   * RFC 5626 §3.5.2: whoever has registered over the flow is told that it lives. All others are dropped as before, so
   * that nobody can aim our answers; false for them.
   */
  #keepalive(bytes: Uint8Array, address: string, port: number, now: number): boolean {
    const flow = this.#flows.kept(address, port);
    if (flow === undefined) return false;
    if (Math.abs(now - flow.answeredAt) < stunMilliseconds) return true;
    flow.answeredAt = now;
    const answer = answerBinding(bytes, flow.remote);
    if (answer !== undefined) flow.send(answer);
    return true;
  }

  readonly #received = (bytes: Uint8Array, address: string, port: number): void => {
    // Nothing can be sent to port 0. Keepalives need no answer over UDP.
    if (port === 0 || isBlank(bytes)) return;
    const { admission, events, clock } = this.#options;
    const now = clock();
    if (isBindingRequest(bytes) && this.#keepalive(bytes, address, port, now)) return;
    if (admission.message(this.name, address, bytes, now, port, this.#sender) !== undefined) return;
    events.message(this.#flows.get(address, port), Buffer.from(bytes), now);
  };
}
