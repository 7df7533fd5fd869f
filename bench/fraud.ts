/**
 * Whether toll fraud is noticed before it costs money, and whom that troubles: simulated traffic of fresh seeds, judged
 * by the edge's rules, by thresholds in the manner of OpenSIPS and by a sequential test in the manner of TFPS.
 *
 *     npm run bench:fraud -- [--seeds 4711,4712] [--count 6] [--days 14] [--cdrs 10000000] [--only detection,roc,sensitivity,speed] [--no-write]
 *
 * Without `--seeds` they are drawn and printed, so that nobody can have chosen them.
 */
import { randomInt } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { FraudJudge } from '@ringfence/fraud/judge.ts';
import { shippedRules } from '@ringfence/fraud/rules.ts';
import { defaultSimulation } from '@ringfence/fraud/simulate/types.ts';
import {
  judging,
  limit,
  measure,
  ours,
  prepared,
  quantile,
  replaying,
  type Summary,
  withBits,
} from './fraud/measure.ts';
import { ThresholdRules, usualThresholds } from './fraud/opensips.ts';
import { curves, type Series } from './fraud/picture.ts';
import { SequentialTest, shippedBound } from './fraud/tfps.ts';
import { machine, type Row, revision, row, table, writeSection } from './results.ts';

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '' },
    count: { type: 'string', default: '6' },
    days: { type: 'string', default: '14' },
    cdrs: { type: 'string', default: '10000000' },
    only: { type: 'string', default: 'detection,roc,sensitivity,speed' },
    write: { type: 'boolean', default: true },
  },
  allowNegative: true,
});
const BENCH = 'fraud';
const here = dirname(fileURLToPath(import.meta.url));
const wanted = new Set(values.only.split(','));
const loadBefore = loadavg()[0]!.toFixed(1);
const given = values.seeds
  .split(',')
  .filter((text) => text !== '')
  .map(Number);
const seeds =
  given.length > 0 ? given : Array.from({ length: Number(values.count) }, () => randomInt(1, 2 ** 31));
const options = { ...defaultSimulation, days: Number(values.days), fraudsPerSiteDay: 0.15 };
process.stderr.write(`seeds ${seeds.join(',')}\n`);

const rows: Row[] = [];
const emit = (base: Omit<Row, 'ratio' | 'bench'>): void => {
  const made = row({ bench: BENCH, ...base });
  rows.push(made);
  process.stdout.write(`${JSON.stringify(made)}\n`);
};
const share = (part: number, of: number): number => Math.round((100_000 * part) / Math.max(1, of)) / 1000;
const stopped = (of: Summary): number => share(of.stopped, of.frauds);
const touched = (of: Summary): number => share(of.touched, of.legitimate);
const text: string[] = [];

