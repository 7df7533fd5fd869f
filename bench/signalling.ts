/**
 * What a call costs: INVITE, 100, 180, 200, ACK, BYE, 200 with SDP between a sipp caller and a sipp called party,
 * through the edge and through its peers, in alternating runs. CPU is user and system time of all processes and
 * threads of the server.
 *
 *     npm run bench:signalling -- [--runs 5] [--seconds 10] [--warm 6] [--warm-calls 3000] [--rates 100,500,1000] [--ladder 200,...]
 *                                 [--held 2000] [--only ours,kamailio] [--profile DIR] [--loopback] [--no-write]
 */
import { loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { captureAbsent } from '../test/interop/peers/capture.ts';
import { machine, type Row, revision, row, table, writeSection } from './results.ts';
import { type Contender, type ContenderId, contender } from './signalling/contenders.ts';
import { ownNetwork } from './signalling/isolation.ts';
import { type Load, type Measured, offer } from './signalling/load.ts';
import { hold } from './signalling/memory.ts';
import { median } from './signalling/sipp-statistics.ts';

const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    seconds: { type: 'string', default: '10' },
    warm: { type: 'string', default: '6' },
    'warm-calls': { type: 'string', default: '3000' },
    rates: { type: 'string', default: '100,500,1000' },
    ladder: { type: 'string', default: '200,300,400,600,800,1000,1200,1500,2000' },
    held: { type: 'string', default: '2000' },
    only: { type: 'string' },
    profile: { type: 'string' },
    loopback: { type: 'boolean', default: false },
    write: { type: 'boolean', default: true },
  },
  allowNegative: true,
});

const BENCH = 'signalling';
const SUSTAINED = 0.999;
/** sipp on a busy machine may offer a little less than it was asked to. */
const OFFERED = 0.97;
const HOLD_MS = 1_000;

const numbers = (list: string): number[] => list.split(',').filter(Boolean).map(Number);
const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

/** Other work on the machine makes every figure worse, and not by the same share. */
const loadBefore = loadavg()[0]!.toFixed(1);
const network = await ownNetwork(!values.loopback);
const runs = Number(values.runs);
const seconds = Number(values.seconds);
const warmSeconds = Number(values.warm);
const warmCalls = Number(values['warm-calls']);
const rates = numbers(values.rates);
const wanted = new Set<string>(
  values.only?.split(',') ?? ['ours', 'ours-tls', 'kamailio-rtpengine', 'kamailio'],
);
const ids: ContenderId[] = ['direct', 'ours', 'ours-tls', 'kamailio-rtpengine', 'kamailio'];
const contenders = ids.filter((id) => wanted.has(id)).map(contender);
for (const { label, absent } of contenders) if (absent) say(`absent: ${label}: ${absent}`);
const present = contenders.filter(({ absent }) => absent === null);

const captureProblem = captureAbsent();
if (captureProblem) say(`set-up times are not measured: ${captureProblem}`);
const canCapture = (one: Contender): boolean =>
  captureProblem === null && one.id !== 'direct' && one.id !== 'ours-tls';
const shownAdded = ({ added }: Measured): string =>
  added
    ? `set-up +${added.p50.toFixed(2)} ms p50, +${added.p99.toFixed(2)} ms p99`
    : 'set-up time not captured';

/** A run that could not be made is said and left out; it must not take with it what others have measured. */
async function attempt(one: Contender, load: Load): Promise<Measured | null> {
  try {
    return await offer(one, load, network.places, canCapture(one));
  } catch (cause) {
    say(`${one.label} at ${load.rate}/s: no run: ${cause instanceof Error ? cause.message : cause}`);
    return null;
  }
}

const measured = new Map<string, Measured[]>();
const key = (id: ContenderId, rate: number) => `${id} ${rate}`;

