/**
 * What recognising attacks costs, and what it finds: events judged on one core with a thousand and with a million
 * sources; the same log given to fail2ban; watching beside Kamailio's pike; change points of BOUN-SIM.
 *
 *     npm run bench:detection -- [--events 3000000] [--lines 60000] [--requests 20000] [--only judging,fail2ban,pike,boun] [--no-write]
 *
 * fail2ban is taken from where it is installed, or from FAIL2BAN_ROOT, where its package is unpacked (`dpkg -x`).
 */
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { Workspace } from '../test/interop/harness/workspace.ts';
import { kamailioVersion } from '../test/interop/peers/kamailio.ts';
import { compareSet, picture, sets } from './detection/boun.ts';
import { findFail2ban, judgeLog, runFail2ban, writeLog } from './detection/fail2ban.ts';
import { hook, judge } from './detection/judging.ts';
import { type Cost, costOfKamailio, costOfOurs } from './detection/pike.ts';
import { machine, type Row, revision, row, table, writeSection } from './results.ts';

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '3000000' },
    lines: { type: 'string', default: '60000' },
    requests: { type: 'string', default: '20000' },
    only: { type: 'string', default: 'judging,fail2ban,pike,boun' },
    write: { type: 'boolean', default: true },
  },
  allowNegative: true,
});
const BENCH = 'detection';
const million = 1_000_000;
const wanted = new Set(values.only.split(','));
const loadBefore = loadavg()[0]!.toFixed(1);
const rows: Row[] = [];
const emit = (base: Omit<Row, 'ratio' | 'bench'>): void => {
  const made = row({ bench: BENCH, ...base });
  rows.push(made);
  process.stdout.write(`${JSON.stringify(made)}\n`);
};
const say = (text: string): void => {
  process.stderr.write(`${text}\n`);
};

if (wanted.has('judging')) {
  const events = Number(values.events);
  for (const [name, run] of [
    ['judges alone', judge],
    ['whole hook of the edge, from the parsed request on', hook],
  ] as const) {
    const few = run(1_000, million, events);
    const many = run(million, million, events);
    emit({
      work: `events judged by one core, ${name}, 1,000,000 sources`,
      unit: 'events/s of CPU',
      ours: many.perSecond,
      peer: 'target',
      theirs: 200_000,
    });
    emit({
      work: `an event, ${name}: 1,000,000 sources, and beside it 1,000 in a table as large`,
      unit: 'ns CPU',
      ours: many.nanoseconds,
      peer: 'the same with 1,000',
      theirs: few.nanoseconds,
    });
    if (run === judge)
      emit({
        work: 'memory of the table for 1,000,000 sources',
        unit: 'MB',
        ours: Math.round(many.octets / 1e5) / 10,
        peer: 'none',
        theirs: null,
        note: `${many.sources} of 1,000,000 remembered, ${many.evicted} had to make room`,
      });
  }
}

if (wanted.has('fail2ban')) {
  const cast = writeLog(Number(values.lines));
  const ours = judgeLog(cast);
  const root = findFail2ban();
  const workspace = new Workspace('bench-detection');
  try {
    const theirs = root === undefined ? null : await runFail2ban(root, cast, workspace).catch(missed);
    const peer = 'fail2ban, its Asterisk filter and defaults';
    const absent = root === undefined ? { note: 'peer absent: fail2ban is not installed' } : {};
    const base = { peer, ...absent };
    emit({
      ...base,
      work: `log of ${cast.lines.length} wrong passwords, read and judged`,
      unit: 'lines/s of CPU',
      ours: ours.linesPerSecond,
      theirs: theirs?.linesPerSecond ?? null,
    });
    emit({
      ...base,
      work: 'attackers found, of 100 who guess without pause',
      unit: 'addresses',
      ours: ours.attackersFound,
      theirs: theirs?.attackersFound ?? null,
    });
    emit({
      ...base,
      work: 'phones with an old password taken for attackers, of 100 that ask once a minute',
      unit: 'addresses',
      ours: ours.phonesHit,
      theirs: theirs?.phonesHit ?? null,
    });
  } finally {
    workspace.remove();
  }
}

if (wanted.has('pike')) {
  const requests = Number(values.requests);
  const version = kamailioVersion();
  const [on, off] = await alternate(
    () => costOfOurs(true, requests),
    () => costOfOurs(false, requests),
  );
  const [pike, plain] =
    version === null
      ? [null, null]
      : await alternate(
          () => costOfKamailio(true, requests),
          () => costOfKamailio(false, requests),
        ).catch((cause: unknown) => [missed(cause), null] as const);
  const peer = `Kamailio ${version ?? ''} with pike`;
  emit({
    work: 'unproven REGISTER from 64 addresses, challenged and watched',
    unit: 'µs CPU',
    ours: on.perRequest,
    peer,
    theirs: pike?.perRequest ?? null,
    seen: { answered: on.answered, answeredByPeer: pike?.answered ?? null },
  });
  emit({
    work: 'of it the watching: with less without',
    unit: 'µs CPU',
    ours: on.perRequest - off.perRequest,
    peer,
    theirs: pike === null || plain === null ? null : pike.perRequest - plain.perRequest,
    note: 'a difference of medians: within the noise of a busy machine it may be below 0',
  });
}

const found = wanted.has('boun') ? sets.flatMap((set) => compareSet(set) ?? []) : [];
for (const { set, compared, microseconds, totals } of found)
  emit({
    work: `BOUN-SIM ${set}: labelled changes found, of ${compared.labelled} in ${totals.length} s`,
    unit: 'changes',
    ours: compared.found,
    peer: 'none',
    theirs: null,
    note: `mean delay ${compared.meanDelay.toFixed(2)} s, worst ${compared.worstDelay} s; false alarms ${compared.falseAlarms}; ${microseconds} µs CPU for a second of traffic`,
  });

if (values.write) {
  if (found.length > 0)
    writeFileSync(join(dirname(fileURLToPath(import.meta.url)), 'boun-sim.svg'), picture(found));
  writeSection(
    BENCH,
    [
      '## Detection',
      '',
      `${new Date().toISOString().slice(0, 10)}; ${revision()}; ${machine()}; load of the machine before: ${loadBefore}.`,
      `\`npm run bench:detection -- ${process.argv.slice(2).join(' ')}\`: one run of each. The log holds nine minutes. Requests: medians of three alternating runs with and without. How much traffic varies (spread) and how rare changes are (hazard) was chosen on these two sets, so the figures are what the model can do, not what it does on unseen traffic.`,
      '',
      table(rows),
      ...(found.length === 0 ? [] : ['', '![Change points of BOUN-SIM](boun-sim.svg)']),
    ].join('\n'),
  );
}

/** Medians of three runs of each, one after the other. */
async function alternate(
  first: () => Promise<Cost>,
  second: () => Promise<Cost>,
): Promise<readonly [Cost, Cost]> {
  const runs: [Cost, Cost][] = [];
  for (let i = 0; i < 3; i += 1) runs.push([await first(), await second()]);
  const median = (side: 0 | 1): Cost =>
    runs.map((pair) => pair[side]).sort((a, b) => a.perRequest - b.perRequest)[1]!;
  return [median(0), median(1)];
}

function missed(cause: unknown): null {
  say(`not measured: ${cause instanceof Error ? cause.message : String(cause)}`);
  return null;
}