if (wanted.has('detection')) {
  const found = measure(ours, seeds, options);
  const thresholds = measure(() => new ThresholdRules(usualThresholds), seeds, options);
  const sequential = measure(() => new SequentialTest(shippedBound), seeds, options);
  for (const [peer, of] of [
    ['thresholds in the manner of OpenSIPS', thresholds],
    ['sequential test in the manner of TFPS', sequential],
  ] as const) {
    emit({
      work: `frauds stopped before ${limit} €, of ${found.frauds}`,
      unit: '%',
      ours: stopped(found),
      peer,
      theirs: stopped(of),
    });
    emit({
      work: `usual calls touched, of ${found.legitimate}`,
      unit: '%',
      ours: touched(found),
      peer,
      theirs: touched(of),
      note: 'asked for a PIN, refused or cut off',
    });
    emit({
      work: 'mean money lost to a fraud',
      unit: '€',
      ours: mean(found.lost),
      peer,
      theirs: mean(of.lost),
    });
  }
  emit({
    work: 'usual calls touched, of those abroad or costly',
    unit: '%',
    ours: share(found.touched, found.costly),
    peer: 'none',
    theirs: null,
    note: `${share(found.harmed, found.legitimate)} % of all came to nothing at first: refused or cut off`,
  });
  for (const at of [0.5, 0.9, 0.99])
    emit({
      work: `until the first call of a fraud is stopped, ${at * 100} of 100 frauds`,
      unit: 's',
      ours: Math.round(quantile(found.seconds, at)),
      peer: 'thresholds in the manner of OpenSIPS',
      theirs: finite(Math.round(quantile(thresholds.seconds, at))),
      note: `lost over the whole campaign: ${quantile(found.lost, at).toFixed(2)} €`,
    });
  text.push(
    '',
    '| fraud | number | stopped before 10 € | mean lost, € |',
    '|---|---:|---:|---:|',
    ...[...found.byKind]
      .sort()
      .map(
        ([kind, of]) => `| ${kind} | ${of.frauds} | ${of.stopped} | ${(of.lost / of.frauds).toFixed(2)} |`,
      ),
    '',
    'Usual calls touched most often (site, what was unusual, risk, rule that said most):',
    '',
    ...[...found.touchedBy]
      .sort(([, a], [, b]) => b - a)
      .slice(0, 8)
      .map(([why, count]) => `- ${count}: ${why}`),
    '',
    '![Money lost](fraud-money.svg)',
    '![Time until it is stopped](fraud-time.svg)',
  );
  const steps = (sorted: readonly number[]): (readonly [number, number])[] =>
    sorted.map((value, i) => [value, (i + 1) / sorted.length]);
  const three = (of: (summary: Summary) => readonly number[]): Series[] => [
    { name: 'Ringfence', colour: '#0a7d3c', points: steps(of(found)) },
    { name: 'thresholds (OpenSIPS)', colour: '#c0392b', points: steps(of(thresholds)) },
    { name: 'sequential test (TFPS)', colour: '#2c5aa0', points: steps(of(sequential)) },
  ];
  draw(
    'fraud-money.svg',
    curves(
      'Money lost to a fraud over its whole campaign',
      'at most so much, €',
      'share of frauds',
      [0.1, 10_000],
      three(({ lost }) => lost),
      [
        [0.1, '0.10'],
        [1, '1'],
        [10, '10'],
        [100, '100'],
        [1_000, '1000'],
        [10_000, '10000'],
      ],
    ),
  );
  draw(
    'fraud-time.svg',
    curves(
      'From the first call of a fraud to the first that is stopped',
      'at most',
      'share of frauds',
      [1, 1_000_000],
      three(({ seconds }) => seconds),
      [
        [1, '1 s'],
        [60, '1 min'],
        [3_600, '1 h'],
        [86_400, '1 day'],
      ],
    ),
  );
}

if (wanted.has('roc')) {
  const point = (of: Summary): readonly [number, number] => [
    share(of.touched, of.legitimate),
    of.stopped / Math.max(1, of.frauds),
  ];
  const some = seeds.slice(0, 3);
  const curve = (name: string, colour: string, runs: readonly Summary[], shipped: number): Series => {
    const points = runs.map(point);
    return { name, colour, points, mark: points[shipped]! };
  };
  const series = [
    curve(
      'Ringfence',
      '#0a7d3c',
      [5, 7, 9, 12, 16, 24].map((bits) => measure(() => withBits(bits), some, options)),
      2,
    ),
    curve(
      'thresholds (OpenSIPS)',
      '#c0392b',
      [0.25, 0.5, 1, 2, 4, 8].map((factor) =>
        measure(
          () =>
            new ThresholdRules({
              callsPerMinute: Math.max(2, usualThresholds.callsPerMinute * factor),
              totalCalls: usualThresholds.totalCalls * factor,
              concurrent: Math.max(2, usualThresholds.concurrent * factor),
              sequential: usualThresholds.sequential * factor,
            }),
          some,
          options,
        ),
      ),
      2,
    ),
    curve(
      'sequential test (TFPS)',
      '#2c5aa0',
      [4, 7, 10, shippedBound, 20, 30].map((bound) =>
        measure(() => new SequentialTest(bound), some, options),
      ),
      3,
    ),
  ];
  for (const { name, points } of series)
    text.push('', `${name}: ${points.map(([x, y]) => `${(y * 100).toFixed(1)} % at ${x} %`).join(', ')}.`);
  text.push('', '![ROC curves](fraud-roc.svg)');
  draw(
    'fraud-roc.svg',
    curves(
      `Frauds stopped before ${limit} €, and usual calls touched`,
      'usual calls touched',
      'frauds stopped',
      [0.005, 20],
      series,
      [
        [0.01, '0.01 %'],
        [0.1, '0.1 %'],
        [0.3, '0.3 %'],
        [1, '1 %'],
        [10, '10 %'],
      ],
    ),
  );
}

