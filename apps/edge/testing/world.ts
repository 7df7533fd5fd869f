import { SeededRandom } from '@ringfence/testkit/random.ts';
import { VirtualTime } from '@ringfence/testkit/virtual-time.ts';
import type { BanProposal } from '../admission/bans/types.ts';
import type { Configuration } from '../config/schema.ts';
import { Edge } from '../edge.ts';
import { EventBus } from '../events/bus.ts';
import type { EdgeEvent } from '../events/types.ts';
import { EngineEvents } from '../media/engine-events.ts';
import type { Objects } from '../objects/types.ts';
import { shippedPatches } from '../patches/shipped.ts';
import type { KnownPeer } from '../policy/known-peers.ts';
import type { Sounds } from '../sound/sounds.ts';
import type { Binding, CallRecord } from '../store/contract.ts';
import type { SpendRow } from '../store/spend-rows.ts';
import { testConfiguration } from './configuration.ts';
import { checkEvent } from './event-schema.ts';
import { FakeRelay, FakeStore } from './fakes.ts';
import { Network } from './network.ts';
import { resolveNumeric } from './resolve.ts';

export interface WorldOptions {
  readonly objects?: Partial<Objects>;
  readonly config?: (defaults: Configuration) => Configuration;
  readonly bindings?: readonly Binding[];
  /** Money of the process before. */
  readonly spend?: readonly SpendRow[];
  /** What parties have shown before it began. */
  readonly knownPeers?: readonly KnownPeer[];
  readonly seed?: number;
  /** Files to be played. */
  readonly sounds?: Sounds;
  /** Hosts that DNS knows. */
  readonly hosts?: Readonly<Record<string, readonly string[]>>;
}

const epoch = Date.UTC(2026, 0, 1);

/** One edge with everything around it made of fakes, in virtual time: the same seed gives the same run. */
export class World {
  readonly time = new VirtualTime(epoch);
  readonly random: SeededRandom;
  readonly network: Network;
  readonly store: FakeStore;
  relay: FakeRelay;
  readonly bus: EventBus;
  readonly edge: Edge;
  readonly events: EdgeEvent[] = [];
  readonly trusted: string[] = [];
  /** Where emergency calls came from. */
  readonly urgent: string[] = [];
  /** Levels that the load leaves no room for. */
  /** Share of the calls of trunks that the load leaves room for. */
  trunkShare = 1;
  readonly shed = new Set<'registered' | 'trunk'>();
  /** What detection wants nobody to listen to. */
  readonly bans: BanProposal[] = [];
  relayUp = true;
  /** What it began with. */
  readonly objects: Objects;

  constructor(options: WorldOptions = {}) {
    this.objects = { users: [], trunks: [], routes: [], ...options.objects };
    this.random = new SeededRandom(options.seed ?? 1);
    this.network = new Network(this.time, this.random);
    this.store = new FakeStore(this.time);
    this.relay = new FakeRelay(this.time, this.random);
    this.bus = new EventBus(() => this.time.now);
    this.bus.subscribe((event) => this.events.push(event));
    this.bus.subscribe(checkEvent);
    const draws = new SeededRandom(options.seed ?? 1);
    const config = testConfiguration();
    this.edge = new Edge({
      config: options.config?.(config) ?? config,
      objects: this.objects,
      bindings: options.bindings ?? [],
      knownPeers: options.knownPeers ?? [],
      spend: options.spend ?? [],
      store: this.store,
      bus: this.bus,
      now: () => this.time.now,
      transports: () => this.network,
      relay: () => (this.relayUp ? this.relay : undefined),
      trust: (address) => this.trusted.push(address),
      emergency: (address) => this.urgent.push(address),
      takes: (level) => !this.shed.has(level),
      trunkShare: () => this.trunkShare,
      ban: (proposal) => this.bans.push(proposal),
      patches: shippedPatches,
      resolver: {
        resolveNumeric,
        resolve: (uri) =>
          Promise.resolve(
            resolveNumeric(uri) ??
              (options.hosts?.[uri.host] ?? []).flatMap(
                (address) => resolveNumeric({ ...uri, host: address }) ?? [],
              ),
          ),
      },
      after: (milliseconds, run) => this.time.after(milliseconds, run),
      ...(options.sounds === undefined ? {} : { sounds: options.sounds }),
      random: () => draws.next(),
    });
    this.network.deliver = (flow, bytes, now) => this.edge.message(flow, bytes, now);
    this.network.onClosed = (flow) => this.edge.closed(flow);
    this.#hear();
    this.edge.start();
  }

  /** The media process dies with all that it holds, and another one takes its place. */
  replaceRelay(): void {
    this.relay.isDown = true;
    this.relay.endpoints.clear();
    this.relay = new FakeRelay(this.time, this.random);
    this.relay.instance = 'another';
    this.#hear();
    this.edge.mediaGone();
    void this.edge.recoverMedia(this.relay);
  }

  /** As the daemon does: what the media process tells reaches the calls. */
  #hear(): void {
    const events = new EngineEvents({
      bus: this.bus,
      ownerOf: (endpoint) => this.edge.ownerOf(endpoint),
      run: (step) => this.edge.run(step),
      down: () => {},
      lost: () => {},
    });
    this.relay.onEvent(events.take);
  }

  /** Lets that much time pass. */
  async run(milliseconds: number): Promise<void> {
    const until = this.time.now + milliseconds;
    for (;;) {
      await turn();
      if (this.time.next > until) break;
      this.time.step();
    }
    this.time.jump(until);
  }

  /** Lets time pass until it is so; throws after that many milliseconds. */
  async until(condition: () => boolean, milliseconds = 120_000): Promise<void> {
    const last = this.time.now + milliseconds;
    for (;;) {
      await turn();
      if (condition()) return;
      if (this.time.next > last) throw new Error(`not within ${milliseconds} ms: ${condition}`);
      this.time.step();
    }
  }

  /** Everything that the edge has sent to that address, as text. */
  sentTo(address: string): string[] {
    return this.network.log.flatMap(({ out, flow, text }) =>
      out && flow.remote.address === address ? [text] : [],
    );
  }

  /** Records of calls that are over. */
  get finished(): CallRecord[] {
    return this.store.records.filter(({ disposition }) => disposition !== 'live');
  }

  /** What must never happen. */
  get errors(): EdgeEvent[] {
    return this.events.filter(({ type }) => type === 'edge.error');
  }

  eventsOf<T extends EdgeEvent['type']>(type: T): Extract<EdgeEvent, { type: T }>[] {
    return this.events.filter((event): event is Extract<EdgeEvent, { type: T }> => event.type === type);
  }
}

/** All promises that can go on do. */
const turn = (): Promise<void> =>
  new Promise((done) => {
    setImmediate(done);
  });
