import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseReferTo } from './refer-to.ts';
import { parseReplaces, serializeReplaces } from './replaces.ts';
import { sipfragOf, sipfragStatus } from './sipfrag.ts';

const value = <T>(result: { ok: true; value: T } | { ok: false; error: string }): T => {
  if (!result.ok) throw new Error(result.error);
  return result.value;
};

test('Replaces as printed in RFC 3891 §6.1', () => {
  for (const [text, callId, toTag, fromTag, earlyOnly] of [
    [
      '98732@sip.example.com;from-tag=r33th4x0r;to-tag=ff87ff',
      '98732@sip.example.com',
      'ff87ff',
      'r33th4x0r',
      false,
    ],
    ['12adf2f34456gs5;to-tag=12345;from-tag=54321', '12adf2f34456gs5', '12345', '54321', false],
    ['87134@171.161.34.23;to-tag=24796;from-tag=0', '87134@171.161.34.23', '24796', '0', false],
    ['a ; to-tag = x ; from-tag=y;early-only', 'a', 'x', 'y', true],
  ] as const)
    assert.deepEqual(value(parseReplaces(text)), { callId, toTag, fromTag, earlyOnly });
  assert.equal(
    serializeReplaces({ callId: 'a@b', toTag: 'x', fromTag: 'y', earlyOnly: true }),
    'a@b;to-tag=x;from-tag=y;early-only',
  );
});

test('Replaces without both tags, with one twice or with what is no token is refused (RFC 3891 §6.1)', () => {
  for (const text of [
    '',
    ';to-tag=a;from-tag=b',
    'a@b',
    'a@b;to-tag=1',
    'a@b;from-tag=1',
    'a@b;to-tag=1;to-tag=2;from-tag=3',
    'a@b;to-tag;from-tag=3',
    'a@b;to-tag="x y";from-tag=3',
    'a@b, c@d;to-tag=1;from-tag=2',
  ])
    assert.equal(parseReplaces(text).ok, false, text);
});

test('Refer-To as printed in RFC 3515 §2.1, and of its URI headers Replaces alone', () => {
  const plain = value(parseReferTo('sip:alice@atlanta.example.com'));
  assert.equal(plain.method, 'INVITE');
  assert.equal(plain.uri.scheme === 'sip' && plain.uri.user, 'alice');
  const full = value(
    parseReferTo(
      '<sip:bob@biloxi.example.net?Accept-Contact=sip:bobsdesk.biloxi.example.net&Call-ID%3D55432%40alicepc.atlanta.example.com=x>',
    ),
  );
  assert.equal(full.uri.scheme === 'sip' && full.uri.headers.size, 0);
  const attended = value(
    parseReferTo(
      '<sip:dave@denver.example.org?Replaces=12345%40192.168.118.3%3Bto-tag%3D12345%3Bfrom-tag%3D5FFE-3994>',
    ),
  );
  assert.deepEqual(attended.replaces, {
    callId: '12345@192.168.118.3',
    toTag: '12345',
    fromTag: '5FFE-3994',
    earlyOnly: false,
  });
  assert.equal(value(parseReferTo('<sip:carol@cleveland.example.org;method=SUBSCRIBE>')).method, 'SUBSCRIBE');
  assert.equal(value(parseReferTo('<tel:+4930123>')).uri.scheme, 'tel');
});

test('a Refer-To that names nobody who can be called is refused (RFC 3515 §2.1)', () => {
  for (const text of [
    '',
    '<http://www.example.com>',
    '<urn:service:sos>',
    'sip:a@b, sip:c@d',
    '<sip:a@b?Replaces=x>',
    '<sip:a@b?Replaces=x%3Bto-tag%3D1&Replaces=y>',
  ])
    assert.equal(parseReferTo(text).ok, false, text);
});

test('sipfrag of a NOTIFY: a status line and nothing else (RFC 3515 §2.4.5)', () => {
  assert.equal(Buffer.from(sipfragOf(603)).toString(), 'SIP/2.0 603 Decline\r\n');
  assert.equal(sipfragStatus(sipfragOf(180)), 180);
  for (const text of ['', 'SIP/2.0 99', 'SIP/2.0 700 No', 'HTTP/1.1 200 OK', 'SIP/2.0 2x0 OK'])
    assert.equal(sipfragStatus(Buffer.from(text)), undefined, text);
});
