/**
 * What DTLS-SRTP costs the media process: CPU per handshake, beside a bare loop over OpenSSL, and CPU per
 * packet of a call whose near leg has its keys by DTLS, beside one with SDES on both; what ICE and DTLS add to the setup of
 * a call; and what ZRTP that passes costs beside plain relay.
 *
 *     npm run bench:dtls -- [--handshakes 2000] [--calls 100] [--seconds 4] [--runs 3] [--setups 100] [--no-write]
 *                           [--only handshakes,packets,setup,zrtp]
 *     npm run bench:dtls -- --only calls [--calls 1000] [--seconds 60]      loss and memory of many calls at once
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { buildLoad, type CallKind, type ManyCalls, measureCalls } from './dtls-calls.ts';
import { type Handshakes, opensslHandshakes, ourHandshakes } from './dtls-handshakes.ts';
import { measurePackets, type Packets } from './dtls-packets.ts';
import { measureSetups } from './dtls-setup.ts';
import { machine, type Row, revision, row, table, writeSection } from './results.ts';

const { values } = parseArgs({
  options: {
    handshakes: { type: 'string' },
    calls: { type: 'string' },
    seconds: { type: 'string' },
    runs: { type: 'string' },
    setups: { type: 'string' },
    only: { type: 'string', default: 'handshakes,packets,setup,zrtp' },
    write: { type: 'boolean', default: true },
  },
  allowNegative: true,
});

const BENCH = 'dtls';
const ATONCE = 16;
const MOST = { handshakes: 20_000, calls: 1000, seconds: 60, runs: 9, setups: 1000 } as const;
const many = values.only === 'calls';
const usual = {
  handshakes: 2000,
  calls: many ? 1000 : 100,
  seconds: many ? 60 : 4,
  runs: 3,
  setups: 100,
} as const;

function whole(name: keyof typeof MOST): number {
  const value = Number(values[name] ?? usual[name]);
  if (!Number.isInteger(value) || value < 1 || value > MOST[name])
    throw new Error(`--${name} needs a whole number from 1 to ${MOST[name]}`);
  return value;
}

const [handshakes, calls, seconds, runs, setups] = [
  whole('handshakes'),
  whole('calls'),
  whole('seconds'),
  whole('runs'),
  whole('setups'),
];
const wanted = values.only.split(',');
const load = loadavg()[0] ?? 0;
const folder = mkdtempSync(join(tmpdir(), 'ringfence-bench-dtls-'));
const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;
const round = (value: number, digits = 2): number => Number(value.toFixed(digits));
const rows: Row[] = [];

function add(line: Row): void {
  rows.push(line);
  console.log(JSON.stringify(line));
}

async function benchHandshakes(): Promise<void> {
  const ours: Handshakes[] = [];
  const theirs: number[] = [];
  let version = 'absent';
  for (let run = 0; run < runs; run += 1) {
    ours.push(await ourHandshakes(Math.ceil(handshakes / runs), ATONCE));
    const bare = opensslHandshakes(Math.min(1000, handshakes), folder);
    if (!bare) continue;
    theirs.push(bare.cpuPerHandshake);
    version = bare.version;
  }
  const peer = `bare loop over OpenSSL ${version}, in memory`;
  const mine = median(ours.map(({ cpuPerHandshake }) => cpuPerHandshake));
  const other = median(theirs);
  const note = theirs.length > 0 ? {} : { note: 'no compiler or no headers of OpenSSL here' };
  const known = theirs.length > 0;
  add(
    row({
      bench: BENCH,
      work: 'handshake as server, endpoint opened, keys installed, closed',
      unit: 'µs CPU',
      ours: round(mine, 0),
      peer,
      theirs: known ? round(other, 0) : null,
      ...note,
      seen: {
        count: ours.reduce((sum, { count }) => sum + count, 0),
        p50Ms: round(median(ours.map(({ p50Ms }) => p50Ms))),
      },
    }),
  );
  add(
    row({
      bench: BENCH,
      work: 'handshakes that this makes on one core (target 600)',
      unit: 'per second',
      ours: round(1e6 / mine, 0),
      peer,
      theirs: known ? round(1e6 / other, 0) : null,
      ...note,
    }),
  );
}

async function benchPackets(): Promise<void> {
  const measured: Record<'dtls' | 'sdes', Packets[]> = { dtls: [], sdes: [] };
  for (let run = 0; run < runs; run += 1) {
    for (const by of ['sdes', 'dtls'] as const) measured[by].push(await measurePackets(by, calls, seconds));
  }
  const cost = (by: 'dtls' | 'sdes') => round(median(measured[by].map(({ cpuPerPacket }) => cpuPerPacket)));
  const lost = (by: 'dtls' | 'sdes') =>
    measured[by].reduce((sum, { sent, received }) => sum + sent - received, 0);
  add(
    row({
      bench: BENCH,
      work: `DTLS-SRTP AEAD_AES_256_GCM to SDES AES_CM_128_HMAC_SHA1_80, ${calls} calls (target 1.1)`,
      unit: 'µs CPU per packet',
      ours: cost('dtls'),
      peer: 'the same process, SDES AES_CM_128_HMAC_SHA1_80 on both legs',
      theirs: cost('sdes'),
      seen: { lost: lost('dtls'), theirLost: lost('sdes') },
    }),
  );
}

/** The peer checks and handshakes in a media process of ours, so that its own time is as short as ours. */
async function benchSetup(): Promise<void> {
  for (const [role, edgeIce, what] of [
    ['client', 'lite', 'edge with ICE lite, client of DTLS, as browsers are answered'],
    ['server', 'lite', 'edge with ICE lite, server of DTLS'],
    ['server', 'full', 'edge with checks of its own, server of DTLS'],
  ] as const) {
    const { p50Ms, p95Ms, roundTrips } = await measureSetups({ role, edgeIce }, setups);
    add(
      row({
        bench: BENCH,
        work: `ICE and DTLS until both have keys, ${what}`,
        unit: 'ms, p50',
        ours: round(p50Ms, 1),
        peer: 'target: 60 ms on loopback',
        theirs: 60,
        note: `${roundTrips} round trips with the checks, p95 ${round(p95Ms, 1)} ms`,
      }),
    );
  }
}

