/**
 * What registrations over TLS cost: memory of each with its connection, CPU of a first registration and of a refresh,
 * and how long a restart is felt when all phones come back at once, with calls going on meanwhile; beside Kamailio.
 *
 *     npm run bench:registrations -- [--phones 20000] [--refreshes 500] [--only ours,kamailio] [--no-write]
 *
 * A process that holds so many connections needs as many descriptors: where the system allows fewer, fewer phones are
 * registered, and the rows say how many.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { DOMAIN, type Edge, startEdge } from '../test/interop/edge.ts';
import { makeCertificates } from '../test/interop/harness/certificates.ts';
import { freePort } from '../test/interop/harness/ports.ts';
import { sleep } from '../test/interop/harness/process.ts';
import { cpuSeconds, memory } from '../test/interop/harness/process-tree.ts';
import { Workspace } from '../test/interop/harness/workspace.ts';
import { kamailioVersion, startKamailio } from '../test/interop/peers/kamailio.ts';
import { startSipp } from '../test/interop/peers/sipp.ts';
import { registrarConfig } from './registrations/kamailio-config.ts';
import type { PhonesCommand, PhonesOptions, PhonesReport } from './registrations/phones.ts';
import { machine, type Row, revision, row, table, writeSection } from './results.ts';
import { CALLED, CALLER } from './signalling/load.ts';
import { numbersFile } from './signalling/numbers.ts';
import { readSamples } from './signalling/sipp-statistics.ts';

const { values } = parseArgs({
  options: {
    phones: { type: 'string', default: '20000' },
    refreshes: { type: 'string', default: '500' },
    only: { type: 'string', default: 'ours,kamailio' },
    write: { type: 'boolean', default: true },
  },
  allowNegative: true,
});

const BENCH = 'registrations';
const PASSWORD = 'Bench-of-the-edge-1';
const CALLS_PER_SECOND = 10;
/** Seconds that a storm may take. */
const PATIENCE = 60;
/** Descriptors that a server needs for itself. */
const OWN_DESCRIPTORS = 1_000;
const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

const allowed = Number(
  /^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1] ?? 1024,
);
const asked = Number(values.phones);
const count = Math.min(asked, allowed - OWN_DESCRIPTORS);
if (count < asked)
  say(`only ${allowed} descriptors are allowed to a process here: ${count} phones, not ${asked}`);
const loadBefore = loadavg()[0]!.toFixed(1);

/** The phones, half of them in each of two processes. */
class Crowd {
  readonly #children: ChildProcess[];
  readonly #reports: PhonesReport[] = [];

  constructor(server: PhonesOptions['server'], perSecond: number) {
    const half = Math.ceil(count / 2);
    this.#children = [0, half].map((first, i) => {
      const options: PhonesOptions = {
        count: Math.min(half, count - first),
        first,
        server,
        domain: DOMAIN,
        password: PASSWORD,
        algorithm: 'SHA-256',
        perSecond: perSecond / 2,
        returnWithin: 5,
        perAddress: 50,
      };
      const file = fileURLToPath(new URL('./registrations/phones.ts', import.meta.url));
      const child = fork(file, [JSON.stringify(options)], { stdio: 'inherit' });
      child.on('message', (report: PhonesReport) => {
        this.#reports[i] = report;
      });
      return child;
    });
  }

  get registered(): number {
    return this.#sum(({ registered }) => registered);
  }
  get refreshed(): number {
    return this.#sum(({ refreshed }) => refreshed);
  }
  get failedConnections(): number {
    return this.#sum(({ failedConnections }) => failedConnections);
  }
  get refused(): string {
    const all = new Map<string, number>();
    for (const { refused } of this.#reports)
      for (const [status, times] of Object.entries(refused)) all.set(status, (all.get(status) ?? 0) + times);
    return [...all].map(([status, times]) => `${times} times ${status}`).join(', ') || 'none';
  }

  /** Seconds until all are registered, or undefined after `patience`. */
  async all(patience: number, from = performance.now()): Promise<number | undefined> {
    let shown = from;
    while (performance.now() - from < patience * 1000) {
      if (this.registered === count) return (performance.now() - from) / 1000;
      if (performance.now() - shown > 5_000) {
        shown = performance.now();
        say(
          `  ${this.registered} of ${count} registered, refused: ${this.refused}, connections failed: ${this.failedConnections}`,
        );
      }
      await sleep(100);
    }
    return undefined;
  }

  async refresh(perSecond: number): Promise<void> {
    this.#tell({ kind: 'refresh', perSecond: perSecond / 2 });
    const deadline = performance.now() + (count / perSecond + 20) * 1000;
    await sleep(1_000);
    while (this.refreshed < count && performance.now() < deadline) await sleep(100);
  }

  async end(): Promise<void> {
    this.#tell({ kind: 'end' });
    await Promise.all(
      this.#children.map((child) =>
        child.exitCode === null ? new Promise((gone) => child.once('exit', gone)) : undefined,
      ),
    );
  }

  #tell(command: PhonesCommand): void {
    for (const child of this.#children) if (child.connected) child.send(command);
  }
  #sum(of: (report: PhonesReport) => number): number {
    return this.#reports.reduce((sum, report) => sum + of(report), 0);
  }
}

