/** Bounded load of complete calls on one server: offered, counted, and the server's CPU time read in the middle of it. */
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../test/interop/harness/ports.ts';
import { sleep } from '../../test/interop/harness/process.ts';
import { cpuSeconds } from '../../test/interop/harness/process-tree.ts';
import { Workspace } from '../../test/interop/harness/workspace.ts';
import { startCapture } from '../../test/interop/peers/capture.ts';
import { startSipp } from '../../test/interop/peers/sipp.ts';
import { type Contender, type Places, type Running, startContender } from './contenders.ts';
import { addedTimes, type Ends } from './latency.ts';
import { numbersFile } from './numbers.ts';
import { percentile, readSamples, succeededAt } from './sipp-statistics.ts';

const folder = join(dirname(fileURLToPath(import.meta.url)));
export const CALLER = join(folder, 'uac.xml');
export const CALLED = join(folder, 'uas.xml');

export type Load = {
  readonly rate: number;
  /**
   * Calls through the server before all else, at `WARM_RATE`: a daemon runs for weeks, and what runs in its first
   * seconds is not yet compiled. The peers get the same.
   */
  readonly warmCalls: number;
  /** Before the measurement, so that timers of ended calls (Kamailio keeps a transaction for 5 s) run in it as they do for ever. */
  readonly warmSeconds: number;
  readonly seconds: number;
  readonly holdMs: number;
  readonly profile?: string | undefined;
};

export type Measured = {
  readonly cpuMicrosecondsPerCall: number;
  readonly callsMeasured: number;
  /** 0 to 1, of all calls offered. */
  readonly setUp: number;
  /** Calls a second that were completed in the measured time. */
  readonly achievedRate: number;
  readonly retransmissions: number;
  /** Milliseconds that the server added to set-ups after the measured time; empty where nothing was captured. */
  readonly added: { readonly p50: number; readonly p99: number; readonly calls: number } | null;
};

/** Captured after the CPU time was read, since a capture costs the sender of each packet. */
const CAPTURE_SECONDS = 3;
const WARM_RATE = 300;

export async function offer(
  contender: Contender,
  load: Load,
  places: Places,
  capture: boolean,
): Promise<Measured> {
  const workspace = new Workspace(`bench-${contender.id}-${load.rate}`);
  const calledPort = await freePort(places.called);
  const called = await startSipp({
    workspace,
    name: 'called',
    scenario: CALLED,
    address: places.called,
    port: calledPort,
  });
  await sleep(200);
  let server: Running | null = null;
  try {
    server = await startContender(contender, { workspace, places, calledPort, profile: load.profile });
    if (load.warmCalls > 0) await warm(workspace, server, load);
    const statistics = workspace.path('statistics.csv');
    const offered = load.rate * (load.warmSeconds + load.seconds + (capture ? CAPTURE_SECONDS + 1 : 1));
    const callerPort = await freePort(server.callerAddress);
    const caller = await startSipp({
      workspace,
      name: 'caller',
      scenario: CALLER,
      address: server.callerAddress,
      port: callerPort,
      target: server.target,
      transport: server.transport,
      keys: { proto: server.viaTransport },
      calls: offered,
      perSecond: load.rate,
      holdMs: load.holdMs,
      extra: [
        ...['-inf', workspace.write('numbers.csv', numbersFile(offered))],
        ...['-l', '15000', '-timer_resol', '1', '-recv_timeout', '10000'],
        ...['-trace_stat', '-stf', statistics, '-fd', '1'],
      ],
    });
    await sleep(load.warmSeconds * 1_000);
    const from = Date.now() / 1_000;
    const cpuFrom = cpuSeconds(server.roots);
    await sleep(load.seconds * 1_000);
    const to = Date.now() / 1_000;
    const cpuTo = cpuSeconds(server.roots);
    const ends = { server: server.target.port, caller: callerPort, called: calledPort };
    const times = capture ? await captured(workspace, ends) : [];
    // A call that is not complete so long after the last one was offered has failed.
    await caller.waitForExit(15_000).catch(() => undefined);
    await caller.stop('SIGKILL');
    const samples = readSamples(statistics);
    const last = samples.at(-1);
    const calls = succeededAt(samples, to) - succeededAt(samples, from);
    return {
      cpuMicrosecondsPerCall: ((cpuTo - cpuFrom) / calls) * 1e6,
      callsMeasured: Math.round(calls),
      setUp: (last?.succeeded ?? 0) / offered,
      achievedRate: calls / (to - from),
      retransmissions: last?.retransmissions ?? 0,
      added:
        times.length === 0
          ? null
          : { p50: percentile(times, 50), p99: percentile(times, 99), calls: times.length },
    };
  } finally {
    await called.stop('SIGKILL');
    await server?.stop();
    workspace.remove();
  }
}

/** What becomes of these calls is not looked at: a server that fails them will fail those that count, too. */
async function warm(workspace: Workspace, server: Running, load: Load): Promise<void> {
  const caller = await startSipp({
    workspace,
    name: 'warm',
    scenario: CALLER,
    address: server.callerAddress,
    port: await freePort(server.callerAddress),
    target: server.target,
    transport: server.transport,
    keys: { proto: server.viaTransport },
    calls: load.warmCalls,
    perSecond: WARM_RATE,
    holdMs: load.holdMs,
    extra: [
      ...['-inf', workspace.write('warm.csv', numbersFile(load.warmCalls))],
      ...['-l', '15000', '-recv_timeout', '10000'],
    ],
  });
  await caller.waitForExit((load.warmCalls / WARM_RATE) * 1_000 + 15_000).catch(() => undefined);
  await caller.stop('SIGKILL');
}

async function captured(workspace: Workspace, ends: Ends): Promise<number[]> {
  const filter = `udp and (port ${ends.server} or port ${ends.called})`;
  const capture = await startCapture({
    workspace,
    name: 'set-up',
    filter,
    seconds: CAPTURE_SECONDS + 2,
    classicFormat: true,
  });
  await sleep(CAPTURE_SECONDS * 1_000);
  await capture.stop();
  return addedTimes(capture.file, ends);
}
