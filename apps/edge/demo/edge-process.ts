import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { SocketAddress } from '@ringfence/sip/transport/flow.ts';
import type { LegProtection } from '../policy/protection.ts';

const main = fileURLToPath(new URL('../main.ts', import.meta.url));
const startMs = 30_000;
const recordMs = 3_000;

/** The edge as a process of its own, as `ringfence up` starts it. */
export class EdgeProcess {
  readonly ports = new Map<string, SocketAddress>();
  readonly calls: (readonly LegProtection[])[] = [];
  /** Settles once the edge works with the objects that were applied. */
  readonly reloaded: Promise<void>;
  #reloaded: () => void = () => undefined;
  readonly #child: ChildProcess;
  #heard: (() => void) | undefined;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.reloaded = new Promise((done) => {
      this.#reloaded = done;
    });
  }

  static async start(home: string): Promise<EdgeProcess> {
    const child = spawn(process.execPath, [main, 'up'], {
      env: { ...process.env, RINGFENCE_HOME: home },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const edge = new EdgeProcess(child);
    let complaint = '';
    child.stderr?.on('data', (chunk: Buffer) => {
      complaint = `${complaint}${chunk.toString()}`.slice(-2000);
    });
    await new Promise<void>((ready, failed) => {
      const timer = setTimeout(
        () => failed(new Error(`the edge is not up after ${startMs} ms\n${complaint}`)),
        startMs,
      );
      child.once('exit', (code) => failed(new Error(`the edge ended with ${code}\n${complaint}`)));
      createInterface({ input: child.stdout as NonNullable<typeof child.stdout> }).on('line', (line) => {
        const event = readEvent(line);
        if (event?.event === 'edge.ready') {
          for (const listener of event.listeners as string[]) edge.#listener(listener);
          clearTimeout(timer);
          ready();
        } else if (event?.event === 'config.reloaded' && event.what === 'objects') edge.#reloaded();
        else if (event?.event === 'call.answered') {
          edge.calls.push(event.protection as LegProtection[]);
          edge.#heard?.();
        }
      });
    });
    return edge;
  }

  /** The protection record of call number `index`, once the edge has told of it. */
  async protection(index: number): Promise<readonly LegProtection[]> {
    const until = performance.now() + recordMs;
    while (this.calls[index] === undefined && performance.now() < until)
      await new Promise<void>((again) => {
        const timer = setTimeout(again, 50);
        this.#heard = () => {
          clearTimeout(timer);
          again();
        };
      });
    return this.calls[index] ?? [];
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const ended = new Promise((done) => this.#child.once('exit', done));
    this.#child.kill('SIGTERM');
    await ended;
  }

  #listener(text: string): void {
    const [name, , place] = text.split(' ');
    const colon = place?.lastIndexOf(':') ?? -1;
    if (name === undefined || place === undefined || colon < 0) return;
    const address = place.slice(0, colon).replace('[', '').replace(']', '');
    this.ports.set(name, { address, port: Number(place.slice(colon + 1)) });
  }
}

function readEvent(line: string): Record<string, unknown> | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    return JSON.parse(line) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}

/** Runs one command of the command line on the same data folder. */
export function command(home: string, args: readonly string[]): Promise<void> {
  const child = spawn(process.execPath, [main, ...args], {
    env: { ...process.env, RINGFENCE_HOME: home },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaint = '';
  child.stderr.on('data', (chunk: Buffer) => {
    complaint += chunk.toString();
  });
  return new Promise((done, failed) => {
    child.once('exit', (code) =>
      code === 0 ? done() : failed(new Error(`ringfence ${args[0]}: ${complaint}`)),
    );
  });
}
