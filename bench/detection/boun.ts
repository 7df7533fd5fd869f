/** Change points of the BOUN-SIM sets: what was found, how late, how often wrongly, and a picture of it. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { corpusFile, corpusPath, hasCorpus } from '@ringfence/testkit/corpus.ts';
import { type Comparison, compareChanges, readBoun } from '@ringfence/threat/boun.ts';
import { ChangePoints } from '@ringfence/threat/change-points.ts';

export const sets = ['log_high_50', 'log_low_250'] as const;

export interface BounResult {
  readonly set: string;
  readonly compared: Comparison;
  readonly changes: readonly number[];
  /** Messages a second. */
  readonly totals: readonly number[];
  /** Of CPU time, for one second of traffic. */
  readonly microseconds: number;
}

/** Undefined where the set is not beside the repository. */
export function compareSet(set: (typeof sets)[number]): BounResult | undefined {
  if (!hasCorpus(`attack/boun-sim/${set}`)) return undefined;
  const { seconds, changes } = readBoun(
    gunzipSync(corpusFile(`attack/boun-sim/${set}/obs.txt.gz`)).toString(),
    readFileSync(corpusPath(`attack/boun-sim/${set}/cps.txt`), 'utf8'),
  );
  const began = process.cpuUsage();
  const compared = compareChanges(seconds, changes, new ChangePoints({ kinds: seconds[0]!.length }));
  const { user, system } = process.cpuUsage(began);
  const totals = seconds.map((counts) => counts.reduce((sum, count) => sum + count, 0));
  return { set, compared, changes, totals, microseconds: Math.round((user + system) / seconds.length) };
}

const width = 1400;
const panel = 220;
const left = 60;
const top = 34;

/** One panel for each set: messages a second (logarithmic), labels above, alarms below, probability as an area. */
export function picture(results: readonly BounResult[]): string {
  const height = results.length * panel + 30;
  const panels = results.map((result, i) => panelOf(result, i * panel));
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">
<title>Change points of the BOUN-SIM sets: labels and alarms</title>
<rect width="${width}" height="${height}" fill="#fff"/>
${panels.join('\n')}
<text x="${left}" y="${height - 10}" fill="#444">Grey line: SIP messages a second (logarithmic). Blue marks: labelled changes. Red marks: alarms. Orange: probability of a change just now.</text>
</svg>
`;
}

function panelOf({ set, compared, changes, totals }: BounResult, offset: number): string {
  const inner = panel - top - 40;
  const most = Math.log10(1 + Math.max(...totals));
  const x = (second: number): string => (left + (second / totals.length) * (width - left - 20)).toFixed(1);
  const y = (share: number): string => (offset + top + inner * (1 - share)).toFixed(1);
  const line = totals.map((n, i) => `${x(i)},${y(Math.log10(1 + n) / most)}`).join(' ');
  const area = compared.probabilities
    .flatMap((p, i) => (p < 0.05 ? [] : [`M${x(i)} ${y(0)}V${y(p)}`]))
    .join('');
  const marks = (at: readonly number[], from: number, to: number): string =>
    at.map((second) => `M${x(second)} ${offset + from}V${offset + to}`).join('');
  const bottom = top + inner;
  return `<text x="${left}" y="${offset + 16}" fill="#111">${set}: ${compared.found} of ${compared.labelled} changes found, ${compared.meanDelay.toFixed(2)} s after the label on average, ${compared.falseAlarms} false alarms in ${totals.length} s</text>
<path d="${area}" stroke="#f5a623" stroke-width="1.4" opacity="0.55"/>
<polyline points="${line}" fill="none" stroke="#777" stroke-width="0.8"/>
<path d="${marks(changes, top - 12, top - 2)}" stroke="#1668c7" stroke-width="1.6"/>
<path d="${marks(compared.alarms, bottom + 4, bottom + 14)}" stroke="#c81e1e" stroke-width="1.6"/>
<path d="M${left} ${offset + bottom}H${width - 20}" stroke="#999"/>`;
}
