import { randomInt } from 'node:crypto';
import { preferLargePages } from '@ringfence/datagram/socket.ts';
import type { SipRequest, Uri } from '@ringfence/sip/message/types.ts';
import type { Flow } from '@ringfence/sip/transport/flow.ts';
import { AccountJudge } from '@ringfence/threat/accounts.ts';
import { HeavyHitters } from '@ringfence/threat/heavy-hitters.ts';
import { RegistrationWatch } from '@ringfence/threat/registrations.ts';
import { boundsOf, type Finding, makeFinding } from '@ringfence/threat/rules.ts';
import { MarkReader, readShape } from '@ringfence/threat/shape.ts';
import { type Request, SourceJudge } from '@ringfence/threat/source-judge.ts';
import { hashText, mix } from '@ringfence/threat/source-table.ts';
import { SprayWatch } from '@ringfence/threat/spraying.ts';
import { kind, TrafficWatch } from '@ringfence/threat/traffic.ts';
import { describeSource, SourceKey } from '../admission/source.ts';
import { socketText } from '../call/services.ts';
import type { DetectionSettings } from '../config/detection.ts';
import type { EdgeEvent } from '../events/types.ts';
import type { Identification } from '../identity/identify.ts';
import type { Principal } from '../policy/types.ts';
import type { DomainDirectory } from '../routing/directory.ts';
import { digitsOf, type Numbers } from '../routing/numbers.ts';
import { Honeypots } from './honeypots.ts';
import { Places } from './places.ts';
import { FindingReport, type ReportParts, type Suspect } from './report.ts';

export interface DetectionParts extends ReportParts {
  numbers(): Numbers;
  directory(domain: string): DomainDirectory | undefined;
  /** What the program of a registration calls itself. */
  userAgentOf(domain: string, user: string, contact: string): string;
  /** Datagrams come in at that listener. */
  isDatagram(listener: string): boolean;
  /** Keeps peers from choosing whom they share a place with. Default: random. */
  readonly seed?: number;
}

const methods = ['REGISTER', 'INVITE', 'OPTIONS', 'SUBSCRIBE', 'MESSAGE', 'PUBLISH', 'NOTIFY', 'REFER'];
const kinds = [kind.register, kind.invite, kind.options];
/** Bits of a honeypot: whoever uses one has told us. */
const honeypotBits = 25;
/** Share of the sources that there is room for. */
const crowded = 1 / 16;
const halveEverySeconds = 10;
const accountsRemembered = 50_000;
type RegistrationAdded = Pick<
  Extract<EdgeEvent, { readonly device: string; readonly contact: string }>,
  'domain' | 'user' | 'device' | 'contact' | 'source' | 'expires'
>;
type Sender = Pick<Flow, 'remote' | 'reliable'>;
type AdmissionRefused = Extract<EdgeEvent, { type: 'admission.refused' }>;

/**
 * What is seen of everybody who has not proven himself, judged; once for each request that comes to the door.
 *
 * A call of a phone costs its first INVITE, about 3 µs; what comes within a call costs nothing. Whoever asks for help is not
 * looked at at all.
 */
