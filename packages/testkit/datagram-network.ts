import type { LinkConditions } from './lossy-link.ts';
import type { SeededRandom } from './random.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface DatagramAddress {
  readonly address: string;
  readonly port: number;
}

/**
 * Kinds of NAT as RFC 3489 §5 named them. In the words of RFC 4787 the first three map independently of the endpoint and
 * filter not at all, by address, by address and port; the last maps and filters by address and port.
 */
export const natKinds = ['full-cone', 'address-restricted', 'port-restricted', 'symmetric'] as const;
export type NatKind = (typeof natKinds)[number];

interface Mapping {
  readonly inner: DatagramAddress;
  readonly port: number;
  /** Who has been written to from here: addresses, or addresses with ports. */
  readonly peers: Set<string>;
}

const nameOf = ({ address, port }: DatagramAddress): string => `${address} ${port}`;

/** A NAT with one public address. */
export class Nat {
  readonly address: string;
  readonly kind: NatKind;
  #mappings = new Map<string, Mapping>();
  #ports = new Map<number, Mapping>();
  #nextPort: number;

  constructor(address: string, kind: NatKind, firstPort = 50_000) {
    this.address = address;
    this.kind = kind;
    this.#nextPort = firstPort;
  }

  /** The public address that a datagram from the inside leaves with; it opens the way back. */
  outbound(inner: DatagramAddress, to: DatagramAddress): DatagramAddress {
    const key = this.kind === 'symmetric' ? `${nameOf(inner)} ${nameOf(to)}` : nameOf(inner);
    let mapping = this.#mappings.get(key);
    if (mapping === undefined) {
      mapping = { inner, port: this.#nextPort, peers: new Set() };
      this.#nextPort += 1;
      this.#mappings.set(key, mapping);
      this.#ports.set(mapping.port, mapping);
    }
    mapping.peers.add(to.address).add(nameOf(to));
    return { address: this.address, port: mapping.port };
  }

  /** Where a datagram from outside goes on to; undefined: nowhere. */
  inbound(port: number, from: DatagramAddress): DatagramAddress | undefined {
    const mapping = this.#ports.get(port);
    if (mapping === undefined) return undefined;
    if (this.kind === 'full-cone') return mapping.inner;
    const asked = this.kind === 'address-restricted' ? from.address : nameOf(from);
    return mapping.peers.has(asked) ? mapping.inner : undefined;
  }

  /** Forgets all it knows: what leaves next does so from other ports. */
  reboot(): void {
    this.#mappings = new Map();
    this.#ports = new Map();
  }
}

interface Socket {
  readonly nat: Nat | undefined;
  readonly receive: (bytes: Uint8Array, from: DatagramAddress, now: number) => void;
}

/** UDP between hosts, some behind NATs, in virtual time with loss, duplication and reordering out of one seed. */
export class DatagramNetwork {
  conditions: LinkConditions;
  sent = 0;
  delivered = 0;
  /** Sees every datagram as it arrives; true keeps it from arriving. */
  onWay: (bytes: Uint8Array, from: DatagramAddress, to: DatagramAddress) => boolean = () => false;
  readonly #time: VirtualTime;
  readonly #random: SeededRandom;
  readonly #sockets = new Map<string, Socket>();
  readonly #nats = new Map<string, Nat>();

  constructor(time: VirtualTime, random: SeededRandom, conditions: LinkConditions = {}) {
    this.#time = time;
    this.#random = random;
    this.conditions = conditions;
  }

  /** Opens a socket; behind a NAT its address is seen by nobody else. */
  open(at: DatagramAddress, receive: Socket['receive'], nat?: Nat): void {
    this.#sockets.set(nameOf(at), { nat, receive });
    if (nat !== undefined) this.#nats.set(nat.address, nat);
  }

  send(from: DatagramAddress, to: DatagramAddress, bytes: Uint8Array): void {
    const nat = this.#sockets.get(nameOf(from))?.nat;
    this.inject(nat === undefined ? from : nat.outbound(from, to), to, bytes);
  }

  /** Sends as if from that public address, whoever has it: what an attacker can do. */
  inject(from: DatagramAddress, to: DatagramAddress, bytes: Uint8Array): void {
    const { loss = 0, duplication = 0, delay = [10, 10] } = this.conditions;
    this.sent += 1;
    if (this.#random.chance(loss)) return;
    const copies = this.#random.chance(duplication) ? 2 : 1;
    for (let i = 0; i < copies; i += 1)
      this.#time.after(this.#random.integer(delay[0], delay[1]), (now) => this.#arrive(from, to, bytes, now));
  }

  #arrive(from: DatagramAddress, to: DatagramAddress, bytes: Uint8Array, now: number): void {
    if (this.onWay(bytes, from, to)) return;
    const nat = this.#nats.get(to.address);
    const at = nat === undefined ? to : nat.inbound(to.port, from);
    const socket = at && this.#sockets.get(nameOf(at));
    // An inner address is no place on the outer network.
    if (socket === undefined || socket.nat !== nat) return;
    this.delivered += 1;
    socket.receive(bytes, from, now);
  }
}
