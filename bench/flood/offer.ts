/** Calls through one server, quiet or under a flood: how many were set up, and how long the caller waited. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startEdge } from '../../test/interop/edge.ts';
import { freePort } from '../../test/interop/harness/ports.ts';
import { sleep } from '../../test/interop/harness/process.ts';
import { cpuSeconds } from '../../test/interop/harness/process-tree.ts';
import { Workspace } from '../../test/interop/harness/workspace.ts';
import { startKamailio } from '../../test/interop/peers/kamailio.ts';
import { startSipp } from '../../test/interop/peers/sipp.ts';
import type { Places } from '../signalling/contenders.ts';
import { CALLED, CALLER } from '../signalling/load.ts';
import { numbersFile } from '../signalling/numbers.ts';
import { percentile, readSamples } from '../signalling/sipp-statistics.ts';
import { floodKamailio } from './kamailio-config.ts';

export type FloodContender = 'ours' | 'kamailio';

export type FloodLoad = {
  readonly callsPerSecond: number;
  readonly seconds: number;
  readonly warmSeconds: number;
  readonly junkPerSecond: number;
  readonly invitesPerSecond: number;
};

export type FloodMeasured = {
  /** 0 to 1. */
  readonly setUp: number;
  /** INVITE to 200 as the caller saw it, ms. */
  readonly p50: number;
  readonly p99: number;
  /** Of all processes of the server, in cores. */
  readonly cores: number;
  /** Of the others on the machine meanwhile, in cores. */
  readonly others: { readonly caller: number; readonly called: number; readonly flooder: number };
  /** Datagrams that came when the receive queue of anybody was full. */
  readonly overflowed: number;
  /** Packets of the flood that were sent. */
  readonly flooded: number;
};

/** 256 addresses that are there, beside the forged ones. */
const REAL_PREFIX = '10.78.0';
const HOLD_MS = 1_000;

type Server = { readonly pid: number; readonly port: number; stop(): Promise<void> };

async function startOurs(workspace: Workspace, places: Places, calledPort: number): Promise<Server> {
  const trunk = (name: string, address: string, port: number) => ({
    name,
    target: `sip:${address}:${port};transport=udp`,
    addresses: [`${address}/32`],
    encryption: 'none' as const,
    // Thousands of calls a second would spend any cap.
    free: true,
  });
  const edge = await startEdge({
    workspace,
    address: places.server,
    listeners: [{ name: 'inside', transport: 'udp', encryption: 'none' }],
    objects: {
      trunks: [trunk('callers', places.caller, 5060), trunk('called', places.called, calledPort)],
      routes: [{ match: '+*', from: 'any', to: { trunk: 'called' } }],
    },
  });
  return { pid: edge.pid, port: edge.port('inside'), stop: async () => void (await edge.stop()) };
}

async function startTheirs(workspace: Workspace, places: Places, calledPort: number): Promise<Server> {
  const port = await freePort(places.server);
  const config = floodKamailio({
    address: places.server,
    port,
    called: `${places.called}:${calledPort}`,
    known: [places.caller, places.called],
  });
  const program = await startKamailio({
    workspace,
    name: 'kamailio',
    config,
    sharedMemory: 512,
    privateMemory: 16,
  });
  return { pid: program.pid, port, stop: async () => void (await program.stop()) };
}

/** Routes for the namespace: replies to forged senders leave it by an interface that leads nowhere. */
export function prepareNetwork(): void {
  const ip = (...args: string[]): void => {
    spawnSync('ip', args, { stdio: 'ignore' });
  };
  ip('route', 'add', 'local', `${REAL_PREFIX}.0/24`, 'dev', 'lo');
  ip('link', 'add', 'nowhere', 'type', 'dummy');
  ip('link', 'set', 'nowhere', 'up');
  ip('route', 'add', 'default', 'dev', 'nowhere');
}

export function buildFlooder(workspace: Workspace): string {
  const binary = workspace.path('flood');
  const source = fileURLToPath(new URL('./flood.c', import.meta.url));
  execFileSync(process.env.CC ?? 'cc', ['-O2', '-o', binary, source]);
  return binary;
}

