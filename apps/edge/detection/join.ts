import type { BanProposal } from '../admission/bans/types.ts';
import type { Configuration } from '../config/schema.ts';
import type { EventBus } from '../events/bus.ts';
import type { Registrar } from '../registrar/registrar.ts';
import type { Directory } from '../routing/directory.ts';
import type { Numbers } from '../routing/numbers.ts';
import { Detection } from './detection.ts';
import type { QuarantineOrder } from './report.ts';

/** What the edge has that detection looks at. */
export interface DetectionJoin {
  readonly bus: EventBus;
  readonly registrar: Registrar;
  config(): Configuration;
  directory(): Directory;
  numbers(): Numbers;
  now(): number;
  ban(proposal: BanProposal): void;
  quarantine(order: QuarantineOrder): void;
}

/** Detection of the running edge. */
export function joinDetection(edge: DetectionJoin): Detection {
  return new Detection({
    bus: edge.bus,
    now: () => edge.now(),
    settings: () => edge.config().detection,
    ban: (proposal) => edge.ban(proposal),
    quarantine: (order) => edge.quarantine(order),
    numbers: () => edge.numbers(),
    directory: (name) => edge.directory().domain(name),
    userAgentOf: (domain, user, contact) =>
      edge.registrar.lookup(domain, user, edge.now()).find((binding) => binding.contact === contact)
        ?.userAgent ?? '',
    isDatagram: (listener) =>
      edge.config().listeners.find(({ name }) => name === listener)?.transport === 'udp',
  });
}