interface Server {
  readonly address: { readonly address: string; readonly port: number };
  roots(): number[];
  restart(): Promise<void>;
  stop(): Promise<void>;
  /** Calls placed during the storm: those that were offered, and those set up. */
  calls?(seconds: number): Promise<{ offered: number; succeeded: number }>;
}

async function startOurs(workspace: Workspace): Promise<Server> {
  const certificates = makeCertificates(workspace);
  const called = await freePort('127.0.0.3');
  const edge: Edge = await startEdge({
    workspace,
    certificates,
    listeners: [
      { name: 'phones', transport: 'tls', encryption: 'preferred' },
      { name: 'trunks', transport: 'udp', encryption: 'none' },
    ],
    admission: { connectionsPerSource: 64 },
    objects: {
      users: Array.from({ length: count }, (_, i) => ({
        name: `u${i}`,
        devices: [{ name: `u${i}`, password: PASSWORD, encryption: 'preferred' as const }],
      })),
      trunks: [
        { name: 'caller', target: 'sip:127.0.0.2:5060', addresses: ['127.0.0.2/32'], encryption: 'none' },
        {
          name: 'called',
          target: `sip:127.0.0.3:${called}`,
          addresses: ['127.0.0.3/32'],
          encryption: 'none',
        },
      ],
      routes: [{ match: 'default', from: 'any', to: { trunk: 'called' } }],
    },
  });
  return {
    address: { address: edge.address, port: edge.port('phones') },
    roots: () => [edge.pid],
    restart: () => edge.restart(),
    stop: () => edge.stop(),
    calls: (seconds) => placeCalls(workspace, edge, called, seconds),
  };
}

async function placeCalls(workspace: Workspace, edge: Edge, port: number, seconds: number) {
  const answering = await startSipp({
    workspace,
    name: 'called',
    scenario: CALLED,
    address: '127.0.0.3',
    port,
  });
  const offered = CALLS_PER_SECOND * seconds;
  const statistics = workspace.path('calls.csv');
  try {
    const caller = await startSipp({
      workspace,
      name: 'caller',
      scenario: CALLER,
      address: '127.0.0.2',
      port: await freePort('127.0.0.2'),
      target: { address: edge.address, port: edge.port('trunks') },
      transport: 'udp',
      keys: { proto: 'UDP' },
      calls: offered,
      perSecond: CALLS_PER_SECOND,
      holdMs: 500,
      extra: [
        ...['-inf', workspace.write('numbers.csv', numbersFile(offered))],
        ...['-recv_timeout', '20000', '-trace_stat', '-stf', statistics, '-fd', '1'],
      ],
    });
    await caller.waitForExit((seconds + 40) * 1000).catch(() => undefined);
    await caller.stop('SIGKILL');
    return { offered, succeeded: readSamples(statistics).at(-1)?.succeeded ?? 0 };
  } finally {
    await answering.stop('SIGKILL');
  }
}

async function startPeer(workspace: Workspace): Promise<Server> {
  const certificates = makeCertificates(workspace);
  const port = await freePort();
  const config = registrarConfig({
    address: '127.0.0.1',
    port,
    domain: DOMAIN,
    password: PASSWORD,
    ...certificates,
    connections: count + 100,
  });
  const launch = () =>
    startKamailio({ workspace, name: 'kamailio', config, sharedMemory: 4096, privateMemory: 64 });
  let program = await launch();
  return {
    address: { address: '127.0.0.1', port },
    roots: () => [program.pid],
    restart: async () => {
      await program.stop();
      program = await launch();
    },
    stop: async () => {
      await program.stop();
    },
  };
}

interface Figures {
  readonly kilobytes: number | null;
  readonly registration: number | null;
  readonly refresh: number | null;
  readonly storm: number | null;
  readonly calls: { offered: number; succeeded: number } | undefined;
  readonly refused: string;
}

