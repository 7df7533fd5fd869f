import type {
  EndpointConfig,
  EndpointOpened,
  EndpointSpec,
  EndpointStats,
  Relay,
  RelayErrorCode,
  RelayEvent,
} from '@ringfence/relay/contract.ts';
import { EngineEndpoint, type Refusal } from './endpoint.ts';
import { Instance, type InstanceSettings } from './instance.ts';

export interface EngineOptions {
  readonly instances: readonly InstanceSettings[];
  /** Silence of one side while the other talks, until `one-way`. */
  readonly oneWayAfterMs: number;
  /** How often live endpoints are looked at. Default 1000. */
  readonly pollMs?: number;
  /** An instance answers, or does not any more. `calls`: endpoints that are lost with it. */
  onInstance(change: {
    readonly name: string;
    readonly up: boolean;
    readonly reason: string;
    readonly endpoints: number;
  }): void;
}

/** Endpoints of each instance that are looked at in one poll, in turn: at most so many queries a second. */
const looksPerPoll = 50;
/** Calls that an instance which was gone may still hold, to be ended when it is back. */
const mostOrphans = 10_000;

/**
 * rtpengine behind the interface of our own media process: the same endpoints, links and counters, on as many machines
 * as the configuration names.
 *
 * The endpoints of one `open`, and those opened near one of them, are on one instance: two endpoints can be linked only
 * there. New ones go where the number of endpoints by weight is least, and elsewhere if that instance refuses or does
 * not answer. When an instance is gone, what it held is `lost`.
 */
export class RtpengineEngine implements Relay {
  readonly #options: EngineOptions;
  readonly #instances: readonly Instance[];
  readonly #endpoints = new Map<number, EngineEndpoint>();
  readonly #orphans = new Map<Instance, EngineEndpoint[]>();
  readonly #listeners: ((event: RelayEvent) => void)[] = [];
  /** Since the last `flush`. */
  readonly #changed = new Set<EngineEndpoint>();
  readonly #silent = new Set<number>();
  readonly #poll: NodeJS.Timeout;
  #ids = 0;
  #cursor = 0;

