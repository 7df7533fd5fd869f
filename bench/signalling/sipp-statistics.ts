/** sipp's -trace_stat file, read back. */
import { existsSync, readFileSync } from 'node:fs';

export type Sample = {
  /** Seconds since 1970. */
  readonly at: number;
  readonly created: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly retransmissions: number;
};

/** One sample a second (-fd 1), cumulative counts. */
export function readSamples(file: string): Sample[] {
  if (!existsSync(file)) return [];
  const [header, ...rows] = readFileSync(file, 'utf8').trim().split('\n');
  const names = header!.split(';');
  const column = (name: string) => {
    const index = names.indexOf(name);
    if (index < 0) throw new Error(`sipp statistics have no column ${name}`);
    return index;
  };
  const columns = [
    'CurrentTime',
    'TotalCallCreated',
    'SuccessfulCall(C)',
    'FailedCall(C)',
    'Retransmissions(C)',
  ].map(column);
  return rows.map((row) => {
    const fields = row.split(';');
    const [time, ...counts] = columns.map((index) => fields[index] ?? '');
    // A time is a date, a time of day and seconds since 1970, separated by tabs.
    const at = Number(time!.split('\t')[2]);
    const [created, succeeded, failed, retransmissions] = counts.map(Number);
    return {
      at,
      created: created!,
      succeeded: succeeded!,
      failed: failed!,
      retransmissions: retransmissions!,
    };
  });
}

/** Calls completed up to a moment, between the two samples around it. */
export function succeededAt(samples: readonly Sample[], at: number): number {
  let before = samples[0];
  if (before === undefined) return 0;
  for (const sample of samples) {
    if (sample.at >= at) {
      const span = sample.at - before.at;
      const part = span > 0 ? Math.max(0, (at - before.at) / span) : 1;
      return before.succeeded + (sample.succeeded - before.succeeded) * part;
    }
    before = sample;
  }
  return before.succeeded;
}

/** Nearest rank; NaN without values. */
export function percentile(sorted: readonly number[], percent: number): number {
  if (sorted.length === 0) return Number.NaN;
  return sorted[Math.min(sorted.length - 1, Math.ceil((percent / 100) * sorted.length) - 1)]!;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  if (sorted.length === 0) return Number.NaN;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
