import { serializeUri } from '@ringfence/sip/message/uri.ts';
import type { EventBus } from '../../events/bus.ts';
import { ownerOf } from '../owner.ts';
import type { RegistrationClient } from './client.ts';

/** Tells what has become of a registration; a refresh that went well is no news. */
export function tellRegistration(bus: EventBus, client: RegistrationClient): void {
  const { state, since, until, failure, plan } = client;
  const owner = ownerOf(plan.trunk);
  const registrar = serializeUri(client.registrar);
  if (state === 'registered')
    bus.emit({ type: 'trunk.registered', owner, registrar, expires: Math.round((until - since) / 1000) });
  else if (state === 'stopped') bus.emit({ type: 'trunk.unregistered', owner, registrar });
  else if (state === 'waiting')
    bus.emit({ type: 'trunk.registration-failed', owner, registrar, reason: failure });
}
