import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseMessage } from './parse.ts';
import { serializeMessage } from './serialize.ts';
import type { ParseError, SipMessage } from './types.ts';

const start = 'OPTIONS sip:b@example.com SIP/2.0';
const via = 'Via: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKabc';
const rest = ['From: <sip:a@example.com>;tag=1', 'To: <sip:b@example.com>', 'Call-ID: x@y'];
const cseq = 'CSeq: 1 OPTIONS';

/** A message from its lines; an empty line and the body come behind them. */
const bytesOf = (lines: readonly string[], body = ''): Uint8Array =>
  Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`);
const withHeaders = (...lines: readonly string[]): Uint8Array =>
  bytesOf([start, via, ...rest, cseq, ...lines]);

const accept = (bytes: Uint8Array): SipMessage => {
  const parsed = parseMessage(bytes);
  assert.ok(parsed.ok, parsed.ok ? '' : `${parsed.error.code}: ${parsed.error.detail}`);
  return parsed.value;
};
const refuse = (bytes: Uint8Array, code: string, status: number | undefined): ParseError => {
  const parsed = parseMessage(bytes);
  assert.ok(!parsed.ok, 'refused');
  assert.equal(parsed.error.code, code, parsed.error.detail);
  assert.equal(parsed.error.respond?.status, status);
  return parsed.error;
};

describe('header names', () => {
  test('RFC 3261 §7.3.3 compact forms in any case', () => {
    const message = accept(
      bytesOf([
        start,
        via.replace('Via', 'v'),
        'F: <sip:a@a>;tag=1',
        't: <sip:b@b>',
        'i: x',
        cseq,
        'M: <sip:a@a>',
        'K: a, b',
      ]),
    );
    assert.equal(message.headers.get('Contact'), '<sip:a@a>');
    assert.deepEqual(message.headers.values('supported'), ['a', 'b']);
    assert.equal(message.headers.get('k'), 'a, b');
  });

  test('S1 RFC 3261 §25.1 HCOLON: space before the colon does not hide a name', () => {
    const message = accept(withHeaders('X-Bypass-me : lol', 'Contact\t :<sip:evil@example.com>'));
    assert.equal(message.headers.get('x-bypass-me'), 'lol');
    assert.equal(message.headers.get('contact'), '<sip:evil@example.com>');
    const wire = Buffer.from(serializeMessage(message)).toString();
    assert.ok(wire.includes('\r\nX-Bypass-me: lol\r\n'));
    assert.ok(wire.includes('\r\nContact: <sip:evil@example.com>\r\n'));
  });

  for (const [what, line] of [
    ['control character', 'Contact\x01: <sip:a@a>'],
    ['NUL', 'Contact\0: <sip:a@a>'],
    ['vertical tab', 'Contact\x0b: <sip:a@a>'],
    ['non-ASCII space', 'Contact\u00a0: <sip:a@a>'],
    ['no colon', 'Contact <sip:a@a>'],
    ['no name', ': <sip:a@a>'],
    ['space inside the name', 'Con tact: <sip:a@a>'],
    ['colon on a folded line', 'Contact\r\n : <sip:a@a>'],
  ] as const) {
    test(`S1 header name with ${what} gets 400`, () => {
      refuse(withHeaders(line), 'bad-header', 400);
    });
  }

  test('S1 lone CR or LF is no line end and is dropped', () => {
    refuse(withHeaders('Subject: a\nContact: <sip:evil@example.com>'), 'bad-line-end', undefined);
    refuse(withHeaders('Subject: a\rContact: <sip:evil@example.com>'), 'bad-line-end', undefined);
  });

  test('RFC 3261 §7.3.1 a fold before the first header is no header', () => {
    refuse(bytesOf([start, ' X: y', via, ...rest, cseq]), 'bad-header', 400);
  });
});

describe('header values', () => {
  test('RFC 3261 §7.3.1 folds become one space', () => {
    assert.equal(accept(withHeaders('Subject: a \r\n \t b\r\n\tc')).headers.get('subject'), 'a b c');
  });

  test('RFC 3261 §7.3.1 UTF-8 is kept, other octets become U+FFFD', () => {
    assert.equal(accept(withHeaders('Subject: größe')).headers.get('subject'), 'größe');
    const latin = Buffer.from(withHeaders('Subject: gr?sse'));
    latin[latin.indexOf('?')] = 0xf6;
    assert.equal(accept(latin).headers.get('subject'), 'gr\ufffdsse');
  });

  for (const control of ['\0', '\x07', '\x1b[31m', '\x7f']) {
    test(`control character ${JSON.stringify(control)} in a value gets 400`, () => {
      refuse(withHeaders(`Subject: a${control}b`), 'bad-header', 400);
    });
  }

  test('RFC 3261 §25.1 quoted-pair may hold a control character, but not NUL, in an unread header', () => {
    assert.equal(accept(withHeaders('Subject: "\\\x07"')).headers.get('subject'), '"\\\x07"');
    refuse(withHeaders('Subject: "\\\0"'), 'bad-header', 400);
  });

  test('RFC 3261 §7.3.1 comma lists split outside quotes and angle brackets', () => {
    const message = accept(withHeaders('Contact: "a,b" <sip:a,b@a>;x="1,2", <sip:c@c>', 'm: <sip:d@d>'));
    assert.deepEqual(message.headers.values('contact'), [
      '"a,b" <sip:a,b@a>;x="1,2"',
      '<sip:c@c>',
      '<sip:d@d>',
    ]);
  });
});

describe('single-valued headers', () => {
  for (const line of ['From: <sip:e@e>;tag=2', 'T: <sip:e@e>', 'i: other', 'CSeq: 1 OPTIONS']) {
    test(`RFC 3261 §7.3.1 second ${line.split(':')[0]} gets 400`, () => {
      refuse(withHeaders(line), 'duplicate-header', 400);
    });
  }
  test('RFC 3261 §7.3.1 contradictory duplicates get 400, equal ones count once', () => {
    refuse(withHeaders('Expires: 1', 'Expires: 2'), 'duplicate-header', 400);
    refuse(withHeaders('c: application/sdp', 'Content-Type: text/plain'), 'duplicate-header', 400);
    assert.equal(accept(withHeaders('Expires: 1', 'Expires: 1')).headers.all('expires').length, 1);
    refuse(withHeaders('Max-Forwards: 1', 'Max-Forwards: 1'), 'duplicate-header', 400);
  });
});

describe('numbers', () => {
  for (const value of ['-1', '+1', '1 ', '1x', '256', '', '1, 2', '99999999999999999999']) {
    const code = value === '1 ' ? undefined : 'bad-max-forwards';
    test(`RFC 3261 §20.22 Max-Forwards "${value}"`, () => {
      if (code === undefined) accept(withHeaders(`Max-Forwards: ${value}`));
      else refuse(withHeaders(`Max-Forwards: ${value}`), code, 400);
    });
  }
  for (const value of ['x OPTIONS', '-1 OPTIONS', '1', '1OPTIONS', 'OPTIONS 1', '1 OPTIONS x', '']) {
    test(`RFC 3261 §20.16 CSeq "${value}" is dropped, for nothing can echo it`, () => {
      refuse(bytesOf([start, via, ...rest, `CSeq: ${value}`]), 'bad-cseq', undefined);
    });
  }
  test('RFC 3261 §8.1.1.5 CSeq above 2^31-1 gets 400 with its own digits', () => {
    accept(bytesOf([start, via, ...rest, 'CSeq: 2147483647 OPTIONS']));
    for (const digits of ['2147483648', '18446744073709551617']) {
      const { respond } = refuse(bytesOf([start, via, ...rest, `CSeq: ${digits} OPTIONS`]), 'bad-cseq', 400);
      assert.ok(Buffer.from(serializeMessage(respond!.request)).includes(`CSeq: ${digits} OPTIONS\r\n`));
    }
  });
});

describe('length', () => {
  test('RFC 3261 §18.3 datagram: octets behind Content-Length are dropped, none missing', () => {
    const lines = [start, via, ...rest, cseq];
    assert.equal(accept(bytesOf([...lines, 'l: 2'], 'abcd')).body.length, 2);
    assert.equal(accept(bytesOf(lines, 'abcd')).body.length, 4);
    refuse(bytesOf([...lines, 'l: 5'], 'abcd'), 'short-body', 400);
  });
  for (const value of ['-1', '+2', '2,2', '2 2', '0x2', '2147483648', '99999999999999999999', '', '2\0']) {
    test(`S2 Content-Length ${JSON.stringify(value)} gets 400`, () => {
      refuse(
        bytesOf([start, via, ...rest, cseq, `Content-Length: ${value}`], 'ab'),
        'bad-content-length',
        400,
      );
    });
  }
  test('S2 two Content-Lengths get 400, equal or not', () => {
    refuse(bytesOf([start, via, ...rest, cseq, 'l: 2', 'Content-Length: 2'], 'ab'), 'duplicate-header', 400);
  });
  test('RFC 3261 §18.3 stream: Content-Length must be there and exact', () => {
    for (const [lines, code] of [
      [[], 'missing-content-length'],
      [['l: 1'], 'bad-content-length'],
      [['l: 3'], 'short-body'],
    ] as const) {
      const parsed = parseMessage(bytesOf([start, via, ...rest, cseq, ...lines], 'ab'), undefined, {
        stream: true,
      });
      assert.ok(!parsed.ok);
      assert.equal(parsed.error.code, code);
      assert.equal(parsed.error.respond?.status, 400);
    }
  });
});

describe('answers', () => {
  test('RFC 3261 §17.1.1.3 ACK and responses are never answered', () => {
    refuse(
      bytesOf(['ACK sip:b@b SIP/2.0', via, ...rest, 'CSeq: 1 INVITE']),
      'cseq-method-mismatch',
      undefined,
    );
    refuse(bytesOf(['SIP/2.0 200 OK', via, ...rest, cseq, 'l: -1']), 'bad-content-length', undefined);
  });
  test('nothing answers what is not SIP', () => {
    for (const text of [
      'GET / HTTP/1.1\r\nHost: a\r\n\r\n',
      '\r\n\r\n',
      '',
      'x',
      '\0\0\0\0',
      'INVITE\r\n\r\n',
    ]) {
      const parsed = parseMessage(Buffer.from(text));
      assert.ok(!parsed.ok);
      assert.equal(parsed.error.respond, undefined);
    }
  });
  test('RFC 3261 §21.5.6 other versions get 505', () => {
    refuse(bytesOf([start.replace('2.0', '3.0'), via, ...rest, cseq]), 'unsupported-version', 505);
  });
  test('RFC 3261 §7.5 empty lines before the start line are passed over', () => {
    accept(Buffer.concat([Buffer.from('\r\n\r\n'), withHeaders()]));
  });
  test('RFC 3261 §8.1.1 each mandatory header is missed', () => {
    const lines = [via, ...rest, cseq];
    for (let i = 0; i < lines.length; i++) {
      refuse(bytesOf([start, ...lines.filter((_, k) => k !== i)]), 'missing-header', undefined);
    }
  });
});

describe('limits', () => {
  test('every limit is enforced one above it and not at it', () => {
    const cases: readonly (readonly [string, object, Uint8Array, Uint8Array])[] = [
      [
        'too-large',
        { totalSize: withHeaders().length },
        withHeaders(),
        bytesOf([start, via, ...rest, cseq], 'x'),
      ],
      ['header-too-large', { headerSize: 400 }, withHeaders(), withHeaders(`X: ${'a'.repeat(400)}`)],
      ['too-many-headers', { headerCount: 6 }, withHeaders('X: 1'), withHeaders('X: 1', 'X: 2')],
      [
        'line-too-long',
        { lineLength: 50 },
        withHeaders(`X: ${'a'.repeat(47)}`),
        withHeaders(`X: ${'a'.repeat(48)}`),
      ],
      ['too-many-vias', { viaCount: 2 }, withHeaders(via), withHeaders(via, via)],
      ['bad-via', { paramCount: 1 }, withHeaders(`${via};a`), withHeaders(`${via};a;b`)],
    ];
    for (const [code, limits, inside, outside] of cases) {
      assert.ok(parseMessage(inside, limits).ok, code);
      const parsed = parseMessage(outside, limits);
      assert.ok(!parsed.ok, code);
      assert.equal(parsed.error.code, code);
    }
  });
});
