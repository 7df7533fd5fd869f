import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { Socket } from 'node:net';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { untilNext } from '@ringfence/bytes/moment.ts';
import type { EndpointConfig, EndpointSpec, EndpointStats, Relay, RelayEvent } from './contract.ts';
import { native } from './native.ts';
import type { ProcessOptions } from './options.ts';
import {
  FrameReader,
  FrameWriter,
  frameTypes,
  mostIds,
  mostSpecs,
  type OpenReply,
  readEvent,
  readOpened,
  readStats,
  writeConfig,
  writeSpec,
} from './protocol.ts';

export interface RelayOptions {
  /** Account to run as where the edge was started by root. Default `nobody`. */
  readonly user?: string;
  /** Relaying threads. Default: one per core. */
  readonly threads?: number;
  /**
   * Most open descriptors: an endpoint takes one or two, and one more once media flows. Default 65536, or what the
   * limits allow where that is less; further endpoints then get `no-descriptors`.
   */
  readonly descriptors?: number;
  /** Local ports, both included. Default 20000 to 39999. */
  readonly portRange?: { readonly from: number; readonly to: number };
  /** Scheduling priority, -20 (first) to 19; taken where the edge was started by root. Default -10. */
  readonly nice?: number;
  /** How long media flows on when the edge is gone. Default 0: not at all. */
  readonly graceMs?: number;
  /** How often counters are looked at for events. Default 1000. */
  readonly pollMs?: number;
  /** Silence of one side while the other talks, until `one-way`. Default 5000. */
  readonly oneWayAfterMs?: number;
  /** How often at most a busy thread looks at its sockets; adds up to so much delay. Default 250, 0 for none. */
  readonly gatherMicroseconds?: number;
  /** Packets a second and thread from which on it does. Default 6000. */
  readonly gatherAbove?: number;
}

export interface RunningRelay extends Relay {
  readonly pid: number;
  /** Ends the media process; its calls end with it. No `down` event follows. */
  stop(): Promise<void>;
}

/** Little heap is needed: no packet ever gets into it. */
const nodeFlags = ['--max-semi-space-size=1', '--max-old-space-size=64', '--v8-pool-size=1'];
const longestComplaint = 2000;
/** The end of a call's media is put off to the next multiple of this, so that others can join it. */
const gatherClosingMs = 50;

/**
 * Starts the media process and connects to it.
 *
 * Throws MisuseError `relay-not-built` (with what to install), `relay-failed` (with what the process said), or
 * `bad-port-range`.
 */
export async function startRelay(options: RelayOptions = {}): Promise<RunningRelay> {
  const { from, to } = options.portRange ?? { from: 20000, to: 39999 };
  if (!(from >= 1 && from < to && to <= 65535)) {
    throw new MisuseError('bad-port-range', `media ports ${from} to ${to} are no range within 1 to 65535`);
  }
  const settings: ProcessOptions = {
    from,
    to,
    threads: options.threads ?? availableParallelism(),
    descriptors: options.descriptors ?? 65_536,
    user: options.user ?? 'nobody',
    nice: options.nice ?? -10,
    graceMs: options.graceMs ?? 0,
    pollMs: options.pollMs ?? 1000,
    oneWayAfterMs: options.oneWayAfterMs ?? 5000,
    gatherMicroseconds: options.gatherMicroseconds ?? 250,
    gatherAbove: options.gatherAbove ?? 6000,
  };
  const ends = new Uint8Array(8);
  if (native().controlPair(ends) !== 8)
    throw new MisuseError('relay-failed', 'no descriptors for the control socket');
  const view = new DataView(ends.buffer);
  const [ours, theirs] = [view.getUint32(0), view.getUint32(4)];
  const child = spawn(
    process.execPath,
    [...nodeFlags, fileURLToPath(new URL('./process.ts', import.meta.url)), JSON.stringify(settings)],
    {
      stdio: ['ignore', 'ignore', 'pipe', theirs],
      // The stripped sources are kept, so that later starts need no type stripper in memory.
      env: { NODE_COMPILE_CACHE: fileURLToPath(new URL('./build/cache', import.meta.url)) },
    },
  );
  closeSync(theirs);
  return await new ControlConnection(child, ours).ready;
}

type Pending =
  | {
      readonly kind: 'open';
      readonly specs: readonly EndpointSpec[];
      readonly resolve: (reply: OpenReply) => void;
    }
  | { readonly kind: 'stats'; readonly resolve: (stats: EndpointStats[]) => void };

