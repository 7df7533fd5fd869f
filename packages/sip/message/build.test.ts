import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { makeRequest, makeResponse, tagOf, withVia } from './build.ts';
import { HeaderList } from './header-list.ts';
import { buildMultipart, handlingOf, parseMultipart } from './multipart.ts';
import { parseMessage } from './parse.ts';
import { screenRequest, screenResponse } from './screen.ts';
import { serializeMessage } from './serialize.ts';
import { reasonPhrase } from './status.ts';
import type { NameAddr, SipMessage, SipRequest, Via } from './types.ts';
import { sipUri } from './uri.ts';

const uri = sipUri({ user: 'b', host: 'example.com' });
const from: NameAddr = {
  display: 'A "x"',
  uri: sipUri({ user: 'a', host: 'example.com' }),
  params: new Map([['tag', '1']]),
};
const to: NameAddr = { uri, params: new Map() };
const via: Via = {
  transport: 'TLS',
  host: '2001:db8::1',
  port: 5061,
  branch: 'z9hG4bKx',
  params: new Map([['rport', true]]),
};
const request = (
  method: string,
  headers: readonly (readonly [string, string])[] = [],
  body = '',
): SipRequest =>
  withVia(
    makeRequest({ method, uri, from, to, callId: 'c@d', cseq: 7, headers, body: Buffer.from(body) }),
    via,
  );
const wire = (message: SipMessage): string => Buffer.from(serializeMessage(message)).toString();

describe('serializeMessage', () => {
  test('RFC 3261 §7.3.1 order, names and lengths', () => {
    const message = request(
      'MESSAGE',
      [
        ['k', 'a'],
        ['www-authenticate', 'Digest realm="a"'],
        ['mime-version', '1.0'],
        ['X-Ünknown'.replace('Ü', 'U'), 'ü'],
        ['c', 'text/plain'],
      ],
      'grüß',
    );
    assert.equal(
      wire(message),
      'MESSAGE sip:b@example.com SIP/2.0\r\nVia: SIP/2.0/TLS [2001:db8::1]:5061;branch=z9hG4bKx;rport\r\nMax-Forwards: 70\r\n' +
        'From: "A \\"x\\"" <sip:a@example.com>;tag=1\r\nTo: <sip:b@example.com>\r\nCall-ID: c@d\r\nCSeq: 7 MESSAGE\r\n' +
        'Supported: a\r\nWWW-Authenticate: Digest realm="a"\r\nMIME-Version: 1.0\r\nX-Unknown: ü\r\nContent-Type: text/plain\r\nContent-Length: 6\r\n\r\ngrüß',
    );
  });

  test('CR, LF and what else cannot stand there is refused in every field', () => {
    const good = request('OPTIONS');
    const response = makeResponse(good, 200);
    const bads: readonly (readonly [SipMessage, string])[] = [
      [{ ...good, method: 'A\r\nB' }, 'header-injection'],
      [{ ...good, method: 'A B' }, 'header-injection'],
      [{ ...good, method: '' }, 'header-injection'],
      [{ ...good, uri: { scheme: 'other', text: 'x:y SIP/2.0\r\nX: y' } }, 'header-injection'],
      [{ ...good, uri: sipUri({ host: 'a\r\n' }) }, 'bad-host'],
      [{ ...good, callId: 'a\r\nb' }, 'header-injection'],
      [{ ...good, callId: 'a b' }, 'header-injection'],
      [{ ...good, callId: '' }, 'header-injection'],
      [{ ...good, cseq: { number: 1, method: 'A\r\n' } }, 'header-injection'],
      [{ ...good, cseq: { number: 2 ** 31, method: 'A' } }, 'bad-number'],
      [{ ...good, cseq: { number: -1, method: 'A' } }, 'bad-number'],
      [{ ...good, cseq: { number: Number.NaN, method: 'A' } }, 'bad-number'],
      [{ ...good, cseq: { number: 1, method: 'A', outOfRange: '1\r\nX: y' } }, 'header-injection'],
      [{ ...good, maxForwards: 256 }, 'bad-number'],
      [{ ...good, maxForwards: 1.5 }, 'bad-number'],
      [{ ...good, from: { ...from, display: 'a\nb' } }, 'header-injection'],
      [{ ...good, from: { ...from, params: new Map([['tag', 'a\rb']]) } }, 'header-injection'],
      [{ ...good, to: { ...to, params: new Map([['a\r\nb', true]]) } }, 'header-injection'],
      [{ ...good, via: [{ ...via, branch: 'a\r\nb' }] }, 'header-injection'],
      [{ ...good, via: [{ ...via, host: 'a\r\nb' }] }, 'bad-host'],
      [{ ...good, via: [{ ...via, params: new Map([['received', 'a\nb']]) }] }, 'header-injection'],
      [{ ...response, reason: 'OK\r\nX: y' }, 'header-injection'],
      [{ ...response, reason: 'OK\0' }, 'header-injection'],
      [{ ...response, status: 99 }, 'bad-number'],
      [{ ...response, status: 700 }, 'bad-number'],
      [{ ...response, status: 200.5 }, 'bad-number'],
    ];
    for (const [message, code] of bads)
      assert.throws(() => serializeMessage(message), { name: 'MisuseError', code });
  });

  test('line ends in a user name are escaped, not written', () => {
    const message = { ...request('OPTIONS'), uri: sipUri({ user: 'a\r\nX: y', host: 'b' }) };
    assert.ok(wire(message).startsWith('OPTIONS sip:a%0D%0AX%3A%20y@b SIP/2.0\r\n'));
  });
});

