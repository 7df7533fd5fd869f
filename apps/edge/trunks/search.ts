import type { HeaderList } from '@ringfence/sip/message/header-list.ts';
import { parseNameAddr } from '@ringfence/sip/message/name-addr.ts';
import type { NameAddr, SipUri } from '@ringfence/sip/message/types.ts';
import { parseUri, sipUri } from '@ringfence/sip/message/uri.ts';
import type { Candidate } from '@ringfence/sip/resolve/target.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import type { BranchTarget } from '../call/branch.ts';
import { party } from '../call/messages.ts';
import { trunkWishes } from '../media/wishes.ts';
import type { Trunk } from '../objects/types.ts';
import type { HealthMonitor } from './health/monitor.ts';
import { answerOf } from './limits/judge.ts';
import type { Limits } from './limits/limits.ts';
import { drawOrder, targetsOf } from './order.ts';
import type { PeerOverload } from './overload.ts';
import { ownerOf } from './owner.ts';
import type { Registrations } from './registration/registrations.ts';

/** What trunks are reached with. */
export interface SearchSources {
  readonly health: Pick<HealthMonitor, 'quarantined' | 'report'>;
  readonly limits: Limits;
  readonly registrations: Pick<Registrations, 'of'>;
  /** What trunks have said of their load. Default: nothing. */
  readonly overload?: Pick<PeerOverload, 'trunkAt' | 'withholds'>;
  /** Numbers from 0 up to, and without, 1. */
  random(): number;
  resolveNumeric(uri: SipUri): readonly Candidate[] | undefined;
  resolve(uri: SipUri): Promise<readonly Candidate[]>;
  /** At once, without waiting: UDP. */
  udpFlow(address: string, port: number): Flow | undefined;
  connect(candidate: Candidate): Promise<Flow | undefined>;
}

/** A trunk to try, with the numbers as it wants them. */
export interface TrunkAttempt {
  readonly trunk: Trunk;
  readonly number: string;
  readonly from: NameAddr;
  /** Header fields for this trunk alone. */
  readonly headers?: HeaderList;
  /** Writes header fields as it wants them, after all others. */
  readonly writeHeaders?: (headers: HeaderList) => void;
}

/** Why nobody was rung. */
export interface SearchProblem {
  readonly status: number;
  readonly cause: string;
  readonly warning: string;
  /** Seconds. */
  readonly retryAfter: number;
}

interface Place {
  readonly attempt: TrunkAttempt;
  readonly uri: SipUri;
  readonly candidate: Candidate;
  /** Values of Route, topmost first (RFC 3608). */
  readonly route: readonly string[];
}

/** The call that is to go out. */
export interface SearchCall {
  readonly id: string;
  readonly emergency: boolean;
  /** It has not ended. */
  wanted(): boolean;
  /** False: what may be spent by that trunk is spent. Default: nobody counts. */
  affords?(trunk: Trunk): boolean;
}

/** Attempts of one call in all: every one of them is a leg with ports of its own. */
const mostAttempts = 16;

const noRoute: readonly string[] = [];

const isSecure = ({ scheme, params }: SipUri): boolean =>
  scheme === 'sips' || params.get('transport') === 'tls';

function hopOf(route: readonly string[]): SipUri | undefined {
  const parsed = parseNameAddr(route[0] ?? '');
  if (!parsed.ok) return undefined;
  const { uri } = parsed.value;
  return uri.scheme === 'sip' || uri.scheme === 'sips' ? uri : undefined;
}

/** A status that says nothing of where it went: 408 stands for silence, 503 for no connection (RFC 3261 §8.1.3.1). */
const noFailover: readonly number[] = [408, 503];
const usualFailover: readonly number[] = [408, 500, 502, 503, 504];

/**
 * Where a call out may go, one place after another: trunks in the order of the route, their targets by priority and
 * weight, their addresses as RFC 3263 §4.3 orders them.
 *
 * Addresses in quarantine are passed over; an emergency call comes back to them when all others have failed. A trunk
 * that requires encryption is reached over TLS or not at all; an emergency call asks it for SRTP, but takes what it
 * gives.
 */
