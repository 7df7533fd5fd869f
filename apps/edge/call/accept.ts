import { parseSession } from '@ringfence/sdp/parse.ts';
import { makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { SipRequest } from '@ringfence/sip/message/types.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { Encryption } from '../config/schema.ts';
import { noMedia, type ReadSession, readSession } from '../media/read-offer.ts';
import { decide, demandedOf, type RouteFacts } from '../policy/decide.ts';
import { type Decision, describePrincipal, type Principal } from '../policy/types.ts';
import type { DomainDirectory } from '../routing/directory.ts';
import { type Destination, type Dialled, findRoute, readDialled } from '../routing/find-route.ts';
import type { Numbers } from '../routing/numbers.ts';
import type { BranchTarget } from './branch.ts';
import { Call } from './call.ts';
import { sdpOf, warning } from './messages.ts';
import { callRecord } from './record.ts';
import { type CallServices, socketText } from './services.ts';
import { callerIdentity, type TargetSources, trunkTarget, userTargets } from './targets.ts';

/** The world that a new call is judged in. */
export interface Doorway {
  readonly services: CallServices;
  readonly sources: TargetSources;
  readonly calls: Map<string, Call>;
  numbers(): Numbers;
  draining(): boolean;
  listenerEncryption(listener: string): Encryption;
}

interface Arrival {
  readonly transaction: ServerTransaction;
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly principal: Principal;
  readonly directory: DomainDirectory;
}

interface Judged extends Arrival {
  readonly dialled: Dialled;
  readonly destination: Destination;
  readonly offer: ReadSession;
  readonly demanded: Encryption;
  readonly from: ReturnType<typeof callerIdentity>;
}

const emptySession = (text: Uint8Array | undefined): ReadSession | undefined =>
  text === undefined
    ? {
        session: {
          origin: { username: '-', sessionId: '0', version: '0', addressType: 'IP4', address: '0.0.0.0' },
          sessionName: '-',
          bandwidths: [],
          timing: [],
          attributes: [],
          media: [],
        },
        streams: [],
        facts: noMedia,
      }
    : undefined;

/** A new INVITE from somebody known: where to, may they, and then the call begins, or is refused with its reasons. */
export function acceptInvite(door: Doorway, arrival: Arrival): void {
  const { request, flow, principal, directory } = arrival;
  const { services, sources } = door;
  const config = services.config();
  const now = services.now();
  const dialled = readDialled(request.uri, door.numbers());
  const destination = findRoute(directory, principal, dialled, config.numbers.emergencyTrunk);
  const listenerEncryption = door.listenerEncryption(flow.listener);
  const body = sdpOf(request);
  const parsed = body === undefined ? undefined : parseSession(body);
  if (parsed !== undefined && !parsed.ok)
    return refuse(door, arrival, dialled, malformed(parsed.error.detail, parsed.error.line));
  let demanded = demandedOf(principal, listenerEncryption);
  const offer =
    emptySession(body) ??
    readSession(
      (parsed as { value: Parameters<typeof readSession>[0] }).value,
      demanded,
      flow.remote.address,
    );
  // What the phone can do is enough for an emergency call.
  if (dialled.emergency && demanded === 'required' && (offer.facts.plain || flow.transport !== 'tls'))
    demanded = 'preferred';
  const from = callerIdentity(directory, principal, request, destination.kind === 'trunk');
  const targets =
    destination.kind === 'user'
      ? userTargets(sources, directory, destination.user, from, now, config.calls.maximumForks)
      : [];
  const decision = decide(
    principal,
    {
      method: request.method,
      source: flow.remote.address,
      transport: flow.transport,
      dialled: dialled.text,
      emergency: dialled.emergency,
      media: offer.facts,
    },
    {
      listener: flow.listener,
      listenerEncryption,
      draining: door.draining(),
      calls: door.calls.size,
      maximumCalls: config.calls.maximum,
      mediaAvailable: services.relay() !== undefined,
      route: routeFacts(destination, targets),
    },
  );
  if (decision.verdict !== 'accept') return refuse(door, arrival, dialled, decision, destination);
  const judged: Judged = { ...arrival, dialled, destination, offer, demanded, from };
  if (destination.kind === 'user') return begin(door, judged, decision, targets);
  if (destination.kind !== 'trunk') return;
  const target = trunkTarget(sources, destination, from);
  if (target instanceof Promise) {
    services.layer.trying(arrival.transaction, now);
    void target.then((found) => services.run(() => reach(door, judged, decision, found)));
  } else reach(door, judged, decision, target);
}

function reach(door: Doorway, judged: Judged, decision: Decision, target: BranchTarget | undefined): void {
  if (target !== undefined) return begin(door, judged, decision, [target]);
  refuse(
    door,
    judged,
    judged.dialled,
    {
      verdict: 'refuse',
      cause: 'no-route',
      status: 500,
      reason: 'Server Internal Error',
      warning: 'The trunk cannot be reached',
      reasons: [
        {
          rule: 'route.unreachable',
          text: "None of the trunk's addresses could be reached.",
          evidence: { dialled: judged.dialled.text },
        },
      ],
    },
    judged.destination,
  );
}

function begin(door: Doorway, judged: Judged, decision: Decision, targets: readonly BranchTarget[]): void {
  const { services, calls } = door;
  const { transaction, request, flow, principal, directory, dialled, destination, offer, demanded } = judged;
  const id = services.token(20);
  const route = 'name' in destination ? destination.name : '';
  const caller = callerText(judged.from);
  const described = describePrincipal(principal);
  const call = new Call(services, {
    id,
    domain: directory.name,
    transaction,
    request,
    flow,
    caller,
    callee: dialled.text,
    principal: described,
    route,
    decision,
    demanded,
    offer,
    targets,
  });
  calls.set(id, call);
  if (services.bus.wants('call.started'))
    services.bus.emit({
      type: 'call.started',
      call: id,
      caller,
      callee: dialled.text,
      principal: described,
      route,
      decision,
    });
  call.start();
}

const callerText = ({ uri }: Judged['from']): string =>
  uri.scheme === 'sip' || uri.scheme === 'sips' ? `${uri.user ?? ''}@${uri.host}` : '';

function routeFacts(destination: Destination, targets: readonly BranchTarget[]): RouteFacts {
  switch (destination.kind) {
    case 'none':
      return { kind: 'none' };
    case 'blocked':
      return { kind: 'blocked', name: destination.name, why: destination.why };
    case 'user':
      return targets.length === 0
        ? { kind: 'offline', name: destination.name }
        : { kind: 'found', name: destination.name };
    case 'trunk':
      return { kind: 'found', name: destination.name };
  }
}

const malformed = (detail: string, line: number): Decision => ({
  verdict: 'refuse',
  cause: 'malformed',
  status: 400,
  reason: 'Bad Request',
  warning: `SDP: ${detail}`,
  reasons: [{ rule: 'media.malformed', text: 'The SDP offer cannot be read.', evidence: { detail, line } }],
});

/** Tells the caller, the log and the records, all with the same reasons. */
function refuse(
  door: Doorway,
  arrival: Arrival,
  dialled: Dialled,
  decision: Decision,
  destination?: Destination,
): void {
  if (decision.verdict !== 'refuse') return;
  const { services } = door;
  const { transaction, request, flow, principal, directory } = arrival;
  const now = services.now();
  const headers = new HeaderList();
  if (decision.warning !== undefined) headers.add('Warning', warning(decision.warning));
  if (decision.retryAfter !== undefined) headers.add('Retry-After', String(decision.retryAfter));
  services.layer.respond(
    transaction,
    makeResponse(request, decision.status, decision.reason, { toTag: services.token(16), headers }),
    now,
  );
  const caller = callerText(callerIdentity(directory, principal, request, false));
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
          callee: dialled.text,
          principal: described,
          route: destination !== undefined && 'name' in destination ? destination.name : '',
          disposition: 'refused',
          status: decision.status,
          cause: decision.cause,
          decision,
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
    .catch((error: unknown) =>
      services.bus.emit({ type: 'edge.error', where: 'store', detail: String(error) }),
    );
}
