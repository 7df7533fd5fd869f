import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseAuthParams, serializeAuthParams } from './auth-params.ts';
import { HeaderList } from './header-list.ts';
import { acceptCovers, parseMediaType } from './media-type.ts';
import { parseNameAddr, parseNameAddrList, serializeNameAddr } from './name-addr.ts';
import { quoteText, unquote } from './quoted.ts';
import { parseVia, serializeVia } from './via.ts';

describe('name-addr', () => {
  test('RFC 3261 §20.10 §20.20 forms', () => {
    for (const [text, display, wire] of [
      ['<sip:a@b>', undefined, '<sip:a@b>'],
      ['sip:a@b;tag=1', undefined, '<sip:a@b>;tag=1'],
      [
        'Anonymous <sip:c8oqz84zk7z@privacy.org>;tag=hyh8',
        'Anonymous',
        '"Anonymous" <sip:c8oqz84zk7z@privacy.org>;tag=hyh8',
      ],
      [
        '"A. G. Bell" <sip:agb@bell-telephone.com> ;tag=a48s',
        'A. G. Bell',
        '"A. G. Bell" <sip:agb@bell-telephone.com>;tag=a48s',
      ],
      ['"a\\"b\\\\c" <sip:a@b>', 'a"b\\c', '"a\\"b\\\\c" <sip:a@b>'],
      ['Jörg Müller <sip:a@b>', 'Jörg Müller', '"Jörg Müller" <sip:a@b>'],
      ['""<sip:a@b>', '', '"" <sip:a@b>'],
      ['<sip:a@b;x=1?y=2>;q=0.5', undefined, '<sip:a@b;x=1?y=2>;q=0.5'],
      [
        '<sip:a@b>;+sip.instance="<urn:uuid:1>";token=abc;quoted="abc"',
        undefined,
        '<sip:a@b>;+sip.instance="<urn:uuid:1>";token=abc;quoted="abc"',
      ],
    ] as const) {
      const parsed = parseNameAddr(text);
      assert.ok(parsed.ok, text);
      assert.equal(parsed.value.display, display);
      assert.equal(serializeNameAddr(parsed.value), wire);
    }
  });

  test('RFC 3261 §20 ambiguous or malformed values are refused', () => {
    for (const text of [
      '',
      '*',
      'a',
      '<sip:a@b',
      'sip:a@b>',
      '"a <sip:a@b>',
      '"a" sip:a@b',
      '< sip:a@b >',
      '<>',
      '<sip:a@b>x',
      '<sip:a@b>;;',
      '<sip:a@b>;=1',
      '<sip:a@b>;a=',
      '<sip:a@b>;a=1;A=2',
      '<sip:a@b>;a="1',
      'Bell, A <sip:a@b>',
      'sip:a@b?x=y',
      'sip:a,b@c',
      'a@b <sip:a@b>',
      '<sip:a@b> <sip:c@d>',
    ]) {
      assert.ok(!parseNameAddr(text).ok, text);
    }
  });

  test('RFC 3261 §7.3.1 lists, bounded', () => {
    const list = parseNameAddrList('"a,b" <sip:a,b@c>, sip:d@e;tag=1 ,<sip:f@g>');
    assert.ok(list.ok);
    assert.equal(list.value.length, 3);
    for (const text of [
      '',
      '<sip:a@b>,',
      ',<sip:a@b>',
      '<sip:a@b>,,<sip:a@b>',
      new Array(129).fill('<sip:a@b>').join(),
    ]) {
      assert.ok(!parseNameAddrList(text).ok);
    }
  });

  test('no field injects', () => {
    const uri = { scheme: 'sip', host: 'a', params: new Map(), headers: new Map() } as const;
    assert.throws(() => serializeNameAddr({ display: 'a\r\nX: y', uri, params: new Map() }), {
      code: 'header-injection',
    });
    assert.throws(() => serializeNameAddr({ uri, params: new Map([['a\r\n', true]]) }), {
      code: 'header-injection',
    });
    assert.throws(() => serializeNameAddr({ uri, params: new Map([['a', 'b\r\nc']]) }), {
      code: 'header-injection',
    });
    assert.equal(serializeNameAddr({ uri, params: new Map([['a', 'b;c=d']]) }), '<sip:a>;a="b;c=d"');
    assert.equal(serializeNameAddr({ uri, params: new Map([['a', '"b";c']]) }), '<sip:a>;a="\\"b\\";c"');
  });
});

