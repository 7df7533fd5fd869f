import type { Unsecured } from '@ringfence/relay/handshake.ts';
import type { KnownPeers, TamperFinding } from '../policy/known-peers.ts';
import { type Pins, pinProblem, tlsProblem } from '../policy/pins.ts';
import type { LegProtection } from '../policy/protection.ts';
import type { CallServices } from './services.ts';

/** Rules of the media that refuse what would take encryption away. */
const stripping: ReadonlySet<string> = new Set(['media.downgrade', 'media.answer-unencrypted']);

type Watching = Pick<CallServices, 'bus' | 'config'> & { readonly peers?: KnownPeers };

/**
 * Holds a call's legs against what is known of their parties. True: by policy (`calls.onTampering`) the call must end;
 * an emergency call never does.
 */
export function suspicious(
  services: Watching,
  call: { readonly id: string; readonly emergency: boolean },
  protection: readonly LegProtection[],
): boolean {
  const ends = services.config().calls.onTampering === 'end' && !call.emergency;
  let found = false;
  for (const leg of protection)
    for (const finding of services.peers?.look(leg, !ends) ?? []) {
      found = true;
      tell(services, call.id, leg, finding, ends ? 'ended' : 'told');
    }
  return found && ends;
}

/**
 * A handshake of DTLS that failed because somebody else has answered it: nothing passes on that stream in any case. Of
 * ZRTP its own watch tells.
 */
export function tellHandshake(services: Watching, call: string, leg: LegProtection, event: Unsecured): void {
  if (event.by !== 'dtls' || (event.reason !== 'fingerprint' && event.reason !== 'authentication')) return;
  const evidence = { reason: event.reason, detail: event.detail };
  tell(services, call, leg, { kind: 'dtls-fingerprint', evidence }, 'refused');
}

/** Whether a leg shows the certificates that configuration pins it to; told where it does not. */
export function breaksPin(
  services: Watching,
  call: { readonly id: string },
  pins: Pins | undefined,
  leg: LegProtection,
  outcome: 'ended' | 'refused',
): boolean {
  const problem = outcome === 'refused' ? tlsProblem(pins, leg.signalling) : pinProblem(pins, leg);
  if (problem === undefined) return false;
  const evidence = { in: problem.in, seen: problem.seen, pinned: problem.pinned };
  tell(services, call.id, leg, { kind: 'certificate-pinned', evidence }, outcome);
  return true;
}

/** An offer or answer that was refused because it would have taken encryption away. */
export function tellStripping(
  services: Watching,
  call: string,
  leg: { readonly index: number; readonly party: string },
  problem: { readonly rule: string; readonly warning: string },
): void {
  if (!stripping.has(problem.rule)) return;
  const evidence = { rule: problem.rule, refusal: problem.warning };
  tell(
    services,
    call,
    { leg: leg.index, party: leg.party },
    { kind: 'encryption-stripped', evidence },
    'refused',
  );
}

export function tell(
  { bus }: Pick<Watching, 'bus'>,
  call: string,
  { leg, party }: Pick<LegProtection, 'leg' | 'party'>,
  { kind, evidence }: TamperFinding,
  outcome: 'told' | 'ended' | 'refused',
): void {
  bus.emit({ type: 'call.tampering', call, leg, party, kind, evidence, outcome });
}