  private constructor(options: EngineOptions) {
    this.#options = options;
    this.#instances = options.instances.map((settings) => {
      const instance: Instance = new Instance(settings, {
        up: () => this.#up(instance),
        down: (reason) => this.#down(instance, reason),
      });
      return instance;
    });
    this.#poll = setInterval(() => this.#look(), options.pollMs ?? 1000);
  }

  /** Comes back when every instance has answered its first ping, or has not. */
  static async start(options: EngineOptions): Promise<RtpengineEngine> {
    const engine = new RtpengineEngine(options);
    await Promise.all(engine.#instances.map(({ tried }) => tried));
    return engine;
  }

  /** Names of the instances that answer. */
  get healthy(): readonly string[] {
    return this.#instances.flatMap(({ healthy, name }) => (healthy ? [name] : []));
  }

  async open(specs: readonly EndpointSpec[]): ReturnType<Relay['open']> {
    const near = specs.find((spec) => spec.near !== undefined)?.near;
    const place = near === undefined ? undefined : this.#endpoints.get(near)?.instance;
    const tried = new Set<Instance>();
    let error: RelayErrorCode = 'relay-down';
    for (;;) {
      const instance = place === undefined ? this.#leastLoaded(tried) : tried.has(place) ? undefined : place;
      if (instance === undefined || !instance.healthy) return { ok: false, error };
      tried.add(instance);
      const opened = await this.#openAt(instance, specs);
      if (opened.ok) return opened;
      error = opened.error;
    }
  }

  configure(id: number, config: EndpointConfig): void {
    const endpoint = this.#endpoints.get(id);
    if (endpoint === undefined) return;
    this.#changed.add(endpoint);
    endpoint.configure(config);
  }

  link(a: number, b: number): void {
    const left = this.#endpoints.get(a);
    const right = this.#endpoints.get(b);
    if (left === undefined || right === undefined || left === right || left.peer === right) return;
    if (left.instance !== right.instance) {
      for (const each of [left, right]) each.lose('the two sides of the call are on different instances');
      return;
    }
    for (const each of [left, right]) {
      this.#changed.add(each);
      this.#detach(each);
    }
    left.peer = right;
    right.peer = left;
    // Who does not know the other's place yet is told when that one does.
    if (right.inside !== undefined) void left.settle();
    if (left.inside !== undefined) void right.settle();
  }

  unlink(a: number): void {
    const endpoint = this.#endpoints.get(a);
    if (endpoint !== undefined) this.#detach(endpoint);
  }

  /** ng 10.5 can do so only for calls that it was told to decode. */
  press(): boolean {
    return false;
  }

  /** Each endpoint may have to hear of the other's place before it is told of its own. */
  async flush(): Promise<void> {
    const changed = [...this.#changed];
    this.#changed.clear();
    for (;;) {
      const settling = changed.flatMap((endpoint) => endpoint.settling ?? []);
      if (settling.length === 0) return;
      await Promise.all(settling);
    }
  }

  close(ids: readonly number[]): Promise<readonly EndpointStats[]> {
    const closing = ids.flatMap((id) => this.#endpoints.get(id) ?? []);
    for (const endpoint of closing) {
      this.#endpoints.delete(endpoint.id);
      this.#silent.delete(endpoint.id);
      this.#changed.delete(endpoint);
      endpoint.state = 'closed';
      if (!endpoint.instance.healthy) this.#orphan(endpoint);
    }
    for (const endpoint of closing) this.#detach(endpoint);
    return Promise.all(closing.map((endpoint) => endpoint.close()));
  }

  stats(ids: readonly number[]): Promise<readonly EndpointStats[]> {
    return Promise.all(ids.flatMap((id) => this.#endpoints.get(id)?.stats() ?? []));
  }

  onEvent(listener: (event: RelayEvent) => void): void {
    this.#listeners.push(listener);
  }

  /** Ends what is left and the control connections. */
  async stop(): Promise<void> {
    clearInterval(this.#poll);
    await this.close([...this.#endpoints.keys()]);
    for (const instance of this.#instances) instance.close();
  }

  async #openAt(instance: Instance, specs: readonly EndpointSpec[]): ReturnType<Relay['open']> {
    // A spec that comes configured is that of somebody who offers; those behind it are where the offer goes.
    let likely: EngineEndpoint | undefined;
    const endpoints = specs.map((spec) => {
      this.#ids = (this.#ids % 0xffffffff) + 1;
      const endpoint = new EngineEndpoint(
        this.#ids,
        instance,
        spec,
        spec.config === undefined ? likely : undefined,
        ({ id }, reason) => this.#tell({ kind: 'lost', endpoint: id, reason }),
      );
      if (spec.config !== undefined) likely = endpoint;
      // Counted from now on, so that many calls at once are spread.
      this.#endpoints.set(endpoint.id, endpoint);
      return endpoint;
    });
    const opened = new Map<EngineEndpoint, EndpointOpened>();
    let refusal: Refusal | undefined;
    for (const configured of [true, false])
      await Promise.all(
        endpoints.map(async (endpoint) => {
          if ((endpoint.config !== undefined) !== configured) return;
          const result = await endpoint.open();
          if (result.ok) opened.set(endpoint, result.value);
          else refusal ??= result.error;
        }),
      );
    const value = endpoints.flatMap((endpoint) => opened.get(endpoint) ?? []);
    if (refusal === undefined) return { ok: true, value };
    void this.close(endpoints.map(({ id }) => id));
    return { ok: false, error: refusal.kind === 'unreachable' ? 'relay-down' : 'no-ports' };
  }

  #leastLoaded(except: ReadonlySet<Instance>): Instance | undefined {
    const load = new Map<Instance, number>();
    for (const { instance } of this.#endpoints.values()) load.set(instance, (load.get(instance) ?? 0) + 1);
    let best: Instance | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const instance of this.#instances) {
      const { weight } = instance.settings;
      if (!instance.healthy || weight === 0 || except.has(instance)) continue;
      const share = ((load.get(instance) ?? 0) + 1) / weight;
      if (share >= least) continue;
      least = share;
      best = instance;
    }
    return best;
  }

  #detach(endpoint: EngineEndpoint): void {
    const { peer } = endpoint;
    if (peer === undefined) return;
    endpoint.peer = undefined;
    peer.peer = undefined;
    for (const each of [endpoint, peer]) if (each.state === 'open') void each.settle();
  }

  #up(instance: Instance): void {
    const orphans = this.#orphans.get(instance) ?? [];
    this.#orphans.delete(instance);
    for (const orphan of orphans) void orphan.close();
    this.#options.onInstance({ name: instance.name, up: true, reason: '', endpoints: 0 });
  }

  #down(instance: Instance, reason: string): void {
    const held = [...this.#endpoints.values()].filter((endpoint) => endpoint.instance === instance);
    this.#options.onInstance({ name: instance.name, up: false, reason, endpoints: held.length });
    for (const endpoint of held) endpoint.lose(`rtpengine ${instance.name} is gone`);
  }

  #orphan(endpoint: EngineEndpoint): void {
    const orphans = this.#orphans.get(endpoint.instance) ?? [];
    if (orphans.length < mostOrphans) orphans.push(endpoint);
    this.#orphans.set(endpoint.instance, orphans);
  }

  /** Looks at some of the live endpoints, in turn: what they have counted, and whether rtpengine still has them. */
  #look(): void {
    const live = [...this.#endpoints.values()].filter(
      ({ state, peer }) => state === 'open' && peer !== undefined,
    );
    const count = Math.min(live.length, looksPerPoll * this.#instances.length);
    for (let i = 0; i < count; i += 1) {
      const endpoint = live[(this.#cursor + i) % live.length];
      if (endpoint !== undefined) void endpoint.stats().then(() => this.#lookForSilence(endpoint));
    }
    this.#cursor = live.length === 0 ? 0 : (this.#cursor + count) % live.length;
  }

  #lookForSilence(endpoint: EngineEndpoint): void {
    const { peer, id, state, config } = endpoint;
    const now = performance.now();
    const { oneWayAfterMs } = this.#options;
    const silentMs = now - Math.max(endpoint.observed.changedAt, endpoint.observed.configuredAt);
    const expecting = config?.remote !== undefined && config.accept !== false;
    if (state !== 'open' || peer === undefined || !expecting || silentMs < oneWayAfterMs) {
      this.#silent.delete(id);
      return;
    }
    const talks = peer.observed.changedAt >= 0 && now - peer.observed.changedAt < oneWayAfterMs;
    if (!talks || this.#silent.has(id)) return;
    this.#silent.add(id);
    this.#tell({ kind: 'one-way', endpoint: id, silentMs: Math.round(silentMs) });
  }

  #tell(event: RelayEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}
