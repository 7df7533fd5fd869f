import { parseSession } from '@ringfence/sdp/parse.ts';
import { tooSmall } from '@ringfence/sip/dialog/session-timer.ts';
import type { Forwarding } from '@ringfence/sip/headers/diversion.ts';
import { initialMaxForwards, makeResponse } from '@ringfence/sip/message/build.ts';
import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import type { NameAddr, SipRequest, Uri } from '@ringfence/sip/message/types.ts';
import { serializeUri } from '@ringfence/sip/message/uri.ts';
import { defaultMaxBreadth } from '@ringfence/sip/transaction/loop.ts';
import type { ServerTransaction } from '@ringfence/sip/transaction/transaction.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import { blocked, judgeInbound, labelled } from '../callers/callers.ts';
import type { CallerVerdict } from '../callers/judge.ts';
import { screening } from '../callers/screening.ts';
import type { Encryption } from '../config/schema.ts';
import type { Consulted } from '../fraud/toll.ts';
import { forwardingsOf, timesForwarded } from '../headers/forwardings.ts';
import { type CallerIdentity, identify, isTrusted, present, privacyRefusal } from '../headers/identity.ts';
import { headersFrom } from '../hygiene/header-fields.ts';
import type { MethodGate } from '../hygiene/methods.ts';
import type { MediaWishes } from '../media/keying.ts';
import type { LegSide } from '../media/leg.ts';
import { noMedia, type ReadSession, readSession } from '../media/read-offer.ts';
import { deviceWishes, trunkWishes } from '../media/wishes.ts';
import type { Rewrite } from '../objects/rewrite-settings.ts';
import type { Trunk } from '../objects/types.ts';
import { replacedAtPbx } from '../pbx/replaces.ts';
import { PbxSearch, phoneTargets } from '../pbx/targets.ts';
import { decide, demandedOf } from '../policy/decide.ts';
import { tlsProblem } from '../policy/pins.ts';
import { isHelpDesk } from '../policy/standing.ts';
import { type Decision, describePrincipal, type Principal } from '../policy/types.ts';
import { type DomainDirectory, isNodeTrunk } from '../routing/directory.ts';
import { type Destination, type Dialled, readDialled } from '../routing/find-route.ts';
import type { Numbers } from '../routing/numbers.ts';
import { whereTo } from '../routing/where-to.ts';
import { claimsOf, limitFacts } from '../trunks/limits/judge.ts';
import type { Claim, Limits } from '../trunks/limits/limits.ts';
import { applyHeaderRules } from '../trunks/rewrite/headers.ts';
import { calledFrom, callerFrom } from '../trunks/rewrite/incoming.ts';
import { trunkAttempt, userOf } from '../trunks/rewrite/outgoing.ts';
import { TrunkSearch } from '../trunks/search.ts';
import { addBreadth, breadthExceeded, breadthOf } from './breadth.ts';
import { Call } from './call.ts';
import { Caller } from './caller.ts';
import { CallForwarder } from './forward.ts';
import { callerText, copyAllowed, sdpOf } from './messages.ts';
import { refusalOfParts } from './parts.ts';
import { trunkClaims } from './party.ts';
import { judgePickup, startPickup } from './pickup.ts';
import { refuse, refuseAloud } from './refusal.ts';
import { routeFacts } from './route-facts.ts';
import { type CallServices, socketText } from './services.ts';
import { type AcceptedCall, openMedia, sideOf } from './setup.ts';
import { secureTargets, secureTrunks, sipsProblem } from './sips.ts';
import { type TargetSources, userTargets } from './targets.ts';
import { fraudFacts, isTolled, withWatched } from './toll-facts.ts';
import type { Place } from './transfer.ts';

/** The world that a new call is judged in. */
export interface Doorway {
  readonly services: CallServices;
  readonly sources: TargetSources;
  readonly calls: Map<string, Call>;
  readonly limits: Limits;
  readonly methods: Pick<MethodGate, 'refuse'>;
  /** Callers who hear why they are refused. */
  readonly announcing: Set<unknown>;
  numbers(): Numbers;
  draining(): boolean;
  /** No call may go unrecorded, and nothing can be recorded. */
  unrecorded(): boolean;
  /** Whether the present load leaves room for a new call of such a sender. */
  takes(level: 'registered' | 'trunk'): boolean;
  listenerEncryption(listener: string): Encryption;
  directory(domain: string): DomainDirectory | undefined;
  /** The URI is an address in the domain of another tenant. */
  isForeign(uri: Uri, domain: DomainDirectory): boolean;
}

