import type { Socket } from 'node:net';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { untilNext } from '@ringfence/bytes/moment.ts';
import type { EndpointConfig, EndpointSpec, EndpointStats, Relay, RelayEvent } from './contract.ts';
import type { IceCandidate } from './handshake.ts';
import { digits, readEvent } from './protocol/events.ts';
import { FrameReader, FrameWriter, frameTypes, mostIds, mostSpecs } from './protocol/frames.ts';
import { writeCandidates } from './protocol/handshakes.ts';
import { type OpenReply, readGreeting, readList, readOpened, readStats } from './protocol/replies.ts';
import { writeConfig, writeSpec } from './protocol/requests.ts';

export interface RunningRelay extends Relay {
  readonly pid: number;
  readonly instance: string;
  /** Another edge process can take it over. */
  readonly lasting: boolean;
  /** Ids of all open endpoints, linked or not. */
  endpoints(): Promise<readonly number[]>;
  /** Lets go of it without ending it: it waits for the next edge. Nothing can be asked of it from here on. */
  release(): Promise<void>;
  /** Ends the media process; its calls end with it. No `down` event follows. */
  stop(): Promise<void>;
}

/** The process behind a control socket, where it is a child of ours. */
export interface OwnChild {
  readonly pid: number;
  kill(): void;
  /** Settles when it is gone, with the reason. */
  readonly gone: Promise<string>;
}

type OnRead = { readonly buffer: Buffer; callback(length: number): boolean };

/** Of frames in one message. */
const mostClipOctets = 32_768;

/** What is a digit to most receivers, and longer than anybody presses one. */
const shortestDigitMs = 40;
const longestDigitMs = 6000;

/** The end of a call's media is put off to the next multiple of this, so that others can join it. */
const gatherClosingMs = 50;

type Pending =
  | {
      readonly kind: 'open';
      readonly specs: readonly EndpointSpec[];
      readonly resolve: (reply: OpenReply) => void;
    }
  | { readonly kind: 'stats'; readonly resolve: (stats: EndpointStats[]) => void }
  | { readonly kind: 'list'; readonly resolve: (list: ReturnType<typeof readList>) => void };

/** The edge's end of the control socket. */
export class ControlConnection implements RunningRelay {
  readonly keepsFirst = true;
  readonly ready: Promise<RunningRelay>;
  readonly lasting: boolean;
  pid: number;
  instance = '';
  readonly #child: OwnChild | undefined;
  readonly #socket: Socket;
  readonly #frames = new FrameWriter();
  readonly #reader = new FrameReader();
  readonly #pending = new Map<number, Pending>();
  readonly #listeners: ((event: RelayEvent) => void)[] = [];
  readonly #exited: Promise<void>;
  #closing: { readonly ids: readonly number[]; resolve(stats: readonly EndpointStats[]): void }[] = [];
  #closingTimer: NodeJS.Timeout | undefined;
  #nextRequest = 1;
  #flushing = false;
  #state: 'starting' | 'running' | 'stopping' | 'down' = 'starting';
  #settleReady: (problem?: string) => void = () => {};

