import { initialMaxForwards, makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { Encryption } from '../config/schema.ts';
import { identify } from '../headers/identity.ts';
import type { LegSide } from '../media/leg.ts';
import type { ReadSession } from '../media/read-offer.ts';
import { reasonOfRefusal } from '../policy/reject-reasons.ts';
import { type Decision, describePrincipal } from '../policy/types.ts';
import type { Destination, Dialled } from '../routing/find-route.ts';
import { isPassing } from '../store/store-error.ts';
import type { Arrival, Doorway } from './accept.ts';
import { Announcement } from './announcement.ts';
import { callerText, warning } from './messages.ts';
import { callRecord } from './record.ts';
import { socketText } from './services.ts';

type Refusal = Extract<Decision, { verdict: 'refuse' }>;

/** Announcements at once: each holds ports. */
const mostAnnouncements = 50;

/** Tells the caller, the log and the records, all with the same reasons. */
export function refuse(
  door: Doorway,
  arrival: Arrival,
  dialled: Dialled,
  decision: Decision,
  destination?: Destination,
): void {
  if (decision.verdict !== 'refuse') return;
  const { services } = door;
  const { transaction, request } = arrival;
  const headers = headersOf(decision);
  if (decision.warning !== undefined) headers.add('Warning', warning(decision.warning, decision.warningCode));
  if (decision.retryAfter !== undefined) headers.add('Retry-After', String(decision.retryAfter));
  services.layer.respond(
    transaction,
    makeResponse(request, decision.status, decision.reason, { toTag: services.token(16), headers }),
    services.now(),
  );
  note(door, arrival, dialled, decision, destination);
}

/** As `refuse`, but the caller hears why first, where there is a file for it and its offer leaves room for that. */
export function refuseAloud(
  door: Doorway,
  arrival: Arrival,
  refused: {
    readonly dialled: Dialled;
    readonly decision: Decision;
    readonly destination: Destination;
    readonly offer: ReadSession | undefined;
    readonly side: LegSide;
  },
): void {
  const { dialled, decision, destination, offer, side } = refused;
  if (decision.verdict !== 'refuse') return;
  const { demanded } = side;
  const { services, announcing } = door;
  const { cause } = decision;
  const files = services.config().sounds.refused;
  const path =
    cause === 'policy' || cause === 'fraud' || cause === 'no-route' || cause === 'rate'
      ? files[cause]
      : undefined;
  if (
    path === undefined ||
    services.sounds === undefined ||
    offer === undefined ||
    !takesPart(offer, demanded) ||
    announcing.size >= mostAnnouncements
  )
    return refuse(door, arrival, dialled, decision, destination);
  const { transaction, request, flow, principal, directory } = arrival;
  const id = services.token(20);
  const announcement = new Announcement(
    services,
    {
      id,
      domain: directory.name,
      caller: '',
      callee: '',
      principal: describePrincipal(principal),
      route: '',
      decision,
      headers: new HeaderList(),
      maxForwards: initialMaxForwards,
      transaction,
      request,
      flow,
      trunk: principal.kind === 'trunk' ? directory.trunks.get(principal.trunk) : undefined,
      demanded,
      side,
      offer,
      targets: [],
    },
    path,
    (caller, outcome) => {
      announcing.delete(announcement);
      if (outcome === 'cancelled') caller.refuse(487, undefined);
      else caller.refuse(decision.status, decision.warning, decision.retryAfter, headersOf(decision));
      note(door, arrival, dialled, decision, destination);
    },
  );
  announcing.add(announcement);
}

/** What is demanded of its encryption holds for an announcement, too. */
const takesPart = ({ facts }: ReadSession, demanded: Encryption): boolean =>
  facts.usable > 0 && (demanded !== 'required' || !facts.plain);

function headersOf({ cause, allow }: Refusal): HeaderList {
  const headers = new HeaderList().add('Reason', reasonOfRefusal(cause));
  return allow === undefined ? headers : headers.add('Allow', allow);
}

/** The event and the record of a refusal. */
function note(
  door: Doorway,
  arrival: Arrival,
  dialled: Dialled,
  decision: Refusal,
  destination: Destination | undefined,
): void {
  const { services } = door;
  const { request, flow, principal, directory } = arrival;
  const now = services.now();
  const caller = callerText(identify(directory, principal, request, false).name);
  const source = socketText(flow.remote);
  services.bus.emit({
    type: 'request.refused',
    source,
    method: request.method,
    caller,
    target: dialled.text,
    decision,
  });
  const id = services.token(20);
  const described = describePrincipal(principal);
  services
    .record(
      callRecord(
        {
          id,
          domain: directory.name,
          startedAt: now,
          ringingAt: undefined,
          answeredAt: undefined,
          endedAt: now,
          caller,
          callee: destination?.kind === 'phone' ? destination.binding.user : dialled.text,
          principal: described,
          route: destination !== undefined && 'name' in destination ? destination.name : '',
          disposition: 'refused',
          status: decision.status,
          cause: decision.cause,
          decision: JSON.stringify(decision),
          grade: '',
        },
        [
          {
            index: 0,
            direction: 'in',
            principal: described,
            remote: source,
            transport: flow.transport,
            callId: request.callId,
            status: decision.status,
            startedAt: now,
            endedAt: now,
            protection: '',
            quality: '',
          },
        ],
      ),
    )
    .catch((error: unknown) => {
      if (!isPassing(error)) services.bus.emit({ type: 'edge.error', where: 'store', detail: String(error) });
    });
}