describe('makeResponse', () => {
  test('RFC 3261 §8.2.6.2 echoes Via, From, To, Call-ID and CSeq, and adds the tag', () => {
    const asked = request('INVITE', [
      ['Record-Route', '<sip:p1;lr>, <sip:p2;lr>'],
      ['Record-Route', '<sip:p3;lr>'],
      ['Timestamp', '54'],
      ['Supported', 'x'],
    ]);
    const answer = makeResponse(asked, 180, undefined, { toTag: 'z' });
    assert.equal(answer.reason, 'Ringing');
    assert.deepEqual(
      [answer.via, answer.from, answer.callId, answer.cseq],
      [asked.via, asked.from, asked.callId, asked.cseq],
    );
    assert.equal(tagOf(answer.to), 'z');
    assert.equal(tagOf(asked.to), undefined);
    assert.deepEqual(
      [...answer.headers],
      [
        ['record-route', '<sip:p1;lr>, <sip:p2;lr>'],
        ['record-route', '<sip:p3;lr>'],
      ],
    );
  });

  test('RFC 3261 §12.1.1 Record-Route only where a dialog can come of it', () => {
    for (const [method, status, copied] of [
      ['INVITE', 100, false],
      ['INVITE', 183, true],
      ['INVITE', 200, true],
      ['INVITE', 486, false],
      ['SUBSCRIBE', 200, true],
      ['BYE', 200, false],
      ['REGISTER', 200, false],
    ] as const) {
      const answer = makeResponse(request(method, [['Record-Route', '<sip:p1;lr>']]), status);
      assert.equal(answer.headers.has('record-route'), copied, `${status} ${method}`);
    }
  });

  test('RFC 3261 §8.2.6.1 100 copies Timestamp; §8.2.6.2 a tag that is there stays', () => {
    const asked = {
      ...request('INVITE', [['Timestamp', '54']]),
      to: { ...to, params: new Map([['tag', 'old']]) },
    };
    assert.equal(makeResponse(asked, 100).headers.get('timestamp'), '54');
    assert.equal(tagOf(makeResponse(asked, 200, undefined, { toTag: 'new' }).to), 'old');
  });

  test('RFC 3261 §8.1.3.2 reason phrases', () => {
    assert.equal(reasonPhrase(488), 'Not Acceptable Here');
    assert.equal(reasonPhrase(499), 'Bad Request');
    assert.equal(reasonPhrase(183), 'Session Progress');
  });
});

