import { deepEqual, equal } from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FraudRule, Mode } from '@ringfence/fraud/rules.ts';
import { testConfiguration } from '../../testing/configuration.ts';
import { readTried, tenantRules } from './tenant-rules.ts';

const { fraud } = testConfiguration();
const settings = {
  ...fraud,
  timeZone: 'Asia/Kolkata',
  behaviour: { ...fraud.behaviour, tenants: [{ domain: 'Wholesale.test', rules: 'carrier' }] },
};
const now = Date.UTC(2026, 1, 8);

describe('rules of tenants in a replay', () => {
  it('are those of the configuration with the hours of the site, and the modes that commands have set', () => {
    const modes = new Map<string, ReadonlyMap<FraudRule, Mode>>([
      ['wholesale.test', new Map([['novelty', 'watch']])],
    ]);
    const rules = tenantRules(settings, now, undefined, modes);
    equal(rules('wholesale.test').name, 'carrier');
    equal(rules('wholesale.test').rules.novelty.mode, 'watch');
    equal(rules('wholesale.test').calendar.offset, 330);
    equal(rules('other.test').name, 'standard');
    equal(rules('other.test').rules.novelty.mode, 'cut-off');
  });

  it('give way to those that are tried, for all or for those who are named, without the modes of the others', () => {
    const modes = new Map<string, ReadonlyMap<FraudRule, Mode>>([['', new Map([['novelty', 'off']])]]);
    const one = tenantRules(settings, now, readTried('A.test=call-centre'), modes);
    deepEqual(
      ['a.test', 'wholesale.test', 'b.test'].map((domain) => [
        one(domain).name,
        one(domain).rules.novelty.mode,
      ]),
      [
        ['call-centre', 'cut-off'],
        ['carrier', 'off'],
        ['standard', 'off'],
      ],
    );
    const all = tenantRules(settings, now, readTried('carrier,a.test=standard'));
    deepEqual(
      ['a.test', 'wholesale.test', 'b.test'].map((domain) => all(domain).name),
      ['standard', 'carrier', 'carrier'],
    );
    const usual = tenantRules(settings, now, readTried('standard'));
    equal(usual('wholesale.test').name, 'standard');
  });
});
