import { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { parseUri } from '@ringfence/sip/message/uri.ts';
import { moneyText } from '@ringfence/tariff/money.ts';
import { party, userUri } from '../call/messages.ts';
import { secureTrunks } from '../call/sips.ts';
import { fraudFacts, withWatched } from '../call/toll-facts.ts';
import type { Encryption } from '../config/schema.ts';
import type { Consulted, Toll } from '../fraud/toll.ts';
import { identify } from '../headers/identity.ts';
import { decide, demandedOf, type RouteFacts } from '../policy/decide.ts';
import { type Decision, describePrincipal, type Principal } from '../policy/types.ts';
import type { Registrar } from '../registrar/registrar.ts';
import { claimsOf, limitFacts } from '../trunks/limits/judge.ts';
import { Limits } from '../trunks/limits/limits.ts';
import type { LiveState } from '../trunks/live-state.ts';
import { calledFrom, callerFrom } from '../trunks/rewrite/incoming.ts';
import { userOf } from '../trunks/rewrite/outgoing.ts';
import { type TracedTrunk, traceTrunk } from '../trunks/trace-trunk.ts';
import type { DomainDirectory } from './directory.ts';
import { type Destination, type RouteNote, readDialled } from './find-route.ts';
import type { Numbers } from './numbers.ts';
import { whereTo } from './where-to.ts';

/** What a call is traced in: the store, and what the running edge has written down, if one runs. */
export interface TraceWorld {
  readonly directory: DomainDirectory;
  readonly numbers: Numbers;
  readonly registrar: Registrar;
  readonly emergencyTrunk: string | undefined;
  readonly maximumCalls: number;
  readonly live: LiveState | undefined;
  /** What calls cost; absent: nothing. */
  readonly toll?: Pick<Toll, 'consult'>;
  readonly now: number;
}

/** The call to be traced. */
export interface TracedCall {
  readonly principal: Principal;
  readonly dialled: string;
  /** Caller as a trunk says it, in place of an anonymous one. */
  readonly caller?: string | undefined;
  /** Over UDP with plain RTP, in place of TLS with SRTP. */
  readonly plain: boolean;
}

/** What the call would cost, and who pays. */
export interface TracedPrice {
  readonly account: string;
  /** As the number was read, where it is one. */
  readonly number: string;
  readonly class: string;
  readonly country: string;
  readonly perMinute: string;
  readonly currency: string;
  /** Prefix of the rate sheet; empty: the price of the class. */
  readonly prefix: string;
}

const priceOf = ({ call, rate }: Consulted): TracedPrice => ({
  account: call.account,
  number: call.number,
  class: call.destination.class,
  country: call.destination.country,
  perMinute: moneyText(rate.perMinute),
  currency: call.currency,
  prefix: rate.prefix,
});

/** Every step of the decision for a call. */
export interface Trace {
  readonly principal: string;
  /** What the caller's side must be protected by. */
  readonly demanded: Encryption;
  readonly number: {
    readonly dialled: string;
    readonly digits?: string;
    readonly e164?: string;
    readonly emergency: boolean;
    /** After the rules of the trunk that the call comes from. */
    readonly rewritten?: string;
  };
  readonly routes: readonly {
    readonly route: string;
    readonly match: string;
    readonly result: Parameters<RouteNote>[1];
  }[];
  readonly destination: string;
  readonly decision: Decision;
  /** Where it leaves by a trunk that has a price. */
  readonly price?: TracedPrice;
  /** In the order to be tried. */
  readonly trunks: readonly TracedTrunk[];
  /** A user: contacts that are registered, as the store says. */
  readonly contacts?: readonly {
    readonly device: string;
    readonly transport: string;
    readonly until: number;
  }[];
  /** An edge runs: health, registrations and usage are its own. */
  readonly live: boolean;
}

/** Goes the way of a call through the functions that calls go through, and places none. */
export function traceCall(world: TraceWorld, call: TracedCall): Trace {
  const { directory, numbers, registrar, emergencyTrunk, now, live } = world;
  const { principal, plain } = call;
  const uri = parseUri(uriText(call.dialled, directory.name));
  const asked = uri.ok ? readDialled(uri.value, numbers) : { text: '', emergency: false };
  const trunk = principal.kind === 'trunk' ? directory.trunks.get(principal.trunk) : undefined;
  const inbound = trunk?.rewrite?.inbound;
  const dialled = calledFrom(inbound, asked, numbers);
  const routes: Trace['routes'][number][] = [];
  const found = whereTo(
    directory,
    principal,
    dialled,
    registrar,
    emergencyTrunk,
    now,
    ({ name, match }, result) => routes.push({ route: name, match, result }),
  );
  const sips = uri.ok && uri.value.scheme === 'sips' && !dialled.emergency;
  const destination = sips ? secureTrunks(found) : found;
  const from = party(userUri(call.caller ?? 'anonymous', directory.name), undefined);
  const identity = callerFrom(
    inbound,
    identify(directory, principal, { from, headers: new HeaderList() }, dialled.emergency),
    numbers,
  );
  const limits = limitsOf(live, now);
  const trunks = destination.kind === 'trunk' ? destination.trunks : [];
  const contacts =
    destination.kind === 'user' ? registrar.lookup(directory.name, destination.user.name, now) : [];
  const limit = dialled.emergency
    ? undefined
    : limitFacts(limits, claimsOf(principal, directory), directory, trunks);
  const consulted =
    destination.kind !== 'trunk' || dialled.emergency
      ? undefined
      : world.toll?.consult({
          id: 'trace',
          directory,
          principal,
          by: 'call',
          caller: userOf(identity.number),
          dialled,
          trunks,
          source: 'trace',
        });
  const decision = decide(
    principal,
    {
      method: 'INVITE',
      source: 'trace',
      transport: plain ? 'udp' : 'tls',
      dialled: dialled.text,
      emergency: dialled.emergency,
      media: { present: true, srtp: !plain, plain, unsupported: false, usable: 1 },
    },
    {
      listener: 'trace',
      listenerEncryption: 'none',
      draining: false,
      calls: 0,
      maximumCalls: world.maximumCalls,
      mediaAvailable: true,
      route: factsOf(destination, contacts.length),
      ...(limit === undefined ? {} : { limit }),
      ...fraudFacts(consulted),
    },
  );
  return {
    principal: describePrincipal(principal),
    demanded: demandedOf(principal, 'none'),
    number: {
      dialled: call.dialled,
      ...(asked.digits === undefined ? {} : { digits: asked.digits }),
      ...(dialled.e164 === undefined ? {} : { e164: dialled.e164 }),
      emergency: dialled.emergency,
      ...(dialled === asked ? {} : { rewritten: dialled.text }),
    },
    routes,
    destination: 'name' in destination ? destination.name : 'none',
    decision: withWatched(decision, consulted),
    ...(consulted === undefined ? {} : { price: priceOf(consulted) }),
    trunks:
      destination.kind === 'trunk'
        ? trunks.map((one) =>
            traceTrunk(
              one,
              destination.rewrite,
              { number: destination.number, identity, emergency: dialled.emergency },
              numbers,
              limits,
              live,
            ),
          )
        : [],
    ...(destination.kind === 'user'
      ? {
          contacts: contacts.map(({ device, transport, expiresAt }) => ({
            device,
            transport,
            until: expiresAt,
          })),
        }
      : {}),
    live: live !== undefined,
  };
}

/** A URI as it is, or a number or name at the domain. */
const uriText = (dialled: string, domain: string): string =>
  /^(?:sips?|tel|urn):/i.test(dialled)
    ? dialled
    : `sip:${encodeURIComponent(dialled).replaceAll('%2B', '+')}@${domain}`;

/** The limits with as many calls as the running edge counts. */
function limitsOf(live: LiveState | undefined, now: number): Limits {
  const limits = new Limits({ now: () => now, after: () => () => undefined });
  for (const { key, calls } of live?.usage ?? [])
    for (let i = 0; i < calls; i += 1) limits.take(`${key} ${i}`, [{ key, limit: {} }]);
  return limits;
}

function factsOf(destination: Destination, contacts: number): RouteFacts {
  switch (destination.kind) {
    case 'none':
      return { kind: 'none' };
    case 'blocked':
      return { kind: 'blocked', name: destination.name, why: destination.why };
    case 'user':
      return { kind: contacts === 0 ? 'offline' : 'found', name: destination.name };
    default:
      return { kind: 'found', name: destination.name };
  }
}
