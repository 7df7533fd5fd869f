import { randomInt } from 'node:crypto';
import { BoundedMap } from '@ringfence/bytes/bounded-map.ts';
import type { Configuration } from '../config/schema.ts';
import type { EdgeEvent } from '../events/types.ts';
import type { Reason } from '../policy/types.ts';
import type { Bans } from './bans/bans.ts';
import type { Ban } from './bans/types.ts';
import { ConnectionCount } from './connections.ts';
import { Demotions, demotedMilliseconds } from './demotion.ts';
import {
  carriesMark,
  invitedNumber,
  isStun,
  knownMethods,
  marksOf,
  methodLength,
  methodText,
} from './first-look.ts';
import { Meter, SourceMeter } from './meter.ts';
import { Refusals } from './refusals.ts';
import { overDatagrams, type Sender } from './sender.ts';
import { Shedding, type TrustLevel } from './shedding.ts';
import { describeSource, isLoopback, NetworkKey, SourceKey } from './source.ts';
import { TrustedSources, type TrustKind } from './trust.ts';

/** Trusted sources may send and connect so many times as much as unknown ones. */
const trustedFactor = 10;
const registeredMilliseconds = 3_600_000;
const unknownConnectionsPerSecond = 300;
/** Of all banned addresses together: INVITEs to emergency numbers, and connections that may bring one. */
/** Sockets are told anew that a source is known after so long; a trunk is known to them for a hundred years. */
const refreshMilliseconds = 60_000;
const mostKnownMilliseconds = 3.2e12;
const reachableMilliseconds = 600_000;
/** Some 100 octets each. */
const mostReachable = 50_000;
const mostPhones = 200_000;
const rescuePerSecond = 50;
const rescueConnectionsPerSecond = 2;
/** A known device has placed an emergency call from a banned address: it is not banned for so long. */
const rescueMilliseconds = 3_600_000;

/** Connections of those are closed at once. */
export const bannedRule = 'admission.banned';

/** Why something is not let in; one object per rule, so that a flood of refusals allocates nothing. */
export interface Refusal {
  /** Stable: `admission.rate`, `admission.ceiling`, `admission.size`, `admission.first-line`, ... */
  readonly rule: string;
  /** One sentence for an administrator. */
  readonly text: string;
  readonly threshold: number;
}

export interface AdmissionSettings extends Readonly<Configuration['admission']> {
  /** As dialled; `INVITE`s to them from trusted sources pass every rate. */
  readonly emergency: readonly string[];
}

export interface AdmissionOptions {
  readonly settings: AdmissionSettings;
  readonly emit: (event: EdgeEvent) => void;
  /** Connections per second that all unknown sources together may open; a TLS handshake costs most of a millisecond. Default 300. */
  readonly unknownConnectionsPerSecond?: number;
  /** Methods that unknown sources may use. Default: `knownMethods`. Trusted ones reach the core, which answers 405. */
  readonly methods?: readonly string[];
  /** Loopback has no rate and no bound per source. Default true; tests turn it off. */
  readonly exemptLoopback?: boolean;
  /** Whom nothing is taken from. Default: nobody is banned. */
  readonly bans?: Pick<Bans, 'find' | 'exempt'>;
  /** Tells the sockets that a source is known, for so many seconds; 0: no longer. Default: nobody is told. */
  readonly known?: (address: string, seconds: number) => void;
  /** Keeps peers from choosing whom they share meter cells with. Default: random. */
  readonly seed?: number;
}

/**
 * Who may be heard at all: decides before parsing, at constant cost per message and in bounded memory.
 *
 * What it refuses is dropped without any answer, so nothing can be amplified or probed through it. Each refusal is
 * counted, and told of as `admission.refused` at most once per 10 s, source, listener and rule.
 */