export class Detection {
  readonly report: FindingReport;
  readonly #parts: DetectionParts;
  readonly #seed: number;
  readonly #key = new SourceKey();
  readonly #seen: Request = {
    high: 0,
    low: 0,
    seconds: 0,
    method: 0,
    target: '',
    exists: true,
    shape: 0,
    tag: '',
    callId: '',
  };
  /** Made when the first stranger comes: its memory is taken then. */
  #sources: SourceJudge | undefined;
  /** Memory of the sources, until there are so many of them that it is worth to hold all of it. */
  #tables: ArrayBuffer[] = [];
  readonly #accounts: AccountJudge;
  readonly #sprays = new SprayWatch();
  readonly #registrations = new RegistrationWatch();
  readonly #traffic = new TrafficWatch();
  readonly #talkers: HeavyHitters;
  readonly #marks = new MarkReader();
  readonly #began: number;
  #domainHoneypots = new WeakMap<readonly string[], Honeypots>();
  #places: Places;
  #honeypots: Honeypots;
  #settings: DetectionSettings;
  #threshold: number;
  #second = 0;
  #halved = 0;

  constructor(parts: DetectionParts) {
    this.#parts = parts;
    this.#seed = parts.seed ?? randomInt(0x7fffffff);
    this.#settings = parts.settings();
    this.#places = new Places(this.#settings.places);
    this.#honeypots = new Honeypots(this.#settings.honeypots);
    this.#threshold = boundsOf(this.#settings.sensitivity).upper;
    this.#accounts = new AccountJudge(accountsRemembered, this.#seed, () => this.#threshold);
    this.#talkers = new HeavyHitters(this.#seed);
    // A minute before, so that no time is 0.
    this.#began = parts.now() - 60_000;
    this.report = new FindingReport(parts);
    parts.bus.subscribe((event) => {
      if (event.type === 'registration.added') this.#registered(event);
      else if (event.type === 'admission.refused') this.#refused(event);
    }, 'info');
  }

  /** New settings; what is known of sources stays. */
  configure(): void {
    this.#settings = this.#parts.settings();
    this.#places = new Places(this.#settings.places);
    this.#honeypots = new Honeypots(this.#settings.honeypots);
    this.#domainHoneypots = new WeakMap();
    this.#threshold = boundsOf(this.#settings.sensitivity).upper;
    if (this.#sources !== undefined) this.#sources.preset = this.#settings.sensitivity;
  }

  /** Memory that sources take now. */
  get size(): { readonly sources: number; readonly evicted: number; readonly octets: number } {
    return this.#sources?.size ?? { sources: 0, evicted: 0, octets: 0 };
  }

  /** Somebody who needs no credentials: a trunk, a phone in its dialog. */
  passed(now: number): void {
    if (!this.#settings.enabled) return;
    this.#traffic.count(kind.known);
    this.#tick(now);
  }

  /** A request was held against credentials, or had none. */
  saw(request: SipRequest, flow: Flow, bytes: Uint8Array, who: Identification, now: number): void {
    if (!this.#settings.enabled || this.#asksForHelp(request)) return;
    if (who.kind === 'known') {
      this.#traffic.count(kind.known);
      this.#tick(now);
      if (who.principal.kind === 'device') this.#proved(who.principal, flow, now);
      return;
    }
    if (who.failure === undefined) this.stranger(request, flow, bytes, who.domain, now);
    else if (who.failure.reason === 'bad-credentials')
      this.#failed(who.failure.username, flow, who.domain, now);
  }

  /** A request of somebody unknown; `domain` is whom it is for. */
  stranger(request: SipRequest, flow: Flow, bytes: Uint8Array, domain: DomainDirectory, now: number): void {
    if (!this.#settings.enabled || this.#asksForHelp(request)) return;
    const { method } = request;
    const index = methods.indexOf(method);
    this.#traffic.count(kinds[index] ?? kind.other);
    const seconds = this.#tick(now);
    const { high, low } = this.#key.read(flow.remote.address);
    this.#talkers.add(high, low);
    const row = flow.reliable ? high : forgeable(high);
    const aimed = method === 'REGISTER' ? request.to.uri : request.uri;
    const target = nameOf(aimed);
    const caller = nameOf(request.from.uri);
    const seen = this.#seen;
    seen.high = row;
    seen.low = low;
    seen.seconds = seconds;
    seen.method = index < 0 ? methods.length : index;
    seen.target = target;
    // Numbers that are called, and lines that are watched, need not be ours.
    const wantsUser = method === 'REGISTER' || method === 'OPTIONS';
    seen.exists = !wantsUser || target === '' || domain.pbx !== undefined || isHere(domain, target);
    const [via] = request.via;
    const tag = request.from.params.get('tag');
    seen.tag = typeof tag === 'string' ? tag : '';
    seen.callId = request.callId;
    seen.shape = readShape(via?.branch, via?.host ?? '', seen.tag, request.callId, bytes);
    const sources = this.#judge();
    const mark =
      this.#marks.find(request.headers.get('User-Agent') ?? '') ??
      this.#marks.find(request.from.display ?? '');
    const found = mark === undefined ? undefined : sources.marked(row, low, seconds);
    this.#found(found ?? sources.request(seen), flow, false);
    // Phones ask without proof first: where some have proven themselves, what they dial then is looked at.
    const dialled = method === 'INVITE' && sources.standing(row, low).proven;
    this.#honeypot(domain, dialled ? '' : target, caller, flow, false);
  }

  /** A wrong password at the account page, over a connection: it counts as one over SIP. */
  failedSignIn(username: string, address: string, domain: DomainDirectory, now: number): void {
    if (!this.#settings.enabled) return;
    this.#failed(username, { remote: { address, port: 0 }, reliable: true }, domain, now);
  }

  /** Octets that are no SIP. */
  malformed(flow: Flow, now: number): void {
    if (!this.#settings.enabled) return;
    this.#traffic.count(kind.malformed);
    const seconds = this.#tick(now);
    const { high, low } = this.#key.read(flow.remote.address);
    const row = flow.reliable ? high : forgeable(high);
    this.#found(this.#judge().malformed(row, low, seconds), flow, false);
  }

  /** Somebody who has proven himself calls. Costs nothing where there are no honeypots. */
  called(principal: Principal, domain: DomainDirectory, target: Uri, flow: Flow): void {
    const pots = this.#honeypotsOf(domain);
    if (principal.kind !== 'device' || pots === undefined || !this.#settings.enabled) return;
    if (this.#isUrgent(target)) return;
    const name = nameOf(target);
    const entry = pots.find(name);
    if (entry === undefined || isHere(domain, name)) return;
    const { user, device } = principal;
    this.report.take(honeypotFinding(`It called \`${entry}\`, which nobody has.`), {
      source: flow.remote.address,
      spoofable: false,
      domain: principal.domain,
      user,
      device,
    });
  }

  #proved({ domain, device }: Extract<Principal, { kind: 'device' }>, flow: Flow, now: number): void {
    const { high, low } = this.#key.read(flow.remote.address);
    const account = accountOf(domain, device);
    const seconds = this.#seconds(now);
    this.#sources?.proved(high, low, seconds, account);
    if (!flow.reliable) this.#sources?.proved(forgeable(high), low, seconds, account);
  }

  #failed(username: string, flow: Sender, domain: DomainDirectory, now: number): void {
    this.#traffic.count(kind.failed);
    const seconds = this.#tick(now);
    const { high, low } = this.#key.read(flow.remote.address);
    const name = username.slice(0, 64);
    const exists = isHere(domain, name);
    const account = accountOf(domain.name, name);
    const source = mix(high) ^ low;
    this.#talkers.add(high, low);
    this.#found(this.#judge().failed(high, low, seconds, account, exists), flow, true);
    this.#honeypot(domain, name, '', flow, true);
    if (exists) {
      const found = this.#accounts.failed(account, source, seconds);
      if (found !== undefined)
        this.report.take(found, { source: '*', spoofable: false, domain: domain.name, user: name });
    }
    const sprayed = this.#sprays.failed(domain.name, account, source, seconds);
    if (sprayed !== undefined)
      this.report.take(sprayed, { source: '*', spoofable: false, domain: domain.name });
  }

  #registered({ domain, user, device, contact, source, expires }: RegistrationAdded): void {
    if (!this.#settings.enabled) return;
    const now = this.#parts.now();
    const seconds = this.#seconds(now);
    const address = addressOf(source);
    const { high, low } = this.#key.read(address);
    const lately = this.#accounts.lately(accountOf(domain, device), mix(high) ^ low, seconds);
    const findings = this.#registrations.registered(
      {
        account: `${domain}/${device}`,
        network: networkOf(high, low),
        userAgent: this.#parts.userAgentOf(domain, user, contact),
        contact,
        place: this.#places.of(address),
        seconds,
        until: seconds + expires,
        guesses: lately.there ? lately.failures : 0,
      },
      this.#threshold,
    );
    for (const finding of findings)
      this.report.take(finding, { source: address, spoofable: false, domain, user, device });
  }

  /** Told of by admission, which has dropped it all unparsed: once in ten seconds for each source. */
  #refused({ source, listener, rule, count }: AdmissionRefused): void {
    if (!this.#settings.enabled) return;
    this.#traffic.count(kind.dropped, count);
    if (source === '*') return;
    const seconds = this.#seconds(this.#parts.now());
    const spoofable = this.#parts.isDatagram(listener);
    const { high, low } = this.#key.read(source);
    const row = spoofable ? forgeable(high) : high;
    const sources = this.#judge();
    const found =
      rule === 'admission.user-agent'
        ? sources.marked(row, low, seconds)
        : rule === 'admission.rate'
          ? sources.dropped(row, low, seconds, count)
          : rule === 'admission.first-line'
            ? sources.malformed(row, low, seconds, count)
            : undefined;
    if (found !== undefined) this.report.take(found, { source, spoofable });
  }

  #found(finding: Finding | undefined, flow: Sender, answered: boolean): void {
    if (finding !== undefined) this.report.take(finding, suspectOf(flow, answered));
  }

  #honeypot(domain: DomainDirectory, target: string, caller: string, flow: Sender, answered: boolean): void {
    const pots = this.#honeypotsOf(domain);
    if (pots === undefined) return;
    const used = pots.find(target) !== undefined ? target : pots.find(caller) !== undefined ? caller : '';
    if (used === '' || isHere(domain, used)) return;
    this.report.take(
      honeypotFinding(`It used \`${pots.find(used)}\`, which nobody has.`),
      suspectOf(flow, answered),
    );
  }

  #honeypotsOf(domain: DomainDirectory): Honeypots | undefined {
    const own = domain.honeypots;
    if (own === undefined) return this.#honeypots.none ? undefined : this.#honeypots;
    let made = this.#domainHoneypots.get(own);
    if (made === undefined) {
      made = new Honeypots([...own, ...this.#settings.honeypots]);
      this.#domainHoneypots.set(own, made);
    }
    return made;
  }

  #asksForHelp(request: SipRequest): boolean {
    return request.method === 'INVITE' && this.#isUrgent(request.uri);
  }

  #isUrgent(uri: Uri): boolean {
    if (uri.scheme === 'other') return uri.text.toLowerCase().startsWith('urn:service:sos');
    const name = nameOf(uri);
    if (name.length > 16) return false;
    const digits = digitsOf(name);
    return digits === undefined ? name.toLowerCase() === 'sos' : this.#parts.numbers().isEmergency(digits);
  }

  #judge(): SourceJudge {
    this.#sources ??= new SourceJudge({
      sources: this.#settings.sources,
      preset: this.#settings.sensitivity,
      seed: this.#seed,
      memory: (octets) => {
        const memory = new ArrayBuffer(octets);
        this.#tables.push(memory);
        return memory;
      },
    });
    return this.#sources;
  }

  #seconds(now: number): number {
    return Math.max(1, Math.floor((now - this.#began) / 1000));
  }

  #tick(now: number): number {
    const second = this.#seconds(now);
    if (second === this.#second) return second;
    this.#second = second;
    if (second - this.#halved >= halveEverySeconds) {
      this.#halved = second;
      this.#talkers.halve();
    }
    if (this.#tables.length > 0 && this.size.sources > this.#settings.sources * crowded)
      for (const memory of this.#tables.splice(0)) preferLargePages(memory);
    const surge = this.#traffic.tick(second);
    if (surge !== undefined) this.report.take(this.#withTalkers(surge), { source: '*', spoofable: false });
    return second;
  }

  /** Says who sends most: a surge is made by few, or by all. */
  #withTalkers(surge: Finding): Finding {
    const { total } = this.#talkers;
    const shares = this.#talkers
      .top()
      .slice(0, 3)
      .map(({ high, low, count }) => `${sourceText(high, low)} (${Math.round((100 * count) / total)} %)`);
    if (total === 0 || shares.length === 0) return surge;
    const text = `Most come from ${shares.join(', ')}.`;
    return { ...surge, parts: [...surge.parts, { text, bits: 0 }] };
  }
}

const honeypotFinding = (text: string): Finding =>
  makeFinding('honeypot', honeypotBits, [{ text, bits: honeypotBits }]);

/**
 * What comes in datagrams that answer nothing of ours is kept apart from what the source has shown to be its own: anybody
 * can write any sender on them, and they must not be held against whoever is there.
 */
const forgeable = (high: number): number => ~high;

/** Whoever answers a challenge, or makes a connection, is where he says. */
function suspectOf(flow: Sender, answered: boolean): Suspect {
  const spoofable = !flow.reliable && !answered;
  return { source: spoofable ? socketText(flow.remote) : flow.remote.address, spoofable };
}

const nameOf = (uri: Uri): string =>
  uri.scheme === 'other' ? '' : uri.scheme === 'tel' ? uri.number : (uri.user ?? '');

const isHere = (domain: DomainDirectory, name: string): boolean =>
  domain.users.has(name.toLowerCase()) ||
  domain.devices.has(name) ||
  domain.numbers.has(name) ||
  domain.inboundTrunks.has(name);

const accountOf = (domain: string, name: string): number => hashText(name.toLowerCase(), hashText(domain));

/** `192.0.2.1:5060`, `[2001:db8::1]:5060`, or an IPv6 address and port without brackets. */
const addressOf = (socket: string): string =>
  socket.slice(0, socket.lastIndexOf(':')).replace('[', '').replace(']', '');

const hex = (word: number): string =>
  `${((word >>> 16) & 0xffff).toString(16)}:${(word & 0xffff).toString(16)}`;

const networkOf = (high: number, low: number): string =>
  high === 0
    ? `${low >>> 24}.${(low >>> 16) & 255}.${(low >>> 8) & 255}.0/24`
    : `${hex(high)}:${((low >>> 16) & 0xffff).toString(16)}::/48`;

const sourceText = (high: number, low: number): string =>
  high === 0
    ? `${low >>> 24}.${(low >>> 16) & 255}.${(low >>> 8) & 255}.${low & 255}`
    : describeSource(`${hex(high)}:${hex(low)}::`);
