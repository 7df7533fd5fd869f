import type { SipUri } from '@ringfence/sip/message/types.ts';
import type { Candidate } from '@ringfence/sip/resolve/target.ts';
import type { Health } from '../../objects/trunk-settings.ts';
import { type ProbeResult, type ProbeServices, probe } from './probe.ts';
import { type HealthRule, type HealthState, TargetHealth } from './target-health.ts';

/** A group of targets that is watched: a trunk, or the nodes of a PBX. */
export interface Watched {
  /** Names it in events, e.g. `trunk:carrier@example.test`; unique. */
  readonly owner: string;
  /** Tenant; stands in From of the OPTIONS. */
  readonly domain: string;
  readonly targets: readonly SipUri[];
  readonly health: Health;
  /** Only addresses that are reached over TLS count. */
  readonly tlsOnly: boolean;
}

export interface MonitorServices extends ProbeServices {
  resolve(uri: SipUri): Promise<readonly Candidate[]>;
  after(milliseconds: number, run: () => void): () => void;
  /** An address has gone into quarantine, or has come out. */
  changed(change: TargetChange): void;
  /** An address of that owner has said what it is, by Server or User-Agent. */
  named?(owner: string, product: string): void;
}

export interface TargetChange {
  readonly owner: string;
  readonly target: string;
  readonly state: 'quarantined' | 'up';
  /** Why: `timeout`, `transport`, or the status. Empty for `up`. */
  readonly reason: string;
}

/** State of one address, for people. */
export interface TargetReport {
  readonly owner: string;
  readonly target: string;
  readonly state: HealthState;
  /** Unix ms. */
  readonly since: number;
  readonly lastFailure: string;
}

interface Group {
  watched: Watched;
  rule: HealthRule;
  readonly targets: Map<string, TargetHealth>;
  /** Addresses whose OPTIONS is under way. */
  readonly asking: Set<string>;
  stop: (() => void) | undefined;
}

/** Addresses remembered for one owner; a name whose addresses change all the time cannot grow it. */
const mostAddresses = 64;
/** A target that answers no sooner would not take calls in time either. */
const mostPatienceMs = 8_000;
/** Probes of several owners do not start at the same moment: spread over this share of their interval. */
const spread = 0.2;

export const candidateText = ({ transport, address, port }: Candidate): string =>
  `${transport}:${address.includes(':') ? `[${address}]` : address}:${port}`;

/**
 * Knows which addresses of which targets live: from OPTIONS of its own, and from what calls report.
 *
 * Owners are kept apart, also where they share an address: nobody's calls can put a target of another tenant into
 * quarantine. What is not watched is always usable.
 */
export class HealthMonitor {
  readonly #services: MonitorServices;
  readonly #groups = new Map<string, Group>();
  #started = 0;

  constructor(services: MonitorServices) {
    this.#services = services;
  }

  /** From now on these and no others; what was known of those that stay is kept. */
  watch(list: readonly Watched[]): void {
    const names = new Set(list.map(({ owner }) => owner));
    for (const [owner, group] of this.#groups) {
      if (names.has(owner)) continue;
      group.stop?.();
      this.#groups.delete(owner);
    }
    for (const watched of list) {
      const known = this.#groups.get(watched.owner);
      if (known !== undefined && same(known.watched, watched)) continue;
      known?.stop?.();
      const group: Group = {
        watched,
        rule: ruleOf(watched.health),
        targets: known?.targets ?? new Map(),
        asking: known?.asking ?? new Set(),
        stop: undefined,
      };
      this.#groups.set(watched.owner, group);
      if (!watched.health.options) continue;
      this.#started += 1;
      const share = ((this.#started * 0.618_034) % 1) * spread;
      this.#arm(group, watched.health.intervalSeconds * 1000 * share);
    }
  }

  /** Is that address in quarantine for that owner? */
  quarantined(owner: string, candidate: Candidate): boolean {
    const group = this.#groups.get(owner);
    const health = group?.targets.get(candidateText(candidate));
    return group !== undefined && health?.usable(group.rule, this.#services.now()) === false;
  }

  /** What a call has found out about an address: the status of an answer, or that there was none. */
  report(owner: string, candidate: Candidate, result: ProbeResult): void {
    const group = this.#groups.get(owner);
    if (group !== undefined) this.#count(group, candidateText(candidate), result, false);
  }

  reports(): TargetReport[] {
    return [...this.#groups.values()].flatMap(({ watched, targets }) =>
      [...targets]
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([target, { state, since, lastFailure }]) => ({
          owner: watched.owner,
          target,
          state,
          since,
          lastFailure,
        })),
    );
  }

  /** No more probes. */
  stop(): void {
    this.watch([]);
  }

  #arm(group: Group, milliseconds: number): void {
    group.stop = this.#services.after(Math.max(1, Math.round(milliseconds)), () => {
      void this.#ask(group);
      this.#arm(group, group.watched.health.intervalSeconds * 1000);
    });
  }

  async #ask(group: Group): Promise<void> {
    const { watched, asking } = group;
    const found = new Map<string, readonly [SipUri, Candidate]>();
    for (const uri of watched.targets)
      for (const candidate of await this.#services.resolve(uri)) {
        if (watched.tlsOnly && candidate.transport !== 'tls') continue;
        if (found.size < mostAddresses) found.set(candidateText(candidate), [uri, candidate]);
      }
    if (this.#groups.get(watched.owner) !== group) return;
    // Addresses that DNS no longer gives are forgotten; where it gives none at all, it may be ill itself.
    if (found.size > 0)
      for (const known of group.targets.keys()) if (!found.has(known)) group.targets.delete(known);
    for (const [text, [uri, candidate]] of found) {
      if (asking.has(text)) continue;
      asking.add(text);
      const heard = (result: ProbeResult): void => {
        if (!asking.delete(text)) return;
        stop();
        if (this.#groups.get(watched.owner) === group) this.#count(group, text, result, true);
      };
      const patience = Math.min(mostPatienceMs, watched.health.intervalSeconds * 1000 - 1);
      const stop = this.#services.after(patience, () => heard('timeout'));
      const named = (product: string): void => this.#services.named?.(watched.owner, product);
      probe(this.#services, uri, watched.domain, candidate, heard, named).catch(() => heard('transport'));
    }
  }

  #count(group: Group, target: string, result: ProbeResult, isProbe: boolean): void {
    const { watched, rule, targets } = group;
    const now = this.#services.now();
    let health = targets.get(target);
    if (health === undefined) {
      if (targets.size >= mostAddresses) return;
      health = new TargetHealth(now);
      targets.set(target, health);
    }
    const failed = typeof result === 'string' || watched.health.statuses.includes(result);
    const reason = failed ? String(result) : '';
    const turned = failed ? health.failed(rule, now, reason) : health.succeeded(rule, now, isProbe);
    if (!turned) return;
    const state = failed ? 'quarantined' : 'up';
    this.#services.changed({ owner: watched.owner, target, state, reason });
  }
}

const ruleOf = ({ options, failures, recoveries, intervalSeconds }: Health): HealthRule =>
  options ? { failures, recoveries } : { failures, recoveries, quarantineMs: intervalSeconds * 1000 };

const same = (a: Watched, b: Watched): boolean =>
  JSON.stringify(comparable(a)) === JSON.stringify(comparable(b));

const comparable = ({ targets, ...rest }: Watched): unknown => ({
  ...rest,
  targets: targets.map(({ scheme, host, port, params }) => [scheme, host, port, [...params]]),
});
