import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import { type Flow, isEncrypted } from '@ringfence/sip/transport/flow.ts';
import type { Accounts } from '../accounts/accounts.ts';
import { warning } from '../call/messages.ts';
import type { EventBus } from '../events/bus.ts';
import type { Principal } from '../policy/types.ts';
import type { Store } from '../store/contract.ts';
import { isPassing } from '../store/store-error.ts';
import type { Transports } from '../transport/contract.ts';
import { flowGraceSeconds } from './outbound.ts';
import type { RegisterOutcome, Registrar } from './registrar.ts';

export interface RegisterParts {
  readonly registrar: Registrar;
  readonly store: Store;
  readonly bus: EventBus;
  /** Which phones are not themselves. */
  readonly accounts: Pick<Accounts, 'arrive' | 'standing'>;
  transports(): Transports;
  now(): number;
  /** Runs a continuation and then sends what came of it. */
  run(step: () => void): void;
}

export interface RegisterArrival {
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly principal: Principal;
  /** The address of record is in another tenant's domain. */
  readonly foreign: boolean;
}

/** A REGISTER from somebody known: stored first, then in effect, then answered (RFC 3261 §10.3). */
export function acceptRegister(
  parts: RegisterParts,
  { request, flow, principal, foreign }: RegisterArrival,
  answer: (status: number, headers?: HeaderList, reason?: string) => void,
): void {
  const { registrar, now } = parts;
  // §10.3 step 3 and 4: the address of record must be the one that the credentials are for.
  const { uri } = request.to;
  const wanted = 'host' in uri ? uri.user?.toLowerCase() : undefined;
  if (
    principal.kind !== 'device' ||
    foreign ||
    (wanted !== principal.user.toLowerCase() && wanted !== principal.device.toLowerCase())
  )
    return answer(403);
  if (principal.encryption === 'required' && !isEncrypted(flow.transport))
    return answer(
      403,
      new HeaderList().add('Warning', '399 ringfence "Encryption is required: register over TLS"'),
    );
  settle(parts, registrar.register(request, principal, flow, now()), flow, answer);
}

/** Stores what a REGISTER has changed, lets it take effect, and answers. */
export function settle(
  { registrar, store, bus, transports, run, accounts }: RegisterParts,
  outcome: RegisterOutcome,
  flow: Flow,
  answer: (status: number, headers?: HeaderList, reason?: string) => void,
): void {
  const { status, headers, reason, put, remove } = outcome;
  if (put.length === 0 && remove.length === 0) return answer(status, headers, reason);
  for (const binding of put) {
    const remote = accounts.arrive(binding, flow, binding);
    if (remote === 'allow') continue;
    if (remote === 'refuse') {
      outcome.abandon();
      return answer(403, new HeaderList().add('Warning', warning('This network is closed to the account')));
    }
    headers.add('Warning', warning('This phone must be confirmed before it can call'));
    break;
  }
  store.putBindings(put, remove).then(
    () =>
      run(() => {
        // The connection may have closed while the disk was busy.
        outcome.commit(flow.transport === 'udp' || transports().flow(flow.id) !== undefined);
        const silence = outcome.flowSeconds;
        transports().keep(
          flow.id,
          registrar.serves(flow.id),
          silence === undefined ? undefined : silence + flowGraceSeconds,
        );
        for (const event of outcome.events) bus.emit(event);
        answer(status, headers, reason);
      }),
    (error: unknown) =>
      run(() => {
        outcome.abandon();
        if (!isPassing(error)) bus.emit({ type: 'edge.error', where: 'store', detail: String(error) });
        answer(503, new HeaderList().add('Retry-After', '10'));
      }),
  );
}
