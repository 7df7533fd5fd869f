import { createHmac } from 'node:crypto';
import { chmodSync, close, mkdirSync, open, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import type { Result } from '@ringfence/bytes/result.ts';
import type { SipUri } from '@ringfence/sip/message/types.ts';
import { handleBans } from './admission/bans/commands.ts';
import { Guard, portsOf } from './admission/guard.ts';
import { handleAlerts } from './alerts/commands.ts';
import type { Call } from './call/call.ts';
import type { LoadedConfiguration } from './config/load.ts';
import type { Configuration } from './config/schema.ts';
import { handleCalls } from './control/calls.ts';
import { ControlServer } from './control/server.ts';
import { handleThreats } from './detection/commands.ts';
import { Edge } from './edge.ts';
import type { EventBus } from './events/bus.ts';
import { handleEvidence } from './evidence/commands.ts';
import { EvidenceDesk } from './evidence/desk.ts';
import { handleBehaviour } from './fraud/behaviour/commands.ts';
import { type FraudControl, handleFraud, loadRates } from './fraud/commands.ts';
import { handleIncidents } from './incidents/commands.ts';
import { IncidentDesk } from './incidents/desk.ts';
import { ClockWatch } from './journal/clock-watch.ts';
import { aliveFile, Heartbeat } from './journal/heartbeat.ts';
import { LedgerDesk } from './ledger/join.ts';
import { Mailer } from './mail/mailer.ts';
import { EngineEvents } from './media/engine-events.ts';
import { type MediaEngine, startEngine } from './media/start-engine.ts';
import { Monitoring } from './monitoring/monitoring.ts';
import { patchesOf } from './patches/shipped.ts';
import { TargetFinder } from './resolve/resolver.ts';
import { SelfService } from './self-service/join.ts';
import { SoundFiles } from './sound/sounds.ts';
import type { Store } from './store/contract.ts';
import { openStore } from './store/open.ts';
import type { HandedListener, ListenerState, Transports } from './transport/contract.ts';
import { openTransports } from './transport/open.ts';
import { LiveStateFile } from './trunks/live-state.ts';

/** PEM of the node, read anew at every call so that a renewal takes effect. */
export interface NodeCertificates {
  key(): string;
  /** The chain, own certificate first. */
  cert(): string;
  /** Authorities that peers are verified against. */
  ca(): readonly string[];
  /** Certificates of domains. */
  domains?(): readonly { readonly domain: string; readonly key: string; readonly certificate: string }[];
  /** What is wrong with them, in words for the administrator. */
  troubles?(): readonly string[];
}

export interface DaemonOptions {
  /** Data folder. */
  readonly home: string;
  readonly loaded: LoadedConfiguration;
  readonly version: string;
  readonly certificates: NodeCertificates;
  readonly bus: EventBus;
  readonly now: () => number;
  /** The machine's clock. Default: `Date.now`. */
  readonly wall?: () => number;
  /** Reads the configuration again, for SIGHUP. */
  reload(): Result<LoadedConfiguration, { readonly text: string }>;
  /** Listening sockets of the program whose place this one has taken. */
  readonly inherited?: readonly HandedListener[];
  /** Renews what is about to run out before certificates are reloaded. */
  renewCertificates?(): Promise<void>;
}

/** Between two attempts to start the media process again, and how long live calls wait for it. */
const relayRestartMs = 500;
const relayPatienceMs = 5_000;
const expiryMs = 5_000;
/** After these the file about trunks is written at once, not with the next sweep. */
const trunkEvents: ReadonlySet<string> = new Set([
  'target.quarantined',
  'target.recovered',
  'trunk.registered',
  'trunk.unregistered',
  'trunk.registration-failed',
]);
/** How long calls that are being set up may be answered before another program takes over; emergency calls longer. */
const settleMs = 2_000;
const urgentSettleMs = 60_000;
/** How long a bundle that is being made may keep another program from taking over. */
const handOverEvidenceMs = 500;
/** How long the answers to our last BYEs are waited for. */
const farewellMs = 2_000;

/** The running daemon: owns the sockets, the store's thread, the media process and the timers. */
export class Daemon {
  readonly edge: Edge;
  /** Where `ringfence` asks the running edge to do something. */
  readonly control: ControlServer;
  readonly #options: DaemonOptions;
  readonly #store: Store;
  readonly #ledger: LedgerDesk;
  readonly guard: Guard;
  readonly desk: IncidentDesk;
  readonly #selfService: SelfService;
  readonly #evidence: EvidenceDesk;
  readonly #transports: Transports;
  #relay: MediaEngine | undefined;
  #config: Configuration;
  #stopping: Promise<void> | undefined;
  #stopped = false;
  readonly #liveState: LiveStateFile;
  readonly #sweep: NodeJS.Timeout;
  readonly #heart: Heartbeat;
  readonly #clock: ClockWatch;
  readonly #engineEvents: EngineEvents<Call>;
  readonly #monitoring: Monitoring;

  private constructor(
    options: DaemonOptions,
    parts: {
      edge: Edge;
      store: Store;
      ledger: LedgerDesk;
      guard: Guard;
      desk: IncidentDesk;
      selfService: SelfService;
      evidence: EvidenceDesk;
      transports: Transports;
      heart: Heartbeat;
      monitoring: Monitoring;
    },
  ) {
    this.#options = options;
    this.control = new ControlServer(options.bus);
    this.#config = options.loaded.config;
    this.edge = parts.edge;
    this.#store = parts.store;
    this.#ledger = parts.ledger;
    this.guard = parts.guard;
    this.desk = parts.desk;
    this.#selfService = parts.selfService;
    this.#evidence = parts.evidence;
    this.#transports = parts.transports;
    this.#heart = parts.heart;
    this.#clock = new ClockWatch(options.now, options.wall ?? Date.now);
    this.#engineEvents = new EngineEvents<Call>({
      bus: options.bus,
      ownerOf: (endpoint) => this.edge.ownerOf(endpoint),
      run: (step) => this.edge.run(step),
      down: (reason) => this.#relayDown(reason),
      lost: (calls) => this.#recoverLost(calls),
    });
    this.#monitoring = parts.monitoring;
    this.#liveState = new LiveStateFile(
      options.home,
      () => this.edge.liveState(),
      options.now,
      (error) => options.bus.emit({ type: 'edge.error', where: 'state', detail: String(error) }),
    );
    this.#sweep = setInterval(() => {
      this.edge.expire();
      this.guard.sweep();
      this.#liveState.update();
      this.#heart.beat();
      this.#lookAtClock();
      this.#lookForDescriptors();
      this.#tellCertificates();
    }, expiryMs);
    options.bus.subscribe((event) => {
      if (trunkEvents.has(event.type)) this.#liveState.update();
    }, 'notice');
  }

  #lookAtClock(): void {
    const jump = this.#clock.look();
    if (jump === 0) return;
    const seconds = Math.round(jump / 1000);
    this.edge.troubles.tell(
      'clock',
      `the clock of the machine was set ${Math.abs(seconds)} s ${seconds > 0 ? 'forward' : 'back'}; calls, timers and registrations go on, and records carry the time as it was counted before, until \`ringfence upgrade\` or a restart`,
    );
  }

  /** A connection that cannot be taken for want of a descriptor shows nowhere: so one is asked for now and then. */
  #lookForDescriptors(): void {
    open('/dev/null', 'r', (error, descriptor) => {
      if (error === null) {
        close(descriptor);
        this.edge.troubles.end('descriptors');
      } else if (error.code === 'EMFILE' || error.code === 'ENFILE')
        this.edge.troubles.begin(
          'descriptors',
          'no more connections can be taken (ulimit -n); those that are there go on',
        );
    });
  }

  #tellCertificates(): void {
    const [first] = this.#options.certificates.troubles?.() ?? [];
    if (first === undefined) this.edge.troubles.end('certificate');
    else this.edge.troubles.begin('certificate', first);
  }

  /** Starts everything or nothing; what is wrong is thrown as `MisuseError` in words for the administrator. */
  static async start(options: DaemonOptions): Promise<Daemon> {
    const { home, loaded, bus, now, certificates } = options;
    const { config } = loaded;
    mkdirSync(join(home, 'keys'), { recursive: true, mode: 0o700 });
    chmodSync(join(home, 'keys'), 0o700);
    const store = await openStore({
      file: resolve(home, config.store.file),
      keyFile: join(home, 'keys', 'store.key'),
      commitMilliseconds: config.store.commitMilliseconds,
      callCommitMilliseconds: config.store.callCommitMilliseconds,
    });
    const cleanup: (() => Promise<void>)[] = [() => store.close()];
    try {
      const began = performance.now();
      const ledger = await LedgerDesk.open({ home, config, bus, now });
      cleanup.push(() => ledger.close());
      // What was live when the last process died: read before anything is written.
      const left = await store.openCalls();
      const heart = new Heartbeat(join(home, aliveFile), {
        pid: process.pid,
        since: Date.now(),
        version: options.version,
      });
      const media = await startEngine(config.media, bus, home, zidOf(home));
      cleanup.push(() => (media.adopted ? media.engine.release?.() : undefined) ?? media.engine.stop());
      const self: { daemon?: Daemon; transports?: Transports } = {};
      const monitoring = new Monitoring({
        ...options,
        edge: () => self.daemon?.edge,
        isMediaUp: () => self.daemon?.relay !== undefined,
      });
      cleanup.push(() => monitoring.stop());
      await monitoring.configure(config);
      for (const { key, meaning } of loaded.warnings) bus.emit({ type: 'edge.dangerous', key, meaning });
      const [objects, bindings, zrtpPeers, knownPeers, accounts, spend] = await Promise.all([
        store.objects(),
        store.bindings(),
        store.zrtpPeers(),
        store.knownPeers(),
        store.accounts(),
        store.spend(),
      ]);
      const resolver = new TargetFinder({
        transports: ['tls', 'tcp', 'udp'],
        clock: now,
        answered: (well, name) => {
          if (well) self.daemon?.edge.troubles.end('dns');
          else
            self.daemon?.edge.troubles.begin(
              'dns',
              `no name server answers for ${name}; names found in the last hour go on as they were`,
            );
        },
      });
      const resolve = (uri: SipUri) => resolver.resolveTarget(uri);
      const guard = new Guard({ config, home, store, bus, now, resolve });
      await guard.restore(objects, bindings);
      const { admission } = guard;
      cleanup.push(() => guard.stop());
      const sounds = new SoundFiles();
      cleanup.push(() => sounds.stop());
      const evidence = new EvidenceDesk({
        home,
        config,
        version: options.version,
        now,
        calls: () => edge.calls,
        beside: () => monitoring.tap,
      });
      cleanup.push(() => evidence.stop());
      const desk = await IncidentDesk.open({
        preserve: (incident) => evidence.preserve(incident),
        config: config.incidents,
        store,
        bus,
        bans: guard.bans,
        accounts: () => edge.accounts,
        now,
        edge: () => edge,
        objects,
        mail: new Mailer(() => (self.daemon === undefined ? config : self.daemon.#config).mail),
      });
      cleanup.push(() => desk.stop());
      const edge: Edge = new Edge({
        restraints: desk.restraints,
        config,
        identityKey: identityKey(join(home, 'keys', 'store.key')),
        zrtpPeers,
        knownPeers,
        accounts,
        spend,
        patches: ({ patches }) => patchesOf(patches.file),
        objects,
        bindings,
        store: ledger.seeing(store),
        unrecorded: () => ledger.blocks,
        bus,
        now,
        transports: () => self.transports as Transports,
        tap: () => evidence,
        relay: () => (self.daemon === undefined ? media.engine : self.daemon.relay),
        trust: (address, as) => guard.trust(address, as),
        takes: (level) => admission.takes(level),
        trunkShare: () => admission.shedding.share('trunk'),
        emergency: (address) => admission.emergency(address),
        ban: (proposal) => guard.bans.propose(proposal),
        sounds,
        page: () => (self.transports === undefined ? undefined : selfService.url),
        resolver: {
          resolve,
          resolveNumeric: (uri) => resolver.resolveNumeric(uri),
        },
      });
      const selfService = await SelfService.open({
        store,
        bus,
        now,
        edge: () => edge,
        config: () => edge.config,
        listeners: () => self.transports?.listeners ?? [],
      });
      cleanup.push(() => selfService.stop());
      const opened = await openTransports({
        listeners: config.listeners,
        domain: config.domain,
        account: selfService.door,
        tls: {
          key: certificates.key,
          cert: certificates.cert,
          ca: certificates.ca,
          domains: () => certificates.domains?.() ?? [],
          settings: config.tls,
        },
        admission,
        events: {
          message: (flow, bytes, at) => {
            evidence.received(flow, bytes);
            edge.message(flow, bytes, at);
          },
          closed: (flow) => edge.closed(flow),
        },
        emit: (event) => bus.emit(event),
        clock: now,
        ...(options.inherited === undefined ? {} : { inherited: options.inherited }),
      });
      if (!opened.ok) throw new MisuseError('listen-failed', opened.error.map(({ text }) => text).join('\n'));
      const transports = opened.value;
      self.transports = transports;
      cleanup.push(() => transports.close());
      // In the turn in which the sockets begin to receive: no request finds its call missing.
      const recent = heart.age(Date.now()) < config.media.graceSeconds * 1000;
      const { taken, used, silent } = edge.restore(left, {
        relay: media.engine,
        endpoints: media.endpoints,
        recent,
      });
      const parts = {
        edge,
        store,
        ledger,
        guard,
        desk,
        evidence,
        selfService,
        transports,
        heart,
        monitoring,
      };
      const daemon = new Daemon(options, parts);
      self.daemon = daemon;
      daemon.#tellCertificates();
      cleanup.push(async () => daemon.#stopTimers());
      daemon.#useRelay(media.engine);
      const interrupted = await store.closeInterrupted(heart.last ?? now(), taken);
      heart.begin();
      edge.keepAll();
      const nobodys = [...media.endpoints].filter((id) => !used.has(id));
      if (nobodys.length > 0) void media.engine.close(nobodys);
      if (left.length > 0)
        bus.emit({
          type: 'edge.taken-over',
          calls: taken.size,
          interrupted,
          pid: media.engine.pid ?? 0,
          milliseconds: Math.round(performance.now() - began),
        });
      edge.start();
      ledger.objects(objects);
      ledger.onProblem((detail) =>
        detail === undefined ? edge.troubles.end('ledger') : edge.troubles.begin('ledger', detail),
      );
      await guard.useKernel(portsOf(transports.listeners));
      handleCalls(daemon.control, edge, bus);
      handleAlerts(daemon.control, () => monitoring.alerts);
      handleThreats(daemon.control, edge.detection);
      handleBans(daemon.control, guard);
      handleIncidents(daemon.control, desk.incidents);
      selfService.handle(daemon.control);
      handleEvidence(daemon.control, evidence, desk.incidents);
      const money: FraudControl = {
        control: daemon.control,
        toll: edge.toll,
        bus,
        home,
        currency: () => edge.config.fraud.currency,
        now,
      };
      handleFraud(money);
      handleBehaviour({
        ...money,
        behaviour: edge.fraud.behaviour,
        mostTouched: () => edge.fraud.sets.mostTouched,
        hasDomain: (domain) => edge.directory.domain(domain) !== undefined,
      });
      await loadRates(money);
      cleanup.push(async () => daemon.control.close());
      await daemon.control.listen(home);
      guard.start();
      guard.measure(() => transports.backlog());
      if (silent.length > 0) void edge.recoverMedia(media.engine, [...silent]);
      daemon.#liveState.update();
      daemon.#tellCertificates();
      if (store.repaired !== undefined) edge.troubles.tell('database', store.repaired);
      store.onTrouble((problem) => {
        if (problem !== undefined) return edge.troubles.begin(problem.what, problem.detail);
        edge.troubles.end('disk');
        edge.troubles.end('database');
      });
      store.onFailure((reason) => bus.emit({ type: 'edge.error', where: 'store', detail: reason }));
      store.onObjectsChanged(() => void daemon.#reloadObjects());
      return daemon;
    } catch (error) {
      for (const close of cleanup.reverse()) await close().catch(() => undefined);
      throw error;
    }
  }

  get relay(): MediaEngine | undefined {
    return this.#relay;
  }

  get listeners(): readonly ListenerState[] {
    return this.#transports.listeners;
  }

  /** SIGHUP: configuration, certificates and objects are read again; what needs a restart is named. */
  async reload(): Promise<void> {
    const { bus, reload, renewCertificates } = this.#options;
    const read = reload();
    if (!read.ok) {
      bus.emit({ type: 'config.refused', detail: read.error.text });
      return;
    }
    const { config } = read.value;
    const fixed = (['listeners', 'media', 'store', 'domain'] as const).filter(
      (part) => JSON.stringify(config[part]) !== JSON.stringify(this.#config[part]),
    );
    // What sockets, processes and files were opened with stays as it is until the next start.
    const { listeners, media, store, domain } = this.#config;
    this.#config = { ...config, listeners, media, store, domain };
    this.edge.reconfigure(this.#config);
    this.#ledger.configured(this.#config);
    this.guard.configure(this.#config);
    this.#evidence.configure(this.#config);
    bus.emit({
      type: 'config.reloaded',
      what: 'configuration',
      detail: fixed.length === 0 ? '' : `a change of ${fixed.join(', ')} takes effect at the next start`,
    });
    await this.#monitoring
      .configure(this.#config)
      .catch((error: unknown) => bus.emit({ type: 'config.refused', detail: String(error) }));
    await this.#reloadObjects();
    try {
      await renewCertificates?.();
      await this.#transports.reloadCertificates();
      this.#tellCertificates();
      bus.emit({ type: 'config.reloaded', what: 'certificates', detail: '' });
    } catch (error) {
      bus.emit({ type: 'config.refused', detail: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Takes no new calls, lets live ones end for as long as configured, then stops. Called again: stops at once. */
  stop(reason: string, drainSeconds = this.#config.shutdown.drainSeconds): Promise<void> {
    if (this.#stopping === undefined) {
      this.edge.drain();
      const { server, client } = this.edge.layer.size;
      this.#options.bus.emit({
        type: 'edge.draining',
        calls: this.edge.calls.size,
        legs: this.edge.legs,
        transactions: server + client,
        seconds: drainSeconds,
      });
      this.#stopping = this.#shutDown(reason, drainSeconds);
    } else this.#stopped = true;
    return this.#stopping;
  }

  /**
   * Puts everything down for the program that takes this one's place in the process: calls into the journal, the media
   * process to itself. Gives the listening sockets; nothing of this daemon runs any more.
   *
   * New calls wait meanwhile, at most two seconds: so long those that are being set up may still be answered, emergency
   * calls a minute. Then they end with `edge-restart`.
   */
  async handOver(): Promise<readonly HandedListener[]> {
    const { edge } = this;
    this.#stopping ??= Promise.resolve();
    edge.hold();
    const began = performance.now();
    const waits = (): boolean => {
      const { calls, urgent } = edge.settingUp;
      const waited = performance.now() - began;
      return calls > 0 && (waited < settleMs || (urgent > 0 && waited < urgentSettleMs));
    };
    while (waits()) await pause(20);
    const { calls: ended } = edge.settingUp;
    edge.hangUpUnanswered('edge-restart');
    const last = performance.now() + farewellMs;
    while ((ended > 0 || edge.unrecorded > 0) && performance.now() < last) {
      if (edge.unrecorded === 0 && edge.legs <= 2 * edge.calls.size) break;
      await pause(20);
    }
    this.#options.bus.emit({ type: 'edge.upgrading', calls: edge.calls.size, ended });
    const told = this.#monitoring.stop();
    this.#stopTimers();
    this.control.close();
    this.#stopped = true;
    edge.stop();
    await this.#selfService.stop();
    await this.#evidence.stop(handOverEvidenceMs);
    await this.desk.stop();
    await this.guard.stop();
    const handed = this.#transports.handOver();
    edge.keepAll();
    // What was written resolves the answers that wait for it; the sockets can still send them.
    await this.#store.close();
    await this.#ledger.close();
    await pause(0);
    this.#heart.beat();
    await this.#relay?.release?.();
    await told;
    return handed;
  }

  async #shutDown(reason: string, drainSeconds: number): Promise<void> {
    const until = performance.now() + drainSeconds * 1000;
    while (!this.#stopped && this.edge.calls.size > 0 && performance.now() < until) await pause(50);
    this.#stopped = true;
    this.edge.hangUpAll('edge-stop');
    await this.edge.farewell;
    const last = performance.now() + farewellMs;
    while ((this.edge.legs > 0 || this.edge.unrecorded > 0) && performance.now() < last) await pause(20);
    this.#stopTimers();
    this.control.close();
    this.edge.stop();
    await this.#selfService.stop();
    await this.#evidence.stop();
    await this.desk.stop();
    await this.guard.stop();
    await this.#transports.close();
    await this.#relay?.stop();
    await this.#store.close();
    this.#options.bus.emit({ type: 'edge.stopped', reason });
    await this.#ledger.close();
    await this.#monitoring.stop();
  }

  async #startRelay(): Promise<void> {
    const { engine } = await startEngine(
      this.#config.media,
      this.#options.bus,
      this.#options.home,
      zidOf(this.#options.home),
    );
    this.#useRelay(engine);
  }

  #useRelay(relay: MediaEngine): void {
    this.#relay = relay;
    relay.onEvent(this.#engineEvents.take);
    relay.retell?.();
  }

  #stopTimers(): void {
    clearInterval(this.#sweep);
  }

  /** Calls whose endpoints are gone with one of several engines: those that live get new ones from the others. */
  #recoverLost(lost: readonly Call[]): void {
    this.edge.run(() => {
      for (const call of lost) if (!call.live) call.hangUp('media');
    });
    const relay = this.#relay;
    if (relay === undefined) return;
    void this.edge.recoverMedia(
      relay,
      lost.filter(({ live }) => live),
    );
  }

  /** The process is started again at once, and live calls move to it; where that does not succeed, they end. */
  #relayDown(reason: string): void {
    this.#relay = undefined;
    this.#options.bus.emit({ type: 'media.down', reason, calls: this.edge.calls.size });
    this.edge.mediaGone();
    const began = performance.now();
    const again = async (): Promise<void> => {
      if (this.#stopped) return;
      try {
        await this.#startRelay();
      } catch (error) {
        this.#options.bus.emit({ type: 'edge.error', where: 'media', detail: String(error) });
        if (performance.now() - began > relayPatienceMs) this.edge.hangUpAll('media');
        setTimeout(again, relayRestartMs).unref();
        return;
      }
      if (this.#relay !== undefined) await this.edge.recoverMedia(this.#relay);
    };
    void again();
  }

  async #reloadObjects(): Promise<void> {
    try {
      const objects = await this.#store.objects();
      this.edge.replaceObjects(objects);
      // `ringfence user confirm` and its like write into the store.
      await this.edge.accounts.reload();
      this.guard.protect(objects);
      this.desk.follow(objects);
      this.#selfService.follow();
      this.#ledger.objects(objects);
      this.#options.bus.emit({ type: 'config.reloaded', what: 'objects', detail: '' });
    } catch (error) {
      this.#options.bus.emit({
        type: 'config.refused',
        detail: error instanceof Error ? error.message : String(error),
      });
    }
  }
}

/** Derived from the store's key, so that there is one secret to guard and to back up. */
const identityKey = (storeKey: string): Uint8Array =>
  createHmac('sha256', readFileSync(storeKey)).update('ringfence identity').digest();

/** What ZRTP knows this installation by (RFC 6189 §4.9), over restarts too: phones keep secrets under it. */
const zidOf = (home: string): Uint8Array =>
  createHmac('sha256', readFileSync(join(home, 'keys', 'store.key')))
    .update('ringfence zid')
    .digest()
    .subarray(0, 12);

const pause = (milliseconds: number): Promise<void> =>
  new Promise((done) => {
    setTimeout(done, milliseconds);
  });