describe('Via', () => {
  test('RFC 3261 §20.42 forms', () => {
    for (const [text, wire] of [
      ['SIP/2.0/UDP erlang.bell-telephone.com:5060;branch=z9hG4bK87asdks7', undefined],
      [
        'SIP / 2.0 / UDP first.example.com: 4000;ttl=16 ;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1',
        'SIP/2.0/UDP first.example.com:4000;branch=z9hG4bKa7c6a8dlze.1;ttl=16;maddr=224.2.0.1',
      ],
      [
        'sip/2.0/tls [2001:DB8::1]:5061;rport;received=192.0.2.1',
        'SIP/2.0/tls [2001:db8::1]:5061;rport;received=192.0.2.1',
      ],
      ['SIP/2.0/WSS df7jal23ls0d.invalid', undefined],
    ] as const) {
      const parsed = parseVia(text);
      assert.ok(parsed.ok, text);
      assert.equal(serializeVia(parsed.value[0]!), wire ?? text);
    }
    const two = parseVia('SIP/2.0/UDP a;x="1,2" , SIP/2.0/TCP b');
    assert.ok(two.ok);
    assert.equal(two.value.length, 2);
  });

  test('S4 malformed values are refused', () => {
    for (const text of [
      '',
      'SIP',
      'SIP/2.0',
      'SIP/2.0/',
      'SIP/2.0/UDP',
      'SIP/2.0/UDP ',
      'SIP/2.0 UDP a',
      'SIP/1.0/UDP a',
      'HTTP/2.0/UDP a',
      'SIP/2.0/UDPa',
      'SIP/2.0/UDP a:',
      'SIP/2.0/UDP a:x',
      'SIP/2.0/UDP :5060',
      'SIP/2.0/UDP a b',
      'SIP/2.0/UDP a;',
      'SIP/2.0/UDP a;;',
      'SIP/2.0/UDP a,',
      'SIP/2.0/UDP a;branch',
      'SIP/2.0/UDP a;branch="x"',
      'SIP/2.0/UDP a;branch=',
      'SIP/2.0/UDP a;branch=1;branch=2',
      'SIP/2.0/UDP [::1',
      'SIP/2.0/UDP [::1]x',
      'SIP/2.0/UDP ::1',
      'SIP/2.0/UDP a;x="1',
    ]) {
      assert.ok(!parseVia(text).ok, text);
    }
  });

  test('no field injects', () => {
    const good = { transport: 'UDP', host: 'a', params: new Map<string, string | true>() };
    for (const bad of [
      { ...good, transport: 'UDP\r\n' },
      { ...good, transport: '' },
      { ...good, host: 'a\r\nb' },
      { ...good, host: 'a;b' },
      { ...good, port: Number.NaN },
      { ...good, port: 65536 },
      { ...good, branch: 'a\r\n' },
      { ...good, branch: 'a;b' },
      { ...good, branch: '' },
      { ...good, params: new Map([['a b', true as const]]) },
      { ...good, params: new Map([['a', '\n']]) },
    ]) {
      assert.throws(() => serializeVia(bad), { name: 'MisuseError' });
    }
  });
});

describe('header list', () => {
  test('RFC 3261 §7.3.1 §7.3.3 order, names in any case and compact form', () => {
    const list = new HeaderList([
      ['m', '<sip:a@b>'],
      ['X-Foo', '1'],
    ])
      .add('CONTACT', '<sip:c@d>')
      .add('subject', 's');
    assert.equal(list.size, 4);
    assert.deepEqual(list.all('Contact'), ['<sip:a@b>', '<sip:c@d>']);
    assert.equal(list.toWire(), 'Contact: <sip:a@b>\r\nX-Foo: 1\r\nContact: <sip:c@d>\r\nSubject: s\r\n');
    const copy = list.clone();
    copy.set('contact', '<sip:e@f>').remove('x-foo').set('www-authenticate', 'Digest realm="a"');
    assert.deepEqual(
      [...copy],
      [
        ['contact', '<sip:e@f>'],
        ['subject', 's'],
        ['www-authenticate', 'Digest realm="a"'],
      ],
    );
    assert.ok(copy.toWire().endsWith('WWW-Authenticate: Digest realm="a"\r\n'));
    assert.equal(list.size, 4);
    assert.equal(list.has('x-foo'), true);
    assert.equal(list.get('absent'), undefined);
  });

  test('CR, LF and NUL cannot get in, nor can typed fields', () => {
    for (const [name, value] of [
      ['X', 'a\r\nb'],
      ['X', 'a\nb'],
      ['X', 'a\rb'],
      ['X', 'a\0b'],
      ['X\r\nY', 'a'],
      ['X Y', 'a'],
      ['X:', 'a'],
      ['', 'a'],
      ['Ü', 'a'],
    ] as const) {
      assert.throws(() => new HeaderList().add(name, value), { code: 'header-injection' });
      assert.throws(() => new HeaderList().set(name, value), { code: 'header-injection' });
      assert.throws(() => new HeaderList([['X', '1']]).set(name, value), { code: 'header-injection' });
    }
    for (const name of ['Via', 'f', 'To', 'CALL-ID', 'cseq', 'Max-Forwards', 'l']) {
      assert.throws(() => new HeaderList().add(name, '1'), { code: 'typed-header' });
      assert.throws(() => new HeaderList().set(name, '1'), { code: 'typed-header' });
    }
  });
});

