import type { SipUri } from '../message/types.ts';
import type { DialTransport } from '../transport/flow.ts';
import { addressFamily } from './numeric.ts';
import {
  type DnsAnswer,
  type DnsQuery,
  type DnsType,
  type NaptrRecord,
  orderNaptr,
  orderSrv,
  type Random,
  type SrvRecord,
} from './records.ts';

/** Where a request may be sent; to be tried in their order (RFC 3263 §4.3). */
export interface Candidate {
  readonly transport: DialTransport;
  readonly address: string;
  readonly port: number;
  /** Host of the URI: what a TLS certificate has to name (RFC 3263 §4.1, RFC 5922 §5.1). */
  readonly serverName: string;
}

export type ResolveFailure =
  /** No name, no address, or only services that are decidedly not there. */
  | 'not-found'
  /** DNS gave no answer, and nothing else was found: trying later may help. */
  | 'unavailable'
  /** The URI asks for a transport that we lack, or that its scheme forbids. */
  | 'unsupported-transport';

export type ResolveOutput =
  | DnsQuery
  | { readonly kind: 'resolved'; readonly candidates: readonly Candidate[] }
  | { readonly kind: 'failed'; readonly reason: ResolveFailure };

export interface ResolveOptions {
  /** Transports that we can send over, the one we like best first: the order where NAPTR says nothing. */
  readonly transports: readonly DialTransport[];
  readonly random: Random;
  /** Address families that we can send to, the better first. Default IPv6, then IPv4. */
  readonly families?: readonly (4 | 6)[];
  /** Most NAPTR services, SRV targets and candidates used. Default 8, 16 and 32. */
  readonly maxServices?: number;
  readonly maxTargets?: number;
  readonly maxCandidates?: number;
}

interface Service {
  readonly transport: DialTransport;
  readonly name: string;
  targets?: readonly Target[];
}

interface Target {
  readonly transport: DialTransport;
  readonly name: string;
  readonly port: number;
}

const srvPrefixes: Readonly<Record<DialTransport, string>> = {
  udp: '_sip._udp',
  tcp: '_sip._tcp',
  tls: '_sips._tcp',
};

const naptrServices: ReadonlyMap<string, DialTransport> = new Map([
  ['SIP+D2U', 'udp'],
  ['SIP+D2T', 'tcp'],
  ['SIPS+D2T', 'tls'],
]);

const key = (type: DnsType, name: string): string => `${type} ${name}`;

/**
 * Finds where to send a request for a URI, RFC 3263 §4, without asking DNS itself.
 *
 * Drain `poll`: each `query` is to be answered by `answer` (no records where the name does not exist) or `fail`;
 * the last output is `resolved` or `failed`. Queries may be asked at the same time and answered in any order.
 * A sips URI only ever gives TLS. One round of names to services to addresses: nothing recurses.
 */
export class TargetResolver {
  readonly #transports: readonly DialTransport[];
  readonly #families: readonly (4 | 6)[];
  readonly #random: Random;
  readonly #limits: { readonly services: number; readonly targets: number; readonly candidates: number };
  readonly #serverName: string;
  readonly #host: string;
  readonly #defaultTransport: DialTransport;
  readonly #asked = new Set<string>();
  readonly #addresses = new Map<string, readonly string[]>();
  readonly #outputs: ResolveOutput[] = [];
  #services: Service[] = [];
  #targets: readonly Target[] = [];
  #trouble = false;
  /** A service is decidedly not there. */
  #refused = false;
  #done = false;

  constructor(uri: SipUri, options: ResolveOptions) {
    this.#random = options.random;
    this.#families = options.families ?? [6, 4];
    this.#limits = {
      services: options.maxServices ?? 8,
      targets: options.maxTargets ?? 16,
      candidates: options.maxCandidates ?? 32,
    };
    const secure = uri.scheme === 'sips';
    this.#transports = secure
      ? options.transports.filter((transport) => transport === 'tls')
      : options.transports;
    const maddr = uri.params.get('maddr');
    this.#host = typeof maddr === 'string' ? maddr.replace(/^\[|\]$/g, '') : uri.host;
    this.#serverName = uri.host;

