/** Other people's programs as child processes: started with a log, awaited until ready, stopped by pid. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { processTree } from './process-tree.ts';

/** The last part of a program's output is kept in memory for patterns; the whole of it is in its log file. */
const KEPT_OUTPUT = 512 * 1024;
const GRACE_MS = 8_000;

export type ProgramOptions = {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd: string;
  /** File that receives stdout and stderr; null throws the output away (for screens that redraw themselves). */
  readonly log: string | null;
  readonly env?: Readonly<Record<string, string>>;
};

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/** A peer did not do what the test needed of it, within the time it was given. */
export class PeerFailed extends Error {
  readonly code = 'PEER_FAILED';
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  // Not SIGKILL: one that forks must have the time to end its children.
  for (const child of running) child.kill('SIGTERM');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

export class Program {
  readonly name: string;
  readonly pid: number;
  readonly exited: Promise<Exit>;
  #child: ChildProcess;
  #log: WriteStream | null;
  #chunks: string[] = [];
  #kept = 0;
  #exit: Exit | null = null;
  #listeners = new Set<() => void>();

  private constructor(name: string, child: ChildProcess, pid: number, log: WriteStream | null) {
    this.name = name;
    this.pid = pid;
    this.#child = child;
    this.#log = log;
    running.add(child);
    child.stdout?.on('data', (chunk: Buffer) => this.#take(chunk));
    child.stderr?.on('data', (chunk: Buffer) => this.#take(chunk));
    // A peer that ends early must not take the harness with it through a broken pipe.
    child.stdin?.on('error', () => undefined);
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.#exit = { code, signal };
        running.delete(child);
        this.#notify();
        resolve(this.#exit);
      });
    });
    child.once('close', () => this.#log?.end());
  }

  static async start(options: ProgramOptions): Promise<Program> {
    const child = spawn(options.command, options.args, {
      cwd: options.cwd,
      env: { ...process.env, ...options.env },
      stdio: options.log === null ? ['pipe', 'ignore', 'ignore'] : ['pipe', 'pipe', 'pipe'],
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) =>
        reject(new PeerFailed(`${options.name} does not start: ${cause.message}`)),
      );
    });
    if (child.pid === undefined) throw new PeerFailed(`${options.name} has no pid`);
    const log = options.log === null ? null : createWriteStream(options.log, { flags: 'a' });
    return new Program(options.name, child, child.pid, log);
  }

  /** What the program wrote last, both streams in order of arrival. */
  get output(): string {
    if (this.#chunks.length > 1) this.#chunks = [this.#chunks.join('')];
    return this.#chunks[0] ?? '';
  }

  get running(): boolean {
    return this.#exit === null;
  }

  write(text: string): void {
    this.#child.stdin?.write(text);
  }

  /** Resolves with the match once the output holds it from `from` on; rejects on time-out or when the program ends. */
  async waitFor(pattern: RegExp, timeoutMs: number, from = 0): Promise<RegExpExecArray> {
    const look = () => pattern.exec(from === 0 ? this.output : this.output.slice(from));
    return new Promise((resolve, reject) => {
      const done = (act: () => void) => {
        clearTimeout(timer);
        this.#listeners.delete(check);
        act();
      };
      const check = () => {
        const found = look();
        if (found) return done(() => resolve(found));
        if (this.#exit) {
          const { code, signal } = this.#exit;
          done(() =>
            reject(
              new PeerFailed(`${this.name} ended (${code ?? signal}) before ${pattern}: ${this.#tail()}`),
            ),
          );
        }
      };
      const timer = setTimeout(
        () =>
          done(() =>
            reject(new PeerFailed(`${this.name}: no ${pattern} in ${timeoutMs} ms: ${this.#tail()}`)),
          ),
        timeoutMs,
      );
      this.#listeners.add(check);
      check();
    });
  }

  /** Rejects as `check` does, having stopped the program. */
  async readyWhen(check: () => Promise<unknown>): Promise<void> {
    try {
      await check();
    } catch (cause) {
      await this.stop();
      throw cause;
    }
  }

  /** Resolves with how the program ended; rejects after `timeoutMs` and leaves it running. */
  async waitForExit(timeoutMs: number): Promise<Exit> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new PeerFailed(`${this.name} still runs after ${timeoutMs} ms`)),
        timeoutMs,
      );
    });
    try {
      return await Promise.race([this.exited, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#exit === null) this.#child.kill(signal);
  }

  /** Ends this one program by its pid: asks first, insists after eight seconds. */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<Exit> {
    if (this.#exit) return this.#exit;
    this.#child.kill(signal);
    // With what it forked: workers whose parent was killed would stay for ever.
    const insist = setTimeout(() => killTree(this.pid), GRACE_MS);
    const exit = await this.exited;
    clearTimeout(insist);
    return exit;
  }

  #take(chunk: Buffer): void {
    this.#log?.write(chunk);
    const text = chunk.toString('utf8');
    this.#chunks.push(text);
    this.#kept += text.length;
    // Dropped in one go at twice the size: a server under load may say a lot.
    if (this.#kept > 2 * KEPT_OUTPUT) {
      this.#chunks = [this.output.slice(-KEPT_OUTPUT)];
      this.#kept = KEPT_OUTPUT;
    }
    this.#notify();
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #tail(): string {
    return this.output.slice(-400).replaceAll('\n', ' | ');
  }
}

function killTree(root: number): void {
  for (const pid of processTree([root])) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself.
    }
  }
}

export const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Polls until `probe` yields a value; for what can only be seen from outside, such as a file that appears. */
export async function until<T>(
  what: string,
  timeoutMs: number,
  probe: () => T | null | Promise<T | null>,
): Promise<T> {
  const end = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== null) return value;
    if (Date.now() > end) throw new PeerFailed(`${what}: not within ${timeoutMs} ms`);
    await sleep(20);
  }
}