class ControlConnection implements RunningRelay {
  readonly ready: Promise<RunningRelay>;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #socket: Socket;
  readonly #frames = new FrameWriter();
  readonly #reader = new FrameReader();
  readonly #pending = new Map<number, Pending>();
  readonly #listeners: ((event: RelayEvent) => void)[] = [];
  readonly #exited: Promise<void>;
  #closing: { readonly ids: readonly number[]; resolve(stats: readonly EndpointStats[]): void }[] = [];
  #closingTimer: NodeJS.Timeout | undefined;
  #complaint = '';
  #nextRequest = 1;
  #flushing = false;
  #state: 'starting' | 'running' | 'stopping' | 'down' = 'starting';
  #settleReady: (problem?: string) => void = () => {};

  constructor(child: ChildProcess, descriptor: number) {
    this.#child = child;
    this.pid = child.pid ?? 0;
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = (problem) => {
        if (problem === undefined) resolve(this);
        else reject(new MisuseError('relay-failed', `the media process did not start: ${problem}`));
      };
    });
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => {
        this.#down(error.message);
        resolve();
      });
      child.once('close', (code, signal) => {
        this.#down(this.#complaint.trim() || (signal ? `ended by ${signal}` : `ended with code ${code}`));
        resolve();
      });
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#complaint = (this.#complaint + text).slice(-longestComplaint);
    });
    this.#socket = new Socket({
      fd: descriptor,
      readable: true,
      writable: true,
      onread: {
        buffer: this.#reader.buffer,
        callback: (length) => {
          if (!this.#reader.feed(length, this.#onFrame)) this.#child.kill('SIGKILL');
          return true;
        },
      },
    });
    this.#socket.on('error', () => {});
  }

  open(specs: readonly EndpointSpec[]): Promise<OpenReply> {
    if (specs.length === 0) return Promise.resolve({ ok: true, value: [] });
    if (specs.length > mostSpecs)
      throw new MisuseError('too-many-endpoints', `at most ${mostSpecs} in one open`);
    if (!this.#isUp()) return Promise.resolve({ ok: false, error: 'relay-down' });
    const request = this.#request();
    this.#frames.begin(frameTypes.open, request);
    this.#frames.u8(specs.length);
    for (const spec of specs) {
      const problem = writeSpec(this.#frames, spec);
      if (problem === undefined) continue;
      this.#frames.abandon();
      if (problem === 'bad-config') throw badKey();
      return Promise.resolve({ ok: false, error: problem });
    }
    this.#send();
    return new Promise((resolve) => this.#pending.set(request, { kind: 'open', specs, resolve }));
  }

  /** A remote whose address is no IP address is as good as none: nothing is sent, nothing accepted by address. */
  configure(id: number, config: EndpointConfig): void {
    if (!this.#isUp()) return;
    let problem = this.#tryConfigure(id, config);
    if (problem === 'bad-address') {
      const { remote: _, ...rest } = config;
      problem = this.#tryConfigure(id, rest);
    }
    if (problem !== undefined) throw badKey();
    this.#send();
  }

  #tryConfigure(id: number, config: EndpointConfig): 'bad-address' | 'bad-config' | undefined {
    this.#frames.begin(frameTypes.configure, 0);
    this.#frames.u32(id);
    const problem = writeConfig(this.#frames, config);
    if (problem !== undefined) this.#frames.abandon();
    return problem;
  }

  link(a: number, b: number): void {
    if (!this.#isUp()) return;
    this.#frames.begin(frameTypes.link, 0);
    this.#frames.u32(a);
    this.#frames.u32(b);
    this.#send();
  }

  unlink(a: number): void {
    if (!this.#isUp()) return;
    this.#frames.begin(frameTypes.unlink, 0);
    this.#frames.u32(a);
    this.#send();
  }

  flush(): Promise<void> {
    if (!this.#isUp()) return Promise.resolve();
    // Requests are applied in order: an answer about nothing tells that all before it were.
    const request = this.#request();
    this.#frames.begin(frameTypes.stats, request);
    this.#frames.u16(0);
    this.#frames.end();
    this.#flush();
    return new Promise((resolve) => this.#pending.set(request, { kind: 'stats', resolve: () => resolve() }));
  }

  /** Calls that end within a moment are closed together: one message for all of them, and one wake-up of both sides. */
  close(ids: readonly number[]): Promise<readonly EndpointStats[]> {
    if (!this.#isUp() || ids.length === 0) return Promise.resolve([]);
    this.#closingTimer ??= setTimeout(
      () => this.#closeGathered(),
      untilNext(performance.now(), gatherClosingMs),
    );
    return new Promise((resolve) => this.#closing.push({ ids, resolve }));
  }

  stats(ids: readonly number[]): Promise<readonly EndpointStats[]> {
    return this.#report(frameTypes.stats, ids);
  }

  onEvent(listener: (event: RelayEvent) => void): void {
    this.#listeners.push(listener);
  }

  async stop(): Promise<void> {
    this.#closeGathered();
    this.#flush();
    if (this.#state === 'running' || this.#state === 'starting') this.#state = 'stopping';
    this.#socket.end();
    const kill = setTimeout(() => this.#child.kill('SIGKILL'), 2000);
    await this.#exited;
    clearTimeout(kill);
  }

  #closeGathered(): void {
    clearTimeout(this.#closingTimer);
    this.#closingTimer = undefined;
    const gathered = this.#closing;
    if (gathered.length === 0) return;
    this.#closing = [];
    const all = gathered.flatMap(({ ids }) => ids);
    void this.#report(frameTypes.close, all).then((rows) => {
      const byId = new Map(rows.map((row) => [row.id, row]));
      for (const { ids, resolve } of gathered) resolve(ids.flatMap((id) => byId.get(id) ?? []));
    });
  }

  async #report(type: number, ids: readonly number[]): Promise<readonly EndpointStats[]> {
    if (ids.length > mostIds) {
      const parts: Promise<readonly EndpointStats[]>[] = [];
      for (let i = 0; i < ids.length; i += mostIds) parts.push(this.#report(type, ids.slice(i, i + mostIds)));
      return (await Promise.all(parts)).flat();
    }
    if (!this.#isUp() || ids.length === 0) return [];
    const request = this.#request();
    this.#frames.begin(type, request);
    this.#frames.u16(ids.length);
    for (const id of ids) this.#frames.u32(id);
    this.#send();
    return await new Promise((resolve) => this.#pending.set(request, { kind: 'stats', resolve }));
  }

  #isUp(): boolean {
    return this.#state === 'running';
  }

  #request(): number {
    const request = this.#nextRequest;
    this.#nextRequest = (request % 0xffffffff) + 1;
    return request;
  }

  /** Ends the frame. All frames of one turn of the event loop leave in one write. */
  #send(): void {
    this.#frames.end();
    if (this.#flushing) return;
    this.#flushing = true;
    setImmediate(this.#flush);
  }

  readonly #flush = (): void => {
    this.#flushing = false;
    const bytes = this.#frames.take();
    if (bytes.length > 0) this.#socket.write(bytes, () => bytes.fill(0));
  };

  readonly #onFrame = (type: number, request: number, body: Uint8Array): void => {
    if (type === frameTypes.event) {
      const event = readEvent(body);
      if (event) this.#tell(event);
      return;
    }
    if (type === frameTypes.reply && request === 0) {
      if (this.#state === 'starting') this.#state = 'running';
      this.#settleReady();
      return;
    }
    const pending = this.#pending.get(request);
    if (!pending) return;
    this.#pending.delete(request);
    const refused = type !== frameTypes.reply;
    if (pending.kind === 'open') {
      pending.resolve(refused ? { ok: false, error: 'relay-down' } : readOpened(body, pending.specs));
    } else {
      pending.resolve(refused ? [] : readStats(body));
    }
  };

  #down(reason: string): void {
    const before = this.#state;
    if (before === 'down') return;
    this.#state = 'down';
    this.#socket.destroy();
    if (before === 'starting') this.#settleReady(reason);
    for (const pending of this.#pending.values()) {
      if (pending.kind === 'open') pending.resolve({ ok: false, error: 'relay-down' });
      else pending.resolve([]);
    }
    this.#pending.clear();
    clearTimeout(this.#closingTimer);
    for (const { resolve } of this.#closing) resolve([]);
    this.#closing = [];
    if (before === 'running') this.#tell({ kind: 'down', reason });
  }

  #tell(event: RelayEvent): void {
    for (const listener of this.#listeners) listener(event);
  }
}

const badKey = (): MisuseError => new MisuseError('bad-key', 'a key whose length does not fit its suite');