    const wanted = wantedTransport(uri);
    this.#defaultTransport = wanted === undefined || wanted === 'none' ? (secure ? 'tls' : 'udp') : wanted;
    const family = addressFamily(this.#host);
    const fixed = wanted !== undefined || family !== undefined || uri.port !== undefined;
    const lacking =
      this.#transports.length === 0 || (fixed && !this.#transports.includes(this.#defaultTransport));
    if (wanted === 'none' || lacking) {
      this.#finish('unsupported-transport');
    } else if (isInvalidName(this.#host)) {
      this.#finish('not-found');
    } else if (family !== undefined) {
      // §4.2: a numeric address, with the port of the URI or the default.
      this.#addresses.set(key(family === 6 ? 'AAAA' : 'A', this.#host), [this.#host]);
      const port = uri.port ?? defaultPort(this.#defaultTransport);
      this.#targets = [{ transport: this.#defaultTransport, name: this.#host, port }];
      this.#tryFinish();
    } else if (uri.port !== undefined) {
      // §4.2: a port in the URI means that only addresses are looked up.
      this.#askAddresses([{ transport: this.#defaultTransport, name: this.#host, port: uri.port }]);
    } else if (wanted !== undefined) {
      this.#askServices([{ transport: wanted, name: `${srvPrefixes[wanted]}.${this.#host}` }]);
    } else {
      this.#ask('NAPTR', this.#host);
    }
  }

  poll(): ResolveOutput | undefined {
    return this.#outputs.shift();
  }

  /** Records for a query; what was not asked is ignored. */
  answer(answer: DnsAnswer): void {
    if (this.#done || !this.#asked.delete(key(answer.type, answer.name))) return;
    if (answer.type === 'NAPTR') this.#naptr(answer.records);
    else if (answer.type === 'SRV') this.#srv(answer.name, answer.records);
    else {
      const usable = answer.records.filter((text) => addressFamily(text) === (answer.type === 'A' ? 4 : 6));
      this.#addresses.set(key(answer.type, answer.name), usable.slice(0, this.#limits.candidates));
      this.#tryFinish();
    }
  }

  /** A query had no answer: DNS was out of reach or in trouble. */
  fail(type: DnsType, name: string): void {
    if (this.#done || !this.#asked.has(key(type, name))) return;
    this.#trouble = true;
    this.answer({ type, name, records: [] });
  }

  #ask(type: DnsType, name: string): void {
    const query = key(type, name);
    if (this.#asked.has(query) || this.#addresses.has(query)) return;
    this.#asked.add(query);
    this.#outputs.push({ kind: 'query', type, name });
  }

  /** §4.1: the services that we can use, in the order that the domain wants. */
  #naptr(records: readonly NaptrRecord[]): void {
    const services: Service[] = [];
    for (const record of orderNaptr(records)) {
      const transport = naptrServices.get(record.service.toUpperCase());
      if (transport === undefined || !this.#transports.includes(transport)) continue;
      if (record.flags.toLowerCase() !== 's' || record.regexp !== '' || bare(record.replacement) === '')
        continue;
      if (services.length < this.#limits.services)
        services.push({ transport, name: bare(record.replacement) });
    }
    if (services.length > 0) this.#askServices(services);
    else {
      const guesses = this.#transports.map((transport) => ({
        transport,
        name: `${srvPrefixes[transport]}.${this.#host}`,
      }));
      this.#askServices(guesses);
    }
  }

  #askServices(services: Service[]): void {
    this.#services = services;
    for (const service of services) this.#ask('SRV', service.name);
  }

  #srv(name: string, records: readonly SrvRecord[]): void {
    // A single `.` says that the service is decidedly not there (RFC 2782): no addresses are tried for it.
    const usable = records.filter((record) => bare(record.target) !== '' && record.port > 0);
    const ordered = orderSrv(usable.slice(0, this.#limits.targets), this.#random);
    for (const service of this.#services) {
      if (service.name !== name) continue;
      service.targets = ordered.map(({ target, port }) => ({
        transport: service.transport,
        name: bare(target),
        port,
      }));
      if (records.length > usable.length && usable.length === 0) this.#refused = true;
    }
    if (this.#services.some((service) => service.targets === undefined)) return;
    const targets = this.#services.flatMap((service) => service.targets ?? []);
    if (targets.length > 0) this.#askAddresses(targets.slice(0, this.#limits.targets));
    else if (this.#refused) this.#finish('not-found');
    // §4.2: no SRV at all, so the addresses of the name itself.
    else this.#askOwnAddresses();
  }

  #askOwnAddresses(): void {
    const transport = this.#defaultTransport;
    // Of a plain sip URI the default is UDP (§4.1); without UDP, the first transport that we have.
    const usable = this.#transports.includes(transport) ? transport : this.#transports[0];
    if (usable === undefined) this.#finish('unsupported-transport');
    else this.#askAddresses([{ transport: usable, name: this.#host, port: defaultPort(usable) }]);
  }

  #askAddresses(targets: readonly Target[]): void {
    this.#targets = targets;
    for (const target of targets) {
      const family = addressFamily(target.name);
      if (family !== undefined)
        this.#addresses.set(key(family === 6 ? 'AAAA' : 'A', target.name), [target.name]);
      else for (const wanted of this.#families) this.#ask(wanted === 6 ? 'AAAA' : 'A', target.name);
    }
    this.#tryFinish();
  }

  #tryFinish(): void {
    if (this.#asked.size > 0) return;
    const candidates: Candidate[] = [];
    for (const { transport, name, port } of this.#targets) {
      for (const family of this.#families) {
        for (const address of this.#addresses.get(key(family === 6 ? 'AAAA' : 'A', name)) ?? []) {
          if (candidates.length === this.#limits.candidates) break;
          candidates.push({ transport, address, port, serverName: this.#serverName });
        }
      }
    }
    if (candidates.length === 0) this.#finish(this.#trouble ? 'unavailable' : 'not-found');
    else {
      this.#done = true;
      this.#outputs.push({ kind: 'resolved', candidates });
    }
  }

  #finish(reason: ResolveFailure): void {
    this.#done = true;
    this.#outputs.push({ kind: 'failed', reason });
  }
}

/** The name without the dot of the root. */
const bare = (name: string): string => (name.endsWith('.') ? name.slice(0, -1) : name);

/** RFC 6761 §6.4: nobody is asked for these. Phones behind WebSockets put them into Via and Contact (RFC 7118 §5). */
const isInvalidName = (host: string): boolean => /(?:^|\.)invalid\.?$/i.test(host);

const defaultPort = (transport: DialTransport): number => (transport === 'tls' ? 5061 : 5060);

/** Transport that the URI names, `none` where its scheme forbids it or nobody knows it (§4.1, RFC 3261 §26.2.2). */
function wantedTransport(uri: SipUri): DialTransport | 'none' | undefined {
  const param = uri.params.get('transport');
  if (param === undefined) return undefined;
  const name = typeof param === 'string' ? param.toLowerCase() : '';
  if (uri.scheme === 'sips') return name === 'tcp' || name === 'tls' ? 'tls' : 'none';
  return name === 'udp' || name === 'tcp' || name === 'tls' ? name : 'none';
}
