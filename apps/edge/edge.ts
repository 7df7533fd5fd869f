import { randomBytes, randomInt } from 'node:crypto';
import type { Relay } from '@ringfence/relay/contract.ts';
import { DigestServer } from '@ringfence/sip/digest/server.ts';
import type { SipRequest, SipUri } from '@ringfence/sip/message/types.ts';
import { TransactionLayer } from '@ringfence/sip/transaction/layer.ts';
import { type Flow, isEncrypted } from '@ringfence/sip/transport/flow.ts';
import type { Accounts } from './accounts/accounts.ts';
import { joinAccounts } from './accounts/join.ts';
import type { BanProposal } from './admission/bans/types.ts';
import type { Call } from './call/call.ts';
import { TrunkRealms } from './call/credentials.ts';
import { mediaAddress, nextFlow, reboundFlow } from './call/next-hop.ts';
import type { CallServices, DialogOwner } from './call/services.ts';
import { connect, type TargetSources } from './call/targets.ts';
import type { Configuration, Encryption } from './config/schema.ts';
import type { Detection } from './detection/detection.ts';
import { joinDetection } from './detection/join.ts';
import type { EventBus } from './events/bus.ts';
import { Troubles } from './events/troubles.ts';
import { BehaviourDesk } from './fraud/behaviour/join.ts';
import { joinToll } from './fraud/join.ts';
import type { Toll } from './fraud/toll.ts';
import { MethodGate } from './hygiene/methods.ts';
import { Identifier } from './identity/identify.ts';
import { type RestoreOutcome, type RestoreParts, restoreCalls } from './journal/restore.ts';
import { ZrtpPeers } from './media/zrtp-peers.ts';
import { MessageRate } from './message/rate.ts';
import type { Objects } from './objects/types.ts';
import { PatchGate } from './patches/gate.ts';
import { VirtualPatches } from './patches/patches.ts';
import type { PatchSet } from './patches/schema.ts';
import { PbxFront } from './pbx/front.ts';
import { PbxNodes, watchedNodes } from './pbx/nodes.ts';
import { type KnownPeer, KnownPeers } from './policy/known-peers.ts';
import type { RecordingDecision } from './policy/recording.ts';
import { nameOfAsker } from './recording/call-recording.ts';
import { reachRecorder } from './recording/reach.ts';
import { deregister } from './registrar/deregister.ts';
import { Registrar } from './registrar/registrar.ts';
import { TemporaryGruus } from './registrar/temporary-gruu.ts';
import { Directory, type Restraints } from './routing/directory.ts';
import { readDialled } from './routing/find-route.ts';
import { Numbers } from './routing/numbers.ts';
import { Signalling } from './signalling.ts';
import { SoundDesk } from './sound/desk.ts';
import type { Sounds } from './sound/sounds.ts';
import type { AccountRow } from './store/account-rows.ts';
import type { Binding, OpenCall, Store } from './store/contract.ts';
import type { SpendRow } from './store/spend-rows.ts';
import { isPassing } from './store/store-error.ts';
import type { ZrtpPeer } from './store/zrtp-rows.ts';
import { DialogNames } from './subscription/dialog-names.ts';
import { Tokens } from './tokens.ts';
import type { Transports } from './transport/contract.ts';
import type { MessageTap } from './transport/message-tap.ts';
import { HealthMonitor, type Watched } from './trunks/health/monitor.ts';
import { claimsAgain } from './trunks/limits/judge.ts';
import { Limits } from './trunks/limits/limits.ts';
import type { LiveState } from './trunks/live-state.ts';
import { PeerOverload } from './trunks/overload.ts';
import { tellRegistration } from './trunks/registration/events.ts';
import { Registrations } from './trunks/registration/registrations.ts';
import { watchedTrunks } from './trunks/watch.ts';

