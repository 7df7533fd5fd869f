import { type ChildProcess, spawn } from 'node:child_process';
import type { Bans } from '../bans/bans.ts';
import { readBanTarget } from '../bans/source-text.ts';
import type { Ban } from '../bans/types.ts';
import type { FeedEntry } from '../feeds/feeds.ts';
import {
  addLines,
  type Denied,
  deleteLines,
  exemptLine,
  type GuardedPorts,
  readCounter,
  tableLines,
} from './ruleset.ts';

export interface FirewallOptions {
  readonly bans: Bans;
  readonly ports: GuardedPorts;
  /** Most elements of one set. */
  readonly maximum: number;
  /** Unix ms. */
  readonly now: () => number;
  /** The kernel has begun to drop for us, or does not any more, and why. */
  readonly told: (on: boolean, detail: string) => void;
  /** Default `nft`. */
  readonly program?: string;
}

/** Changes are gathered for so long. */
const gatherMs = 100;
const answerMs = 3_000;
/** After a failure it is tried again with the first ban after so long. */
const patienceMs = 60_000;
const mostOutput = 65_536;

/**
 * Has the kernel drop what banned sources send, by nftables, where the system lets us.
 *
 * One `nft -i` runs as long as there is something to drop; the table is its own, so whatever ends this process or that
 * one takes the table away. Elements time out by themselves. Bans of sockets, and of addresses where phones are
 * registered, are the edge's own business: it drops those itself. So it does everything where there is no nftables.
 */
export class KernelFirewall {
  readonly #options: FirewallOptions;
  readonly #table = `ringfence_${process.pid}`;
  #child: ChildProcess | undefined;
  #opening: Promise<boolean> | undefined;
  #failedAt = Number.NEGATIVE_INFINITY;
  #lines: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #output = '';
  #problem = '';
  #answered: (() => void) | undefined;
  #stopped = false;
  readonly #feeds = new Map<string, ReadonlyMap<string, Denied>>();

  constructor(options: FirewallOptions) {
    this.#options = options;
    options.bans.onChange((change) => {
      const { kind, ban } = change;
      if (kind === 'exempt') {
        const { address, until } = change;
        const target = readBanTarget(address);
        if (target === undefined || this.#child === undefined) return;
        const { range, text } = target;
        const seconds = (until - options.now()) / 1000;
        this.#push([exemptLine(this.#table, { range, text, seconds })]);
        return this.#flush();
      }
      const denied = deniedOf(ban, options.now());
      if (denied === undefined) return;
      if (kind === 'added') this.#add([denied]);
      // What has expired has timed out there as well.
      else if (kind !== 'expired' && this.#child !== undefined) {
        this.#push(deleteLines(this.#table, [denied]));
        this.#flush();
      }
    });
  }

  get on(): boolean {
    return this.#child !== undefined && this.#opening === undefined;
  }

  /** What a feed names from now on, for so many seconds; who is protected is left out. */
  feed(name: string, entries: readonly FeedEntry[], seconds: number): void {
    const { protection } = this.#options.bans;
    const before = this.#feeds.get(name) ?? new Map<string, Denied>();
    const after = new Map<string, Denied>();
    for (const { text, range } of entries) {
      const single = range.prefix === (range.family === 4 ? 32 : 64);
      const protects = single ? protection.covers(text) : protection.within(range) !== undefined;
      if (!protects) after.set(text, { range, text, seconds });
    }
    if (entries.length === 0) this.#feeds.delete(name);
    else this.#feeds.set(name, after);
    const gone = [...before.values()].filter(({ text }) => !after.has(text));
    if (this.#child !== undefined) this.#push(deleteLines(this.#table, gone));
    this.#add([...after.values()]);
  }

  /** Begins now, not with the first ban; false where the system does not let us. */
  open(): Promise<boolean> {
    if (this.on) return Promise.resolve(true);
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined;
    });
    return this.#opening;
  }