export interface Arrival {
  readonly transaction: ServerTransaction;
  readonly request: SipRequest;
  readonly flow: Flow;
  readonly principal: Principal;
  readonly directory: DomainDirectory;
  /** The Request-URI names another tenant's domain. */
  readonly foreign: boolean;
  /** Whom the caller wants: the Request-URI, or what it stands for. */
  readonly called: Uri;
}

interface Judged extends Arrival {
  readonly id: string;
  readonly claims: readonly Claim[];
  /** Rules of the trunk that the call comes from. */
  readonly inbound: Rewrite | undefined;
  readonly dialled: Dialled;
  readonly destination: Destination;
  readonly offer: ReadSession | undefined;
  readonly demanded: Encryption;
  readonly from: NameAddr;
  readonly identity: CallerIdentity;
  readonly side: LegSide;
  readonly forwardings: readonly Forwarding[] | undefined;
  /** What the call costs, where it leaves by a trunk. */
  readonly consulted: Consulted | undefined;
  /** The party whose place the caller takes (Replaces). */
  readonly replaced: Place | undefined;
}

/** A new INVITE from somebody known: where to, may they, and then the call begins, or is refused with its reasons. */
export function acceptInvite(door: Doorway, arrival: Arrival): void {
  const { request, flow, principal, directory } = arrival;
  const { services, sources } = door;
  const config = services.config();
  const now = services.now();
  const called = sources.registrar.behind(arrival.called, directory.name, now);
  const asked = readDialled(called, door.numbers());
  const inbound =
    principal.kind === 'trunk' ? directory.trunks.get(principal.trunk)?.rewrite?.inbound : undefined;
  const dialled = calledFrom(inbound, asked, door.numbers());
  const closed = dialled.emergency ? undefined : door.methods.refuse(request, flow, principal, directory);
  if (closed !== undefined) return refuse(door, arrival, dialled, closed);
  const { minimumSessionExpires } = config.calls;
  if (!dialled.emergency && tooSmall(request.headers, minimumSessionExpires))
    return askForLonger(door, arrival, minimumSessionExpires);
  const breadth = dialled.emergency ? defaultMaxBreadth : breadthOf(request.headers);
  if (breadth === 0) return refuse(door, arrival, dialled, breadthExceeded);
  // A dialog of the PBX is taken over there, by its rights.
  const atPbx =
    directory.pbx !== undefined && replacedAtPbx(sources.names, directory.name, request) !== undefined;
  const pickup = atPbx ? undefined : judgePickup(door, arrival, dialled);
  if (pickup !== undefined && pickup.decision.verdict !== 'accept')
    return refuse(door, arrival, dialled, pickup.decision);
  if (pickup !== undefined && sdpOf(request) === undefined) return refuse(door, arrival, dialled, offerless);
  const found =
    arrival.foreign || pickup !== undefined
      ? nowhere
      : whereTo(directory, principal, dialled, sources.registrar, config.numbers.emergencyTrunk, now);
  // RFC 5630; a call for help goes out whatever the scheme.
  const sips = request.uri.scheme === 'sips' && !dialled.emergency;
  const destination = sips ? secureTrunks(found) : found;
  const listenerEncryption = door.listenerEncryption(flow.listener);
  // Where help is called for, what else was sent is no reason to refuse.
  const parts = dialled.emergency ? undefined : refusalOfParts(request);
  if (parts !== undefined) return refuse(door, arrival, dialled, parts);
  const body = sdpOf(request);
  const parsed = body === undefined ? undefined : parseSession(body);
  if (parsed !== undefined && !parsed.ok)
    return refuse(door, arrival, dialled, malformed(parsed.error.detail, parsed.error.line));
  let demanded = demandedOf(principal, listenerEncryption);
  // What the phone can do is enough for an emergency call.
  if (dialled.emergency && demanded === 'required') demanded = 'preferred';
  const wishes = wishesOf(directory, principal, dialled.emergency);
  const side = sideOf(services, flow, demanded, { ...wishes, party: describePrincipal(principal) });
  const offer = parsed === undefined ? undefined : readSession(parsed.value, side);
  const forwardings = isTrusted(directory, principal) ? forwardingsOf(request.headers) : undefined;
  if (forwardings !== undefined && !dialled.emergency) {
    const times = timesForwarded(forwardings);
    if (times > config.calls.maximumForwards)
      return refuse(door, arrival, dialled, forwardedTooOften(times, config.calls.maximumForwards));
  }
  if (privacyRefusal(request) && !dialled.emergency) return refuse(door, arrival, dialled, privacyUnknown);
  const claimed = callerFrom(
    inbound,
    identify(directory, principal, request, dialled.emergency),
    door.numbers(),
  );
  const doubt = judgeInbound(directory, principal, request, claimed, dialled, door.numbers());
  if (doubt !== undefined) tellDoubt(services, arrival, claimed, doubt);
  if (doubt?.action === 'block') return refuse(door, arrival, dialled, blocked(doubt));
  const identity =
    doubt?.action === 'label'
      ? labelled(claimed, directory.callers?.label, trunkOf(directory, principal)?.callers)
      : claimed;
  const phones = present(identity, 'phone', false).from;
  const from = destination.kind === 'trunk' ? identity.number : identity.name;
  const reachable =
    destination.kind === 'user'
      ? userTargets(
          sources,
          directory,
          destination.user,
          phones,
          now,
          Math.min(config.calls.maximumForks, breadth),
          dialled.instance,
        )
      : destination.kind === 'phone'
        ? phoneTargets(sources, directory, destination, phones, now)
        : [];
  const targets = sips ? secureTargets(reachable) : reachable;
  const insecure = sips ? sipsProblem(flow, destination, reachable, targets) : undefined;
  const claims = claimsOf(principal, directory);
  const limit = dialled.emergency
    ? undefined
    : limitFacts(door.limits, claims, directory, destination.kind === 'trunk' ? destination.trunks : []);
  const standing = dialled.emergency ? undefined : sources.accounts.standing(principal, flow);
  // Taking over a call is no call to the help desk.
  const held =
    standing !== undefined && pickup === undefined && isHelpDesk(standing, dialled) ? undefined : standing;
  const id = services.token(20);
  const consulted =
    destination.kind !== 'trunk' || dialled.emergency
      ? undefined
      : services.toll?.consult({
          id,
          directory,
          principal,
          by: 'call',
          caller: callerText(from),
          dialled,
          trunks: destination.trunks,
          source: socketText(flow.remote),
        });
  const screened =
    dialled.emergency || pickup !== undefined
      ? undefined
      : screening(
          directory,
          destination,
          {
            principal,
            shown: [identity.name.uri, identity.number.uri],
            hidden: identity.hidden,
            itself: true,
          },
          door.numbers(),
        );
  const pin = tlsProblem(side.pinned, flow.tls ?? {});
  const decision = decide(
    principal,
    {
      ...(pin === undefined ? {} : { pin }),
      method: request.method,
      source: flow.remote.address,
      transport: flow.transport,
      dialled: dialled.text,
      emergency: dialled.emergency,
      media: offer?.facts ?? noMedia,
    },
    {
      listener: flow.listener,
      listenerEncryption,
      draining: door.draining(),
      unrecorded: door.unrecorded(),
      overloaded: !dialled.emergency && !door.takes(principal.kind === 'trunk' ? 'trunk' : 'registered'),
      calls: door.calls.size,
      maximumCalls: config.calls.maximum,
      mediaAvailable: services.relay() !== undefined,
      route: isLoop(services, request, asked)
        ? { kind: 'loop', name: 'name' in destination ? destination.name : '' }
        : pickup === undefined
          ? (insecure ?? routeFacts(destination, targets))
          : { kind: 'found', name: 'pickup' },
      ...(limit === undefined ? {} : { limit }),
      ...(held === undefined ? {} : { standing: held }),
      ...fraudFacts(consulted),
      ...(screened === undefined ? {} : { screened }),
    },
  );
  if (consulted !== undefined && (decision.verdict === 'accept' || isTolled(decision)))
    services.toll?.tell(consulted);
  if (decision.verdict !== 'accept')
    return refuseAloud(door, arrival, { dialled, decision, destination, offer, side });
  if (dialled.emergency) services.emergencyFrom?.(flow.remote.address);
  const watched = withWatched(decision, consulted);
  const judgement =
    doubt === undefined ? watched : { ...watched, reasons: [...watched.reasons, ...doubt.reasons] };
  const replaced = pickup?.place;
  const judged: Judged = {
    ...arrival,
    id,
    claims,
    inbound,
    dialled,
    destination,
    offer,
    demanded,
    from,
    identity,
    replaced,
    side,
    forwardings,
    consulted,
  };
  if (destination.kind === 'pbx') {
    const others = [...directory.trunks.values()].filter(({ name }) => !isNodeTrunk(name));
    const rescue = dialled.emergency
      ? new TrunkSearch(
          sources.search,
          others.map((trunk) =>
            trunkAttempt(
              trunk,
              undefined,
              { number: dialled.digits ?? dialled.text, identity, emergency: true },
              door.numbers(),
            ),
          ),
          { id, emergency: true, wanted: () => door.calls.has(id) },
        )
      : undefined;
    return begin(
      door,
      judged,
      judgement,
      new PbxSearch(sources, directory, destination, request, from, rescue),
    );
  }
  if (destination.kind !== 'trunk') return begin(door, judged, judgement, targets);
  const carried = isTrusted(directory, principal)
    ? trustedOnly(request, config.calls.trustedHeaders)
    : undefined;
  const attempts = destination.trunks.map((trunk) =>
    trunkAttempt(
      trunk,
      destination.rewrite,
      { number: destination.number, identity, emergency: dialled.emergency, carried, forwardings },
      door.numbers(),
    ),
  );
  const call = {
    id,
    emergency: dialled.emergency,
    wanted: () => door.calls.has(id),
    affords: (trunk: Trunk) => services.toll?.affords(id, trunk) !== false,
  };
  begin(door, judged, judgement, new TrunkSearch(sources.search, attempts, call));
}

