import { equal, ok } from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { carrierRules, shippedRules } from '@ringfence/fraud/rules.ts';
import { Simulation } from '@ringfence/fraud/simulate/simulation.ts';
import { defaultSimulation } from '@ringfence/fraud/simulate/types.ts';
import { readRuleFile } from '../behaviour/rule-file.ts';
import { csvRow, heading, jsonRow } from '../simulate/write.ts';
import { pricingOf, usualPrices } from './pricing.ts';
import { readCalls } from './read-calls.ts';
import { Replay } from './replay.ts';

const options = {
  ...defaultSimulation,
  seed: 41,
  days: 1,
  sites: { office: 5, 'call-centre': 0, carrier: 0 },
  fraudsPerSiteDay: 1,
};

describe('replay of call records', () => {
  it('says what rules would have saved, and touches few others; CSV and JSON lines tell the same', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'replay-'));
    try {
      const calls = [...new Simulation(options).calls()];
      const results = [];
      for (const [name, lines] of [
        ['calls.csv', [heading, ...calls.map(csvRow)]],
        ['calls.jsonl', calls.map(jsonRow)],
      ] as const) {
        const file = join(folder, name);
        writeFileSync(file, `${lines.join('\n')}\n`);
        const replay = new Replay(() => shippedRules);
        const price = pricingOf(usualPrices, 'DE');
        const problem = (): never => {
          throw new Error('nothing is wrong with what the simulation has written');
        };
        for await (const call of readCalls(file, { zone: undefined, domain: 'x', price, problem }))
          replay.take(call);
        results.push(replay.finish());
      }
      const [first, second] = results;
      equal(first?.calls, second?.calls);
      equal(first?.saved, second?.saved);
      ok(first !== undefined && first.calls + first.incoming === calls.length);
      ok(first.labelled !== undefined && first.labelled.frauds > 2);
      ok(first.labelled.fraudCostLeft < first.labelled.fraudCost * 0.2, JSON.stringify(first.labelled));
      ok(first.touchedShare < 0.02);
      ok(first.examples.length > 0 && first.examples.every(({ sentence }) => sentence.endsWith(' bits')));
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

describe('files of rules', () => {
  const folder = mkdtempSync(join(tmpdir(), 'rules-'));
  const file = join(folder, 'rules.yaml');
  const read = (text: string) => {
    writeFileSync(file, text);
    return readRuleFile(file);
  };

  it('change what they name, and what they name begins in watch', () => {
    const set = read(
      'name: ours\nversion: 3\nbasis: carrier\nrules:\n  novelty: { weight: 2 }\n  spend: { mode: block }\nbits: { challenge: 10 }\n',
    );
    ok(set.ok);
    equal(set.value.rules.novelty.mode, 'watch');
    equal(set.value.rules.novelty.weight, 2);
    equal(set.value.rules.spend.mode, 'block');
    equal(set.value.rules.velocity.mode, carrierRules.rules.velocity.mode);
    equal(set.value.bits.challenge, 10);
    equal(set.value.bits.block, carrierRules.bits.block);
    equal(set.value.usual.atOnce, carrierRules.usual.atOnce);
  });

  it('with what is unknown or out of order are refused by line', () => {
    const unknown = read('name: ours\nversion: 1\nrules:\n  velocty: { mode: block }\n');
    ok(!unknown.ok && unknown.error[0]?.line === 4, JSON.stringify(unknown));
    const order = read('name: ours\nversion: 1\nbits: { challenge: 50 }\n');
    ok(!order.ok && order.error[0]?.key === 'bits');
    ok(!read('name: ours\n').ok);
    rmSync(folder, { recursive: true });
  });
});
