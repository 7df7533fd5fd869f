import assert from 'node:assert/strict';
import { test } from 'node:test';
import { shippedRules } from '@ringfence/fraud/rules.ts';
import type { FraudVerdict } from '@ringfence/fraud/verdict.ts';
import type { ControlServer } from '../../control/server.ts';
import { EventBus } from '../../events/bus.ts';
import type { EdgeEvent } from '../../events/types.ts';
import { Behaviour } from './behaviour.ts';
import { handleBehaviour } from './commands.ts';

test('a rule that would have stopped too many of yesterday goes from watch to block by --force alone, which is told', () => {
  const day = 86_400_000;
  let now = 100 * day;
  const bus = new EventBus(() => now);
  const told: EdgeEvent[] = [];
  bus.subscribe((event) => told.push(event), 'debug');
  const rules = {
    ...shippedRules,
    rules: { ...shippedRules.rules, novelty: { mode: 'watch' as const, weight: 1 } },
  };
  const behaviour = new Behaviour({
    rules: () => rules,
    usualPrice: () => 0.3,
    isEnabled: () => true,
    now: () => now,
    rows: [],
    store: { putSpend: async () => undefined },
    after: () => () => undefined,
    failed: () => undefined,
  });
  const handlers = new Map<string, (args: unknown, by: string) => unknown>();
  const control = {
    handle: (name: string, run: (args: unknown, by: string) => unknown) => handlers.set(name, run),
  } as unknown as ControlServer;
  handleBehaviour({
    control,
    behaviour,
    bus,
    mostTouched: () => 0.003,
    hasDomain: (name) => name === 'example.test',
    now: () => now,
  });
  const mode = (args: object): unknown =>
    handlers.get('fraud mode')!({ domain: 'example.test', rule: 'novelty', mode: 'block', ...args }, 'carol');
  assert.throws(() => mode({}), { code: 'nothing-known' });
  assert.throws(() => mode({ domain: 'other.test' }), { code: 'no-such-domain' });
  const almost: FraudVerdict = {
    action: 'watch',
    bits: 12,
    threshold: 7,
    sentence: '',
    parts: [
      { rule: 'novelty', text: '', bits: 6 },
      { rule: 'spend', text: '', bits: 6 },
    ],
  };
  for (let i = 0; i < 100; i += 1)
    behaviour.touched.count('example.test', now, rules, i === 0 ? almost : undefined);
  now += day;
  assert.throws(() => mode({}), /would have stopped 1 of 100 calls/);
  assert.equal(behaviour.rulesOf('example.test').rules.novelty.mode, 'watch');
  mode({ force: true });
  assert.equal(behaviour.rulesOf('example.test').rules.novelty.mode, 'block');
  const changed = told.find((event) => event.type === 'fraud.rule-changed');
  assert.deepEqual(changed, {
    type: 'fraud.rule-changed',
    domain: 'example.test',
    rule: 'novelty',
    from: 'watch',
    to: 'block',
    forced: true,
    calls: 100,
    wouldStop: 1,
    by: 'carol',
  });
});