  /** Packets that the kernel has dropped; undefined where it does not. */
  async dropped(): Promise<number | undefined> {
    if (!this.on) return undefined;
    this.#flush();
    return this.#count();
  }

  /** Takes the table away. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    const child = this.#child;
    if (child === undefined) return;
    const gone = new Promise<void>((done) => {
      child.once('close', () => done());
      setTimeout(() => child.kill('SIGKILL'), answerMs).unref();
    });
    child.stdin?.end();
    await gone;
  }

  #add(denied: readonly Denied[]): void {
    if (denied.length === 0) return;
    if (this.#child !== undefined) return this.#push(addLines(this.#table, denied));
    if (this.#stopped || this.#opening !== undefined) return;
    if (this.#options.now() - this.#failedAt < patienceMs) return;
    void this.open();
  }

  #push(lines: readonly string[]): void {
    this.#lines.push(...lines);
    this.#timer ??= setTimeout(() => this.#flush(), gatherMs);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#lines.length === 0) return;
    this.#child?.stdin?.write(`${this.#lines.join('\n')}\n`);
    this.#lines = [];
  }

  async #open(): Promise<boolean> {
    const { bans, ports, maximum, now, told } = this.#options;
    this.#output = '';
    this.#problem = '';
    // A group of its own: Ctrl-C at our terminal is for us.
    const child = spawn(this.#options.program ?? 'nft', ['-i'], { stdio: 'pipe', detached: true });
    this.#child = child;
    child.once('error', (error) => this.#gone(child, error.message));
    child.once('close', (code) => this.#gone(child, `nft ended with ${code}`));
    child.stdin.on('error', () => undefined);
    child.stdout.on('data', (chunk: Buffer) => {
      this.#output = (this.#output + chunk.toString('latin1')).slice(-mostOutput);
      if (this.#output.includes('packets ')) this.#answered?.();
    });
    child.stderr.on('data', (chunk: Buffer) => {
      if (this.#problem === '') this.#problem = chunk.toString('latin1').split('\n')[0]?.slice(0, 200) ?? '';
    });
    child.stdin.write(`${tableLines(this.#table, ports, maximum).join('\n')}\n`);
    if ((await this.#count()) === undefined) {
      this.#failedAt = now();
      this.#child = undefined;
      child.stdin.end();
      told(false, this.#problem === '' ? 'nft gave no answer' : this.#problem);
      return false;
    }
    if (this.#stopped) return false;
    told(true, this.#table);
    const present = bans.list().flatMap((ban) => deniedOf(ban, now()) ?? []);
    for (const fed of this.#feeds.values()) present.push(...fed.values());
    this.#push(addLines(this.#table, present));
    this.#flush();
    return true;
  }

  /** Asks what has been dropped; undefined where there is no answer in time. */
  async #count(): Promise<number | undefined> {
    this.#output = '';
    const answered = new Promise<void>((done) => {
      this.#answered = done;
      setTimeout(done, answerMs).unref();
      this.#child?.once('close', () => done());
      this.#child?.once('error', () => done());
    });
    this.#child?.stdin?.write(`list counter inet ${this.#table} dropped\n`);
    await answered;
    return readCounter(this.#output);
  }

  #gone(child: ChildProcess, detail: string): void {
    if (this.#child !== child) return;
    const was = this.on;
    this.#child = undefined;
    this.#failedAt = this.#options.now();
    if (this.#problem === '') this.#problem = detail;
    this.#answered?.();
    if (was && !this.#stopped) this.#options.told(false, detail);
  }
}

function deniedOf(ban: Ban, now: number): Denied | undefined {
  if (ban.scope === 'socket' || ban.known) return undefined;
  const target = readBanTarget(ban.source);
  if (target === undefined) return undefined;
  return { range: target.range, text: target.text, seconds: (ban.until - now) / 1000 };
}