/** What the edge is joined from; whoever makes it owns the processes and sockets behind these. */
export interface EdgeParts {
  readonly config: Configuration;
  readonly objects: Objects;
  readonly bindings: readonly Binding[];
  readonly store: Store;
  readonly bus: EventBus;
  /** Milliseconds, Unix epoch, never running backwards. */
  now(): number;
  transports(): Transports;
  /** Who sees what is sent. Default nobody. */
  tap?(): MessageTap | undefined;
  relay(): Relay | undefined;
  trust(address: string, as: 'trunk' | 'registered' | 'phone' | 'reachable'): void;
  /** Whether the present load leaves room for a new call of such a sender. Default: always. */
  takes?(level: 'registered' | 'trunk'): boolean;
  /** Share of the new calls of trunks that it leaves room for, 0 to 1. Default: 1. */
  trunkShare?(): number;
  /** A known device or trunk places an emergency call from there. Absent: nobody has to know. */
  emergency?(address: string): void;
  /** Asks that nobody listens to a source. Absent: attacks are only told of. */
  ban?(proposal: BanProposal): void;
  /** No call may go unrecorded, and nothing can be recorded. Default: false. */
  unrecorded?(): boolean;
  /** Files to be played; absent: none. */
  readonly sounds?: Sounds;
  /** What is closed or revoked for a time. */
  readonly restraints?: Restraints;
  /** Secret of this node that outlives a restart. Default: a new one. */
  readonly identityKey?: Uint8Array;
  /** How accounts stand. Default nothing is known. */
  readonly accounts?: readonly AccountRow[];
  /** What the store has kept of money. Default nothing. */
  readonly spend?: readonly SpendRow[];
  /** The virtual patches that configuration asks for; asked again after a reload. Default none. */
  readonly patches?: (config: Configuration) => PatchSet;
  /** Where users confirm their phones. Default nowhere. */
  page?(): string | undefined;
  /** What is kept of the ZRTP of phones. Default nothing. */
  readonly zrtpPeers?: readonly ZrtpPeer[];
  /** What parties have shown of themselves in earlier calls. Default nothing. */
  readonly knownPeers?: readonly KnownPeer[];
  readonly resolver: Pick<TargetSources, 'resolve' | 'resolveNumeric'>;
  /** Runs something later and gives a function that stops it. Default: timers of the process. */
  after?(milliseconds: number, run: () => void): () => void;
  /** Numbers from 0 up to, and without, 1. Default: of the operating system. */
  random?(): number;
}

const randomReally = (): number => randomInt(0x1_0000_0000) / 0x1_0000_0000;

/** 4,000 calls a second are offered new media. */
const recoveredAtOnce = 40;
const recoveryPauseMs = 10;
/** A call that rings for so long is written down, so that it has a record should the process die. */
const noteMs = 500;
/** How late a timer of a transaction may fire. */
const granularityMs = 50;

function afterReally(milliseconds: number, run: () => void): () => void {
  const timer = setTimeout(run, milliseconds);
  return () => clearTimeout(timer);
}

/** Everything between the sockets and the store: transactions, registrar, calls. */
export class Edge {
  readonly calls = new Map<string, Call>();
  readonly registrar: Registrar;
  readonly layer: TransactionLayer;
  readonly signalling: Signalling;
  readonly health: HealthMonitor;
  readonly troubles: Troubles;
  readonly limits: Limits;
  readonly registrations: Registrations;
  readonly accounts: Accounts;
  readonly detection: Detection;
  readonly toll: Toll;
  readonly fraud: BehaviourDesk;
  readonly #parts: EdgeParts;
  readonly #callServices: CallServices;
  readonly #dialogs = new Map<string, DialogOwner>();
  readonly #pbxFront: PbxFront;
  readonly #patches: VirtualPatches;
  readonly #methods: MethodGate;
  readonly #realms = new TrunkRealms();
  #config: Configuration;
  #directory: Directory;
  #numbers: Numbers;
  #encryption = new Map<string, Encryption>();
  #draining = false;
  #unrecorded = 0;
  #ringing: { noteSetup(): void }[] = [];
  #stopNoting: (() => void) | undefined = undefined;
  #running = false;
  #started = false;
  #farewell: Promise<void> = Promise.resolve();
  readonly #after: (milliseconds: number, run: () => void) => () => void;
  #stopTimer: (() => void) | undefined = undefined;
  #armedAt = Number.POSITIVE_INFINITY;