  /** Without `child` the process is one that another edge has started: it is gone when the socket closes. */
  constructor(child: OwnChild | undefined, open: (onread: OnRead) => Socket, lasting = true) {
    this.#child = child;
    this.lasting = lasting;
    this.pid = child?.pid ?? 0;
    this.ready = new Promise((resolve, reject) => {
      this.#settleReady = (problem) => {
        if (problem === undefined) resolve(this);
        else reject(new MisuseError('relay-failed', `the media process did not start: ${problem}`));
      };
    });
    this.#socket = open({
      buffer: this.#reader.buffer,
      callback: (length) => {
        if (!this.#reader.feed(length, this.#onFrame)) this.giveUp();
        return true;
      },
    });
    this.#socket.on('error', () => {});
    const closed = new Promise<string>((resolve) => {
      this.#socket.once('close', () => resolve('its control socket has closed'));
    });
    this.#exited = (child?.gone ?? closed).then((reason) => this.#down(reason));
  }

  /** It makes no sense, or does not answer: nothing more is expected of it. */
  giveUp(): void {
    if (this.#child === undefined) this.#socket.destroy();
    else this.#child.kill();
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

  press(id: number, digit: string, durationMs: number): boolean {
    const event = digit.length === 1 ? digits.indexOf(digit) : -1;
    if (event < 0) throw new MisuseError('bad-digit', 'a digit is one of 0 to 9, *, #, A to D');
    if (!this.#isUp()) return false;
    this.#frames.begin(frameTypes.press, 0);
    this.#frames.u32(id);
    this.#frames.u8(event);
    this.#frames.u16(Math.min(longestDigitMs, Math.max(shortestDigitMs, Math.round(durationMs))));
    this.#send();
    return true;
  }

  trickle(id: number, candidates: readonly IceCandidate[]): void {
    if (!this.#isUp() || candidates.length === 0) return;
    this.#frames.begin(frameTypes.trickle, 0);
    this.#frames.u32(id);
    writeCandidates(this.#frames, candidates);
    this.#send();
  }

  retell(): void {
    if (!this.#isUp()) return;
    this.#frames.begin(frameTypes.retell, 0);
    this.#send();
  }

  confirmSas(id: number): void {
    if (!this.#isUp()) return;
    this.#frames.begin(frameTypes.confirmSas, 0);
    this.#frames.u32(id);
    this.#send();
  }

  relaySas(to: number, from: number): void {
    if (!this.#isUp()) return;
    this.#frames.begin(frameTypes.relaySas, 0);
    this.#frames.u32(to);
    this.#frames.u32(from);
    this.#send();
  }

  keepClip(clip: number, frames: readonly Uint8Array[], clockTicks: number): void {
    if (!this.#isUp()) return;
    const begin = (first: boolean): void => {
      this.#frames.begin(frameTypes.clip, 0);
      this.#frames.u32(clip);
      this.#frames.u16(clockTicks);
      this.#frames.u8(first ? 1 : 0);
    };
    begin(true);
    let room = mostClipOctets;
    for (const frame of frames) {
      if (frame.length + 2 > room) {
        this.#send();
        begin(false);
        room = mostClipOctets;
      }
      room -= frame.length + 2;
      this.#frames.u16(frame.length);
      this.#frames.bytes(frame);
    }
    this.#send();
  }

  play(id: number, clip: number, payloadType: number, loop: boolean): void {
    if (!this.#isUp()) return;
    this.#frames.begin(frameTypes.play, 0);
    this.#frames.u32(id);
    this.#frames.u32(clip);
    this.#frames.u8(payloadType);
    this.#frames.u8(loop ? 1 : 0);
    this.#send();
  }

  tap(from: number, to: number): void {
    if (!this.#isUp()) return;
    this.#frames.begin(frameTypes.tap, 0);
    this.#frames.u32(from);
    this.#frames.u32(to);
    this.#send();
  }

  untap(to: number): void {
    if (!this.#isUp()) return;
    this.#frames.begin(frameTypes.untap, 0);
    this.#frames.u32(to);
    this.#send();
  }

  hush(id: number): void {
    if (!this.#isUp()) return;
    this.#frames.begin(frameTypes.hush, 0);
    this.#frames.u32(id);
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

  async endpoints(): Promise<readonly number[]> {
    const all: number[] = [];
    let first = 0;
    do {
      if (!this.#isUp()) return all;
      const request = this.#request();
      this.#frames.begin(frameTypes.list, request);
      this.#frames.u32(first);
      this.#send();
      const { next, ids } = await new Promise<ReturnType<typeof readList>>((resolve) =>
        this.#pending.set(request, { kind: 'list', resolve }),
      );
      all.push(...ids);
      first = next;
    } while (first > 0);
    return all;
  }

  async stop(): Promise<void> {
    this.#leave();
    this.#frames.begin(frameTypes.end, 0);
    this.#frames.end();
    this.#flush();
    this.#socket.end();
    const kill = setTimeout(() => this.giveUp(), 2000);
    await this.#exited;
    clearTimeout(kill);
  }

  async release(): Promise<void> {
    this.#leave();
    await new Promise<void>((resolve) => this.#socket.end(() => resolve()));
  }

  #leave(): void {
    this.#closeGathered();
    this.#flush();
    if (this.#state === 'running' || this.#state === 'starting') this.#state = 'stopping';
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
      const { instance, pid } = readGreeting(body);
      this.instance = instance;
      this.pid = pid;
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
    } else if (pending.kind === 'list') {
      pending.resolve(refused ? { next: 0, ids: [] } : readList(body));
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
      else if (pending.kind === 'list') pending.resolve({ next: 0, ids: [] });
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
