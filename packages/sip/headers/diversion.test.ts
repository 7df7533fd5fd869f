import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readDiversion, readHistory } from './diversion.ts';

const users = (list: ReturnType<typeof readHistory>): string[] =>
  list.map(({ from, reason, count }) => `${'user' in from.uri ? from.uri.user : ''} ${reason} ${count}`);

test('Diversion: the latest first on the wire, with reason and counter (RFC 5806 §4, §5)', () => {
  assert.deepEqual(
    users(
      readDiversion([
        '<sip:carol@c.test>;reason=no-answer;privacy="full", <sip:bob@b.test>;reason="user-busy";counter=2',
        '<sip:alice@a.test>;reason=x-new;counter=many',
      ]),
    ),
    ['alice unknown 1', 'bob user-busy 2', 'carol no-answer 1'],
  );
  assert.deepEqual(readDiversion(['nonsense <']), []);
  assert.equal(readDiversion([`${'<sip:a@b>,'.repeat(100)}<sip:a@b>`]).length, 32);
  assert.equal(readDiversion(['<sip:a@b>;counter=99999'])[0]!.count, 100);
});

test('History-Info: an entry is a forwarding where its successor has a cause (RFC 7544 §6.2, RFC 4458 §2)', () => {
  assert.deepEqual(
    users(
      readHistory([
        '<sip:alice@a.test>;index=1',
        '<sip:bob@b.test;cause=486>;index=1.1, <sip:carol@c.test>;index=1.1.1,<sip:dave@d.test;cause=302>;index=1.1.1.1',
      ]),
    ),
    ['alice user-busy 1', 'carol unconditional 1'],
  );
  assert.deepEqual(readHistory(['<sip:alice@a.test>;index=1']), []);
});
