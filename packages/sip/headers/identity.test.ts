import assert from 'node:assert/strict';
import { test } from 'node:test';
import { assertedIdentities } from './asserted-identity.ts';
import { parsePrivacy, serializePrivacy } from './privacy.ts';

test('Privacy: values between semicolons, in any case, unknown ones noted (RFC 3323 §4.2)', () => {
  const read = parsePrivacy(['Header; user;critical', 'id, x-new']);
  assert.ok(read.ok);
  assert.deepEqual([...read.value.values], ['header', 'user', 'critical', 'id']);
  assert.equal(read.value.unknown, true);
  assert.equal(serializePrivacy(read.value.values), 'header;user;critical;id');
  assert.equal(parsePrivacy(['']).ok, false);
  assert.equal(parsePrivacy(['id;;user']).ok, false);
  assert.equal(parsePrivacy([';'.repeat(100_000)]).ok, false);
});

test('P-Asserted-Identity: one sip and one tel URI, as in RFC 3325 §9.1', () => {
  const list = assertedIdentities([
    '"Cullen Jennings" <sip:fluffy@cisco.com>',
    'tel:+14085264000',
    'tel:+1900',
  ]);
  assert.equal(list.length, 2);
  assert.equal(list[0]!.display, 'Cullen Jennings');
  assert.equal(list[1]!.uri.scheme === 'tel' && list[1]!.uri.number, '+14085264000');
  assert.deepEqual(assertedIdentities(['<http://x>', 'nonsense <', '']), []);
});
