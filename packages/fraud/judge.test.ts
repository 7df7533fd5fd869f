import { deepEqual, equal, match, notEqual, ok } from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CallFacts } from './call-facts.ts';
import { FraudJudge } from './judge.ts';
import { shippedRules } from './rules.ts';

const sunday = Date.UTC(2026, 1, 8, 1, 14);
const tuesday = Date.UTC(2026, 1, 10, 9, 30);
let made = 0;
const call = (more: Partial<CallFacts>): CallFacts => {
  made += 1;
  return {
    id: `c${made}`,
    at: tuesday,
    domain: 'example.test',
    account: 'alice',
    caller: '4930100',
    called: '2169000001',
    country: 'TN',
    prefix: '2169',
    risk: 'raised',
    rate: 0.45,
    forwarded: false,
    ...more,
  };
};
const high = { country: 'CU', prefix: '535', risk: 'high', rate: 0.9 } as const;

function goes(judge: FraudJudge, facts: CallFacts, seconds: number): string {
  const verdict = judge.attempt(facts);
  if (verdict?.action === 'block' || verdict?.action === 'challenge') return verdict.action;
  judge.began(facts);
  judge.answered(facts.id, facts.at);
  let at = facts.at;
  const end = facts.at + seconds * 1000;
  for (;;) {
    const next = judge.nextLook(facts.id, at);
    if (next === undefined || next >= end) break;
    at = next;
    if (judge.look(facts.id, at)?.action === 'cut-off') {
      judge.ended(facts.id, at);
      return 'cut-off';
    }
  }
  judge.ended(facts.id, end);
  return 'pass';
}