if (wanted.has('sensitivity')) {
  const some = seeds.slice(0, 2);
  const cases: readonly (readonly [string, Summary])[] = [
    ['as above', measure(ours, some, options)],
    ['twice as many usual calls abroad', measure(ours, some, { ...options, abroad: 2 })],
    ['half as many', measure(ours, some, { ...options, abroad: 0.5 })],
    ['nobody knows a PIN', measure(ours, some, { ...options, knowsPin: 0 })],
    [
      'all tenants under `standard`',
      measure(() => new FraudJudge({ rules: () => shippedRules }), some, options),
    ],
    [
      'three days alone: nothing is learned',
      measure(ours, some, { ...options, days: 3, fraudsPerSiteDay: 0.5 }),
    ],
    [
      'carriers alone',
      measure(ours, some, { ...options, sites: { office: 0, 'call-centre': 0, carrier: 4 } }),
    ],
    [
      'offices alone',
      measure(ours, some, { ...options, sites: { office: 16, 'call-centre': 0, carrier: 0 } }),
    ],
  ];
  text.push(
    '',
    `Sensitivity, seeds ${some.join(', ')}:`,
    '',
    '| traffic | frauds | stopped before 10 € | usual calls touched |',
    '|---|---:|---:|---:|',
    ...cases.map(([name, of]) => `| ${name} | ${of.frauds} | ${stopped(of)} % | ${touched(of)} % |`),
  );
}

if (wanted.has('speed')) {
  const calls = prepared(seeds[0]!, 200_000, options);
  judging(calls.slice(0, 50_000));
  emit({
    work: 'calls judged by one core, with looks and ends',
    unit: 'calls/s of CPU',
    ours: judging(calls),
    peer: 'target',
    theirs: 100_000,
  });
  const count = Number(values.cdrs);
  const { seconds, megabytes } = replaying(calls, count);
  emit({
    work: `${count} call records replayed from memory, by one core`,
    unit: 's of CPU',
    ours: Math.round(seconds * 10) / 10,
    peer: 'target for 10,000,000',
    theirs: 300,
    note: `${megabytes} MB of memory at most, the records included`,
  });
}

if (values.write)
  writeSection(
    BENCH,
    [
      '## Toll fraud',
      '',
      `${new Date().toISOString().slice(0, 10)}; ${revision()}; ${machine()}; load of the machine before: ${loadBefore}.`,
      `\`npm run bench:fraud -- ${process.argv.slice(2).join(' ')}\`, seeds ${seeds.join(', ')}${given.length > 0 ? '' : ', drawn at the start'}. Traffic is simulated ([what it does not model](../docs/fraud-simulation.md)); the rules were tuned on seeds 11, 12 and 21 to 26. A fraud counts as stopped where its whole campaign has cost less than ${limit} €; campaigns that would not have cost so much anyway are left out. The others are rules written for this bench from their documentation, and judge each call only when it is asked for, as they do there.`,
      '',
      ...(rows.length > 0 ? [table(rows)] : []),
      ...text,
    ].join('\n'),
  );

function draw(file: string, picture: string): void {
  if (values.write) writeFileSync(join(here, file), picture);
}

function mean(of: readonly number[]): number {
  return Math.round((100 * of.reduce((sum, one) => sum + one, 0)) / Math.max(1, of.length)) / 100;
}

function finite(value: number): number | null {
  return Number.isFinite(value) ? value : null;
}
