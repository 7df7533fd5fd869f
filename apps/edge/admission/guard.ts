import { networkInterfaces } from 'node:os';
import { resolve as resolvePath } from 'node:path';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { know } from '@ringfence/datagram/socket.ts';
import type { SipUri } from '@ringfence/sip/message/types.ts';
import { parseUri } from '@ringfence/sip/message/uri.ts';
import type { Configuration } from '../config/schema.ts';
import type { EventBus } from '../events/bus.ts';
import type { Objects } from '../objects/types.ts';
import type { Binding, Store } from '../store/contract.ts';
import { isPassing } from '../store/store-error.ts';
import type { ListenerState } from '../transport/contract.ts';
import { targetsOf } from '../trunks/order.ts';
import { Admission } from './admission.ts';
import { Bans } from './bans/bans.ts';
import { BanKeeper } from './bans/keep.ts';
import { Protection } from './bans/protection.ts';
import { readBanTarget } from './bans/source-text.ts';
import { type FeedEntry, Feeds } from './feeds/feeds.ts';
import { BanPublisher, type PublishPlaces } from './feeds/publish.ts';
import { KernelFirewall } from './kernel/firewall.ts';
import type { GuardedPorts } from './kernel/ruleset.ts';
import { LoadControl, type LoadSample, sampleMilliseconds } from './load.ts';

export interface GuardParts {
  readonly config: Configuration;
  /** Data folder. */
  readonly home: string;
  readonly store: Pick<Store, 'bans' | 'putBans'>;
  readonly bus: EventBus;
  /** Unix ms. */
  readonly now: () => number;
  /** Addresses of a target that is given by name. */
  readonly resolve: (uri: SipUri) => Promise<readonly { readonly address: string }[]>;
}

/** Names of trunks and PBXs are looked up again so often. */
const resolveEveryMs = 300_000;
const mostResolved = 4096;
/** A receive queue so full means that datagrams wait for a long time, and are about to be lost. */
const queueShare = 0.25;

