import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CallEnded, type Outcome, outcomeOf, SessionWindow } from './session-measures.ts';

const ended = (fields: Partial<CallEnded>): CallEnded => ({
  type: 'call.ended',
  call: 'c1',
  domain: 'example.test',
  caller: 'alice',
  callee: 'bob',
  principal: 'device:alice@example.test/desk',
  route: 'user:bob',
  delayMs: 200,
  disposition: 'failed',
  status: 500,
  cause: 'normal',
  seconds: 0,
  quality: [],
  ...fields,
});

test('RFC 6076 §4.6 to §4.9: each end of a call has one outcome', () => {
  const cases: readonly [Partial<CallEnded>, Outcome | undefined][] = [
    [{ disposition: 'answered', status: 200 }, 'completed'],
    [{ disposition: 'answered', status: 200, cause: 'media' }, 'dropped'],
    [{ disposition: 'interrupted', status: 200 }, 'dropped'],
    [{ disposition: 'cancelled', status: 487 }, 'cancelled'],
    [{ status: 302 }, 'redirected'],
    [{ disposition: 'busy', status: 486 }, 'busy'],
    [{ disposition: 'busy', status: 600 }, 'busy'],
    [{ disposition: 'unanswered', status: 480 }, 'unanswered'],
    [{ disposition: 'refused', status: 603 }, 'declined'],
    [{ disposition: 'refused', status: 407, cause: 'authentication' }, undefined],
    [{ status: 408 }, 'ineffective'],
    [{ status: 500 }, 'ineffective'],
    [{ status: 503 }, 'ineffective'],
    [{ status: 504 }, 'ineffective'],
    [{ status: 404 }, 'failed'],
    [{ status: 488 }, 'failed'],
  ];
  for (const [fields, outcome] of cases)
    assert.equal(outcomeOf(ended(fields)), outcome, JSON.stringify(fields));
});

test('RFC 6076 §4.6: redirections are no attempts; ITU-T E.411 and E.425 count all', () => {
  const window = new SessionWindow();
  const add = (outcome: Outcome, times: number, seconds = 0): void => {
    for (let i = 0; i < times; i += 1) window.add(outcome, { seconds, delayMs: 500 }, 1_000_000);
  };
  add('completed', 50, 120);
  add('dropped', 10, 60);
  add('redirected', 20);
  add('busy', 5);
  add('unanswered', 3);
  add('declined', 2);
  add('cancelled', 4);
  add('ineffective', 6);
  const { ser, seer, isa, scr, asr, ner, acd, pdd } = window.ratios(1_000_000);
  assert.equal(ser, 60 / 80);
  assert.equal(seer, 70 / 80);
  assert.equal(isa, 6 / 100);
  assert.equal(scr, 50 / 100);
  assert.equal(asr, 60 / 100);
  assert.equal(ner, 74 / 100);
  assert.equal(acd, (50 * 120 + 10 * 60) / 60);
  assert.equal(pdd, 0.5);
});

test('after an hour nothing of a call is left, and an empty window has no ratios', () => {
  const window = new SessionWindow();
  window.add('ineffective', { seconds: 0, delayMs: 1 }, 0);
  assert.equal(window.ratios(54 * 60_000).isa, 1);
  assert.ok(Number.isNaN(window.ratios(60 * 60_000).isa));
  window.add('completed', { seconds: 1, delayMs: 1 }, 60 * 60_000);
  assert.equal(window.ratios(60 * 60_000).ser, 1);
});
