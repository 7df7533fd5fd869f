import type { Call } from '../call/call.ts';
import type { Configuration } from '../config/schema.ts';
import type { EdgeParts } from '../edge.ts';
import type { Directory } from '../routing/directory.ts';
import type { Numbers } from '../routing/numbers.ts';
import { Toll } from './toll.ts';

export interface TollJoint {
  readonly parts: EdgeParts;
  config(): Configuration;
  directory(): Directory;
  numbers(): Numbers;
  readonly calls: ReadonlyMap<string, Pick<Call, 'cutOff'>>;
  /** What runs later sends what comes of it. */
  after(milliseconds: number, run: () => void): () => void;
  failed(error: unknown): void;
}

/** The toll of an edge: its judges are added to `toll.gate`. */
export function joinToll({ parts, config, directory, numbers, calls, after, failed }: TollJoint): Toll {
  return new Toll({
    settings: () => config().fraud,
    home: () => config().numbers.country.toUpperCase(),
    e164: (digits) => numbers().e164(digits),
    directory: (domain) => directory().domain(domain),
    bus: parts.bus,
    now: () => parts.now(),
    after,
    store: parts.store,
    rows: parts.spend ?? [],
    cutOff: (call, why) => calls.get(call)?.cutOff(why),
    failed,
  });
}
