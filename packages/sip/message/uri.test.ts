import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Uri } from './types.ts';
import { parseUri, serializeUri, sipUri, uriEquals } from './uri.ts';

const uri = (text: string): Uri => {
  const parsed = parseUri(text);
  assert.ok(parsed.ok, `${text}: ${parsed.ok ? '' : parsed.error}`);
  return parsed.value;
};

test('RFC 3261 §19.1.3 example URIs are read and written', () => {
  for (const text of [
    'sip:alice@atlanta.com',
    'sip:alice:secretword@atlanta.com;transport=tcp',
    'sips:alice@atlanta.com?subject=project%20x&priority=urgent',
    'sip:+1-212-555-1212:1234@gateway.com;user=phone',
    'sips:1212@gateway.com',
    'sip:alice@192.0.2.4',
    'sip:atlanta.com;method=REGISTER?to=alice%40atlanta.com',
    'sip:alice;day=tuesday@atlanta.com',
    'sip:[2001:db8::1]:5061;transport=tls',
    'tel:+12125551212;ext=12',
  ]) {
    assert.equal(serializeUri(uri(text)), text);
  }
});

test('RFC 3261 §19.1.4 equivalent URIs', () => {
  for (const [a, b] of [
    ['sip:%61lice@atlanta.com;transport=TCP', 'sip:alice@AtLanTa.CoM;Transport=tcp'],
    ['sip:carol@chicago.com', 'sip:carol@chicago.com;newparam=5'],
    ['sip:carol@chicago.com', 'sip:carol@chicago.com;security=on'],
    [
      'sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com',
      'sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com',
    ],
    [
      'sip:alice@atlanta.com?subject=project%20x&priority=urgent',
      'sip:alice@atlanta.com?priority=urgent&subject=project%20x',
    ],
    ['sip:a@[2001:db8::1]', 'sip:a@[2001:0DB8:0:0::1]'],
  ] as const) {
    assert.ok(uriEquals(uri(a), uri(b)), `${a} = ${b}`);
    assert.ok(uriEquals(uri(b), uri(a)), `${b} = ${a}`);
  }
});

test('RFC 3261 §19.1.4 different URIs', () => {
  for (const [a, b] of [
    ['SIP:ALICE@AtLanTa.CoM;Transport=udp', 'sip:alice@AtLanTa.CoM;Transport=UDP'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com:5060'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com;transport=udp'],
    ['sip:bob@biloxi.com', 'sip:bob@biloxi.com:6000;transport=tcp'],
    ['sip:carol@chicago.com', 'sip:carol@chicago.com?Subject=next%20meeting'],
    ['sip:bob@phone21.boxesbybob.com', 'sip:bob@192.0.2.4'],
    ['sip:carol@chicago.com;security=on', 'sip:carol@chicago.com;security=off'],
    ['sip:a@b', 'sips:a@b'],
    ['sip:a@b', 'tel:+1'],
    ['sip:b', 'sip:a@b'],
  ] as const) {
    assert.ok(!uriEquals(uri(a), uri(b)), `${a} != ${b}`);
    assert.ok(!uriEquals(uri(b), uri(a)), `${b} != ${a}`);
  }
});

test('RFC 3966 §3 §4 tel URIs: separators, parameters in any order, global and local differ', () => {
  assert.deepEqual(uri('tel:+1-201-555-0123'), uri('TEL:+1(201)555.0123'));
  assert.ok(uriEquals(uri('tel:+1-201;ext=1-2;isub=a'), uri('tel:+1201;isub=A;ext=12')));
  assert.ok(uriEquals(uri('tel:7042;phone-context=Example.com'), uri('tel:7042;phone-context=example.com')));
  assert.ok(uriEquals(uri('tel:7042;phone-context=+1-2'), uri('tel:70-42;phone-context=+12')));
  assert.ok(!uriEquals(uri('tel:7042;phone-context=a.com'), uri('tel:7042;phone-context=b.com')));
  assert.ok(!uriEquals(uri('tel:+7042'), uri('tel:7042')));
  assert.ok(!uriEquals(uri('tel:+7042'), uri('tel:+7042;ext=1')));
  assert.equal(uri('tel:112').scheme, 'tel');
});