  constructor(parts: EdgeParts) {
    this.#parts = parts;
    this.troubles = new Troubles(parts.bus, () => parts.now());
    this.#after = parts.after === undefined ? afterReally : (ms, run) => parts.after!(ms, run);
    this.#config = parts.config;
    this.#directory = new Directory(parts.objects, parts.config.domain, parts.restraints);
    this.#numbers = numbersOf(parts.config);
    this.#encryption = encryptionOf(parts.config);
    const tokens = new Tokens();
    const overload = new PeerOverload({
      now: () => parts.now(),
      random: () => (parts.random ?? randomReally)(),
      share: () => parts.trunkShare?.() ?? 1,
    });
    this.layer = new TransactionLayer({
      newBranch: () => tokens.token(16),
      viaParams: (flow) => overload.viaParams(flow.remote.address),
    });
    const key = parts.identityKey ?? randomBytes(32);
    this.registrar = new Registrar(() => this.#config.registrar, new TemporaryGruus(key));
    this.registrar.restore(parts.bindings);
    this.accounts = joinAccounts({
      rows: parts.accounts ?? [],
      store: parts.store,
      bus: parts.bus,
      registrar: this.registrar,
      directory: () => this.#directory,
      page: () => parts.page?.(),
      now: () => parts.now(),
      failed: (error) => this.#storeFailed(error),
    });
    this.detection = joinDetection({
      bus: parts.bus,
      registrar: this.registrar,
      config: () => this.#config,
      directory: () => this.#directory,
      numbers: () => this.#numbers,
      now: () => parts.now(),
      ban: (proposal) => parts.ban?.(proposal),
      quarantine: (order) => this.accounts.quarantine(order),
    });
    this.toll = joinToll({
      parts,
      config: () => this.#config,
      directory: () => this.#directory,
      numbers: () => this.#numbers,
      calls: this.calls,
      after: (milliseconds, run) => this.#after(milliseconds, () => this.run(run)),
      failed: (error) => this.#storeFailed(error),
    });
    this.fraud = new BehaviourDesk({
      bus: parts.bus,
      store: parts.store,
      rows: parts.spend ?? [],
      gate: this.toll.gate,
      config: () => this.#config,
      now: () => parts.now(),
      after: (milliseconds, run) => this.#after(milliseconds, run),
      failed: (error) => this.#storeFailed(error),
    });
    const digest = new DigestServer({
      key: randomBytes(32),
      nonceLifetimeMs: parts.config.registrar.nonceSeconds * 1000,
      maxNonces: 100_000,
    });
    const identifier = new Identifier(
      digest,
      () => this.#directory,
      () => this.#config.domain,
      key,
      (request, flow) => this.registrations.match(request, flow),
      (request) => readDialled(request.uri, this.#numbers).emergency,
    );
    this.#patches = new VirtualPatches(parts.patches?.(parts.config), parts.config.patches);
    this.#patches.retain(parts.objects);
    const patches = new PatchGate({
      patches: this.#patches,
      bus: parts.bus,
      identifier,
      isEmergency: (request) => readDialled(request.uri, this.#numbers).emergency,
    });
    this.#methods = new MethodGate(
      {
        bus: parts.bus,
        now: () => parts.now(),
        directory: (domain) => this.#directory.domain(domain),
        isEmergency: (request) => readDialled(request.uri, this.#numbers).emergency,
      },
      parts.config,
      parts.objects,
    );
    const services = this.#services(tokens);
    this.#callServices = services;
    this.limits = new Limits({
      now: () => parts.now(),
      after: (milliseconds, run) => this.#after(milliseconds, () => this.run(run)),
    });
    this.registrations = new Registrations(
      {
        layer: this.layer,
        realms: this.#realms,
        now: () => parts.now(),
        after: (milliseconds, run) => this.#after(milliseconds, () => this.run(run)),
        token: (length) => tokens.token(length),
        random: () => (parts.random ?? randomReally)(),
        run: (step) => this.run(step),
        resolve: (uri) => parts.resolver.resolve(uri),
        connect: (candidate) => connect(parts.transports(), candidate),
        keep: (flow, keep) => parts.transports().keep(flow, keep),
        changed: (client) => tellRegistration(parts.bus, client),
      },
      key,
    );
    this.health = new HealthMonitor({
      layer: this.layer,
      now: () => parts.now(),
      token: (length) => tokens.token(length),
      run: (step) => this.run(step),
      after: this.#after,
      resolve: (uri) => parts.resolver.resolve(uri),
      connect: (candidate) => connect(parts.transports(), candidate),
      named: (owner, product) => patches.heard(owner, product),
      changed: ({ state, ...change }) => {
        nodes.changed(change.owner);
        parts.bus.emit({
          type: state === 'quarantined' ? 'target.quarantined' : 'target.recovered',
          ...change,
        });
      },
    });
    const nodes = new PbxNodes(() => (parts.random ?? randomReally)(), this.health);
    const sources: TargetSources = {
      registrar: this.registrar,
      accounts: this.accounts,
      nodes,
      names: new DialogNames(parts.identityKey ?? randomBytes(32)),
      get transports() {
        return parts.transports();
      },
      resolve: (uri: SipUri) => parts.resolver.resolve(uri),
      resolveNumeric: (uri: SipUri) => parts.resolver.resolveNumeric(uri),
      search: {
        health: this.health,
        limits: this.limits,
        registrations: this.registrations,
        overload,
        random: () => (parts.random ?? randomReally)(),
        resolveNumeric: (uri) => parts.resolver.resolveNumeric(uri),
        resolve: (uri) => parts.resolver.resolve(uri),
        udpFlow: (address, port) => parts.transports().udpFlow(address, port),
        connect: (candidate) => connect(parts.transports(), candidate),
      },
    };
    this.#pbxFront = new PbxFront({
      services,
      sources,
      identifier,
      registering: {
        registrar: this.registrar,
        store: parts.store,
        bus: parts.bus,
        accounts: this.accounts,
        transports: () => parts.transports(),
        now: () => parts.now(),
        run: (step) => this.run(step),
      },
      seed: randomBytes(4).readInt32LE(),
      trust: (address) => parts.trust(address, 'registered'),
    });
    this.signalling = new Signalling({
      layer: this.layer,
      bus: parts.bus,
      identifier,
      registrar: this.registrar,
      store: parts.store,
      accounts: this.accounts,
      detection: this.detection,
      pbxFront: this.#pbxFront,
      patches,
      methods: this.#methods,
      door: {
        services,
        methods: this.#methods,
        calls: this.calls,
        limits: this.limits,
        announcing: new Set(),
        sources,
        numbers: () => this.#numbers,
        draining: () => this.#draining,
        unrecorded: () => parts.unrecorded?.() === true,
        takes: (level) => parts.takes?.(level) ?? true,
        listenerEncryption: (listener) => this.#encryption.get(listener) ?? 'required',
        directory: (domain) => this.#directory.domain(domain),
        isForeign: (uri, domain) => identifier.isForeign(uri, domain),
      },
      transports: () => parts.transports(),
      tap: () => parts.tap?.(),
      now: () => parts.now(),
      messageBytes: () => this.#config.admission.messageBytes,
      overload,
      trust: (address, as) => parts.trust(address, as),
    });
    this.#trustTrunks();
  }

  get config(): Configuration {
    return this.#config;
  }

  /** The domain objects as they are now. */
  get directory(): Directory {
    return this.#directory;
  }

  /** Begins what the edge does by itself; the sockets are open. */
  start(): void {
    this.#started = true;
    this.health.watch(this.#watched());
    this.registrations.update(this.#directory);
  }

  #watched(): Watched[] {
    const pbxs = [...this.#directory.domains()].flatMap(({ pbx }) => (pbx === undefined ? [] : [pbx]));
    return [...watchedTrunks(this.#directory), ...watchedNodes(pbxs)];
  }

  message(flow: Flow, bytes: Uint8Array, now: number): void {
    this.#running = true;
    try {
      this.signalling.message(flow, bytes, now);
    } catch (error) {
      this.#defect(error);
    }
    this.#running = false;
    this.#arm();
  }

  closed(flow: Flow): void {
    this.run(() => {
      this.signalling.closed(flow);
      this.registrations.flowClosed(flow.id);
    });
  }

  /** Does something and then sends what came of it. */
  run(step: () => void): void {
    if (this.#running) return step();
    this.#running = true;
    try {
      step();
      this.signalling.drain();
    } catch (error) {
      this.#defect(error);
    }
    this.#running = false;
    this.#arm();
  }

  /** A mistake of ours that one message has found must not end the calls of all others. */
  #defect(error: unknown): void {
    const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
    this.#parts.bus.emit({ type: 'edge.error', where: 'signalling', detail });
  }

  reconfigure(config: Configuration): void {
    this.#config = config;
    this.#numbers = numbersOf(config);
    this.#encryption = encryptionOf(config);
    this.detection.configure();
    this.fraud.configure();
    this.#methods.configure(config);
    this.#patches.load(this.#parts.patches?.(config), config.patches);
    this.#parts.sounds?.forget();
  }

  /** New domain objects: takes effect with the next request; bindings of devices that are gone go too. */
  replaceObjects(objects: Objects): void {
    this.#directory = new Directory(objects, this.#config.domain, this.#parts.restraints);
    this.accounts.retain();
    this.#patches.retain(objects);
    this.#methods.retain(objects);
    this.#trustTrunks();
    if (this.#started) {
      this.health.watch(this.#watched());
      if (!this.#draining) this.registrations.update(this.#directory);
    }
    this.run(() => this.#pbxFront.retain(objects.pbx ?? []));
    const gone = this.registrar.retain(({ domain, user, device, upstream }) => {
      const directory = this.#directory.domain(domain);
      if (upstream !== undefined) return directory?.pbx !== undefined;
      return directory?.devices.get(device)?.user.name.toLowerCase() === user.toLowerCase();
    });
    if (gone.length > 0)
      void this.#parts.store.putBindings([], gone).catch((error) => this.#storeFailed(error));
  }

  /** Every phone of the user has to register anew; gives how many there were. */
  deregister(domain: string, user: string): number {
    let count = 0;
    this.run(() => {
      count = deregister(
        {
          registrar: this.registrar,
          bus: this.#parts.bus,
          store: this.#parts.store,
          dialogs: this.#dialogs,
          transports: () => this.#parts.transports(),
          isUrgent: (call) => this.calls.get(call)?.view()?.emergency === true,
          lapsed: (bindings) => this.#pbxFront.lapsed(bindings),
          failed: (error) => this.#storeFailed(error),
        },
        domain,
        user,
      );
    });
    return count;
  }

  /** Takes out bindings that have run out. */
  expire(): void {
    this.limits.sweep();
    this.toll.sweep();
    this.accounts.expire();
    this.run(() => this.#pbxFront.sweep(this.#parts.now()));
    const { removed } = this.registrar.expire(this.#parts.now());
    if (removed.length === 0) return;
    this.#pbxFront.lapsed(removed);
    for (const { user, domain, device, contact, source, transport } of removed)
      this.#parts.bus.emit({
        type: 'registration.expired',
        user,
        domain,
        device,
        contact,
        source,
        transport,
        expires: 0,
      });
    void this.#parts.store.putBindings([], removed).catch((error) => this.#storeFailed(error));
  }

  drain(): void {
    this.#draining = true;
    this.#farewell = this.registrations.stop();
  }

  hangUpAll(cause: string): void {
    this.run(() => {
      for (const call of [...this.calls.values()]) call.hangUp(cause);
    });
  }

  /**
   * Goes on with answered calls of a process that is gone; `endpoints` are those that live in `relay`. Gives the calls
   * that it took, those of them that need `recoverMedia`; all others are over.
   */
  restore(
    calls: readonly OpenCall[],
    { relay, endpoints, recent }: Pick<RestoreParts, 'relay' | 'endpoints' | 'recent'>,
  ): RestoreOutcome {
    const parts = this.#parts;
    const outcome = restoreCalls(calls, {
      relay,
      endpoints,
      recent,
      services: this.#callServices,
      calls: this.calls,
      transports: parts.transports(),
      domain: (name) => this.#directory.domain(name),
      problem: (error) => this.#defect(error),
    });
    for (const { record } of calls) {
      const directory = this.#directory.domain(record.domain);
      if (directory !== undefined && outcome.taken.has(record.id))
        this.limits.take(record.id, claimsAgain(record, directory));
    }
    this.toll.resume(outcome.taken);
    return outcome;
  }

  /** Takes no new calls, and says nothing to those who ask: whoever takes this process' place will answer. */
  hold(): void {
    this.signalling.hold();
    this.toll.flush();
    this.fraud.behaviour.flush();
  }

  /** Calls that nobody has taken yet, and how many of them are emergency calls. */
  get settingUp(): { readonly calls: number; readonly urgent: number } {
    let calls = 0;
    let urgent = 0;
    for (const call of this.calls.values()) {
      if (call.live) continue;
      calls += 1;
      if (call.callee === 'sos' || this.#numbers.isEmergency(call.callee)) urgent += 1;
    }
    return { calls, urgent };
  }

  /** Ends the calls that nobody has taken. */
  hangUpUnanswered(cause: string): void {
    this.run(() => {
      for (const call of [...this.calls.values()]) if (!call.live) call.hangUp(cause);
    });
  }

  /** The media process is gone: calls that nobody has taken end, the others wait for `recoverMedia`. */
  mediaGone(): void {
    this.hangUpUnanswered('media');
  }

  /** Every answered call moves to a media process that has taken the place of the one before; some at a time. */
  async recoverMedia(
    relay: Relay,
    waiting = [...this.calls.values()].filter(({ live }) => live),
  ): Promise<void> {
    for (let i = 0; i < waiting.length; i += recoveredAtOnce) {
      this.run(() => {
        for (const call of waiting.slice(i, i + recoveredAtOnce)) if (call.live) call.recoverMedia(relay);
      });
      // What was asked for is answered in between: a burst of all at once would overrun the sockets of the phones.
      await new Promise<void>((done) => {
        this.#after(recoveryPauseMs, done);
      });
      if (this.#parts.relay() !== relay) return;
    }
  }

  /** Writes down all answered calls anew. */
  keepAll(): void {
    for (const call of this.calls.values()) call.keep();
  }

  /** Settles when providers know that nobody is here any more; begun by `drain`. */
  get farewell(): Promise<void> {
    return this.#farewell;
  }

  /** Legs that are not over: live ones, and those whose BYE has no answer yet. */
  get legs(): number {
    return this.#dialogs.size - 2 * this.#pbxFront.subscriptions;
  }

  /** Subscriptions between PBXs and their phones. */
  get subscriptions(): number {
    return this.#pbxFront.subscriptions;
  }

  /** Calls that are over, but whose last record is not on disk yet; a BYE may wait for it. */
  get unrecorded(): number {
    return this.#unrecorded;
  }

  /** The call and leg that an endpoint of the relay belongs to. */
  ownerOf(endpoint: number): { readonly call: Call; readonly leg: number } | undefined {
    for (const call of this.calls.values()) {
      const leg = call.legOfEndpoint(endpoint);
      if (leg !== undefined) return { call, leg };
    }
    return undefined;
  }

  /** What the administrator does about the recording of a call; undefined where there is no such call, or no policy. */
  record(
    id: string,
    action: 'start' | 'stop' | 'pause' | 'resume',
    name = '',
  ): RecordingDecision | 'done' | undefined {
    const recording = this.calls.get(id)?.recording;
    if (recording === undefined) return undefined;
    const asker = { kind: 'administrator', name } as const;
    let decision: RecordingDecision | 'done' = 'done';
    this.run(() => {
      if (action === 'start') decision = recording.start(asker);
      else if (action === 'stop') recording.stop(nameOfAsker(asker));
      else recording.pause(action === 'pause', nameOfAsker(asker));
    });
    return decision;
  }

  /** What only this process knows of its trunks. */
  liveState(): Omit<LiveState, 'pid' | 'at'> {
    return {
      targets: this.health.reports(),
      usage: this.limits.usage(),
      registrations: this.registrations.reports(),
    };
  }

  stop(): void {
    this.#started = false;
    this.toll.flush();
    this.fraud.behaviour.flush();
    this.#pbxFront.stop();
    this.health.stop();
    this.registrations.halt();
    this.#stopTimer?.();
  }

  #services(tokens: Tokens): CallServices {
    const parts = this.#parts;
    return {
      layer: this.layer,
      bus: parts.bus,
      toll: this.toll,
      troubles: this.troubles,
      dialogs: this.#dialogs,
      methods: this.#methods,
      realms: this.#realms,
      config: () => this.#config,
      relay: () => parts.relay(),
      now: () => parts.now(),
      after: this.#after,
      token: (length) => tokens.token(length),
      random: () => (parts.random ?? randomReally)(),
      sessionId: () => tokens.digits(),
      run: (step) => this.run(step),
      zrtpPeers: new ZrtpPeers(parts.zrtpPeers ?? [], (peer) => {
        parts.store.putZrtpPeer(peer).catch((error) => this.#storeFailed(error));
      }),
      record: (call, state) => parts.store.putCall(call, state),
      route: (flow, request, followTarget, party) => this.#route(flow, request, followTarget, party),
      settingUp: (call) => {
        this.#ringing.push(call);
        this.#stopNoting ??= this.#after(noteMs, () => this.#noteRinging());
      },
      ...(parts.sounds === undefined ? {} : { sounds: new SoundDesk(parts.sounds) }),
      peers: new KnownPeers(undefined, parts.knownPeers ?? [], (peer, forget) => {
        parts.store.putKnownPeer(peer, forget).catch((error) => this.#storeFailed(error));
      }),
      emergencyFrom: (address) => parts.emergency?.(address),
      recorders: {
        of: (domain) => {
          const directory = this.#directory.domain(domain);
          const policy = directory?.recording;
          const trunk = policy === undefined ? undefined : directory?.trunks.get(policy.recorder);
          return policy === undefined || trunk === undefined ? undefined : { policy, trunk };
        },
        reach: (trunk) =>
          reachRecorder(trunk, {
            random: () => (parts.random ?? randomReally)(),
            resolve: (uri) => parts.resolver.resolve(uri),
            connect: (candidate) => connect(parts.transports(), candidate),
          }),
      },
      mediaAddress: (flow) => mediaAddress(this.#config.media, flow),
      messages: new MessageRate(),
      refer: (referral) => this.signalling.refer(referral),
      ended: (id, recorded) => {
        this.calls.delete(id);
        this.limits.release(id);
        this.#unrecorded += 1;
        void recorded.finally(() => {
          this.#unrecorded -= 1;
        });
      },
    };
  }

  /** A phone whose connection broke in a call is reached over the one that it has made since (RFC 5626 §5.3). */
  #route(
    flow: Flow,
    request: SipRequest,
    followTarget: boolean,
    party: string,
  ): ReturnType<CallServices['route']> {
    const transports = this.#parts.transports();
    const next = nextFlow(transports, this.#parts.resolver, flow, request, followTarget);
    // What goes over UDP shows nobody that it arrives nowhere.
    if (followTarget || (next !== undefined && flow.reliable)) return next;
    const now = this.#parts.now();
    const successor = this.registrar.successor(flow.id, now)?.flow;
    const found =
      successor !== undefined
        ? transports.flow(successor)
        : // Of a phone whose instance is known, only that one will do.
          this.registrar.hasLost(flow.id)
          ? undefined
          : reboundFlow(transports, this.registrar, flow, party, now);
    if (found === undefined || (isEncrypted(flow.transport) && !isEncrypted(found.transport))) return next;
    return found;
  }

  /** One timer for all: a call that is answered at once costs no more than its place in this list. */
  #noteRinging(): void {
    this.#stopNoting = undefined;
    const ringing = this.#ringing;
    this.#ringing = [];
    for (const call of ringing) call.noteSetup();
  }

  #arm(): void {
    const next = this.layer.nextTimeout();
    if (next >= this.#armedAt) return;
    this.#stopTimer?.();
    this.#armedAt = next;
    // Few different durations: each one costs the process a list of timers.
    const now = this.#parts.now();
    const wait = Math.ceil(Math.max(next, now + 1) / granularityMs) * granularityMs - now;
    this.#stopTimer = this.#after(wait, this.#tick);
  }

  readonly #tick = (): void => {
    this.#armedAt = Number.POSITIVE_INFINITY;
    this.run(() => this.layer.handleTimeout(this.#parts.now()));
  };

  #trustTrunks(): void {
    for (const domain of this.#directory.domains())
      for (const trunk of domain.trunks.values())
        for (const address of trunk.addresses) {
          const [single, prefix] = address.split('/');
          if (single !== undefined && (prefix === undefined || prefix === '32' || prefix === '128'))
            this.#parts.trust(single, 'trunk');
        }
  }

  #storeFailed(error: unknown): void {
    if (isPassing(error)) return;
    this.#parts.bus.emit({ type: 'edge.error', where: 'store', detail: String(error) });
  }
}

const numbersOf = ({ numbers }: Configuration): Numbers => new Numbers(numbers.country, numbers.emergency);

const encryptionOf = ({ listeners }: Configuration): Map<string, Encryption> =>
  new Map(
    listeners.map(({ name, encryption, transport }) => [
      name,
      encryption ?? (isEncrypted(transport) ? 'required' : 'preferred'),
    ]),
  );
