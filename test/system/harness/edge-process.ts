/** The daemon as others run it: a process with an environment, two output streams and signals. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { SocketAddress } from '@ringfence/sip/transport/flow.ts';
import { until, within } from './waiting.ts';

export const mainFile = fileURLToPath(new URL('../../../apps/edge/main.ts', import.meta.url));
/** Process whose network namespace edges run in, where a test has made one (`namespaces.ts`). */
const edgeNamespace = process.env.RINGFENCE_TEST_EDGE_NAMESPACE;
/** Generous: a start compiles and issues keys, and the machine may be busy with other things. */
const startMs = 60_000;
const stopMs = 15_000;

/** One line of the event stream. */
export type EventLine = Readonly<Record<string, unknown>> & {
  readonly event: string;
  readonly severity: string;
  readonly time: string;
};

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

export class EdgeProcess {
  readonly events: EventLine[] = [];
  /** Lines of standard output that are no events. */
  readonly lines: string[] = [];
  readonly listeners = new Map<string, SocketAddress>();
  readonly exited: Promise<Exit>;
  complaint = '';
  exit: Exit | undefined;
  readonly #child: ChildProcess;

  private constructor(home: string, args: readonly string[]) {
    const command = [process.execPath, mainFile, 'up', ...args];
    // It becomes the command itself, so signals reach the edge.
    const [file = '', ...rest] =
      edgeNamespace === undefined ? command : ['nsenter', `--net=/proc/${edgeNamespace}/ns/net`, ...command];
    const child = spawn(file, rest, {
      env: { ...process.env, RINGFENCE_HOME: home },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#child = child;
    running.add(child);
    child.stderr?.on('data', (chunk: Buffer) => {
      this.complaint = `${this.complaint}${chunk.toString()}`.slice(-20_000);
    });
    createInterface({ input: child.stdout as NonNullable<typeof child.stdout> }).on('line', (line) =>
      this.#line(line),
    );
    this.exited = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        this.exit = { code, signal };
        running.delete(child);
      });
      // Everything that was printed has arrived by then.
      child.once('close', (code, signal) => resolve({ code, signal }));
    });
  }

  /** Starts it and leaves open what becomes of it. */
  static launch(home: string, args: readonly string[] = []): EdgeProcess {
    return new EdgeProcess(home, args);
  }

  /** Starts it and waits until it takes calls. */
  static async start(home: string, args: readonly string[] = []): Promise<EdgeProcess> {
    const edge = new EdgeProcess(home, args);
    await until(
      'edge.ready',
      () => {
        if (edge.exit !== undefined)
          throw new Error(`the edge ended with ${edge.exit.code ?? edge.exit.signal}: ${edge.complaint}`);
        return edge.listeners.size > 0;
      },
      startMs,
    ).catch(async (error: unknown) => {
      await edge.kill();
      throw error;
    });
    return edge;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get alive(): boolean {
    return this.exit === undefined;
  }

  /** The media process: the only child that the edge has, or what it has taken over from the one before. */
  get mediaPid(): number | undefined {
    const taken = this.ofType('edge.taken-over').at(-1)?.pid;
    return childrenOf(this.pid)[0] ?? (typeof taken === 'number' ? taken : undefined);
  }

  at(listener: string): SocketAddress {
    const place = this.listeners.get(listener);
    if (place === undefined) throw new Error(`there is no listener ${listener}`);
    return place;
  }

  ofType(event: string, from = 0): EventLine[] {
    return this.events.slice(from).filter((line) => line.event === event);
  }

  /** The first event of a type, from number `from` on, that fits. */
  event(
    type: string,
    fits: (event: EventLine) => boolean = () => true,
    from = 0,
    milliseconds = 15_000,
  ): Promise<EventLine> {
    return until(
      `event ${type}`,
      () => this.events.slice(from).find((line) => line.event === type && fits(line)),
      milliseconds,
    );
  }

  signal(name: NodeJS.Signals): void {
    if (this.alive) this.#child.kill(name);
  }

  /** Asks it to stop; insists when it does not. */
  async stop(): Promise<Exit> {
    if (!this.alive) return this.exited;
    this.signal('SIGTERM');
    this.signal('SIGTERM');
    return within('the edge stops', this.exited, stopMs).catch(() => this.kill());
  }

  async kill(): Promise<Exit> {
    this.signal('SIGKILL');
    return within('the edge is killed', this.exited, stopMs);
  }

  #line(line: string): void {
    const event = readEvent(line);
    if (event === undefined) {
      this.lines.push(line);
      return;
    }
    this.events.push(event);
    if (event.event !== 'edge.ready') return;
    for (const text of event.listeners as string[]) {
      const [name, , place] = text.split(' ');
      if (name === undefined || place === undefined) continue;
      const colon = place.lastIndexOf(':');
      const address = place.slice(0, colon).replace('[', '').replace(']', '');
      this.listeners.set(name, { address, port: Number(place.slice(colon + 1)) });
    }
  }
}

function readEvent(line: string): EventLine | undefined {
  if (!line.startsWith('{')) return undefined;
  try {
    const value = JSON.parse(line) as Record<string, unknown>;
    return typeof value.event === 'string' ? (value as EventLine) : undefined;
  } catch {
    return undefined;
  }
}

export function childrenOf(pid: number): number[] {
  try {
    const tasks = readdirSync(`/proc/${pid}/task`);
    return tasks
      .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').trim().split(/\s+/))
      .filter((text) => text !== '')
      .map(Number);
  } catch {
    return [];
  }
}

/** Resident memory in KiB, as the system counts it. */
export function residentKib(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const line = status.split('\n').find((row) => row.startsWith('VmRSS:')) ?? '';
  return Number(line.split(/\s+/)[1] ?? 0);
}

/** Processor time that a process has used, user and system, in milliseconds; in steps of 10. */
export function processorMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return 10 * (Number(fields[11]) + Number(fields[12]));
}

/** Local ports of the UDP sockets that a process has open. */
export function udpPortsOf(pid: number): number[] {
  const inodes = new Set<string>();
  for (const name of readdirSync(`/proc/${pid}/fd`)) {
    const link = readLink(`/proc/${pid}/fd/${name}`);
    if (link?.startsWith('socket:[') === true) inodes.add(link.slice(8, -1));
  }
  const ports: number[] = [];
  for (const table of ['udp', 'udp6'])
    for (const row of readFileSync(`/proc/${pid}/net/${table}`, 'utf8').split('\n').slice(1)) {
      const fields = row.trim().split(/\s+/);
      if (inodes.has(fields[9] ?? '')) ports.push(Number.parseInt(fields[1]?.split(':')[1] ?? '0', 16));
    }
  return ports.sort((a, b) => a - b);
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