for (let run = 0; run < runs; run += 1) {
  for (const rate of rates) {
    // Each run begins with another contender, so that none always has the machine as the same other left it.
    const order = present.map((_, index) => present[(index + run) % present.length]!);
    for (const one of order) {
      const result = await attempt(one, {
        rate,
        warmCalls,
        warmSeconds,
        seconds,
        holdMs: HOLD_MS,
        profile: values.profile,
      });
      if (result === null) continue;
      const all = measured.get(key(one.id, rate)) ?? [];
      measured.set(key(one.id, rate), [...all, result]);
      say(
        `run ${run + 1}/${runs} ${rate}/s ${one.label}: ${result.cpuMicrosecondsPerCall.toFixed(0)} µs/call, ` +
          `${(result.setUp * 100).toFixed(2)} % set up, ${shownAdded(result)}, ` +
          `${result.retransmissions} retransmissions, ${result.achievedRate.toFixed(0)}/s completed`,
      );
    }
  }
}

const middle = (
  id: ContenderId,
  rate: number,
  of: (result: Measured) => number,
  digits = 0,
): number | null => {
  const all = measured.get(key(id, rate));
  if (all === undefined) return null;
  const value = median(all.map(of));
  return Number.isFinite(value) ? Number(value.toFixed(digits)) : null;
};
const percent = (id: ContenderId, rate: number) => middle(id, rate, (result) => result.setUp * 100, 2);
const rows: Row[] = [];
const emit = (base: Omit<Row, 'ratio' | 'bench'>): void => {
  const note = base.note ?? (base.ours === null ? 'Ringfence was not measured' : undefined);
  const made = row({ bench: BENCH, ...base, ...(note === undefined ? {} : { note }) });
  rows.push(made);
  process.stdout.write(`${JSON.stringify(made)}\n`);
};

const named = new Map(contenders.map((one) => [one.id, one] as const));
const PEERS = ['kamailio-rtpengine', 'kamailio'] as const satisfies ContenderId[];
const absentNote = (one: Contender | undefined): { note: string } | object =>
  one?.absent ? { note: `peer absent: ${one.absent}` } : {};

/** After each part, so that one that is stopped halfway leaves what it has measured. */
function writeTable(): void {
  if (!values.write) return;
  writeSection(
    BENCH,
    [
      '## Signalling',
      '',
      `${new Date().toISOString().slice(0, 10)}; ${revision()}; ${machine()}; ${network.described}; load of the machine before: ${loadBefore}.`,
      `\`npm run bench:signalling -- ${process.argv.slice(2).join(' ')}\`: medians of ${runs} alternating run(s) of ` +
        `${seconds} s after ${warmCalls} calls at 300/s and ${warmSeconds} s of the same load. sipp is caller and called party on the same machine; ` +
        'set-up time added is INVITE in to INVITE out plus 200 in to 200 out, by the kernel’s time stamps of 3 s more of the same load.',
      '',
      table(rows),
    ].join('\n'),
  );
}

/** Where no peer was asked for, what is ours is shown alone. */
const beside: readonly Contender[] = PEERS.flatMap((id) => named.get(id) ?? []);
const NOBODY: Contender = { id: 'kamailio', label: 'none asked for', absent: null };

for (const peer of beside.length > 0 ? beside : [NOBODY]) {
  const { id } = peer;
  for (const rate of rates) {
    emit({
      work: `complete call over UDP at ${rate}/s`,
      unit: 'µs CPU per call',
      ours: middle('ours', rate, (result) => result.cpuMicrosecondsPerCall),
      peer: peer.label,
      theirs: middle(id, rate, (result) => result.cpuMicrosecondsPerCall),
      seen: {
        runs,
        setUpPercentOurs: percent('ours', rate),
        setUpPercentTheirs: percent(id, rate),
        retransmissionsOurs: middle('ours', rate, (result) => result.retransmissions),
        retransmissionsTheirs: middle(id, rate, (result) => result.retransmissions),
      },
      ...absentNote(peer),
    });
  }
  for (const rate of rates) {
    for (const [name, of] of [
      ['p50', (result: Measured) => result.added?.p50 ?? Number.NaN],
      ['p99', (result: Measured) => result.added?.p99 ?? Number.NaN],
    ] as const) {
      emit({
        work: `set-up time added at ${rate}/s, ${name}`,
        unit: 'ms',
        ours: middle('ours', rate, of, 2),
        peer: peer.label,
        theirs: middle(id, rate, of, 2),
        seen: { runs },
        ...absentNote(peer),
      });
    }
  }
}