export class TrunkSearch {
  readonly #sources: SearchSources;
  readonly #attempts: readonly TrunkAttempt[];
  readonly #call: SearchCall;
  readonly #quarantined: Place[] = [];
  #places: Place[] = [];
  #at = 0;
  #count = 0;
  #current: Trunk | undefined = undefined;
  #waited = false;
  /** A trunk has asked for fewer calls, and this is one of those that it does not get. */
  #withheld = false;
  /** Trunks that had no place. */
  readonly #full: TrunkAttempt[] = [];

  constructor(sources: SearchSources, attempts: readonly TrunkAttempt[], call: SearchCall) {
    this.#sources = sources;
    this.#attempts = attempts;
    this.#call = call;
  }

  /** Does a call go on to the next place after that final status? */
  goesOn(status: number): boolean {
    // Whoever is called for help is looked for until somebody has taken the call or everybody has refused.
    if (this.#call.emergency && status >= 400 && status !== 487) return true;
    return (
      (this.#current?.failover?.statuses ?? usualFailover).includes(status) || noFailover.includes(status)
    );
  }

  /** The next place that can be reached; undefined where there is none left. */
  next(): BranchTarget | undefined | Promise<BranchTarget | undefined> {
    for (;;) {
      const place = this.#places.shift();
      if (place !== undefined) {
        const found = this.#try(place);
        if (found instanceof Promise) return found.then((target) => target ?? this.next());
        if (found !== undefined) return found;
        continue;
      }
      const attempt = this.#attempts[this.#at];
      if (attempt === undefined) {
        const last = this.#last();
        if (last === undefined) return undefined;
        if (last !== 'again') return last;
        continue;
      }
      this.#at += 1;
      if (!this.#enter(attempt)) continue;
      const expanded = this.#expand(attempt);
      if (expanded !== undefined) return expanded.then(() => this.next());
    }
  }

  /** What the caller hears where every trunk was full and none had a place in time. */
  get problem(): SearchProblem | undefined {
    const [first] = this.#full;
    if (this.#current !== undefined) return undefined;
    if (first === undefined && this.#withheld)
      return { status: 503, cause: 'overload', warning: 'The trunk is overloaded', retryAfter: 1 };
    if (first === undefined) return undefined;
    const { status, retryAfter } = answerOf(first.trunk);
    return { status, cause: 'rate', warning: 'As many calls as allowed are up', retryAfter };
  }

  /** All trunks have been tried: an emergency call goes to those in quarantine, others may wait for a full one. */
  #last(): Promise<BranchTarget | undefined> | 'again' | undefined {
    if (this.#call.emergency) {
      if (this.#quarantined.length === 0) return undefined;
      this.#places = this.#quarantined.splice(0);
      return 'again';
    }
    const attempt = this.#full.find(({ trunk }) => (trunk.limits?.queue ?? 0) > 0);
    const limits = attempt?.trunk.limits;
    if (attempt === undefined || limits === undefined || this.#current !== undefined || this.#waited)
      return undefined;
    this.#waited = true;
    const { id } = this.#call;
    return this.#sources.limits.wait(id, ownerOf(attempt.trunk), limits).then((granted) => {
      if (!granted || !this.#call.wanted()) return undefined;
      const expanded = this.#expand(attempt);
      return expanded === undefined ? this.next() : expanded.then(() => this.next());
    });
  }

  /** A place on a trunk, in place of the one before; an emergency call has it in any case. */
  #enter(attempt: TrunkAttempt): boolean {
    const { limits } = this.#sources;
    const { id, emergency } = this.#call;
    if (!emergency && this.#call.affords?.(attempt.trunk) === false) return false;
    const limit = attempt.trunk.limits;
    if (limit === undefined) {
      limits.leaveTrunk(id);
      return true;
    }
    // Whoever has hung up in the meantime takes nothing: nobody would give it back.
    if (!this.#call.wanted()) return false;
    if (limits.takeTrunk(id, { key: ownerOf(attempt.trunk), limit }, emergency)) return true;
    this.#full.push(attempt);
    return false;
  }

  /** Lists the places of a trunk. */
  #expand(attempt: TrunkAttempt): Promise<void> | undefined {
    const waiting: Promise<void>[] = [];
    const lists: Place[][] = [];
    const registration = this.#sources.registrations.of(attempt.trunk);
    // The provider does not know us at present; for an emergency call it is asked all the same.
    if (registration?.state === 'waiting' && registration.until === 0 && !this.#call.emergency)
      return undefined;
    const route = registration?.serviceRoute ?? noRoute;
    for (const { target } of drawOrder(targetsOf(attempt.trunk), () => this.#sources.random())) {
      const parsed = parseUri(target);
      if (!parsed.ok || (parsed.value.scheme !== 'sip' && parsed.value.scheme !== 'sips')) continue;
      const uri = parsed.value;
      const list: Place[] = [];
      lists.push(list);
      const add = (found: readonly Candidate[]): void => {
        for (const candidate of found) {
          // What goes out over TLS does so wherever the registrar sends it.
          if (route.length > 0 && isSecure(uri) && candidate.transport !== 'tls') continue;
          list.push({ attempt, uri, candidate, route });
        }
      };
      // RFC 3608 §6.1: what was learned from the registrar is the way out.
      const hop = hopOf(route) ?? uri;
      const numeric = this.#sources.resolveNumeric(hop);
      if (numeric === undefined) waiting.push(this.#sources.resolve(hop).then(add));
      else add(numeric);
      if (route.length > 0) break;
    }
    const gather = (): void => {
      const owner = ownerOf(attempt.trunk);
      for (const place of lists.flat()) {
        if (attempt.trunk.encryption === 'required' && place.candidate.transport !== 'tls') continue;
        const dead = this.#sources.health.quarantined(owner, place.candidate);
        (dead ? this.#quarantined : this.#places).push(place);
      }
    };
    if (waiting.length > 0) return Promise.all(waiting).then(gather);
    gather();
    return undefined;
  }

  #try(place: Place): BranchTarget | undefined | Promise<BranchTarget | undefined> {
    if (this.#count >= mostAttempts) return undefined;
    const { candidate, attempt } = place;
    const { overload } = this.#sources;
    overload?.trunkAt(candidate.address, attempt.trunk.overloadControl);
    if (!this.#call.emergency && overload?.withholds(candidate.address) === true) {
      this.#withheld = true;
      return undefined;
    }
    this.#count += 1;
    const take = (flow: Flow | undefined): BranchTarget | undefined => {
      if (flow !== undefined) return this.#target(place, flow);
      this.#sources.health.report(ownerOf(attempt.trunk), candidate, 'transport');
      return undefined;
    };
    return candidate.transport === 'udp'
      ? take(this.#sources.udpFlow(candidate.address, candidate.port))
      : this.#sources.connect(candidate).then(take);
  }

  #target({ attempt, uri, candidate, route }: Place, flow: Flow): BranchTarget {
    const { trunk, number, from, headers, writeHeaders } = attempt;
    this.#current = trunk;
    const silence = trunk.failover?.silenceSeconds;
    const noMedia = trunk.failover?.noMediaSeconds;
    return {
      party: ownerOf(trunk),
      demanded: this.#call.emergency && trunk.encryption === 'required' ? 'preferred' : trunk.encryption,
      uri: sipUri({
        scheme: uri.scheme,
        user: number,
        host: uri.host,
        ...(uri.port === undefined ? {} : { port: uri.port }),
        params: uri.params,
      }),
      from,
      to: party(sipUri({ user: number, host: uri.host }), undefined),
      flow,
      trunk,
      ...(route.length === 0 ? {} : { route }),
      ...(headers === undefined ? {} : { headers }),
      ...trunkWishes(trunk, this.#call.emergency),
      ...(writeHeaders === undefined ? {} : { writeHeaders }),
      ...(silence === undefined ? {} : { silenceMs: silence * 1000 }),
      ...(noMedia === undefined || this.#call.emergency ? {} : { noMediaMs: noMedia * 1000 }),
      heard: (result) => this.#sources.health.report(ownerOf(trunk), candidate, result),
    };
  }
}