export class Admission {
  readonly #options: AdmissionOptions;
  readonly #refusals: Refusals;
  readonly #connections = new ConnectionCount();
  readonly #key = new SourceKey();
  readonly #methods: ReadonlySet<string>;
  readonly #seed: number;
  readonly #exemptLoopback: boolean;
  readonly #network = new NetworkKey();
  /** Who is heard under load; whoever measures the load sets its pressure. */
  readonly shedding = new Shedding();
  readonly #demotions = new Demotions();
  #trusted: TrustedSources;
  #sources: SourceMeter;
  #networks: SourceMeter;
  #methodMeters = new Map<string, Meter>();
  #listenerMeters = new Map<string, Meter>();
  #unknown: Meter;
  #probation: Meter;
  /** Addresses that have read what was sent to them. */
  readonly #phones = new BoundedMap<string, number>({ capacity: mostPhones });
  readonly #reachable = new BoundedMap<string, number>({ capacity: mostReachable });
  readonly #opening: Meter;
  readonly #rescue = new Meter(rescuePerSecond);
  readonly #rescueOpening = new Meter(rescueConnectionsPerSecond);
  #marks: RegExp | undefined;
  #emergency: ReadonlySet<string> = new Set();
  #settings: AdmissionSettings;
  /** Time of the latest message. */
  #latest = 0;
  #rules: ReturnType<typeof rulesOf>;

  constructor(options: AdmissionOptions) {
    this.#options = options;
    this.#refusals = new Refusals(options.emit);
    this.#methods = new Set(options.methods ?? knownMethods);
    this.#seed = options.seed ?? randomInt(0x7fffffff);
    this.#exemptLoopback = options.exemptLoopback ?? true;
    this.#opening = new Meter(options.unknownConnectionsPerSecond ?? unknownConnectionsPerSecond);
    this.#settings = options.settings;
    this.#trusted = new TrustedSources(options.settings.perSourcePerSecond * trustedFactor);
    this.#sources = new SourceMeter(options.settings.perSourcePerSecond, this.#seed);
    this.#networks = new SourceMeter(options.settings.perNetworkPerSecond, this.#seed ^ 0x2545f491);
    this.#unknown = new Meter(options.settings.unknownPerSecond);
    this.#probation = new Meter(options.settings.unknownPerSecond);
    this.#rules = rulesOf(options.settings, options);
    this.configure(options.settings, 0);
  }

