import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HeaderList } from '../message/header-list.ts';
import { q850Of, readReasons, serializeReason } from './reason.ts';

const read = (...values: string[]): string[] =>
  readReasons(new HeaderList(values.map((value) => ['Reason', value] as const))).map(serializeReason);

test('Reason as printed in RFC 3326 §2: protocol and cause are kept, foreign text is not', () => {
  assert.deepEqual(read('SIP ;cause=200 ;text="Call completed elsewhere"'), [
    'SIP;cause=200;text="Call completed elsewhere"',
  ]);
  assert.deepEqual(read('Q.850 ;cause=16 ;text="Terminated"'), ['Q.850;cause=16']);
  assert.deepEqual(read('SIP ;cause=600 ;text="Busy Everywhere"'), ['SIP;cause=600']);
  assert.deepEqual(read('SIP;cause=580;text="10.0.0.5, pbx7"', 'q.850;cause=17'), [
    'SIP;cause=580',
    'Q.850;cause=17',
  ]);
});

test('Reason: one value of each protocol, in range; what is none is left out (RFC 3326 §2)', () => {
  assert.deepEqual(read('SIP;cause=486, SIP;cause=600, Q.850;cause=17'), ['SIP;cause=486', 'Q.850;cause=17']);
  for (const value of [
    'X.int;cause=1',
    'SIP',
    'SIP;cause=99',
    'SIP;cause=700',
    'Q.850;cause=0',
    'Q.850;cause=128',
  ])
    assert.deepEqual(read(value), [], value);
  for (const value of ['SIP;cause=1e2', 'SIP;cause="486"', 'SIP;cause', 'SIP;;cause=486'])
    assert.deepEqual(read(value), [], value);
  assert.deepEqual(read(`${'X.int;cause=1,'.repeat(100)}SIP;cause=486`), []);
});

test('final statuses and Q.850 causes (RFC 3398 §8.2.6.1)', () => {
  for (const [status, cause] of [
    [404, 1],
    [486, 17],
    [600, 17],
    [480, 18],
    [603, 21],
    [484, 28],
    [503, 41],
    [408, 102],
    [499, 127],
  ] as const)
    assert.equal(q850Of(status), cause);
});
