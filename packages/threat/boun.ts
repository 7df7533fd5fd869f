import type { ChangePoints } from './change-points.ts';

/** Columns of a BOUN-SIM file that SIP shows: 14 methods and 14 statuses, counted each second. */
const first = 5;
const last = 33;

export interface BounSet {
  readonly seconds: readonly (readonly number[])[];
  /** Seconds at which something changed, as labelled. */
  readonly changes: readonly number[];
}

/** Reads `obs.txt` and `cps.txt` of a BOUN-SIM set (Kurt and others, SoftwareX 2017). */
export function readBoun(observations: string, labels: string): BounSet {
  const seconds = observations
    .trim()
    .split('\n')
    .map((line) => line.trim().split(' ').map(Number).slice(first, last));
  const changes = labels
    .trim()
    .split('\n')
    .flatMap((label, second) => (Number(label) === 1 ? [second] : []));
  return { seconds, changes };
}

export interface Comparison {
  readonly labelled: number;
  readonly found: number;
  readonly falseAlarms: number;
  /** Seconds from a change to its alarm, over those found. */
  readonly meanDelay: number;
  readonly worstDelay: number;
  /** Seconds of the alarms. */
  readonly alarms: readonly number[];
  /** The probability of a change, second by second. */
  readonly probabilities: readonly number[];
}

/** An alarm belongs to a change at most one second ahead of its label, and eight behind. */
const early = 1;
const late = 8;
/** One change alarms once: what follows within so many seconds is the same alarm. */
const quiet = 4;

/** Goes through a set as it would have come, and holds the alarms against the labels. */
export function compareChanges(
  seconds: readonly (readonly number[])[],
  changes: readonly number[],
  model: ChangePoints,
): Comparison {
  const alarms: number[] = [];
  const probabilities: number[] = [];
  let silent = 0;
  for (const [second, counts] of seconds.entries()) {
    const { probability } = model.step(counts);
    probabilities.push(probability);
    // The first seconds are the beginning of all that is known.
    if (second <= late || probability <= 0.5) silent -= 1;
    else {
      if (silent <= 0) alarms.push(second);
      silent = quiet;
    }
  }
  const used = new Set<number>();
  const delays: number[] = [];
  for (const change of changes) {
    const alarm = alarms.find((at) => !used.has(at) && at >= change - early && at <= change + late);
    if (alarm === undefined) continue;
    used.add(alarm);
    delays.push(Math.max(0, alarm - change));
  }
  return {
    labelled: changes.length,
    found: delays.length,
    falseAlarms: alarms.length - used.size,
    meanDelay: delays.length === 0 ? 0 : delays.reduce((sum, delay) => sum + delay, 0) / delays.length,
    worstDelay: Math.max(0, ...delays),
    alarms,
    probabilities,
  };
}
