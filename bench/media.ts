/**
 * What relaying a packet costs: CPU of the server process (user and system, all threads) per packet that arrived,
 * beside rtpengine in userspace doing the same work and beside a bare forwarder that only receives and sends.
 *
 *     npm run bench:media -- [--calls 500] [--seconds 6] [--warm 1] [--runs 5] [--only ours,rtpengine,forwarder] [--no-write]
 *                             [--no-realtime]
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { suiteParameters } from '@ringfence/srtp/suite.ts';
import {
  type Server,
  type Setup,
  startForwarder,
  startOurs,
  startRtpengine,
  type Work,
} from './media-contenders.ts';
import { checkSamples, writePackets } from './media-packets.ts';
import { machine, row, table, writeSection } from './results.ts';

const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '6' },
    warm: { type: 'string', default: '1' },
    runs: { type: 'string', default: '5' },
    only: { type: 'string' },
    works: { type: 'string' },
    realtime: { type: 'boolean', default: true },
    write: { type: 'boolean', default: true },
  },
  allowNegative: true,
});

/**
 * On a machine that others use too, everything here (load, servers, this script) runs again under round-robin scheduling:
 * the same for all, so that none is measured by who else wanted the processor.
 */
const REALTIME = 'RINGFENCE_BENCH_REALTIME';
if (values.realtime && !process.env[REALTIME] && spawnSync('chrt', ['--rr', '1', 'true']).status === 0) {
  const again = spawnSync('chrt', ['--rr', '1', process.execPath, ...process.argv.slice(1)], {
    stdio: 'inherit',
    env: { ...process.env, [REALTIME]: '1' },
  });
  process.exit(again.status ?? 1);
}

const BENCH = 'media';
const PER_SECOND = 50;
const here = dirname(fileURLToPath(import.meta.url));
const works: readonly Work[] = [
  { name: 'SRTP AES_CM_128_HMAC_SHA1_80 to RTP', suite: 'AES_CM_128_HMAC_SHA1_80' },
  { name: 'SRTP AEAD_AES_128_GCM to RTP', suite: 'AEAD_AES_128_GCM' },
  { name: 'RTP to RTP' },
];
const contenders = ['ours', 'rtpengine', 'forwarder'] as const;
type Contender = (typeof contenders)[number];

interface Measured {
  readonly perPacket: number;
  readonly lossPercent: number;
  readonly p50: number;
  readonly p99: number;
}

const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

function whole(text: string, name: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Error(`--${name} needs a whole number above 0`);
  return value;
}

const calls = whole(values.calls, 'calls');
const warm = whole(values.warm, 'warm') * PER_SECOND;
const count = warm + whole(values.seconds, 'seconds') * PER_SECOND;
const runs = whole(values.runs, 'runs');
const threads = availableParallelism();
const scratch = mkdtempSync(join(tmpdir(), 'ringfence-media-'));

function compile(name: string): string {
  const binary = join(scratch, name);
  execFileSync(process.env.CC ?? 'cc', ['-O2', '-pthread', '-o', binary, join(here, `${name}.c`)], {
    stdio: 'inherit',
  });
  return binary;
}

const binaries = { load: compile('media-load'), forwarder: compile('media-forwarder') };
const rtpengine = ['rtpengine', '/usr/sbin/rtpengine'].find(
  (name) => spawnSync(name, ['--version'], { stdio: 'ignore' }).error === undefined,
);

const start = (contender: Contender, setup: Setup): Promise<Server> => {
  if (contender === 'ours') return startOurs(setup);
  return contender === 'rtpengine'
    ? startRtpengine(setup, rtpengine ?? '')
    : startForwarder(setup, binaries.forwarder);
};