describe('screenRequest', () => {
  const status = (message: SipRequest, options = {}): number | undefined =>
    screenRequest(message, options)?.status;
  const bodies = { acceptableBodies: new Set(['application/sdp']) };

  test('RFC 3261 §8.2.1 §21.5.2 methods', () => {
    const supportedMethods = new Set(['INVITE', 'ACK']);
    assert.equal(status(request('INVITE'), { supportedMethods }), undefined);
    assert.equal(status(request('PUBLISH'), { supportedMethods }), 405);
    assert.equal(status(request('invite'), { supportedMethods }), 501);
    assert.equal(screenRequest(request('FOO'), { supportedMethods })?.headers.get('allow'), 'INVITE, ACK');
  });

  test('RFC 3261 §8.2.2.3 Require, known tags in any case; CANCEL and ACK never', () => {
    const required = [['Require', '100rel, foo']] as const;
    assert.equal(
      screenRequest(request('INVITE', required), { supportedExtensions: new Set(['100rel']) })?.headers.get(
        'unsupported',
      ),
      'foo',
    );
    assert.equal(
      status(request('INVITE', [['Require', '100REL']]), { supportedExtensions: new Set(['100rel']) }),
      undefined,
    );
    assert.equal(status(request('CANCEL', required)), undefined);
    assert.equal(status(request('ACK', required)), undefined);
  });

  test('RFC 3261 §8.2.3 bodies', () => {
    const body = (...headers: (readonly [string, string])[]): SipRequest => request('INVITE', headers, 'x');
    assert.equal(status(body(['Content-Type', 'application/SDP; charset=x']), bodies), undefined);
    assert.equal(status(body(['Content-Type', 'text/plain']), bodies), 415);
    assert.equal(
      status(
        body(['Content-Type', 'text/plain'], ['Content-Disposition', 'render; Handling=Optional']),
        bodies,
      ),
      undefined,
    );
    assert.equal(
      status(body(['Content-Type', 'application/sdp'], ['Content-Encoding', 'gzip']), bodies),
      415,
    );
    assert.equal(status(body(), bodies), 400);
    assert.equal(status(body(['Content-Type', 'x']), bodies), 400);
    assert.equal(status(request('INVITE', [['Content-Type', 'text/plain']]), bodies), undefined);
  });

  test('RFC 3261 §21.4.7 Accept', () => {
    for (const [accept, expected] of [
      ['text/plain', 406],
      ['application/*;q=0.5, text/plain', undefined],
      ['*/*', undefined],
      ['application/sdp', undefined],
      ['', 406],
    ] as const) {
      assert.equal(status(request('INVITE', [['Accept', accept]])), expected, accept);
    }
    assert.equal(status(request('OPTIONS', [['Accept', 'text/plain']])), undefined);
  });

  test('RFC 3261 §16.3 Max-Forwards, §8.2.2.1 scheme, §20.10 addresses', () => {
    assert.equal(status({ ...request('BYE'), maxForwards: 0 }), 483);
    assert.equal(status({ ...request('BYE'), maxForwards: 0 }, { forwards: false }), undefined);
    assert.equal(status({ ...request('BYE'), uri: { scheme: 'other', text: 'HTTP://a' } }), 416);
    assert.equal(
      status(
        { ...request('BYE'), uri: { scheme: 'tel', number: '+1', params: new Map() } },
        { supportedSchemes: new Set(['sip']) },
      ),
      416,
    );
    assert.equal(status(request('INVITE', [['Contact', '*']])), 400);
    assert.equal(status(request('REGISTER', [['Contact', '*']])), undefined);
    assert.equal(status(request('INVITE', [['Route', '<sip:a;lr>;;']])), 400);
  });

  test('RFC 3261 §8.1.3.3 a response with two Vias is not ours', () => {
    const answer = makeResponse(request('BYE'), 200);
    assert.equal(screenResponse(answer), undefined);
    assert.equal(screenResponse({ ...answer, via: [via, via] })?.code, 'not-ours');
  });
});

