import { Simulation } from '@ringfence/fraud/simulate/simulation.ts';
import type { SimulationOptions } from '@ringfence/fraud/simulate/types.ts';
import { type Contestant, Trial } from '@ringfence/fraud/trial.ts';

/** What one contestant did with one piece of simulated traffic. */
export interface Score {
  /** Campaigns that made at least one call that somebody would have paid for, by name. */
  readonly frauds: ReadonlyMap<string, Fraud>;
  readonly legitimate: number;
  /** Legitimate calls that are worth judging: abroad, premium, costly. */
  readonly costly: number;
  /** Legitimate calls that were asked, refused or cut off. */
  readonly touched: number;
  /** Of those, calls that came to nothing: nobody could prove himself, or it was blocked or cut off. */
  readonly harmed: number;
  readonly touchedBy: ReadonlyMap<string, number>;
}

export interface Fraud {
  /** Money that got through, over the whole campaign. */
  lost: number;
  /** Money that it would have cost. */
  wanted: number;
  readonly began: number;
  /** Unix ms of the first call that was refused or cut off. */
  stoppedAt: number | undefined;
  /** What was lost until then. */
  lostBefore: number;
}

export function score(contestant: Contestant, options: SimulationOptions): Score {
  const simulation = new Simulation(options);
  const frauds = new Map<string, Fraud>();
  const touchedBy = new Map<string, number>();
  let legitimate = 0;
  let costly = 0;
  let touched = 0;
  let harmed = 0;
  const trial = new Trial(contestant, {
    found: ({ call, at, verdict, cost, proved }) => {
      const { action } = verdict;
      if (action === 'pass' || action === 'watch') return;
      if (call.fraud === '') {
        touched += 1;
        if (!proved) harmed += 1;
        const why = `${call.site} ${call.story} ${call.facts.risk} ${verdict.rule ?? ''}`;
        touchedBy.set(why, (touchedBy.get(why) ?? 0) + 1);
        return;
      }
      const fraud = frauds.get(call.fraud);
      if (fraud !== undefined && fraud.stoppedAt === undefined) {
        fraud.stoppedAt = at;
        fraud.lostBefore = fraud.lost + cost;
      }
    },
    passed: ({ fraud: name }, cost) => {
      const fraud = frauds.get(name);
      if (fraud !== undefined) fraud.lost += cost;
    },
    later: (call, at) => simulation.tell(call, 'cut', at),
  });
  for (const call of simulation.calls()) {
    const { fraud, facts, incoming, seconds } = call;
    if (!incoming && fraud === '') {
      legitimate += 1;
      if (facts.risk !== 'home' || facts.rate >= 0.15) costly += 1;
    } else if (!incoming) {
      const known = frauds.get(fraud) ?? {
        lost: 0,
        wanted: 0,
        began: facts.at,
        stoppedAt: undefined,
        lostBefore: 0,
      };
      known.wanted += (seconds / 60) * facts.rate;
      frauds.set(fraud, known);
    }
    simulation.tell(call, trial.take(call), facts.at);
  }
  trial.finish();
  return { frauds, legitimate, costly, touched, harmed, touchedBy };
}
