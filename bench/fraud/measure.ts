import { Replay } from '@ringfence/edge/fraud/replay/replay.ts';
import { FraudJudge } from '@ringfence/fraud/judge.ts';
import { callCentreRules, carrierRules, type RuleSet, shippedRules } from '@ringfence/fraud/rules.ts';
import { Simulation } from '@ringfence/fraud/simulate/simulation.ts';
import type { LabelledCall, SimulationOptions } from '@ringfence/fraud/simulate/types.ts';
import { type Contestant, Trial } from '@ringfence/fraud/trial.ts';
import { type Fraud, type Score, score } from './score.ts';

/** Money that a fraud may cost before it counts as missed. */
export const limit = 10;

/** Each tenant under the shipped set for what it is, as its administrator would say. */
export const ours = (change: (set: RuleSet) => RuleSet = (set) => set): Contestant => {
  const [standard, centre, carrier] = [shippedRules, callCentreRules, carrierRules].map(change) as [
    RuleSet,
    RuleSet,
    RuleSet,
  ];
  return new FraudJudge({
    rules: (domain) =>
      domain.startsWith('carrier') ? carrier : domain.startsWith('call-centre') ? centre : standard,
  });
};

/** More evidence, or less, before anything is done. */
export const withBits = (challenge: number): Contestant =>
  ours((set) => ({
    ...set,
    bits: { watch: Math.min(set.bits.watch, challenge), challenge, block: challenge + 7 },
  }));

export interface Summary {
  readonly frauds: number;
  readonly stopped: number;
  readonly legitimate: number;
  readonly costly: number;
  readonly touched: number;
  readonly harmed: number;
  /** Of frauds that would have cost more than the limit. */
  readonly lost: readonly number[];
  readonly seconds: readonly number[];
  readonly byKind: ReadonlyMap<
    string,
    { readonly frauds: number; readonly stopped: number; readonly lost: number }
  >;
  /** Share of touched calls by kind of site and what was unusual about them. */
  readonly touchedBy: ReadonlyMap<string, number>;
}

/** One fresh contestant for each seed; frauds that would not have cost the limit anyway are left out. */
export function measure(
  contestant: () => Contestant,
  seeds: readonly number[],
  options: Omit<SimulationOptions, 'seed'>,
): Summary {
  const scores: Score[] = seeds.map((seed) => score(contestant(), { ...options, seed }));
  const frauds = scores.flatMap(({ frauds: of }) => [...of]).filter(([, { wanted }]) => wanted >= limit);
  const isStopped = ({ lost }: Fraud): boolean => lost < limit;
  const byKind = new Map<string, { frauds: number; stopped: number; lost: number }>();
  for (const [name, fraud] of frauds) {
    const kind = name.split('#')[0]!;
    const of = byKind.get(kind) ?? { frauds: 0, stopped: 0, lost: 0 };
    of.frauds += 1;
    of.stopped += isStopped(fraud) ? 1 : 0;
    of.lost += fraud.lost;
    byKind.set(kind, of);
  }
  const sum = (of: (score: Score) => number): number => scores.reduce((all, one) => all + of(one), 0);
  const touchedBy = new Map<string, number>();
  for (const one of scores)
    for (const [why, count] of one.touchedBy) touchedBy.set(why, (touchedBy.get(why) ?? 0) + count);
  return {
    frauds: frauds.length,
    stopped: frauds.filter(([, fraud]) => isStopped(fraud)).length,
    legitimate: sum((one) => one.legitimate),
    costly: sum((one) => one.costly),
    touched: sum((one) => one.touched),
    harmed: sum((one) => one.harmed),
    lost: frauds.map(([, { lost }]) => lost).sort((a, b) => a - b),
    seconds: frauds
      .map(([, { began, stoppedAt }]) =>
        stoppedAt === undefined ? Number.POSITIVE_INFINITY : (stoppedAt - began) / 1000,
      )
      .sort((a, b) => a - b),
    byKind,
    touchedBy,
  };
}

export const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;

/** Calls of a piece of traffic, made before so that making them is no part of the figure. */
export function prepared(
  seed: number,
  most: number,
  options: Omit<SimulationOptions, 'seed'>,
): LabelledCall[] {
  const calls: LabelledCall[] = [];
  for (const call of new Simulation({ ...options, seed }).calls()) {
    calls.push(call);
    if (calls.length >= most) break;
  }
  return calls;
}

const cpuSeconds = (from: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(from);
  return (user + system) / 1e6;
};

/** Calls a second of CPU that one core judges, ends and looks included. */
export function judging(calls: readonly LabelledCall[]): number {
  const trial = new Trial(ours(), { found: () => undefined, passed: () => undefined });
  const from = process.cpuUsage();
  for (const call of calls) trial.take(call);
  trial.finish();
  return Math.round(calls.length / cpuSeconds(from));
}

/** Replays so many calls from memory: the same days again and again, each time later. */
export function replaying(
  calls: readonly LabelledCall[],
  count: number,
): { readonly seconds: number; readonly megabytes: number } {
  const replay = new Replay(() => shippedRules);
  const from = process.cpuUsage();
  const last = calls[calls.length - 1]?.facts.at ?? 0;
  const span = last - (calls[0]?.facts.at ?? 0) + 1;
  let most = 0;
  for (let i = 0; i < count; i += 1) {
    const call = calls[i % calls.length]!;
    const round = Math.floor(i / calls.length);
    replay.take(
      round === 0
        ? call
        : {
            ...call,
            facts: { ...call.facts, id: `${call.facts.id}~${round}`, at: call.facts.at + round * span },
          },
    );
    if (i % 100_000 === 0) most = Math.max(most, process.memoryUsage().rss);
  }
  replay.finish();
  return {
    seconds: cpuSeconds(from),
    megabytes: Math.round(Math.max(most, process.memoryUsage().rss) / 1e6),
  };
}