describe('multipart', () => {
  const part = (type: string, body: string): { headers: HeaderList; body: Uint8Array } => ({
    headers: new HeaderList([['Content-Type', type]]),
    body: Buffer.from(body),
  });

  test('RFC 2046 §5.1 RFC 5621 §3 what is built is read back', () => {
    const built = buildMultipart('mixed', "a b'()+_,-./:=?c", [
      part('application/sdp', 'v=0\r\n'),
      part('text/plain', ''),
      { headers: new HeaderList(), body: Buffer.from('\r\n--a') },
    ]);
    const message = request('INVITE', [['Content-Type', built.contentType]], '');
    const parsed = parseMessage(serializeMessage({ ...message, body: built.body }));
    assert.ok(parsed.ok);
    const parts = parseMultipart(parsed.value.headers.get('content-type') ?? '', parsed.value.body);
    assert.ok(parts.ok);
    assert.deepEqual(
      parts.value.map((p) => [p.headers.get('content-type'), Buffer.from(p.body).toString()]),
      [
        ['application/sdp', 'v=0\r\n'],
        ['text/plain', ''],
        [undefined, '\r\n--a'],
      ],
    );
  });

  test('RFC 2046 §5.1.1 preamble, epilogue, padding, longer boundaries, headers only, nothing at all', () => {
    const body =
      'preamble\r\n--b \t\r\nContent-Type: text/plain\r\n X: y\r\n\r\n--bb\r\n--b\r\n\r\n\r\n--b\r\n--b\r\nContent-ID: <x>\r\n--b-- \r\nepilogue --b--';
    const parts = parseMultipart('multipart/mixed;boundary="b"', Buffer.from(body));
    assert.ok(parts.ok, parts.ok ? '' : parts.error);
    assert.deepEqual(
      parts.value.map((p) => Buffer.from(p.body).toString()),
      ['--bb', '', '', ''],
    );
    assert.equal(parts.value[0]!.headers.get('content-type'), 'text/plain X: y');
    assert.equal(parts.value[3]!.headers.get('content-id'), '<x>');
  });

  test('what is malformed or too much is refused', () => {
    const many = `${'--b\r\n\r\nx\r\n'.repeat(17)}--b--`;
    for (const [type, body] of [
      ['text/plain;boundary=b', '--b\r\n\r\nx\r\n--b--'],
      ['multipart/mixed', '--b\r\n\r\nx\r\n--b--'],
      ['multipart/mixed;boundary=""', '----'],
      [`multipart/mixed;boundary=${'b'.repeat(71)}`, ''],
      ['multipart/mixed;boundary=b', ''],
      ['multipart/mixed;boundary=b', '--b\r\n\r\nx'],
      ['multipart/mixed;boundary=b', '--b--'],
      ['multipart/mixed;boundary=b', '--b\r\nbad header\r\n\r\nx\r\n--b--'],
      ['multipart/mixed;boundary=b', '--b\r\nX\x01: y\r\n\r\nx\r\n--b--'],
      ['multipart/mixed;boundary=b', `--b\r\nX: ${'y'.repeat(5000)}\r\n\r\nx\r\n--b--`],
      ['multipart/mixed;boundary=b', many],
    ] as const) {
      assert.ok(!parseMultipart(type, Buffer.from(body)).ok, JSON.stringify([type, body.slice(0, 40)]));
    }
    assert.throws(() => buildMultipart('mixed', 'b', [part('text/plain', 'a\r\n--b')]), {
      code: 'bad-boundary',
    });
    assert.throws(() => buildMultipart('mixed', 'b\r\n', [part('text/plain', 'a')]), {
      code: 'bad-boundary',
    });
    assert.throws(() => buildMultipart('mixed\r\n', 'b', [part('text/plain', 'a')]), {
      code: 'header-injection',
    });
    assert.throws(() => buildMultipart('mixed', 'b', []), { code: 'bad-multipart' });
  });

  test('RFC 5621 §6 handling', () => {
    for (const [value, expected] of [
      ['session', 'required'],
      ['session;handling=optional', 'optional'],
      ['render; x="handling=optional"', 'required'],
      ['session;handling=required', 'required'],
      ['session;;handling=optional', 'required'],
    ] as const) {
      assert.equal(handlingOf(new HeaderList([['Content-Disposition', value]])), expected, value);
    }
    assert.equal(handlingOf(new HeaderList()), 'required');
  });
});
