/** Resident memory of a server: idle, and with many calls established at once. */
import { freePort } from '../../test/interop/harness/ports.ts';
import { sleep } from '../../test/interop/harness/process.ts';
import { memory } from '../../test/interop/harness/process-tree.ts';
import { Workspace } from '../../test/interop/harness/workspace.ts';
import { startSipp } from '../../test/interop/peers/sipp.ts';
import { type Contender, type Places, type Running, startContender } from './contenders.ts';
import { CALLED, CALLER } from './load.ts';
import { numbersFile } from './numbers.ts';
import { readSamples } from './sipp-statistics.ts';

const RATE = 200;

export type Held = {
  /** Calls that stood when the memory was read. */
  readonly calls: number;
  readonly idleMegabytes: number;
  readonly kilobytesPerCall: number;
};

/**
 * What is counted is the proportional set size: pages that forked workers share count once. Of the edge's two
 * processes, which share next to nothing, it is their resident size less libraries that both have mapped.
 */
export async function hold(contender: Contender, calls: number, places: Places): Promise<Held> {
  const workspace = new Workspace(`bench-memory-${contender.id}`);
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
    server = await startContender(contender, { workspace, places, calledPort, forMemory: true });
    await sleep(3_000);
    const idle = memory(server.roots).pssKb;
    const statistics = workspace.path('statistics.csv');
    const fillMs = (calls / RATE) * 1_000;
    const caller = await startSipp({
      workspace,
      name: 'caller',
      scenario: CALLER,
      address: server.callerAddress,
      port: await freePort(server.callerAddress),
      target: server.target,
      transport: server.transport,
      keys: { proto: server.viaTransport },
      calls,
      perSecond: RATE,
      holdMs: fillMs + 8_000,
      extra: [
        ...['-inf', workspace.write('numbers.csv', numbersFile(calls))],
        '-l',
        String(calls + 100),
        '-trace_stat',
        '-stf',
        statistics,
        '-fd',
        '1',
      ],
    });
    await sleep(fillMs + 3_000);
    const full = memory(server.roots).pssKb;
    await caller.waitForExit(60_000).catch(() => undefined);
    await caller.stop('SIGKILL');
    const succeeded = readSamples(statistics).at(-1)?.succeeded ?? 0;
    return {
      calls: succeeded,
      idleMegabytes: Math.round(idle / 102.4) / 10,
      kilobytesPerCall: succeeded === 0 ? Number.NaN : Math.round(((full - idle) / succeeded) * 10) / 10,
    };
  } finally {
    await called.stop('SIGKILL');
    await server?.stop();
    workspace.remove();
  }
}