export async function offerUnderFlood(
  id: FloodContender,
  load: FloodLoad,
  places: Places,
): Promise<FloodMeasured> {
  const workspace = new Workspace(`bench-flood-${id}`);
  const flooder = buildFlooder(workspace);
  const calledPort = await freePort(places.called);
  const called = await startSipp({
    workspace,
    name: 'called',
    scenario: CALLED,
    address: places.called,
    port: calledPort,
  });
  let server: Server | undefined;
  try {
    server = await (id === 'ours' ? startOurs : startTheirs)(workspace, places, calledPort);
    const offered = load.callsPerSecond * (load.warmSeconds + load.seconds);
    const statistics = workspace.path('statistics.csv');
    const caller = await startSipp({
      workspace,
      name: 'caller',
      scenario: CALLER,
      address: places.caller,
      port: await freePort(places.caller),
      target: { address: places.server, port: server.port },
      transport: 'udp',
      keys: { proto: 'UDP' },
      calls: offered,
      perSecond: load.callsPerSecond,
      holdMs: HOLD_MS,
      extra: [
        ...['-inf', workspace.write('numbers.csv', numbersFile(offered))],
        ...['-l', '15000', '-timer_resol', '1', '-recv_timeout', '10000', '-trace_rtt', '-rtt_freq', '1'],
        ...['-trace_stat', '-stf', statistics, '-fd', '1'],
      ],
    });
    const began = Date.now();
    await sleep(load.warmSeconds * 1_000);
    const from = Date.now();
    const spent = (flooder?: number): readonly number[] =>
      [server?.pid, caller.pid, called.pid, flooder].map((pid) =>
        pid === undefined ? 0 : cpuSeconds([pid]),
      );
    const before = spent();
    const overflowsBefore = overflows();
    const flood = spawn(
      flooder,
      [
        places.server,
        String(server.port),
        String(load.junkPerSecond),
        String(load.invitesPerSecond),
        String(load.seconds),
        REAL_PREFIX,
      ],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let told = '';
    flood.stdout.on('data', (chunk: Buffer) => {
      told += chunk.toString();
    });
    const over = new Promise<void>((done) => flood.once('close', () => done()));
    await sleep(load.seconds * 1_000);
    const to = Date.now();
    const after = spent(flood.pid);
    const overflowed = overflows() - overflowsBefore;
    await over;
    // A call that is not complete so long after the last one was offered has failed.
    await caller.waitForExit(12_000 + HOLD_MS).catch(() => undefined);
    await caller.stop('SIGKILL');
    const times = responseTimes(workspace.folder, from - began, to - began);
    const [cores = 0, ...rest] = after.map((seconds, i) => (seconds - before[i]!) / ((to - from) / 1000));
    const [junk = 0, invites = 0] = told.trim().split(' ').map(Number);
    return {
      setUp: (readSamples(statistics).at(-1)?.succeeded ?? 0) / offered,
      p50: percentile(times, 50),
      p99: percentile(times, 99),
      cores,
      others: { caller: rest[0] ?? 0, called: rest[1] ?? 0, flooder: rest[2] ?? 0 },
      overflowed,
      flooded: junk + invites,
    };
  } finally {
    await called.stop('SIGKILL');
    await server?.stop();
    workspace.remove();
  }
}

/** RcvbufErrors of this network namespace (RFC 4113 has no name for it; proc_net_snmp in the kernel's documentation). */
function overflows(): number {
  const [names = '', values = ''] = readFileSync('/proc/net/snmp', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('Udp:'));
  return Number(values.split(' ')[names.split(' ').indexOf('RcvbufErrors')] ?? 0);
}

/** Of sipp's -trace_rtt: ms from its start to the answer, and how long that took. */
function responseTimes(folder: string, from: number, to: number): number[] {
  const times: number[] = [];
  for (const name of readdirSync(folder)) {
    if (!name.endsWith('_rtt.csv')) continue;
    for (const line of readFileSync(join(folder, name), 'utf8').split('\n')) {
      const [at = Number.NaN, took = Number.NaN] = line.split(';').map(Number);
      if (at >= from && at <= to && Number.isFinite(took)) times.push(took);
    }
  }
  return times.sort((a, b) => a - b);
}