describe('authentication', () => {
  test('RFC 3261 §20.44 RFC 7616 §3.3 challenge and credentials', () => {
    const parsed = parseAuthParams(
      'Digest realm="a\\"b, c=d", qop="auth,auth-int" ,NONCE = "x",stale=FALSE,algorithm=SHA-256, uri=sip:a@b',
    );
    assert.ok(parsed.ok);
    assert.equal(parsed.value.scheme, 'digest');
    assert.deepEqual(
      [...parsed.value.params],
      [
        ['realm', 'a"b, c=d'],
        ['qop', 'auth,auth-int'],
        ['nonce', 'x'],
        ['stale', 'FALSE'],
        ['algorithm', 'SHA-256'],
        ['uri', 'sip:a@b'],
      ],
    );
    assert.ok(parseAuthParams('Digest').ok);
  });

  test('S4 malformed credentials are refused', () => {
    for (const text of [
      '',
      ' ',
      '"Digest"',
      'Digest,',
      'Digest realm',
      'Digest realm=',
      'Digest realm="a',
      'Digest ="a"',
      'Digest a="b" c="d"',
      'Digest a=b,',
      'Digest a=b,,c=d',
      'Digest a=b,A=c',
      `Digest ${Array.from({ length: 33 }, (_, i) => `a${i}=b`).join()}`,
    ]) {
      assert.ok(!parseAuthParams(text).ok, text);
    }
  });

  test('RFC 7616 §3.4 written values are quoted but for algorithm, stale, nc', () => {
    const text = serializeAuthParams(
      'Digest',
      [
        ['realm', 'a"b'],
        ['algorithm', 'SHA-256'],
        ['nc', '00000001'],
        ['qop', 'auth'],
      ],
      new Set(['qop']),
    );
    assert.equal(text, 'Digest realm="a\\"b", algorithm=SHA-256, nc=00000001, qop=auth');
    for (const [scheme, name, value] of [
      ['Di gest', 'a', 'b'],
      ['Digest', 'a\r\n', 'b'],
      ['Digest', 'a', 'b\r\n'],
      ['Digest', 'nc', '1, x=2'],
    ] as const) {
      assert.throws(() => serializeAuthParams(scheme, [[name, value]]), { code: 'header-injection' });
    }
  });
});

test('RFC 3261 §25.1 quoted strings', () => {
  for (const text of ['', 'a', '"', '\\', 'a"b\\', '\x07\0', 'ü'])
    assert.equal(unquote(quoteText(text)), text);
  for (const text of ['a', '"', '"a', '"a\\"', '"a"b']) assert.equal(unquote(text), text);
  assert.throws(() => quoteText('a\nb'), { code: 'header-injection' });
});

test('RFC 3261 §20.1 §20.15 media types and ranges', () => {
  const parsed = parseMediaType('Application / SDP ; charset="utf-8"');
  assert.ok(parsed.ok);
  assert.equal(parsed.value.type, 'application/sdp');
  assert.equal(parsed.value.params.get('charset'), '"utf-8"');
  for (const text of ['', 'a', 'a/', '/b', 'a b/c', 'a/b c', 'a/b;'])
    assert.ok(!parseMediaType(text).ok, text);
  assert.ok(acceptCovers('*/*', 'application/sdp') && acceptCovers('application/*', 'application/sdp'));
  assert.ok(
    !acceptCovers('application/pidf+xml', 'application/sdp') && !acceptCovers('app/*', 'application/sdp'),
  );
});