async function measure(
  contender: Contender,
  work: Work,
  material: Uint8Array,
  packets: string,
): Promise<Measured> {
  const load = spawn(binaries.load, [], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = once(load, 'close');
  const lines = createInterface({ input: load.stdout })[Symbol.asyncIterator]();
  const [portA, portB] = String((await lines.next()).value)
    .split(' ')
    .map(Number);
  const server = await start(contender, {
    work,
    calls,
    material,
    threads,
    portA: portA ?? 0,
    portB: portB ?? 0,
  });
  try {
    const samples = join(scratch, 'samples');
    load.stdin.end(
      `${[calls, count, warm, packets, samples, server.pid, ...server.ports.flat()].join(' ')}\n`,
    );
    const seen = JSON.parse(String((await lines.next()).value)) as Record<string, number>;
    await ended;
    const { sent = 0, received = 0, cpuMs = 0, p50 = 0, p99 = 0 } = seen;
    if (received === 0) throw new Error(`${contender}: nothing came through`);
    checkSamples(samples, work, server, contender === 'forwarder');
    const result = {
      perPacket: (cpuMs * 1000) / received,
      lossPercent: (1 - received / sent) * 100,
      p50,
      p99,
    };
    say(
      `${work.name}: ${contender} ${result.perPacket.toFixed(2)} µs, lost ${sent - received} of ${sent}, delay ${p50}/${p99}/${seen.p999} µs`,
    );
    return result;
  } finally {
    load.kill();
    await server.stop();
  }
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;
const round = (value: number, digits = 2): number => Number(value.toFixed(digits));
const of = (measured: readonly Measured[], what: keyof Measured): number =>
  median(measured.map((one) => one[what]));

const wanted = values.only?.split(',');
const taking = contenders.filter((name) => wanted?.includes(name) ?? true);
const rows: ReturnType<typeof row>[] = [];
const delays = [
  '| work | server | CPU µs/packet | lost % | delay p50 µs | delay p99 µs |',
  '|---|---|---:|---:|---:|---:|',
];

try {
  for (const [index, work] of works.entries()) {
    if (values.works && !values.works.split(',').includes(String(index))) continue;
    const material = work.suite
      ? randomBytes(
          suiteParameters[work.suite].masterKeyLength + suiteParameters[work.suite].masterSaltLength,
        )
      : new Uint8Array(0);
    const packets = join(scratch, 'packets');
    writePackets(packets, work, material, calls, count);
    const measured: Record<Contender, Measured[]> = { ours: [], rtpengine: [], forwarder: [] };
    for (let run = 0; run < runs; run++) {
      for (const contender of taking) {
        if (contender === 'rtpengine' && !rtpengine) continue;
        measured[contender].push(await measure(contender, work, material, packets));
      }
    }
    for (const contender of taking) {
      const all = measured[contender];
      if (all.length === 0) continue;
      delays.push(
        `| ${work.name} | ${contender} | ${round(of(all, 'perPacket'))} | ${round(of(all, 'lossPercent'), 4)} | ${of(all, 'p50')} | ${of(all, 'p99')} |`,
      );
    }
    for (const peer of ['rtpengine', 'forwarder'] as const) {
      const [ours, theirs] = [measured.ours, measured[peer]];
      const line = row({
        bench: BENCH,
        work: `${work.name}, ${calls} calls`,
        unit: 'µs CPU per packet',
        ours: ours.length > 0 ? round(of(ours, 'perPacket')) : null,
        peer: peer === 'rtpengine' ? 'rtpengine 10.5, userspace' : 'bare C forwarder',
        theirs: theirs.length > 0 ? round(of(theirs, 'perPacket')) : null,
        ...(peer === 'rtpengine' && !rtpengine ? { note: 'rtpengine is not installed here' } : {}),
        seen: {
          lossPercent: ours.length > 0 ? round(of(ours, 'lossPercent'), 4) : null,
          delayP50Us: ours.length > 0 ? of(ours, 'p50') : null,
          delayP99Us: ours.length > 0 ? of(ours, 'p99') : null,
          theirLossPercent: theirs.length > 0 ? round(of(theirs, 'lossPercent'), 4) : null,
          theirDelayP50Us: theirs.length > 0 ? of(theirs, 'p50') : null,
          theirDelayP99Us: theirs.length > 0 ? of(theirs, 'p99') : null,
        },
      });
      rows.push(line);
      console.log(JSON.stringify(line));
    }
  }
  if (values.write) {
    const intro = `## Media\n\n${machine()}. ${calls} calls, ${calls * 2 * PER_SECOND} packets/s, medians of ${runs} alternating runs of ${values.seconds} s${process.env[REALTIME] ? ', load and servers all under round-robin scheduling' : ''}. CPU is user and system time of the server process. Delay is from before the sender's system call to the kernel's stamp at the receiver. The forwarder authenticates and decrypts nothing.`;
    writeSection(BENCH, [intro, table(rows), delays.join('\n')].join('\n\n'));
  }
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