for (const rate of rates) {
  if (!named.has('ours-tls')) continue;
  emit({
    work: `complete call, TLS in, UDP out, connected before, at ${rate}/s`,
    unit: 'µs CPU per call',
    ours: middle('ours-tls', rate, (result) => result.cpuMicrosecondsPerCall),
    peer: 'Ringfence, UDP in',
    theirs: middle('ours', rate, (result) => result.cpuMicrosecondsPerCall),
    seen: { runs, setUpPercentOurs: percent('ours-tls', rate), setUpPercentTheirs: percent('ours', rate) },
  });
}

writeTable();

/** Climbs until a rate fails twice; one disturbance from outside is no verdict. */
async function highestRate(one: Contender, ladder: readonly number[]): Promise<number> {
  let highest = 0;
  for (const rate of ladder) {
    let held = false;
    for (let time = 0; time < 2 && !held; time += 1) {
      const result = await attempt(one, { rate, warmCalls, warmSeconds: 3, seconds: 6, holdMs: HOLD_MS });
      if (result === null) continue;
      held = result.setUp >= SUSTAINED && result.achievedRate >= rate * OFFERED;
      say(
        `ladder ${rate}/s ${one.label}: ${(result.setUp * 100).toFixed(2)} % set up, ` +
          `${result.achievedRate.toFixed(0)}/s completed, ${shownAdded(result)}: ${held ? 'held' : 'not held'}`,
      );
    }
    if (!held) break;
    highest = rate;
  }
  return highest;
}

const ladder = numbers(values.ladder);
if (ladder.length > 0) {
  const highest = new Map<ContenderId, number>();
  for (const one of present) {
    if (one.id !== 'ours-tls') highest.set(one.id, await highestRate(one, ladder));
  }
  for (const peer of beside.length > 0 ? beside : [NOBODY]) {
    const { id } = peer;
    emit({
      work: `highest of ${ladder.join(', ')} calls/s with 99.9 % set up`,
      unit: 'calls/s',
      ours: highest.get('ours') ?? null,
      peer: peer.label,
      theirs: highest.get(id) ?? null,

      ...absentNote(peer),
    });
  }
}

writeTable();

const missed = (cause: unknown): null => {
  say(`memory was not measured: ${cause instanceof Error ? cause.message : cause}`);
  return null;
};
const held = Number(values.held);
if (held > 0) {
  const ours = named.get('ours');
  const peer = named.get('kamailio-rtpengine');
  const mine = ours && ours.absent === null ? await hold(ours, held, network.places).catch(missed) : null;
  const theirs = peer && peer.absent === null ? await hold(peer, held, network.places).catch(missed) : null;
  const label = peer?.label ?? 'none';
  emit({
    work: 'resident memory, idle, all processes',
    unit: 'MB',
    ours: mine?.idleMegabytes ?? null,
    peer: label,
    theirs: theirs?.idleMegabytes ?? null,
    ...absentNote(peer),
  });
  emit({
    work: `memory per established call, ${held} held`,
    unit: 'kB',
    ours: mine?.kilobytesPerCall ?? null,
    peer: label,
    theirs: theirs?.kilobytesPerCall ?? null,
    seen: { callsOurs: mine?.calls ?? null, callsTheirs: theirs?.calls ?? null },
    ...absentNote(peer),
  });
}

writeTable();