test('RFC 3261 §25.1 what is no URI is refused', () => {
  for (const text of [
    '',
    'sip',
    'sip:',
    'sip:@a',
    'sip:a@',
    'sip:a@b:',
    'sip:a@b:0',
    'sip:a@b:65536',
    'sip:a@b:5x',
    'sip:a b@c',
    'sip:a@b@c',
    'sip:a@b;',
    'sip:a@b;;c',
    'sip:a@b;=c',
    'sip:a@b;c=',
    'sip:a@b;c;C',
    'sip:a@b?',
    'sip:a@b?c',
    'sip:a@b?=c',
    'sip:a@b?c=d&c=e',
    'sip:%@b',
    'sip:%4@b',
    'sip:%zz@b',
    'sip:%ff@b',
    'sip:%c0%80@b',
    'sip:a@[::1',
    'sip:a@::1',
    'sip:a@[1.2.3.4]',
    'sip:a@[1:2:3:4:5:6:7:8:9]',
    'sip:a@[1::2::3]',
    'sip:a@[:::]',
    'sip:a@[fe80::1%25eth0]',
    'sip:a@1.2.3',
    'sip:a@1.2.3.256',
    'sip:a@2130706433',
    'sip:a@0x7f.1',
    'sip:a@a..b',
    'sip:a@.b',
    'sip:a\0@b',
    'sip:a@b\r\nX: y',
    'tel:',
    'tel:+',
    'tel:+abc',
    'tel:1 2',
    'tel:xyz',
    ':a',
    '1a:b',
    'a:',
    'x:<a>',
    'x:a"b',
    'x:a b',
    'é:a',
    'sip:ü@b',
  ]) {
    assert.ok(!parseUri(text).ok, JSON.stringify(text));
  }
});

test('RFC 3261 §19.1.2 escapes are decoded once and written where the grammar asks for them', () => {
  const parsed = uri('sip:%0d%0aX%3a%00y:%40@a;%6Cr;x=%25%34%31?Route=%3Csip:b%3E');
  assert.ok(parsed.scheme === 'sip');
  assert.equal(parsed.user, '\r\nX:\0y');
  assert.equal(parsed.password, '@');
  assert.equal(parsed.params.get('lr'), true);
  assert.equal(parsed.params.get('x'), '%41');
  assert.equal(parsed.headers.get('route'), '<sip:b>');
  assert.equal(serializeUri(parsed), 'sip:%0D%0AX%3A%00y:%40@a;lr;x=%2541?route=%3Csip:b%3E');
});

test('hosts are lower case, IPv6 without brackets', () => {
  assert.equal((uri('sip:EXAMPLE.com') as { host: string }).host, 'example.com');
  assert.equal((uri('sip:[2001:DB8::A]:5060') as { host: string }).host, '2001:db8::a');
  assert.equal((uri('sip:a@host_1.example.') as { host: string }).host, 'host_1.example.');
});

test('sipUri and serializeUri throw on what cannot stand in a URI', () => {
  assert.equal(
    serializeUri(sipUri({ user: 'a b', host: 'Example.com', port: 5060 })),
    'sip:a%20b@example.com:5060',
  );
  assert.equal(serializeUri(sipUri({ scheme: 'sips', host: '::1' })), 'sips:[::1]');
  for (const [bad, code] of [
    [sipUri({ host: 'a b' }), 'bad-host'],
    [sipUri({ host: 'a\r\nX: y' }), 'bad-host'],
    [sipUri({ host: '' }), 'bad-host'],
    [sipUri({ host: 'a;b' }), 'bad-host'],
    [sipUri({ host: ':' }), 'bad-host'],
    [sipUri({ host: 'a', port: 0 }), 'bad-port'],
    [sipUri({ host: 'a', port: 1.5 }), 'bad-port'],
    [sipUri({ host: 'a', user: '' }), 'bad-uri'],
    [sipUri({ host: 'a', params: new Map([['', true]]) }), 'bad-uri'],
    [{ scheme: 'tel', number: '1\r\n', params: new Map() }, 'bad-uri'],
    [{ scheme: 'other', text: 'x:a\r\nb' }, 'header-injection'],
    [{ scheme: 'other', text: 'x:a>' }, 'header-injection'],
  ] as const) {
    assert.throws(() => serializeUri(bad as Uri), { code });
  }
});