describe('judging calls by what accounts usually do', () => {
  it('passes over cheap calls at home, and follows nothing of them', () => {
    const judge = new FraudJudge();
    for (let i = 0; i < 1000; i += 1) {
      const facts = call({ risk: 'home', rate: 0.01, at: tuesday + i * 1000 });
      equal(judge.attempt(facts), undefined);
      judge.began(facts);
    }
    equal(judge.live, 0);
  });

  it('says in one sentence what speaks against a call, each part with its bits', () => {
    const judge = new FraudJudge();
    const verdicts = [0, 1, 2, 3].map((i) => {
      const facts = call({
        ...high,
        country: ['CU', 'SO', 'GM', 'SL'][i]!,
        called: `53500${i}999${i}`,
        at: sunday + i * 20_000,
      });
      const verdict = judge.attempt(facts);
      judge.began(facts);
      return verdict!;
    });
    const last = verdicts.find(({ action }) => action === 'challenge' || action === 'block')!;
    ok(last !== undefined, JSON.stringify(verdicts));
    match(last.sentence, /new destination in 20 minutes/);
    match(last.sentence, /02:14 on a Sunday/);
    match(last.sentence, /\d bits$/);
    const sum = last.parts.reduce((bits, part) => bits + part.bits, 0);
    equal(Math.round(sum * 10) / 10, last.bits);
    ok(last.bits >= last.threshold);
  });

  it('cuts off the first call of a new account when its money grows, before it has cost 10', () => {
    const judge = new FraudJudge();
    const facts = call({ ...high, at: sunday });
    equal(judge.attempt(facts)?.action === 'block', false);
    judge.began(facts);
    judge.answered(facts.id, facts.at);
    let at = facts.at;
    let verdict = judge.look(facts.id, at);
    while (verdict?.action !== 'cut-off') {
      at = judge.nextLook(facts.id, at)!;
      ok(((at - facts.at) / 60_000) * high.rate < 10);
      verdict = judge.look(facts.id, at);
    }
    match(verdict.sentence, /by this account|to CU/);
  });

  it('asks once in a costly country of business, and never again after the caller has proven himself', () => {
    const judge = new FraudJudge();
    let asked = 0;
    for (let date = 0; date < 5; date += 1)
      for (let i = 0; i < 8; i += 1) {
        const facts = call({ at: tuesday + date * 86_400_000 + i * 1_800_000, called: `21690000${i % 3}1` });
        const became = goes(judge, facts, 240);
        if (became === 'pass') continue;
        asked += 1;
        const again = call({ ...facts, id: `${facts.id}b`, at: facts.at + 300_000 });
        judge.proved(again);
        judge.answered(again.id, again.at);
        judge.ended(again.id, again.at + 60_000);
      }
    ok(asked <= 2, `${asked}`);
  });

  it('stops pumping after a probe, by many accounts that show many numbers', () => {
    const judge = new FraudJudge();
    let lost = 0;
    for (let i = 0; i < 40; i += 1) {
      const facts = call({
        ...high,
        account: `user${i % 10}`,
        caller: `4930${i}`,
        called: `5355550${10 + i}`,
        at: sunday + i * 30_000,
      });
      if (goes(judge, facts, i < 2 ? 5 : 600) === 'pass') lost += high.rate * 10;
    }
    ok(lost < 20, `${lost}`);
  });

  it('knows calls back to a range that rang many and hung up', () => {
    const judge = new FraudJudge();
    for (let i = 0; i < 6; i += 1) {
      const incoming = { at: tuesday, domain: 'example.test', account: `u${i}`, caller: '5355550001' };
      judge.incoming(incoming);
      judge.incomingEnded(incoming, false);
    }
    const verdict = judge.attempt(call({ ...high, called: '5355550001', at: tuesday + 60_000 }));
    ok(
      verdict?.parts.some(({ rule, bits }) => rule === 'call-back' && bits > 3),
      JSON.stringify(verdict),
    );
  });

  it('counts evidence of a rule only towards what its mode allows', () => {
    const rules = {
      ...shippedRules,
      rules: Object.fromEntries(
        Object.entries(shippedRules.rules).map(([rule, settings]) => [
          rule,
          { ...settings, mode: 'watch' as const },
        ]),
      ) as typeof shippedRules.rules,
    };
    const judge = new FraudJudge({ rules: () => rules });
    const actions = new Set<string>();
    for (let i = 0; i < 30; i += 1) {
      const facts = call({ ...high, called: `5355550${i}`, at: sunday + i * 10_000 });
      actions.add(judge.attempt(facts)!.action);
      judge.began(facts);
      judge.answered(facts.id, facts.at);
      equal(judge.look(facts.id, facts.at + 3_600_000)?.action === 'cut-off', false);
    }
    deepEqual(
      [...actions].filter((action) => action !== 'pass'),
      ['watch'],
    );
  });

  it('judges nothing while an administrator has lifted it, and learns nothing of it', () => {
    const judge = new FraudJudge();
    judge.lift('example.test', 'alice', sunday + 3_600_000);
    for (let i = 0; i < 10; i += 1)
      equal(
        goes(judge, call({ ...high, called: `535555${1000 + i * 37}`, at: sunday + i * 60_000 }), 50),
        'pass',
      );
    const account = judge.account('example.test', 'alice');
    equal(account.usual.kept[0], 0);
    notEqual(goes(judge, call({ ...high, at: sunday + 3_700_000 }), 3_000), 'pass');
  });

  it('counts calls at once never below nothing, and nothing at rest', () => {
    const judge = new FraudJudge();
    const all = Array.from({ length: 50 }, (_, i) =>
      call({ rate: 0.2, at: tuesday + i, called: `2169${i}00000` }),
    );
    for (const facts of all) {
      judge.attempt(facts);
      judge.began(facts);
      judge.began(facts);
    }
    for (const facts of all) {
      judge.ended(facts.id, facts.at + 1000);
      judge.ended(facts.id, facts.at + 1000);
    }
    equal(judge.live, 0);
    equal(judge.account('example.test', 'alice').live, 0);
  });

  it('keeps within its bounds whoever calls what', () => {
    const judge = new FraudJudge({
      bounds: { accounts: 50, domains: 4, destinations: 10, ranges: 20, perAccount: 5, calls: 30 },
    });
    for (let i = 0; i < 5_000; i += 1) {
      const facts = call({
        domain: `d${i % 9}`,
        account: `a${i % 400}`,
        caller: String(i),
        called: String(100_000_000 + i * 977),
        country: '',
        prefix: String(1000 + (i % 300)),
        at: tuesday + i * 10,
      });
      judge.attempt(facts);
      judge.began(facts);
    }
    ok(judge.live <= 30);
    ok(judge.accounts.size <= 50 && judge.domains.size <= 4);
    for (const [, domain] of judge.domains.entries())
      ok(domain.destinations.size <= 10 && domain.ranges.size <= 20);
    for (const [, account] of judge.accounts.entries()) {
      ok(account.destinations.size <= 5 && account.callers.length <= 8);
      ok(account.live >= 0);
    }
    ok(judge.evicted > 0);
  });

  it('keeps tenants apart', () => {
    const judge = new FraudJudge();
    for (let i = 0; i < 20; i += 1)
      goes(judge, call({ ...high, called: `53555${i}0000`, at: sunday + i * 1000 }), 600);
    const verdict = judge.attempt(call({ ...high, domain: 'other.test', at: sunday + 30_000 }))!;
    const alone = new FraudJudge().attempt(call({ ...high, domain: 'other.test', at: sunday + 30_000 }))!;
    equal(verdict.bits, alone.bits);
  });
});
