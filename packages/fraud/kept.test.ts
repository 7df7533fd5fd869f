import { equal, ok } from 'node:assert/strict';
import { describe, it } from 'node:test';
import { FraudJudge } from './judge.ts';
import { keepAccount, keepDomain, restoreAccount, restoreDomain } from './kept.ts';
import { Simulation } from './simulate/simulation.ts';
import { defaultSimulation } from './simulate/types.ts';
import { Trial } from './trial.ts';

describe('profiles that are kept', () => {
  const judge = new FraudJudge();
  const trial = new Trial(judge, { found: () => undefined, passed: () => undefined });
  const options = {
    ...defaultSimulation,
    seed: 3,
    days: 1,
    sites: { office: 2, 'call-centre': 0, carrier: 1 },
  };
  for (const call of new Simulation(options).calls()) trial.take(call);
  trial.finish();

  it('judge after a restart as before', () => {
    const again = new FraudJudge();
    for (const [key, account] of judge.accounts.entries())
      again.accounts.set(key, restoreAccount(keepAccount(account), again.bounds)!);
    for (const [key, domain] of judge.domains.entries())
      again.domains.set(key, restoreDomain(keepDomain(domain), again.bounds)!);
    let compared = 0;
    for (const [key] of [...judge.accounts.entries()]) {
      const [domain = '', account = ''] = key.split('\n');
      const facts = {
        id: key,
        at: options.start + 86_400_000,
        domain,
        account,
        caller: '49301',
        // A range that nobody has called: those are not kept.
        called: `216${compared}999000`,
        country: 'TN',
        prefix: '216',
        risk: 'raised' as const,
        rate: 0.4,
        forwarded: false,
      };
      // Each is asked once: asking is remembered by the whole tenant.
      const [before, after] = [judge.attempt(facts)?.bits ?? 0, again.attempt(facts)?.bits ?? 0];
      ok(Math.abs(before - after) < 0.35, `${key}: ${before} ${after}`);
      compared += 1;
    }
    ok(compared > 20);
  });

  it('are left out where they cannot be read', () => {
    for (const text of [
      '',
      '{',
      '[]',
      'null',
      '{"version":2}',
      '{"version":1}',
      '{"version":1,"leaks":[1],"usuals":[]}',
    ]) {
      equal(restoreAccount(text, judge.bounds), undefined);
      equal(restoreDomain(text, judge.bounds), undefined);
    }
    const [[, account] = []] = judge.accounts.entries();
    const text = keepAccount(account!).replace(/"known":.*$/, '"known":[7,["x"],["y","a",1,2,3]]}');
    ok(restoreAccount(text, judge.bounds) !== undefined);
  });
});