  /** Takes new settings. Trust stays; rates begin anew only if the rate changed. */
  configure(settings: AdmissionSettings, now: number): void {
    if (settings.perSourcePerSecond !== this.#settings.perSourcePerSecond) {
      const old = this.#trusted;
      this.#trusted = new TrustedSources(settings.perSourcePerSecond * trustedFactor);
      for (const { address, kind, until } of old.standings()) this.#trusted.add(address, kind, until, now);
      this.#sources = new SourceMeter(settings.perSourcePerSecond, this.#seed);
    }
    if (settings.perNetworkPerSecond !== this.#settings.perNetworkPerSecond)
      this.#networks = new SourceMeter(settings.perNetworkPerSecond, this.#seed ^ 0x2545f491);
    this.#settings = settings;
    this.#unknown = new Meter(settings.unknownPerSecond);
    this.#probation = new Meter(settings.unknownPerSecond);
    this.#listenerMeters = new Map();
    this.#methodMeters = new Map();
    for (const method of this.#methods)
      this.#methodMeters.set(method, new Meter(settings.perMethodPerSecond));
    this.#rules = rulesOf(settings, this.#options);
    this.#marks = marksOf(settings.blockedUserAgents);
    this.#emergency = new Set([...settings.emergency, 'sos']);
  }

  get settings(): AdmissionSettings {
    return this.#settings;
  }

  /** Refusals since the start. */
  get refused(): number {
    return this.#refusals.total;
  }

  get connections(): number {
    return this.#connections.total;
  }

  /**
   * The address has proven to be a trunk's or a registered phone's.
   *
   * `until` is a time of the clock that messages come with. Default: without end for a trunk, an hour from now for
   * a phone, so telling it again at each registration is enough. False when too many are trusted already.
   */
  trust(address: string, kind: TrustKind, until?: number, now = this.#latest): boolean {
    const end = until ?? (kind === 'trunk' ? Number.POSITIVE_INFINITY : now + registeredMilliseconds);
    if (kind === 'registered' && this.#demotions.isDemoted(address, now)) return false;
    const before = this.#trusted.until(address, kind);
    const added = this.#trusted.add(address, kind, end, now);
    if (added && (before <= now || end - before > refreshMilliseconds)) this.#know(address, end - now);
    return added;
  }

  #know(address: string, milliseconds: number): void {
    this.#options.known?.(address, Math.min(milliseconds, mostKnownMilliseconds) / 1000);
  }

  /** The address has read what was sent to it: it is in probation for some minutes, apart from those who forge theirs. */
  reachable(address: string, now = this.#latest): void {
    this.#reachable.set(address, now + reachableMilliseconds);
  }

  /**
   * A phone has proven itself from there over datagrams. That gives it no higher rate, since others can write its
   * address on theirs; but no forged datagram and no kernel may shut it out.
   */
  phone(address: string, now = this.#latest): void {
    const end = now + registeredMilliseconds;
    if (end - (this.#phones.peek(address) ?? 0) > refreshMilliseconds)
      this.#know(address, registeredMilliseconds);
    this.#phones.set(address, end);
    this.reachable(address, now);
  }

  /** Phones have proven themselves from there within the hour, or longer ago where they are trusted for longer. */
  hasPhones(address: string, now: number): boolean {
    return this.isTrusted(address, now) || (this.#phones.peek(address) ?? 0) > now;
  }

  /** What is known of whoever sends from there. */
  level(address: string, now: number): TrustLevel {
    return (
      this.#trusted.standing(address, now) ?? (this.#isReachable(address, now) ? 'probation' : 'unknown')
    );
  }

  /** Whether a new call or message of that sender is taken under the present load; emergency calls ask nobody. */
  takes(level: 'registered' | 'trunk'): boolean {
    return this.shedding.passes(level);
  }

  distrust(address: string, kind: TrustKind): void {
    this.#trusted.remove(address, kind);
  }

  isTrusted(address: string, now: number): boolean {
    return this.#trusted.meter(address, now) !== undefined;
  }

  /** What the address has proven to be. */
  standing(address: string, now: number): TrustKind | undefined {
    return this.#trusted.standing(address, now);
  }

  /** A known device has placed an emergency call: a ban of its address is put off for an hour. */
  emergency(address: string, now = this.#latest): void {
    this.#options.bans?.exempt(address, now + rescueMilliseconds);
  }

  /** Undefined lets the message in. `bytes` begin at the first byte of the message. */
  message(
    listener: string,
    address: string,
    bytes: Uint8Array,
    now: number,
    port = 0,
    sender: Sender = overDatagrams,
  ): Refusal | undefined {
    const rules = this.#rules;
    this.#latest = now;
    const ban = this.#options.bans?.find(address, port, now);
    if (ban !== undefined && !this.#passesBan(ban, address, port, bytes, now, sender))
      return this.refuse(listener, address, rules.banned, now);
    if (bytes.length > this.#settings.messageBytes) return this.refuse(listener, address, rules.size, now);
    const method = methodLength(bytes);
    if (method < 0) return isStun(bytes) ? rules.stun : this.refuse(listener, address, rules.firstLine, now);

    const exempt = this.#exemptLoopback && isLoopback(address);
    const trusted = this.#trusted.meter(address, now);
    if (trusted !== undefined) {
      if (exempt || trusted.take(now) || this.#isEmergency(bytes)) return undefined;
      this.#exceeded(address, now);
      return this.refuse(listener, address, rules.trustedRate, now);
    }
    const name = method > 0 ? methodText(bytes, method) : '';
    if (!exempt) {
      const over = this.#overRate(listener, address, name, sender, now);
      if (over !== undefined && !(sender.isRegistered(address, port) && this.#isEmergency(bytes)))
        return this.refuse(listener, address, over, now);
    }
    if (method > 0) {
      if (!this.#methods.has(name)) return this.refuse(listener, address, rules.method, now);
      if (this.#marks !== undefined && carriesMark(bytes, this.#marks))
        return this.refuse(listener, address, rules.userAgent, now);
    }
    return undefined;
  }

  /**
   * Undefined lets the connection in, and it counts until `connectionClosed`.
   *
   * A tenth of all connections is kept free for trusted sources, so that nobody else can take their place.
   */
  connection(listener: string, address: string, now: number): Refusal | undefined {
    const rules = this.#rules;
    // Over a connection or two a banned address can still call for help.
    if (
      this.#options.bans?.find(address, 0, now) !== undefined &&
      (this.#connections.of(address) > 0 || !this.#rescueOpening.take(now))
    )
      return this.refuse(listener, address, rules.banned, now);
    const trusted = this.#trusted.meter(address, now) !== undefined;
    const { connections, connectionsPerSource } = this.#settings;
    const room = trusted ? connections : connections - Math.floor(connections / 10);
    if (this.#connections.total >= room) return this.refuse(listener, address, rules.connections, now);
    if (!this.#exemptLoopback || !isLoopback(address)) {
      const bound = connectionsPerSource * (trusted ? trustedFactor : 1);
      if (this.#connections.of(address) >= bound) {
        return this.refuse(listener, address, rules.connectionsPerSource, now);
      }
      if (!trusted) {
        // Opening costs work: it counts as a message of the source.
        if (!this.#sources.take(this.#key.read(address), now))
          return this.refuse(listener, address, rules.rate, now);
        if (!this.#opening.take(now)) return this.refuse(listener, address, rules.connectionRate, now);
      }
    }
    this.#connections.opened(address);
    return undefined;
  }

  /** A request of the account page is a message of its source. Undefined lets it in; a banned source has none. */
  pageRequest(listener: string, address: string, now: number): Refusal | undefined {
    const rules = this.#rules;
    if (this.#options.bans?.find(address, 0, now) !== undefined)
      return this.refuse(listener, address, rules.banned, now);
    if (this.#exemptLoopback && isLoopback(address)) return undefined;
    if (this.#sources.take(this.#key.read(address), now)) return undefined;
    return this.refuse(listener, address, rules.rate, now);
  }

  connectionClosed(address: string): void {
    this.#connections.closed(address);
  }

  /** So many datagrams of strangers were dropped before they came here, since there were more than could be let in. */
  droppedBelow(count: number): void {
    if (count > 0) this.#refusals.noteUnseen(count);
  }

  /** Counts a refusal that another part made: a broken frame, a failed handshake, a message that never ended. */
  refuse(listener: string, address: string, refusal: Refusal, now: number): Refusal {
    this.#refusals.note(address, listener, refusal.rule, refusal.threshold, now);
    return refusal;
  }

  /** The refusal with its evidence, as decisions carry it. */
  reason(refusal: Refusal, address: string): Reason {
    return {
      rule: refusal.rule,
      text: refusal.text,
      evidence: { source: describeSource(address), connections: this.#connections.of(address) },
      threshold: refusal.threshold,
    };
  }

  /** Tells of all refusals counted so far. */
  flush(): void {
    this.#refusals.flush();
  }

  /** The narrowest bound first: whoever floods alone takes nothing from the others. */
  #overRate(
    listener: string,
    address: string,
    method: string,
    sender: Sender,
    now: number,
  ): Refusal | undefined {
    const rules = this.#rules;
    if (!this.#sources.take(this.#key.read(address), now)) return rules.rate;
    if (!this.#networks.take(this.#network.from(this.#key), now)) return rules.networkRate;
    const known = sender.reachable || this.#isReachable(address, now);
    if (this.shedding.pressure > 0 && !this.shedding.passes(known ? 'probation' : 'unknown'))
      return rules.overload;
    if (this.#methodMeters.get(method)?.take(now) === false) return rules.methodRate;
    let meter = this.#listenerMeters.get(listener);
    if (meter === undefined) {
      meter = new Meter(this.#settings.perListenerPerSecond);
      this.#listenerMeters.set(listener, meter);
    }
    if (!meter.take(now)) return rules.listenerRate;
    return (known ? this.#probation : this.#unknown).take(now) ? undefined : rules.ceiling;
  }

  #isReachable(address: string, now: number): boolean {
    if (this.#reachable.size === 0) return false;
    const until = this.#reachable.peek(address);
    if (until === undefined) return false;
    if (until > now) return true;
    this.#reachable.delete(address);
    return false;
  }

  /** A registered address that goes on and on over its rate is trusted no more; a trunk is. */
  #exceeded(address: string, now: number): void {
    if (this.#trusted.standing(address, now) !== 'registered') return;
    const perSecond = this.#settings.perSourcePerSecond * trustedFactor;
    if (!this.#demotions.exceeded(address, perSecond, now)) return;
    this.#trusted.remove(address, 'registered');
    this.#options.known?.(address, 0);
    this.#options.emit({
      type: 'admission.demoted',
      source: describeSource(address),
      rule: this.#rules.trustedRate.rule,
      threshold: perSecond,
      seconds: demotedMilliseconds / 1000,
    });
  }

  /** Phones that have registered from there go on, and whoever calls for help is heard; what they prove decides. */
  #passesBan(
    ban: Ban,
    address: string,
    port: number,
    bytes: Uint8Array,
    now: number,
    sender: Sender,
  ): boolean {
    if (ban.scope !== 'socket' && sender.isRegistered(address, port)) return true;
    return this.#isEmergency(bytes) && (this.hasPhones(address, now) || this.#rescue.take(now));
  }

  #isEmergency(bytes: Uint8Array): boolean {
    const number = invitedNumber(bytes);
    return number !== undefined && this.#emergency.has(number);
  }
}

const rulesOf = (s: AdmissionSettings, options: AdmissionOptions) => ({
  size: {
    rule: 'admission.size',
    text: 'The message is larger than admission.messageBytes.',
    threshold: s.messageBytes,
  },
  banned: { rule: bannedRule, text: 'The source is banned (`ringfence ban list`).', threshold: 0 },
  stun: { rule: 'admission.stun', text: 'STUN is not answered on SIP ports.', threshold: 0 },
  firstLine: {
    rule: 'admission.first-line',
    text: 'The first line is not that of a SIP request or response.',
    threshold: 0,
  },
  method: {
    rule: 'admission.method',
    text: 'The method is not one that unknown sources may use.',
    threshold: 0,
  },
  userAgent: {
    rule: 'admission.user-agent',
    text: 'The User-Agent is that of a known scanner (admission.blockedUserAgents).',
    threshold: 0,
  },
  rate: {
    rule: 'admission.rate',
    text: 'The source sends more than admission.perSourcePerSecond.',
    threshold: s.perSourcePerSecond,
  },
  trustedRate: {
    rule: 'admission.rate-trusted',
    text: `The source is known and sends more than ${trustedFactor} times admission.perSourcePerSecond.`,
    threshold: s.perSourcePerSecond * trustedFactor,
  },
  networkRate: {
    rule: 'admission.rate-network',
    text: 'The network of the source sends more than admission.perNetworkPerSecond.',
    threshold: s.perNetworkPerSecond,
  },
  methodRate: {
    rule: 'admission.rate-method',
    text: 'Sources that are not trusted send more requests of this method than admission.perMethodPerSecond.',
    threshold: s.perMethodPerSecond,
  },
  listenerRate: {
    rule: 'admission.rate-listener',
    text: 'Sources that are not trusted send more to this listener than admission.perListenerPerSecond.',
    threshold: s.perListenerPerSecond,
  },
  overload: {
    rule: 'admission.overload',
    text: 'The edge is overloaded and hears the least trusted no more (admission.busyPercent, lateMilliseconds).',
    threshold: s.busyPercent,
  },
  ceiling: {
    rule: 'admission.ceiling',
    text: 'All sources that are known as little send more than admission.unknownPerSecond.',
    threshold: s.unknownPerSecond,
  },
  connectionRate: {
    rule: 'admission.connection-rate',
    text: 'All unknown sources together open more connections than the node takes from them.',
    threshold: options.unknownConnectionsPerSecond ?? unknownConnectionsPerSecond,
  },
  connections: {
    rule: 'admission.connections',
    text: 'No more connections are taken (admission.connections).',
    threshold: s.connections,
  },
  connectionsPerSource: {
    rule: 'admission.connections-per-source',
    text: 'The source has as many connections as admission.connectionsPerSource allows.',
    threshold: s.connectionsPerSource,
  },
});