/** The firewall of the running edge: admission, bans, and what they must never touch, joined with the store. */
export class Guard {
  readonly admission: Admission;
  readonly bans: Bans;
  readonly protection: Protection;
  readonly #parts: GuardParts;
  readonly #keeper: BanKeeper;
  readonly #feeds: Feeds;
  readonly #publisher: BanPublisher;
  readonly #fed = new Map<string, { readonly entries: readonly FeedEntry[]; readonly until: number }>();
  readonly #load: LoadControl;
  #sampler: NodeJS.Timeout | undefined;
  #overloadedAt = 0;
  #firewall: KernelFirewall | undefined;
  #resolved: readonly string[] = [];
  #names: readonly SipUri[] = [];
  #resolvedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: GuardParts) {
    this.#parts = parts;
    const { config, bus, now } = parts;
    const emit: EventBus['emit'] = (event) => bus.emit(event);
    this.protection = new Protection({
      isTrunk: (address) => this.admission.standing(address, now()) === 'trunk',
      resolved: () => this.#resolved,
    });
    this.bans = new Bans({
      settings: config.bans,
      protection: this.protection,
      now,
      emit,
      isRegistered: (address) => this.admission.hasPhones(address, now()),
    });
    this.admission = new Admission({
      settings: { ...config.admission, emergency: config.numbers.emergency },
      emit,
      bans: this.bans,
      known: know,
    });
    this.#load = new LoadControl(
      this.admission.shedding,
      () => {
        const { busyPercent, lateMilliseconds } = this.admission.settings;
        return { delayMilliseconds: lateMilliseconds, busy: busyPercent / 100, queue: queueShare };
      },
      (overloaded, sample) => this.#tellLoad(overloaded, sample),
    );
    this.#keeper = new BanKeeper(this.bans, parts.store, now, (error) => {
      if (!isPassing(error)) emit({ type: 'edge.error', where: 'bans', detail: String(error) });
    });
    this.protection.own(ownAddresses(config));
    this.protection.allow(config.bans.allow);
    const failed = (error: unknown): void =>
      emit({ type: 'edge.error', where: 'bans.publish', detail: String(error) });
    this.#publisher = new BanPublisher(placesOf(config, parts.home), this.bans, now, failed);
    this.#feeds = new Feeds({
      bans: this.bans,
      emit,
      now,
      loaded: (name, entries, seconds) => {
        this.#fed.set(name, { entries, until: now() + seconds * 1000 });
        this.#firewall?.feed(name, entries, seconds);
      },
    });
  }

  /** Takes the bans of the process before; before anything is listened on. */
  async restore(objects: Objects, bindings: readonly Binding[]): Promise<void> {
    this.protect(objects);
    const now = this.#parts.now();
    for (const { source } of bindings) {
      const address = readBanTarget(source)?.address;
      if (address !== undefined) this.admission.phone(address, now);
    }
    this.bans.restore(await this.#parts.store.bans());
  }

  /** What a sender has proven. */
  trust(address: string, as: 'trunk' | 'registered' | 'phone' | 'reachable'): void {
    if (as === 'phone') this.admission.phone(address);
    else if (as === 'reachable') this.admission.reachable(address);
    else this.admission.trust(address, as);
  }

  configure(config: Configuration): void {
    this.protection.own(ownAddresses(config));
    this.protection.allow(config.bans.allow);
    this.bans.configure(config.bans);
    this.#feeds.configure(config.bans.feeds);
    this.admission.configure({ ...config.admission, emergency: config.numbers.emergency }, this.#parts.now());
  }

  /** Trunks and PBXs as they are now are banned no more. */
  protect(objects: Objects): void {
    this.protection.objects(objects);
    this.#names = namesOf(objects);
    this.#resolvedAt = Number.NEGATIVE_INFINITY;
    this.#review();
    void this.#resolveNames();
  }

  /** Who is protected now is heard, whatever a ban or a feed says. */
  #review(): void {
    this.bans.review();
    const now = this.#parts.now();
    for (const [name, { entries, until }] of this.#fed)
      this.#firewall?.feed(name, entries, (until - now) / 1000);
  }

  /**
   * Lets the kernel drop what banned sources send to these ports, as configured. Throws where that is required and
   * cannot be.
   */
  async useKernel(ports: GuardedPorts): Promise<void> {
    const { config, bus, now } = this.#parts;
    const { kernel, maximum } = config.bans;
    if (kernel === 'off') return;
    this.#firewall = new KernelFirewall({
      bans: this.bans,
      ports,
      maximum,
      now,
      told: (on, detail) => bus.emit({ type: 'ban.kernel', on, detail }),
    });
    if (kernel === 'required' && !(await this.#firewall.open()))
      throw new MisuseError(
        'kernel-bans',
        'bans.kernel is `required`, but nftables cannot be used: install `nft` and run as root or with CAP_NET_ADMIN, or write `auto`.',
      );
    if (this.bans.size > 0) void this.#firewall.open();
  }

  /** Begins to read feeds. */
  start(): void {
    this.#feeds.configure(this.#parts.config.bans.feeds);
  }

  /** Undefined where it is not used. */
  get firewall(): KernelFirewall | undefined {
    return this.#firewall;
  }

  /** Measures the load from now on; `backlog` tells how full the receive queues are, 0 to 1. */
  measure(backlog: () => number): void {
    let expected = performance.now() + sampleMilliseconds;
    let before = performance.eventLoopUtilization();
    this.#sampler = setInterval(() => {
      const at = performance.now();
      const used = performance.eventLoopUtilization();
      const { utilization } = performance.eventLoopUtilization(used, before);
      before = used;
      this.#load.sample({ delay: Math.max(at - expected, 0), busy: utilization, queue: backlog() });
      expected = at + sampleMilliseconds;
    }, sampleMilliseconds).unref();
  }

  /** Called every few seconds. */
  sweep(): void {
    this.bans.sweep();
    this.admission.flush();
    void this.#resolveNames();
  }

  /** Settles when everything is on disk. */
  async stop(): Promise<void> {
    clearInterval(this.#sampler);
    this.admission.flush();
    this.#feeds.stop();
    await this.#publisher.stop();
    await this.#firewall?.stop();
    await this.#keeper.done();
  }

  #tellLoad(overloaded: boolean, { delay, busy, queue }: LoadSample): void {
    const { bus, now } = this.#parts;
    if (overloaded) {
      this.#overloadedAt = now();
      const percent = (share: number): number => Math.round(share * 100);
      bus.emit({
        type: 'overload.began',
        delay: Math.round(delay),
        busy: percent(busy),
        queue: percent(queue),
      });
    } else {
      const seconds = Math.round((now() - this.#overloadedAt) / 1000);
      bus.emit({ type: 'overload.over', seconds });
    }
  }

  async #resolveNames(): Promise<void> {
    const now = this.#parts.now();
    if (this.#names.length === 0 || now - this.#resolvedAt < resolveEveryMs) return;
    this.#resolvedAt = now;
    const found = new Set<string>();
    for (const uri of this.#names)
      for (const { address } of await this.#parts.resolve(uri).catch(() => [])) {
        if (found.size < mostResolved) found.add(address);
      }
    // Where no name server answers, what was found before goes on.
    if (found.size === 0) return;
    const same = found.size === this.#resolved.length && this.#resolved.every((one) => found.has(one));
    if (same) return;
    this.#resolved = [...found];
    this.#review();
  }
}

/** What is no address, such as a host name or `0.0.0.0`, protects nobody. */
const ownAddresses = ({ listeners }: Configuration): string[] => [
  ...Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).flatMap(({ address, internal }) => (internal ? [] : [address])),
  ),
  ...listeners.flatMap(({ address, publicAddress = '' }) => [address, publicAddress]),
];

const namesOf = ({ trunks, pbx = [] }: Objects): SipUri[] =>
  [
    ...trunks.flatMap((trunk) => targetsOf(trunk).map(({ target }) => target)),
    ...pbx.flatMap(({ nodes }) => nodes.map(({ target }) => target)),
  ].flatMap((target) => {
    const uri = parseUri(target);
    return uri.ok && (uri.value.scheme === 'sip' || uri.value.scheme === 'sips') ? [uri.value] : [];
  });

/** Where SIP is received, by protocol. */
export function portsOf(listeners: readonly ListenerState[]): GuardedPorts {
  const ports = (udp: boolean): number[] => [
    ...new Set(
      listeners.flatMap(({ transport, bound }) => ((transport === 'udp') === udp ? [bound.port] : [])),
    ),
  ];
  return { udp: ports(true), tcp: ports(false) };
}

const placesOf = ({ bans: { publish } }: Configuration, home: string): PublishPlaces =>
  Object.fromEntries(Object.entries(publish).map(([name, path]) => [name, resolvePath(home, path)]));
