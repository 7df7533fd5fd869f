/**
 * What DTLS-SRTP costs the media process: CPU per handshake, beside a bare loop over OpenSSL, and CPU per
 * packet of a call whose near leg has its keys by DTLS, beside one with SDES on both.
 *
 *     npm run bench:dtls -- [--handshakes 2000] [--calls 100] [--seconds 4] [--runs 3] [--only handshakes,packets] [--no-write]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { loadavg, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Handshakes, opensslHandshakes, ourHandshakes } from './dtls-handshakes.ts';
import { measurePackets, type Packets } from './dtls-packets.ts';
import { machine, type Row, revision, row, table, writeSection } from './results.ts';

const { values } = parseArgs({
  options: {
    handshakes: { type: 'string', default: '2000' },
    calls: { type: 'string', default: '100' },
    seconds: { type: 'string', default: '4' },
    runs: { type: 'string', default: '3' },
    only: { type: 'string', default: 'handshakes,packets' },
    write: { type: 'boolean', default: true },
  },
  allowNegative: true,
});

const BENCH = 'dtls';
const ATONCE = 16;
const MOST = { handshakes: 20_000, calls: 500, seconds: 30, runs: 9 } as const;

function whole(name: keyof typeof MOST): number {
  const value = Number(values[name]);
  if (!Number.isInteger(value) || value < 1 || value > MOST[name])
    throw new Error(`--${name} needs a whole number from 1 to ${MOST[name]}`);
  return value;
}

const [handshakes, calls, seconds, runs] = [
  whole('handshakes'),
  whole('calls'),
  whole('seconds'),
  whole('runs'),
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

try {
  if (wanted.includes('handshakes')) await benchHandshakes();
  if (wanted.includes('packets')) await benchPackets();
  if (values.write) {
    const intro = `## DTLS-SRTP\n\n${new Date().toISOString().slice(0, 10)}; ${revision()}; ${machine()}; load of the machine before: ${load.toFixed(1)}.\n\`npm run bench:dtls -- --handshakes ${handshakes} --calls ${calls} --seconds ${seconds} --runs ${runs}\`: medians of ${runs} alternating runs. CPU is time on a processor of all threads of the serving process. Handshakes: ECDSA P-256 on both sides, X25519, AES-256-GCM, both certificates demanded; ours over UDP with a cookie first, ${ATONCE} at once, with the control messages of a call; the bare loop has neither socket nor cookie.`;
    writeSection(BENCH, [intro, table(rows)].join('\n\n'));
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