const trunkOf = (directory: DomainDirectory, principal: Principal): Trunk | undefined =>
  principal.kind === 'trunk' ? directory.trunks.get(principal.trunk) : undefined;

function tellDoubt(
  { bus }: CallServices,
  { principal, directory, flow, called }: Arrival,
  identity: CallerIdentity,
  { action, reasons }: CallerVerdict,
): void {
  bus.emit({
    type: 'caller.doubted',
    domain: directory.name,
    trunk: principal.kind === 'trunk' ? principal.trunk : '',
    source: socketText(flow.remote),
    number: callerText(identity.number),
    called: serializeUri(called),
    action,
    reasons,
  });
}

/** RFC 4028 §6: no refusal of the call, the caller asks again for as much. */
function askForLonger({ services }: Doorway, { transaction, request }: Arrival, minimum: number): void {
  const headers = new HeaderList().add('Min-SE', String(minimum));
  const response = makeResponse(request, 422, undefined, { toTag: services.token(16), headers });
  services.layer.respond(transaction, response, services.now());
}

const nowhere: Destination = { kind: 'none' };

/** RFC 5393: one of our own INVITEs, for the number that it was sent to. For another number it is a spiral. */
function isLoop({ dialogs }: CallServices, request: SipRequest, dialled: Dialled): boolean {
  const tag = request.from.params.get('tag');
  const own = typeof tag === 'string' ? dialogs.get(tag) : undefined;
  return own !== undefined && own.callId === request.callId && own.rang === dialled.text;
}