async function measure(label: string, start: (workspace: Workspace) => Promise<Server>): Promise<Figures> {
  const workspace = new Workspace(`bench-${BENCH}`);
  let server: Server | undefined;
  let crowd: Crowd | undefined;
  try {
    say(`${label}: starts`);
    server = await start(workspace);
    await sleep(3_000);
    const idle = memory(server.roots()).pssKb;
    const cpu0 = cpuSeconds(server.roots());
    const perSecond = 250;
    crowd = new Crowd(server.address, perSecond);
    const filled = await crowd.all((count / perSecond) * 3 + PATIENCE);
    if (filled === undefined)
      throw new Error(`${crowd.registered} of ${count} registered; refused: ${crowd.refused}`);
    const cpu1 = cpuSeconds(server.roots());
    say(`${label}: ${count} registered in ${filled.toFixed(0)} s`);
    await sleep(5_000);
    const kilobytes = (memory(server.roots()).pssKb - idle) / count;
    const cpu2 = cpuSeconds(server.roots());
    await crowd.refresh(Number(values.refreshes));
    const refreshed = crowd.refreshed;
    const refresh = refreshed === 0 ? null : ((cpuSeconds(server.roots()) - cpu2) / refreshed) * 1e6;
    say(`${label}: ${kilobytes.toFixed(1)} kB each, ${refreshed} refreshed`);
    await server.restart();
    const from = performance.now();
    const calls = server.calls?.(PATIENCE / 2);
    const storm = await crowd.all(PATIENCE * 2, from);
    say(`${label}: storm over after ${storm?.toFixed(1) ?? 'more than 120'} s, refused: ${crowd.refused}`);
    return {
      kilobytes,
      registration: ((cpu1 - cpu0) / count) * 1e6,
      refresh,
      storm: storm ?? null,
      calls: await calls,
      refused: crowd.refused,
    };
  } finally {
    await crowd?.end();
    await server?.stop();
    workspace.remove();
  }
}

const wanted = new Set(values.only.split(','));
const version = kamailioVersion();
const missed =
  (label: string) =>
  (cause: unknown): null => {
    say(`${label} was not measured: ${cause instanceof Error ? cause.message : cause}`);
    return null;
  };
const ours = wanted.has('ours') ? await measure('Ringfence', startOurs).catch(missed('Ringfence')) : null;
const theirs =
  wanted.has('kamailio') && version !== null
    ? await measure(`Kamailio ${version}`, startPeer).catch(missed('Kamailio'))
    : null;

const rows: Row[] = [];
const rounded = (value: number | null | undefined, digits = 0): number | null =>
  value === null || value === undefined ? null : Number(value.toFixed(digits));
const emit = (
  work: string,
  unit: string,
  of: (figures: Figures) => number | null,
  digits = 0,
  note?: string,
): void => {
  const made = row({
    bench: BENCH,
    work,
    unit,
    ours: ours === null ? null : rounded(of(ours), digits),
    peer: version === null ? 'Kamailio' : `Kamailio ${version}`,
    theirs: theirs === null ? null : rounded(of(theirs), digits),
    ...(version === null
      ? { note: 'peer absent: kamailio is not installed' }
      : note === undefined
        ? {}
        : { note }),
    seen: {
      phones: count,
      callsOffered: ours?.calls?.offered ?? null,
      callsSetUp: ours?.calls?.succeeded ?? null,
    },
  });
  rows.push(made);
  process.stdout.write(`${JSON.stringify(made)}\n`);
};

emit(`memory per registration with its TLS connection, ${count} held`, 'kB', ({ kilobytes }) => kilobytes, 1);
emit('first registration: TLS handshake, challenge, answer', 'µs CPU', ({ registration }) => registration);
emit('refresh over the same connection', 'µs CPU', ({ refresh }) => refresh);
const calls = ours?.calls;
emit(
  `${count} phones back after a restart, all at once`,
  's',
  ({ storm }) => storm,
  1,
  calls === undefined
    ? undefined
    : `${calls.succeeded} of ${calls.offered} calls set up meanwhile; registrations refused: ${ours?.refused}`,
);

if (values.write) {
  writeSection(
    BENCH,
    [
      '## Registrations',
      '',
      `${new Date().toISOString().slice(0, 10)}; ${revision()}; ${machine()}; load of the machine before: ${loadBefore}.`,
      `\`npm run bench:registrations -- ${process.argv.slice(2).join(' ')}\`: one run of each. The phones run on the same machine; ` +
        `${asked} were asked for, ${allowed} descriptors are allowed to a process.`,
      '',
      table(rows),
    ].join('\n'),
  );
}
