import { parseUri } from '@ringfence/sip/message/uri.ts';
import type { Candidate } from '@ringfence/sip/resolve/target.ts';
import type { Health } from '../objects/trunk-settings.ts';
import type { Pbx, PbxNode } from '../objects/types.ts';
import type { HealthMonitor, Watched } from '../trunks/health/monitor.ts';
import type { ProbeResult } from '../trunks/health/probe.ts';
import { drawOrder } from '../trunks/order.ts';

/** A phone cannot wait for three of its calls to fail: one silence is enough, and one answer leads back. */
const health: Health = {
  options: true,
  intervalSeconds: 30,
  failures: 1,
  recoveries: 1,
  statuses: [408, 503, 504],
};

/** How a node is named in events and records. */
export const nodeOwner = (domain: string, node: string): string => `pbx:${node}@${domain}`;

/** The nodes of all PBXs, for the health monitor: asked by OPTIONS (RFC 3261 §11). */
export const watchedNodes = (pbxs: readonly Pbx[]): Watched[] =>
  pbxs.flatMap((pbx) =>
    pbx.nodes.flatMap((node) => {
      const target = parseUri(node.target);
      if (!target.ok || (target.value.scheme !== 'sip' && target.value.scheme !== 'sips')) return [];
      return [
        {
          owner: nodeOwner(pbx.domain, node.name),
          domain: pbx.domain,
          targets: [target.value],
          health,
          tlsOnly: pbx.encryption === 'required',
        },
      ];
    }),
  );

/** Which node of a PBX next: the one that a phone is at, then by priority and weight (RFC 2782), dead ones last. */
export class PbxNodes {
  /** Owners all of whose addresses are in quarantine. */
  readonly #down = new Set<string>();
  readonly #random: () => number;
  readonly #monitor: Pick<HealthMonitor, 'report' | 'reports' | 'quarantined'>;

  /** `random`: from 0 up to, and without, 1. */
  constructor(random: () => number, monitor: Pick<HealthMonitor, 'report' | 'reports' | 'quarantined'>) {
    this.#random = random;
    this.#monitor = monitor;
  }

  isUp(domain: string, node: string): boolean {
    return !this.#down.has(nodeOwner(domain, node));
  }

  /** While all are dead, all are tried. */
  order(pbx: Pbx, sticky?: string): PbxNode[] {
    const drawn = drawOrder(
      pbx.nodes.map(({ name, priority, weight }) => ({ target: name, priority, weight })),
      this.#random,
    ).flatMap(({ target }) => pbx.nodes.find(({ name }) => name === target) ?? []);
    const up = drawn.filter((node) => this.isUp(pbx.domain, node.name));
    const at = up.findIndex(({ name }) => name === sticky);
    if (at > 0) up.unshift(...up.splice(at, 1));
    return [...up, ...drawn.filter((node) => !up.includes(node))];
  }

  /** What became of a request at an address of a node. */
  heard(pbx: Pbx, node: PbxNode, candidate: Candidate, result: ProbeResult): void {
    this.#monitor.report(nodeOwner(pbx.domain, node.name), candidate, result);
  }

  /** That address is known to be dead. */
  isDead(pbx: Pbx, node: PbxNode, candidate: Candidate): boolean {
    return this.#monitor.quarantined(nodeOwner(pbx.domain, node.name), candidate);
  }

  /** The health monitor has seen an address of that owner change. */
  changed(owner: string): void {
    const addresses = this.#monitor.reports().filter((report) => report.owner === owner);
    if (addresses.length > 0 && addresses.every(({ state }) => state === 'quarantined'))
      this.#down.add(owner);
    else this.#down.delete(owner);
  }

  /** Forgets nodes that are no longer configured. */
  retain(pbxs: readonly Pbx[]): void {
    const known = new Set(pbxs.flatMap((pbx) => pbx.nodes.map(({ name }) => nodeOwner(pbx.domain, name))));
    for (const owner of this.#down) if (!known.has(owner)) this.#down.delete(owner);
  }
}