function begin(door: Doorway, judged: Judged, decision: Decision, targets: AcceptedCall['targets']): void {
  const { services, calls } = door;
  const { id, transaction, request, flow, principal, directory, dialled, destination, offer, demanded } =
    judged;
  const { replaced } = judged;
  const route = replaced !== undefined ? 'pickup' : 'name' in destination ? destination.name : '';
  // A token says nothing to whoever reads the record.
  const dialledText = destination.kind === 'phone' ? destination.binding.user : dialled.text;
  const callee = replaced === undefined ? dialledText : replaced.call.partyFacing(replaced.leg);
  const caller = callerText(judged.from);
  const described = describePrincipal(principal);
  const headers = new HeaderList();
  const passing = headersFrom(services.config(), judged.flow.listener, principal, directory);
  copyAllowed(request, passing, headers);
  // A PBX of one's own is told who calls, and keeps it to itself.
  if (destination.kind === 'pbx' && judged.identity.hidden) headers.add('Privacy', 'id');
  if (judged.inbound?.headers !== undefined)
    applyHeaderRules(headers, judged.inbound.headers, { caller: userOf(judged.from), called: dialled.text });
  if (destination.kind === 'phone') copyAllowed(request, directory.pbx?.allowedHeaders ?? [], headers);
  addBreadth(
    headers,
    breadthOf(request.headers),
    'length' in targets ? targets.length : 1,
    request.headers.has('Max-Breadth'),
  );
  const accepted: AcceptedCall = {
    id,
    domain: directory.name,
    transaction,
    request,
    flow,
    caller,
    callee,
    principal: described,
    trunk: principal.kind === 'trunk' ? directory.trunks.get(principal.trunk) : undefined,
    route,
    decision,
    demanded,
    offer,
    targets,
    headers,
    hidden: judged.identity.hidden,
    side: judged.side,
    ...(destination.kind === 'user'
      ? { forwarder: () => new CallForwarder(door, { ...judged, forwardings: judged.forwardings ?? [] }) }
      : {}),
    // §16.6 step 3; nobody may give a call more hops than a new one has.
    maxForwards: Math.min(request.maxForwards ?? initialMaxForwards, initialMaxForwards) - 1,
  };
  const call = new Call(services, accepted, (events) => new Caller(services, events, accepted));
  transaction.context = call;
  calls.set(id, call);
  if (judged.consulted !== undefined) services.toll?.begin(judged.consulted);
  const partner = replaced?.call.other(replaced.leg);
  const more = partner === undefined ? [] : trunkClaims(directory, [partner]);
  door.limits.take(id, more.length === 0 ? judged.claims : [...judged.claims, ...more]);
  if (services.bus.wants('call.started'))
    services.bus.emit({
      type: 'call.started',
      call: id,
      domain: directory.name,
      caller,
      callee,
      principal: described,
      route,
      decision,
    });
  if (replaced !== undefined) return startPickup(door, replaced, call, accepted);
  call.start(accepted, openMedia(services, accepted));
}

