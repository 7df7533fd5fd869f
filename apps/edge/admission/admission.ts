import { randomInt } from 'node:crypto';
import type { Configuration } from '../config/schema.ts';
import type { EdgeEvent } from '../events/types.ts';
import type { Reason } from '../policy/types.ts';
import type { Bans } from './bans/bans.ts';
import type { Ban } from './bans/types.ts';
import { ConnectionCount } from './connections.ts';
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
import { describeSource, isLoopback, SourceKey } from './source.ts';
import { TrustedSources, type TrustKind } from './trust.ts';

/** Trusted sources may send and connect so many times as much as unknown ones. */
const trustedFactor = 10;
const registeredMilliseconds = 3_600_000;
const unknownPerSecond = 5_000;
const unknownConnectionsPerSecond = 300;
/** Of all banned addresses together: INVITEs to emergency numbers, and connections that may bring one. */
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
  /** Messages per second of all unknown sources together. Default 5,000. */
  readonly unknownPerSecond?: number;
  /** Connections per second that all unknown sources together may open; a TLS handshake costs most of a millisecond. Default 300. */
  readonly unknownConnectionsPerSecond?: number;
  /** Methods that unknown sources may use. Default: `knownMethods`. Trusted ones reach the core, which answers 405. */
  readonly methods?: readonly string[];
  /** Loopback has no rate and no bound per source. Default true; tests turn it off. */
  readonly exemptLoopback?: boolean;
  /** Whom nothing is taken from. Default: nobody is banned. */
  readonly bans?: Pick<Bans, 'find' | 'exempt'>;
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
  #trusted: TrustedSources;
  #sources: SourceMeter;
  readonly #unknown: Meter;
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
    this.#unknown = new Meter(options.unknownPerSecond ?? unknownPerSecond);
    this.#opening = new Meter(options.unknownConnectionsPerSecond ?? unknownConnectionsPerSecond);
    this.#settings = options.settings;
    this.#trusted = new TrustedSources(options.settings.perSourcePerSecond * trustedFactor);
    this.#sources = new SourceMeter(options.settings.perSourcePerSecond, this.#seed);
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
    this.#settings = settings;
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
    return this.#trusted.add(address, kind, end, now);
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
      return this.refuse(listener, address, rules.trustedRate, now);
    }
    if (!exempt) {
      if (!this.#sources.take(this.#key.read(address), now))
        return this.refuse(listener, address, rules.rate, now);
      if (!this.#unknown.take(now)) return this.refuse(listener, address, rules.ceiling, now);
    }
    if (method > 0) {
      if (!this.#methods.has(methodText(bytes, method)))
        return this.refuse(listener, address, rules.method, now);
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

  connectionClosed(address: string): void {
    this.#connections.closed(address);
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
    return this.#isEmergency(bytes) && (this.isTrusted(address, now) || this.#rescue.take(now));
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
  ceiling: {
    rule: 'admission.ceiling',
    text: 'All unknown sources together send more than the node takes from them.',
    threshold: options.unknownPerSecond ?? unknownPerSecond,
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
