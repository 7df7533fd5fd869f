import { deepEqual, equal, ok } from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Simulation } from './simulation.ts';
import { defaultSimulation, fraudKinds } from './types.ts';

const few = {
  ...defaultSimulation,
  days: 3,
  sites: { office: 3, 'call-centre': 0, carrier: 1 },
  fraudsPerSiteDay: 3,
};

describe('simulated traffic', () => {
  it('is the same for the same seed, and another for another', () => {
    const calls = (seed: number) =>
      [...new Simulation({ ...few, days: 1, seed }).calls()].map(
        ({ facts }) => `${facts.id} ${facts.at} ${facts.called}`,
      );
    deepEqual(calls(7), calls(7));
    ok(calls(7).join() !== calls(8).join());
  });

  it('comes in the order of time, labelled, with every kind of fraud and more usual calls than fraud', () => {
    let last = 0;
    let usual = 0;
    const kinds = new Set<string>();
    for (const { facts, fraud } of new Simulation({
      ...few,
      seed: 3,
      sites: { ...few.sites, office: 9 },
    }).calls()) {
      // What rings before a call that is paid for is told with it.
      ok(facts.at >= last - 20_000, `${facts.id}`);
      last = Math.max(last, facts.at);
      if (fraud === '') usual += 1;
      else kinds.add(fraud.split('#')[0]!);
    }
    ok(usual > 5_000);
    deepEqual([...kinds].sort(), [...fraudKinds].sort());
  });

  it('has no fraud where none is asked for', () => {
    const simulation = new Simulation({ ...few, days: 1, kinds: [] });
    equal(simulation.campaigns.length, 0);
    for (const { fraud } of simulation.calls()) equal(fraud, '');
  });

  it('lets people who were cut off try once more, and not for ever', () => {
    const simulation = new Simulation({ ...few, days: 1, kinds: [], seed: 5 });
    let refused = 0;
    let again = 0;
    for (const call of simulation.calls()) {
      if (call.facts.id.endsWith('+')) again += 1;
      else if (refused < 10) refused += 1;
      else continue;
      simulation.tell(call, 'refused', call.facts.at);
    }
    equal(again, refused);
  });
});
