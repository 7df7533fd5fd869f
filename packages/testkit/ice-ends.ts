import { IceAgent, type IceMode, type IceState } from '@ringfence/ice/agent.ts';
import {
  type Component,
  candidatePriority,
  hostCandidates,
  type IceCandidate,
  type IceCredentials,
} from '@ringfence/ice/candidate.ts';
import type { IceVerdict } from '@ringfence/ice/session.ts';
import { type DatagramAddress, DatagramNetwork, type Nat, type NatKind } from './datagram-network.ts';
import type { LinkConditions } from './lossy-link.ts';
import { SeededRandom } from './random.ts';
import { VirtualTime } from './virtual-time.ts';

/** Asked by those behind a NAT under which address they are seen. */
const server: DatagramAddress = { address: '192.0.2.250', port: 3478 };

/** One end of a call in tests: an agent, its sockets and the NAT before them. */
export class IceEnd {
  readonly agent: IceAgent;
  readonly mode: IceMode;
  readonly bases: readonly (DatagramAddress & { readonly component: Component })[];
  readonly states: IceState[] = [];
  readonly selected = new Map<Component, DatagramAddress | undefined>();
  /** When the stream was connected first, ms. */
  connectedAt: number | undefined;
  readonly verdicts = new Map<IceVerdict, number>();
  readonly media: { readonly component: Component; readonly from: DatagramAddress }[] = [];
  credentials: IceCredentials;
  readonly #joined: JoinedAgents;
  readonly #nat: Nat | undefined;

  constructor(joined: JoinedAgents, mode: IceMode, address: string, components: 1 | 2, nat?: Nat) {
    this.#joined = joined;
    this.#nat = nat;
    this.mode = mode;
    this.credentials = this.newCredentials();
    this.bases = ([1, 2] as const)
      .slice(0, components)
      .map((component) => ({ component, address, port: 5000 + component }));
    this.agent = new IceAgent({
      mode,
      local: this.credentials,
      components: this.bases,
      random: (octets) => joined.random.bytes(octets),
    });
    this.agent.onSend = ({ component, bytes, ...to }) => joined.network.send(this.base(component), to, bytes);
    this.agent.onSelected = (component, remote) => this.selected.set(component, remote);
    this.agent.onState = (state) => {
      this.states.push(state);
      if (state === 'connected') this.connectedAt ??= joined.time.now;
    };
    for (const base of this.bases)
      joined.network.open(base, (bytes, from, now) => this.#receive(bytes, from, base.component, now), nat);
  }

  base(component: Component): DatagramAddress {
    return this.bases[component - 1]!;
  }

  /** Host candidates, and behind a NAT what a STUN server would have said. */
  candidates(): IceCandidate[] {
    const hosts = hostCandidates(this.bases);
    const nat = this.#nat;
    if (nat === undefined) return hosts;
    const seen = this.bases.map(
      (base): IceCandidate => ({
        foundation: '9',
        component: base.component,
        priority: candidatePriority('srflx', base.component),
        kind: 'srflx',
        ...nat.outbound(base, server),
      }),
    );
    return [...hosts, ...seen];
  }

  newCredentials(): IceCredentials {
    return { ufrag: this.#joined.random.token(8), password: this.#joined.random.token(24) };
  }

  /** Sends a datagram of media where ICE says that it goes. */
  sendMedia(component: Component): boolean {
    const to = this.selected.get(component);
    if (to === undefined) return false;
    this.#joined.network.send(this.base(component), to, Uint8Array.of(0x80, 0));
    return true;
  }

  #receive(bytes: Uint8Array, from: DatagramAddress, component: Component, now: number): void {
    if (bytes[0]! >= 0x80) {
      this.media.push({ component, from });
      return;
    }
    const verdict = this.agent.receive(bytes, from, component, now);
    this.verdicts.set(verdict, (this.verdicts.get(verdict) ?? 0) + 1);
  }
}

export interface JoinedOptions extends LinkConditions {
  readonly seed: number;
  readonly modes?: readonly [IceMode, IceMode];
  readonly components?: 1 | 2;
  readonly nats?: readonly [Nat | undefined, Nat | undefined];
}

/** Two agents joined by a network in virtual time; all that happens is decided by the seed. */
export class JoinedAgents {
  readonly time = new VirtualTime(1_000);
  readonly random: SeededRandom;
  readonly network: DatagramNetwork;
  readonly alice: IceEnd;
  readonly bob: IceEnd;

