import type { SipRequest } from '@ringfence/sip/message/types.ts';
import { serializeUri } from '@ringfence/sip/message/uri.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import { socketText } from '../call/services.ts';
import type { EventBus } from '../events/bus.ts';
import type { Identifier } from '../identity/identify.ts';
import { decidePatch } from '../policy/patch.ts';
import type { Decision } from '../policy/types.ts';
import type { VirtualPatches } from './patches.ts';

const longestTarget = 128;

export interface PatchGateParts {
  readonly patches: VirtualPatches;
  readonly bus: EventBus;
  readonly identifier: Identifier;
  /** It calls for help: nothing stands before that. */
  isEmergency(request: SipRequest): boolean;
}

/** Holds every request against the virtual patches of its domain, before anything else is done with it. */
export class PatchGate {
  readonly #parts: PatchGateParts;

  constructor(parts: PatchGateParts) {
    this.#parts = parts;
  }

  /** Why the request goes no further; undefined: it may. */
  refuse(request: SipRequest, flow: Flow, bytes: Uint8Array): Decision | undefined {
    const { patches, identifier, bus, isEmergency } = this.#parts;
    const { name: domain } = identifier.domainOf(request);
    const hit = patches.judge(domain, bytes, request);
    if (hit === undefined || (request.method === 'INVITE' && isEmergency(request))) return undefined;
    const sender = identifier.byFlow(flow, request)?.principal;
    if (sender?.kind === 'trunk' && patches.isBehind(sender.domain, sender.trunk)) return undefined;
    const decision = decidePatch(hit.patch, hit.product);
    bus.emit({
      type: 'patch.blocked',
      patch: hit.patch.id,
      cve: hit.patch.cve,
      title: hit.patch.title,
      source: socketText(flow.remote),
      listener: flow.listener,
      domain,
      method: request.method.slice(0, 32),
      target: serializeUri(request.uri).slice(0, longestTarget),
      decision,
    });
    return decision;
  }

  /** The patch for octets that are no request that could be read. */
  name(bytes: Uint8Array): string | undefined {
    return this.#parts.patches.name(bytes);
  }

  /** A system behind the edge has said what it is. */
  heard(owner: string, header: string): void {
    const { patches, bus } = this.#parts;
    const news = patches.heard(owner, header);
    if (news === undefined) return;
    const { product, patches: on } = news;
    bus.emit({
      type: 'patches.changed',
      owner,
      domain: owner.slice(owner.lastIndexOf('@') + 1),
      product: product.name,
      version: product.version ?? '',
      patches: on,
    });
  }
}
