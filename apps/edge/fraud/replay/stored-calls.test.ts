import { deepEqual, equal, ok, throws } from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { shippedRules } from '@ringfence/fraud/rules.ts';
import { Numbers } from '../../routing/numbers.ts';
import { CallWriter } from '../../store/call-rows.ts';
import type { CallRecord } from '../../store/contract.ts';
import { openDatabase, openReadOnly } from '../../store/database.ts';
import { packCall } from '../../store/pack-call.ts';
import { call } from '../../store/testing/records.ts';
import { modesIn } from '../behaviour/keep.ts';
import { dialledPricingOf, usualPrices } from './pricing.ts';
import { Replay } from './replay.ts';
import { storedCalls } from './stored-calls.ts';

const folder = mkdtempSync(join(tmpdir(), 'stored-'));
after(() => rmSync(folder, { recursive: true }));
const price = dialledPricingOf(usualPrices, new Numbers('DE', ['112']), 'DE');
const at = Date.UTC(2026, 1, 8, 1, 14);
let files = 0;

/** A store with those calls; further writes are what `more` does. */
function stored(records: readonly CallRecord[]): string {
  const file = join(folder, `${files++}.db`);
  const database = openDatabase(file);
  const writer = new CallWriter(database);
  for (const record of records) writer.ended(0, packCall(record));
  database.close();
  return file;
}

const cost = (account: string, perMinute: string): string =>
  JSON.stringify({ amount: '1.00', currency: 'EUR', account, rate: 'international', perMinute });
const paid = (id: string, callee: string, more: Partial<CallRecord> = {}): CallRecord =>
  call(id, {
    callee,
    caller: 'alice',
    route: 'trunk:carrier',
    startedAt: at,
    answeredAt: at + 5_000,
    endedAt: at + 65_000,
    cost: cost('user:alice@example.test', '0.5'),
    ...more,
  });

describe('calls that the edge has kept', () => {
  it('are given in the order of their beginnings, read as dialled, at the price that they had, and no others', () => {
    const file = stored([
      paid('later', '00535 5123456', { startedAt: at + 1_000 }),
      paid('sent-on', '+4930123456', { cost: cost('user:bob@example.test', '0.02') }),
      call('inside', { endedAt: at }),
      paid('other', '+5355123456', { domain: 'other.test' }),
      paid('closed', '+88213123456', {
        cost: '',
        disposition: 'refused',
        cause: 'fraud',
        decision: '{"reasons":[{"rule":"fraud.destination-closed"}]}',
      }),
      paid('refused', '+5355123456', {
        cost: '',
        disposition: 'refused',
        cause: 'fraud',
        decision: '{"reasons":[{"rule":"fraud.novelty"}]}',
        answeredAt: at,
        endedAt: at,
      }),
      call('from-outside', {
        principal: 'trunk:carrier@example.test',
        caller: '+4915112345',
        startedAt: at - 1,
        endedAt: at,
      }),
      paid('long-ago', '+5355123456', { startedAt: at - 86_400_000 }),
    ]);
    const database = openReadOnly(file);
    const calls = [...storedCalls(database, { since: at - 10, domain: 'example.test', price })];
    deepEqual(
      calls.map(({ facts: { id, account, called, country, rate, forwarded }, incoming, seconds }) => [
        id.split('#')[0],
        account,
        incoming ? 'in' : called,
        country,
        rate,
        forwarded,
        seconds,
      ]),
      [
        [
          'from-outside',
          'user:bob@example.test',
          'in',
          calls[0]!.facts.country,
          calls[0]!.facts.rate,
          false,
          0,
        ],
        ['sent-on', 'user:bob@example.test', '4930123456', 'DE', 0.02, true, 60],
        ['refused', 'user:alice@example.test', '5355123456', 'CU', usualPrices['high-risk'], false, 0],
        ['later', 'user:alice@example.test', '5355123456', 'CU', 0.5, false, 60],
      ],
    );
    equal([...storedCalls(database, { since: 0, domain: undefined, price })].length, 6);
    throws(() => database.exec('DELETE FROM calls'), /readonly/);
    database.close();
  });

  it('are judged by the rules that each tenant has now, with the modes that commands have set', () => {
    const numbers = [
      '+5355512341',
      '+25261555111',
      '+2207101001',
      '+23276123456',
      '+6757123456',
      '+2399123456',
    ];
    const attack = (domain: string): CallRecord[] =>
      Array.from({ length: 24 }, (_, i) =>
        paid(`${domain}-${i}`, numbers[i % 6]!, {
          domain,
          startedAt: at + i * 10_000,
          answeredAt: at + i * 10_000 + 1_000,
          endedAt: at + i * 10_000 + 3_600_000,
          cost: cost(`user:alice@${domain}`, '2'),
        }),
      );
    const database = openReadOnly(stored([...attack('example.test'), ...attack('watching.test')]));
    const watching = {
      ...shippedRules,
      name: 'watching',
      rules: Object.fromEntries(
        Object.entries(shippedRules.rules).map(([rule, set]) => [rule, { ...set, mode: 'watch' }]),
      ) as typeof shippedRules.rules,
    };
    const replay = new Replay((domain) => (domain === 'watching.test' ? watching : shippedRules));
    for (const one of storedCalls(database, { since: 0, domain: undefined, price })) replay.take(one);
    database.close();
    const result = replay.finish();
    equal(result.calls, 48);
    ok(
      result.stopped.block + result.stopped.challenge + result.stopped['cut-off'] >= 20,
      JSON.stringify(result),
    );
    ok(result.watched > 10);
    ok(result.examples.every(({ domain }) => domain === 'example.test'));
    deepEqual(result.rules.map(({ name }) => name).sort(), ['standard', 'watching']);
  });

  it('and a store of another layout, or none, is refused and left as it was', () => {
    throws(() => openReadOnly(join(folder, 'none.db')), { code: 'store-unwritable' });
    for (const [change, code] of [
      ['DELETE FROM migrations WHERE version > 1', 'store-unwritable'],
      ["INSERT INTO migrations VALUES (999, 'x', 0)", 'store-newer'],
    ] as const) {
      const file = stored([]);
      const database = openDatabase(file);
      database.exec(change);
      database.close();
      throws(() => openReadOnly(file), { code });
    }
  });
});

describe('modes that commands have set', () => {
  it('are read from their rows alone, and what is none is passed over', () => {
    const modes = modesIn([
      {
        key: 'behaviour-mode|a.test',
        value: '[["novelty","watch"],["nonsense","watch"],["spend","kill"],7]',
      },
      { key: 'behaviour-mode|b.test', value: '{' },
      { key: 'behaviour-domain|a.test', value: '[]' },
    ]);
    deepEqual([...modes.keys()], ['a.test', 'b.test']);
    deepEqual([...modes.get('a.test')!], [['novelty', 'watch']]);
  });
});