  constructor(options: JoinedOptions) {
    const { seed, modes = ['full', 'full'], components = 1, nats = [undefined, undefined] } = options;
    this.random = new SeededRandom(seed);
    this.network = new DatagramNetwork(this.time, this.random, options);
    this.network.open(server, () => {});
    const address = (nat: Nat | undefined, inner: string, outer: string) =>
      nat === undefined ? outer : inner;
    this.alice = new IceEnd(
      this,
      modes[0],
      address(nats[0], '10.0.0.2', '198.51.100.1'),
      components,
      nats[0],
    );
    this.bob = new IceEnd(this, modes[1], address(nats[1], '10.8.0.2', '198.51.100.2'), components, nats[1]);
  }

  /** Signalling: one end is told of the other, as the offerer controls unless it is told otherwise. */
  tell(
    end: IceEnd,
    other: IceEnd,
    { controlling = end === this.alice, candidates = other.candidates(), trickle = false } = {},
  ): void {
    const lite = other.mode === 'lite';
    const remote = { ...other.credentials, lite, controlling: controlling || lite, candidates, trickle };
    end.agent.setRemote(end.mode === 'lite' ? { ...remote, controlling: lite } : remote, this.time.now);
  }

  start(): void {
    this.tell(this.bob, this.alice);
    this.tell(this.alice, this.bob);
  }

  run(until: number): void {
    for (;;) {
      const ends = [this.alice, this.bob];
      const timer = Math.min(...ends.map(({ agent }) => agent.nextAt));
      if (Math.min(timer, this.time.next) > until) break;
      if (timer < this.time.next) {
        if (timer > this.time.now) this.time.jump(timer);
        for (const { agent } of ends) if (agent.nextAt <= this.time.now) agent.tick(this.time.now);
        this.#turn();
      } else this.time.step();
    }
    this.time.jump(until);
  }

  /** Runs until both are connected; false where that does not happen in time. */
  runConnected(limit = 120_000): boolean {
    while (this.time.now < limit) {
      this.run(this.time.now + 10);
      if (this.alice.agent.state === 'connected' && this.bob.agent.state === 'connected') return true;
      if (this.alice.agent.state === 'failed' && this.bob.agent.state === 'failed') return false;
    }
    return false;
  }

  /** Media gets from each end to the other, from and to the addresses that ICE has named. */
  mediaFlows(component: Component): boolean {
    this.network.conditions = { delay: [5, 5] };
    return [this.alice, this.bob].every((end) => {
      const other = end === this.alice ? this.bob : this.alice;
      const before = other.media.length;
      if (!end.sendMedia(component)) return false;
      this.run(this.time.now + 20);
      const arrived = other.media.slice(before).find((media) => media.component === component);
      const named = other.selected.get(component);
      return (
        arrived !== undefined && named?.address === arrived.from.address && named.port === arrived.from.port
      );
    });
  }

  #turns = 0;
  #turnAt = 0;
  /** A timer that is due again and again at one time would stop the clock. */
  #turn(): void {
    if (this.#turnAt !== this.time.now) this.#turns = 0;
    this.#turnAt = this.time.now;
    this.#turns += 1;
    if (this.#turns > 1_000) throw new Error(`timers stand still at ${this.time.now}`);
  }
}

/** Whether two NATs let hole punching through; undefined is none. RFC 5128 §3.3. */
export function isTraversable(a: NatKind | undefined, b: NatKind | undefined): boolean {
  const picky = (kind: NatKind | undefined) => kind === 'symmetric' || kind === 'port-restricted';
  return !((a === 'symmetric' && picky(b)) || (b === 'symmetric' && picky(a)));
}
