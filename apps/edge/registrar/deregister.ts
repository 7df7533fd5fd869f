import { CallLeg } from '../call/leg.ts';
import type { DialogTable } from '../call/services.ts';
import type { EventBus } from '../events/bus.ts';
import type { Store } from '../store/contract.ts';
import type { Transports } from '../transport/contract.ts';
import type { LiveBinding, Registrar } from './registrar.ts';

export interface DeregisterParts {
  readonly registrar: Registrar;
  readonly bus: Pick<EventBus, 'emit'>;
  readonly store: Pick<Store, 'putBindings'>;
  readonly dialogs: DialogTable;
  transports(): Pick<Transports, 'drop'>;
  /** It is a call for help. */
  isUrgent(call: string): boolean;
  /** What the PBX was told of them stays known. */
  lapsed(bindings: readonly LiveBinding[]): void;
  failed(error: unknown): void;
}

/**
 * Takes out every binding of a user and ends the connections that they came over, so that its phones register anew, and
 * prove themselves anew, at once; those on UDP do when they would refresh.
 *
 * A connection that others are reached over too stays, and so does one that carries an emergency call. Gives how many
 * bindings there were.
 */
export function deregister(parts: DeregisterParts, domain: string, user: string): number {
  const { registrar, bus, store, transports } = parts;
  const gone = registrar.retain(
    (one) =>
      one.domain.toLowerCase() !== domain.toLowerCase() || one.user.toLowerCase() !== user.toLowerCase(),
  );
  if (gone.length === 0) return 0;
  parts.lapsed(gone);
  void store.putBindings([], gone).catch((error: unknown) => parts.failed(error));
  for (const { device, contact, source, transport, ...named } of gone)
    bus.emit({
      type: 'registration.removed',
      user: named.user,
      domain: named.domain,
      device,
      contact,
      source,
      transport,
      expires: 0,
    });
  const urgent = urgentFlows(parts);
  const left = [...new Set(gone.map((one) => one.user))].flatMap((name) =>
    registrar.leftBy(gone[0]?.domain ?? domain, name),
  );
  const own = gone.flatMap(({ flow, path }) => (flow === undefined || path !== undefined ? [] : [flow]));
  for (const flow of new Set([...own, ...left]))
    if (!registrar.serves(flow) && !urgent.has(flow)) transports().drop(flow, 'registration ended');
  return gone.length;
}

function urgentFlows({ dialogs, isUrgent }: DeregisterParts): ReadonlySet<number> {
  const flows = new Set<number>();
  for (const owner of dialogs.values())
    if (owner instanceof CallLeg && isUrgent(owner.call)) flows.add(owner.flow.id);
  return flows;
}
