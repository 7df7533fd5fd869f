import type { Forwarding } from '@ringfence/sip/headers/diversion.ts';
import type { NameAddr, Uri } from '@ringfence/sip/message/types.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import { screening } from '../callers/screening.ts';
import type { Consulted } from '../fraud/toll.ts';
import { anonymous, type CallerIdentity } from '../headers/identity.ts';
import { decide, type MediaFacts } from '../policy/decide.ts';
import { isHelpDesk } from '../policy/standing.ts';
import type { Decision, Principal } from '../policy/types.ts';
import type { DomainDirectory } from '../routing/directory.ts';
import { type Dialled, findRoute } from '../routing/find-route.ts';
import { claimsOf, limitFacts } from '../trunks/limits/judge.ts';
import { trunkAttempt } from '../trunks/rewrite/outgoing.ts';
import { TrunkSearch } from '../trunks/search.ts';
import type { Doorway } from './accept.ts';
import { callerText } from './messages.ts';
import { routeFacts } from './route-facts.ts';
import { socketText } from './services.ts';
import type { AcceptedCall } from './setup.ts';
import { secureTargets, secureTrunks, sipsProblem } from './sips.ts';
import { userTargets } from './targets.ts';
import { fraudFacts, isTolled, withWatched } from './toll-facts.ts';

const isAnonymous = ({ uri }: NameAddr): boolean =>
  'host' in uri && 'host' in anonymous.uri && uri.host === anonymous.uri.host;

/** A way that a party of a call wants it to go: by REFER, or by a redirection. */
export interface WayAsked {
  /** Of the call that goes this way. */
  readonly id: string;
  readonly by: 'transfer' | 'forwarding';
  readonly directory: DomainDirectory;
  /** Whose rights it is judged by. */
  readonly principal: Principal;
  /** Where that party's signalling comes from. */
  readonly flow: Flow;
  readonly uri: Uri;
  readonly dialled: Dialled;
  readonly media: MediaFacts;
  /** Who calls, as a trunk is told of it. */
  readonly identity: CallerIdentity;
  /** Who calls, as a phone shows it. */
  readonly shown: NameAddr;
  readonly forwardings?: readonly Forwarding[];
}

export interface JudgedWay {
  readonly decision: Decision;
  readonly route: string;
  readonly targets: AcceptedCall['targets'];
  /** What it costs to go that way; it has to begin before it is gone. */
  readonly consulted?: Consulted;
}

/** Where to, and may that party: the same policy and routing as for a call of its own. */
export function judgeWay(door: Doorway, asked: WayAsked): JudgedWay {
  const { id, directory, principal, flow, uri, dialled, identity, forwardings } = asked;
  const { services, sources } = door;
  const config = services.config();
  const found = door.isForeign(uri, directory)
    ? ({ kind: 'none' } as const)
    : findRoute(directory, principal, dialled, config.numbers.emergencyTrunk);
  const sips = uri.scheme === 'sips' && !dialled.emergency;
  const destination = sips ? secureTrunks(found) : found;
  const reachable =
    destination.kind === 'user'
      ? userTargets(
          sources,
          directory,
          destination.user,
          asked.shown,
          services.now(),
          config.calls.maximumForks,
          dialled.instance,
        )
      : [];
  const targets = sips ? secureTargets(reachable) : reachable;
  const insecure = sips ? sipsProblem(flow, destination, reachable, targets) : undefined;
  const limit = dialled.emergency
    ? undefined
    : limitFacts(
        door.limits,
        claimsOf(principal, directory),
        directory,
        destination.kind === 'trunk' ? destination.trunks : [],
      );
  const standing = dialled.emergency ? undefined : sources.accounts.standing(principal, flow);
  const consulted =
    destination.kind !== 'trunk' || dialled.emergency
      ? undefined
      : services.toll?.consult({
          id,
          directory,
          principal,
          by: asked.by,
          caller: callerText(identity.number),
          dialled,
          trunks: destination.trunks,
          source: socketText(flow.remote),
        });
  const screened = dialled.emergency
    ? undefined
    : screening(
        directory,
        destination,
        { principal, shown: [asked.shown.uri], hidden: isAnonymous(asked.shown), itself: false },
        door.numbers(),
      );
  const decision = decide(
    principal,
    {
      method: 'INVITE',
      source: flow.remote.address,
      transport: flow.transport,
      dialled: dialled.text,
      emergency: dialled.emergency,
      media: asked.media,
    },
    {
      listener: flow.listener,
      listenerEncryption: door.listenerEncryption(flow.listener),
      draining: door.draining(),
      unrecorded: door.unrecorded(),
      calls: door.calls.size,
      maximumCalls: config.calls.maximum,
      mediaAvailable: services.relay() !== undefined,
      route: insecure ?? routeFacts(destination, targets),
      ...(limit === undefined ? {} : { limit }),
      ...(screened === undefined ? {} : { screened }),
      ...(standing === undefined || isHelpDesk(standing, dialled) ? {} : { standing }),
      ...fraudFacts(consulted),
    },
  );
  if (consulted !== undefined && (decision.verdict === 'accept' || isTolled(decision)))
    services.toll?.tell(consulted);
  const route = 'name' in destination ? destination.name : '';
  if (decision.verdict !== 'accept' || destination.kind !== 'trunk') return { decision, route, targets };
  const { emergency } = dialled;
  const attempts = destination.trunks.map((trunk) =>
    trunkAttempt(
      trunk,
      destination.rewrite,
      { number: destination.number, identity, emergency, forwardings },
      door.numbers(),
    ),
  );
  const search = new TrunkSearch(sources.search, attempts, {
    id,
    emergency,
    wanted: () => door.calls.has(id),
    affords: (trunk) => services.toll?.affords(id, trunk) !== false,
  });
  return {
    decision: withWatched(decision, consulted),
    route,
    targets: search,
    ...(consulted === undefined ? {} : { consulted }),
  };
}
