import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CallerPolicy } from '../objects/caller-settings.ts';
import { type CallerFacts, judgeCaller } from './judge.ts';
import { NumberPatterns } from './patterns.ts';

const facts = (changes: Partial<CallerFacts> = {}): CallerFacts => ({
  trunk: 'carrier',
  shown: '+4989123456',
  text: '+4989123456',
  hidden: false,
  claims: [{ header: 'From', number: '+4989123456' }],
  diverted: [],
  called: '+4930123401',
  ownerOf: (number) => (number === '+4930123401' ? 'user alice' : undefined),
  ofTrunk: undefined,
  possible: true,
  doNotOriginate: () => false,
  attestation: 'none',
  ...changes,
});

const judged = (changes: Partial<CallerFacts>, policy?: CallerPolicy): string => {
  const { action, reasons } = judgeCaller(facts(changes), policy);
  return [action, ...reasons.map(({ rule }) => rule.replace('caller.', ''))].join(' ');
};

describe('callers', () => {
  it('an ordinary caller is not spoken of', () => {
    assert.equal(judged({}), 'pass');
    assert.equal(judged({ shown: undefined, text: 'alice', possible: undefined, claims: [] }), 'pass');
  });

  it('our own number from outside is labelled, or what the trunk says; its own range may show it', () => {
    const own = { shown: '+4930123401', claims: [] };
    assert.equal(judged(own), 'label own-number');
    assert.equal(judged(own, { own: 'block' }), 'block own-number');
    assert.equal(judged(own, { own: 'pass' }), 'pass own-number');
    assert.equal(judged({ ...own, ofTrunk: (number) => number.startsWith('+4930') }), 'pass');
  });

  it('a trunk with numbers shows no others', () => {
    assert.equal(judged({ ofTrunk: () => false }), 'block foreign-number');
    assert.equal(judged({ ofTrunk: () => true }), 'pass');
    assert.equal(judged({ ofTrunk: () => false }, { foreign: 'label' }), 'label foreign-number');
  });

  it('numbers that cannot be, and those that never call', () => {
    assert.equal(judged({ possible: false }), 'label impossible-number');
    assert.equal(judged({ doNotOriginate: () => true }), 'block do-not-originate');
    assert.equal(
      judged({ doNotOriginate: () => true, possible: false }),
      'block impossible-number do-not-originate',
    );
  });

  it('a neighbour who is nobody, headers at odds, forwarding by nobody of ours', () => {
    const shown = '+4930999999';
    assert.equal(judged({ shown: '+4930123499', claims: [] }, { neighbour: 'label' }), 'label neighbour');
    assert.equal(judged({ shown, claims: [] }, { neighbour: 'label' }), 'pass', 'too far away');
    const claims = [
      { header: 'From', number: '+4989123456' },
      { header: 'P-Asserted-Identity', number: '+44201234567' },
    ];
    assert.equal(judged({ claims }), 'pass mismatch');
    assert.equal(judged({ claims }, { mismatch: 'block' }), 'block mismatch');
    assert.equal(judged({ diverted: ['+4930123401'] }), 'label own-number');
  });

  it('who hides shows nothing that could be judged', () => {
    assert.equal(judged({ hidden: true, possible: false, doNotOriginate: () => true }), 'pass');
  });

  it('every reason has its evidence and what was done', () => {
    const [reason] = judgeCaller(facts({ possible: false, text: '+4989' })).reasons;
    assert.deepEqual(reason?.evidence, { trunk: 'carrier', number: '+4989123456', attestation: 'none' });
    assert.equal(reason?.threshold, 'label');
  });
});

describe('patterns of numbers', () => {
  it('exact ones, x for one digit, * for any rest', () => {
    const patterns = new NumberPatterns(['+4930123401', '+49301235xx', '+1800*', '+4477x*']);
    for (const number of [
      '+4930123401',
      '+4930123500',
      '+4930123599',
      '+18005551234',
      '+44771',
      '+447712345',
    ])
      assert.equal(patterns.has(number), true, number);
    for (const number of ['+493012340', '+49301234011', '+493012350', '+493012359900', '+1900', '+4477', ''])
      assert.equal(patterns.has(number), false, number);
    assert.equal(new NumberPatterns([]).has('+49'), false);
  });

  it('ten thousand cost no more to look up than ten: a step per digit', () => {
    const many = new NumberPatterns(
      Array.from({ length: 10_000 }, (_, i) => `+4930${String(i).padStart(4, '0')}xx`),
    );
    assert.equal(many.has('+4930123499'), true);
    assert.equal(many.has('+49301234999'), false);
  });
});
