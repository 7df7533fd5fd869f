import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import type { SocketAddress } from '@ringfence/sip/transport/flow.ts';
import type { Admission } from '../admission/admission.ts';
import { isBlank } from '../admission/first-look.ts';
import type { Listener } from '../config/schema.ts';
import type { ListenerState, TransportEvents } from './contract.ts';
import type { LocalAddresses } from './local-address.ts';
import { isWildcard, sentBy } from './sent-by.ts';
import { type DatagramSender, UdpFlow, UdpFlows } from './udp-flows.ts';

const bufferBytes = 4 << 20;

type Lookup = (
  host: string,
  options: unknown,
  callback: (error: null, address: string, family: number) => void,
) => void;

/** Addresses are numeric already: the default look-up would ask the thread pool for each datagram sent. */
const numericLookup: Record<4 | 6, Lookup> = {
  4: (host, _options, callback) => callback(null, host, 4),
  6: (host, _options, callback) => callback(null, host, 6),
};

export interface UdpOptions {
  readonly admission: Admission;
  readonly events: TransportEvents;
  readonly clock: () => number;
  readonly nextId: () => number;
  readonly localAddresses: LocalAddresses;
  /** The socket failed. Datagrams that the system refuses to send are lost silently, as any other. */
  readonly trouble: (listener: string, error: Error) => void;
}

/** One UDP socket for SIP, RFC 3261 §18. Datagrams that are not admitted leave no trace but a count. */
export class UdpListener implements ListenerState, DatagramSender {
  readonly name: string;
  readonly transport = 'udp';
  readonly bound: SocketAddress;
  readonly #socket: Socket;
  readonly #flows: UdpFlows;
  readonly #options: UdpOptions;
  #open = true;

  /** Rejects with the system's error when the address cannot be bound. */
  static async open(listener: Listener, options: UdpOptions): Promise<UdpListener> {
    const family = isIPv6(listener.address) ? 6 : 4;
    const socket = createSocket({
      type: family === 6 ? 'udp6' : 'udp4',
      ipv6Only: family === 6,
      recvBufferSize: bufferBytes,
      sendBufferSize: bufferBytes,
      lookup: numericLookup[family] as never,
    });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', (error) => {
        socket.close();
        reject(error);
      });
      socket.bind({ address: listener.address, port: listener.port, exclusive: true }, () => {
        socket.removeAllListeners('error');
        resolve();
      });
    });
    return new UdpListener(listener, socket, options);
  }

  private constructor(listener: Listener, socket: Socket, options: UdpOptions) {
    this.name = listener.name;
    this.#socket = socket;
    this.#options = options;
    const { address, port } = socket.address();
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
    socket.on('error', (error) => options.trouble(this.name, error));
  }

  /** Datagrams that came before this are lost, as datagrams may be. */
  start(): void {
    this.#socket.on('message', this.#received);
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

  sendTo(remote: SocketAddress, bytes: Uint8Array): boolean {
    if (!this.#open) return false;
    this.#socket.send(bytes, remote.port, remote.address);
    return true;
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await new Promise<void>((resolve) => this.#socket.close(() => resolve()));
  }

  readonly #received = (bytes: Uint8Array, from: RemoteInfo): void => {
    // Nothing can be sent to port 0. Keepalives need no answer over UDP.
    if (from.port === 0 || isBlank(bytes)) return;
    const { admission, events, clock } = this.#options;
    const now = clock();
    if (admission.message(this.name, from.address, bytes, now) !== undefined) return;
    events.message(this.#flows.get(from.address, from.port), bytes, now);
  };
}