async function benchZrtp(): Promise<void> {
  const load = buildLoad(folder);
  const measured: Record<'zrtp' | 'plain', ManyCalls[]> = { zrtp: [], plain: [] };
  for (let run = 0; run < runs; run += 1)
    for (const kind of ['plain', 'zrtp'] as const)
      measured[kind].push(await measureCalls(kind, calls, seconds, load, folder));
  const cost = (kind: 'zrtp' | 'plain') =>
    round(median(measured[kind].map(({ cpuPerPacket }) => cpuPerPacket)));
  add(
    row({
      bench: BENCH,
      work: `ZRTP that passes, both ends with keys, ${calls} calls (target: as plain relay)`,
      unit: 'µs CPU per packet',
      ours: cost('zrtp'),
      peer: 'the same process, plain RTP',
      theirs: cost('plain'),
    }),
  );
}

async function benchCalls(): Promise<void> {
  const load = buildLoad(folder);
  for (const [kind, what] of [
    ['dtls', 'DTLS-SRTP AEAD_AES_256_GCM to plain RTP'],
  ] as const satisfies readonly (readonly [CallKind, string])[]) {
    const { sent, received, cpuPerPacket, residentKib, p99Us } = await measureCalls(
      kind,
      calls,
      seconds,
      load,
      folder,
    );
    const [settled, final] = residentKib;
    add(
      row({
        bench: BENCH,
        work: `${calls} calls for ${seconds} s, ${what}: packets lost of ${sent} (target none)`,
        unit: 'packets',
        ours: sent - received,
        peer: 'target',
        theirs: 0,
        note: `${round(cpuPerPacket)} µs CPU per packet, p99 of the delay ${p99Us} µs`,
      }),
    );
    add(
      row({
        bench: BENCH,
        work: `memory of the media process in the end, beside that after 3 s of them (target: flat)`,
        unit: 'MB',
        ours: round(final / 1024, 1),
        peer: 'the same process, earlier',
        theirs: round(settled / 1024, 1),
      }),
    );
  }
}

try {
  if (wanted.includes('handshakes')) await benchHandshakes();
  if (wanted.includes('packets')) await benchPackets();
  if (wanted.includes('setup')) await benchSetup();
  if (wanted.includes('zrtp')) await benchZrtp();
  if (wanted.includes('calls')) await benchCalls();
  if (values.write && many) {
    const intro = `## Many calls with DTLS-SRTP\n\n${new Date().toISOString().slice(0, 10)}; ${revision()}; ${machine()}; load of the machine before: ${load.toFixed(1)}.\n\`npm run bench:dtls -- --only calls --calls ${calls} --seconds ${seconds}\`: 50 packets a second each way and call, both ends of all calls in one program on the same machine.`;
    writeSection('dtls-calls', [intro, table(rows)].join('\n\n'));
  } else if (values.write) {
    const intro = `## DTLS-SRTP\n\n${new Date().toISOString().slice(0, 10)}; ${revision()}; ${machine()}; load of the machine before: ${load.toFixed(1)}.\n\`npm run bench:dtls -- --handshakes ${handshakes} --calls ${calls} --seconds ${seconds} --runs ${runs}\`: medians of ${runs} alternating runs. CPU is time on a processor of all threads of the serving process. Handshakes: ECDSA P-256 on both sides, X25519, AES-256-GCM, both certificates demanded; ours over UDP with a cookie first, ${ATONCE} at once, with the control messages of a call; the bare loop has neither socket nor cookie. Setup: the peer is a media process of ours with checks of its own; through a relay of the bench, which counts turns.`;
    writeSection(BENCH, [intro, table(rows)].join('\n\n'));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