/** What may pass within the trust domain only (RFC 7315 §6). */
function trustedOnly(request: SipRequest, names: readonly string[]): HeaderList | undefined {
  if (names.length === 0) return undefined;
  const headers = new HeaderList();
  copyAllowed(request, names, headers);
  return headers;
}

const privacyUnknown: Decision = {
  verdict: 'refuse',
  cause: 'policy',
  status: 500,
  reason: 'Server Internal Error',
  warning: 'A privacy service was called for that does not exist here',
  reasons: [
    {
      rule: 'privacy.unknown',
      text: 'The caller insists on a kind of privacy that is not known.',
      evidence: { header: 'Privacy' },
    },
  ],
};

/** What is configured of the media of a caller. */
function wishesOf(directory: DomainDirectory, principal: Principal, emergency: boolean): MediaWishes {
  if (principal.kind === 'trunk') return trunkWishes(directory.trunks.get(principal.trunk), emergency);
  return principal.kind === 'device'
    ? deviceWishes(directory.devices.get(principal.device)?.device, emergency)
    : {};
}

const forwardedTooOften = (times: number, maximum: number): Decision => ({
  verdict: 'refuse',
  cause: 'no-route',
  status: 482,
  reason: 'Loop Detected',
  reasons: [
    {
      rule: 'forward.too-many',
      text: 'The call has been forwarded too often.',
      evidence: { times },
      threshold: maximum,
    },
  ],
});

const offerless: Decision = {
  verdict: 'refuse',
  cause: 'media',
  status: 488,
  reason: 'Not Acceptable Here',
  warning: 'An INVITE that takes a call over must carry an SDP offer',
  reasons: [
    {
      rule: 'pickup.offer-missing',
      text: 'An INVITE that takes a call over must carry an SDP offer.',
      evidence: { method: 'INVITE' },
    },
  ],
};

const malformed = (detail: string, line: number): Decision => ({
  verdict: 'refuse',
  cause: 'malformed',
  status: 400,
  reason: 'Bad Request',
  warning: `SDP: ${detail}`,
  reasons: [{ rule: 'media.malformed', text: 'The SDP offer cannot be read.', evidence: { detail, line } }],
});
