import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { createRequire } from 'node:module';
import type { Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { connect } from 'node:tls';
import { gunzipSync } from 'node:zlib';
import { DigestServer } from '@ringfence/sip/digest/server.ts';
import { parseAuthParams } from '@ringfence/sip/message/auth-params.ts';
import { clientHandshake } from '@ringfence/testkit/web-socket-frames.ts';
import {
  type Bed,
  openBed,
  TestAuthority,
  type TestCertificate,
  tlsMaterial,
  until,
} from '../transport/test-bed.ts';
import { type DigestClass, keepSha256, teachSha256 } from './browser/digest.ts';
import { readProtection } from './browser/protection.ts';
import { sha256Hex } from './browser/sha256.ts';
import { callTrouble, duration, signInTrouble, warningText } from './browser/words.ts';

const beds: Bed[] = [];
const sockets: Socket[] = [];
let authority: TestAuthority;
let own: TestCertificate;
before(async () => {
  authority = await TestAuthority.create('local');
  own = await authority.issue('DNS:edge.test', 'IP:127.0.0.1');
});
after(async () => {
  for (const socket of sockets) socket.destroy();
  for (const bed of beds) await bed.transports.close();
  await authority.remove();
});

const bedOf = async (
  options: Partial<Parameters<typeof openBed>[0]> = {},
  phonePage = true,
): Promise<Bed> => {
  const bed = await openBed({
    listeners: [{ name: 'w', transport: 'wss', address: '127.0.0.1', port: 0, phonePage }],
    tls: tlsMaterial(() => own, [authority.cert]),
    ...options,
  });
  beds.push(bed);
  return bed;
};

interface Talk {
  readonly socket: Socket;
  readonly bytes: Buffer;
  readonly closed: boolean;
}

const open = (bed: Bed): Talk => {
  const socket = connect({
    port: bed.port('w'),
    host: '127.0.0.1',
    ca: authority.cert,
    servername: 'edge.test',
  });
  sockets.push(socket);
  const state = { bytes: Buffer.alloc(0), closed: false };
  socket.on('data', (chunk) => {
    state.bytes = Buffer.concat([state.bytes, chunk]);
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    state.closed = true;
  });
  return {
    socket,
    get bytes() {
      return state.bytes;
    },
    get closed() {
      return state.closed;
    },
  };
};

interface Answer {
  readonly status: number;
  readonly headers: ReadonlyMap<string, string>;
  readonly body: Buffer;
}

/** Sends text and reads one answer, of which it must be all that comes. */
const ask = async (bed: Bed, text: string): Promise<Answer> => {
  const talk = open(bed);
  talk.socket.write(text);
  await until('the end', () => talk.closed);
  const end = talk.bytes.indexOf('\r\n\r\n');
  const [first = '', ...rows] = talk.bytes.toString('latin1', 0, end).split('\r\n');
  const headers = new Map(
    rows.map((row) => [row.slice(0, row.indexOf(':')).toLowerCase(), row.slice(row.indexOf(':') + 1).trim()]),
  );
  return { status: Number(first.split(' ')[1]), headers, body: talk.bytes.subarray(end + 4) };
};

const get = (bed: Bed, path: string, more = '', method = 'GET'): Promise<Answer> =>
  ask(bed, `${method} ${path} HTTP/1.1\r\nHost: edge.test\r\nConnection: close\r\n${more}\r\n`);

/** Since it was asked for the last time. */
const refusals = (bed: Bed): string[] => {
  bed.admission.flush();
  return bed.events.splice(0).flatMap((event) => (event.type === 'admission.refused' ? [event.rule] : []));
};

describe('phone page over HTTP', () => {
  let bed: Bed;
  before(async () => {
    bed = await bedOf();
  });

  it('the page comes with its security headers, without script or style in it, and names the domain', async () => {
    const { status, headers, body } = await get(bed, '/phone');
    assert.equal(status, 200);
    assert.equal(headers.get('content-type'), 'text/html; charset=utf-8');
    const policy = headers.get('content-security-policy') ?? '';
    for (const part of [
      "default-src 'none'",
      "script-src 'self';",
      "frame-ancestors 'none'",
      "base-uri 'none'",
    ])
      assert.ok(policy.includes(part), part);
    assert.doesNotMatch(policy, /unsafe|https?:|\*|data:/);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.match(headers.get('strict-transport-security') ?? '', /^max-age=\d{8}/);
    assert.match(headers.get('permissions-policy') ?? '', /microphone=\(self\)/);
    assert.equal(headers.get('server'), undefined);
    assert.equal(headers.get('x-powered-by'), undefined);
    const html = body.toString();
    assert.match(html, /<meta name="sip-domain" content="example.com"/);
    assert.doesNotMatch(html, /<script>|<style|style=|onclick|https?:\/\//);
    assert.deepEqual(refusals(bed), []);
  });

  it('every file that the page asks for is there, packed where that is understood, and 304 where it is known', async () => {
    const seen = new Set<string>();
    const todo = ['/phone'];
    for (let path = todo.pop(); path !== undefined; path = todo.pop()) {
      if (seen.has(path)) continue;
      seen.add(path);
      const plain = await get(bed, path);
      assert.equal(plain.status, 200, path);
      const packed = await get(bed, path, 'Accept-Encoding: gzip, br\r\n');
      assert.equal(packed.headers.get('content-encoding'), 'gzip');
      assert.deepEqual(gunzipSync(packed.body), plain.body);
      assert.equal(plain.headers.get('cache-control'), 'no-cache');
      const known = await get(bed, path, `If-None-Match: ${plain.headers.get('etag')}\r\n`);
      assert.equal(known.status, 304);
      assert.equal(known.body.length, 0);
      const text = plain.body.toString();
      for (const [, next = ''] of text.matchAll(/(?:href|src)="([^"]+)"/g)) todo.push(next);
      if (path.endsWith('.ts')) {
        assert.equal(plain.headers.get('content-type'), 'text/javascript; charset=utf-8');
        for (const [, next = ''] of text.matchAll(/from '\.([^']+)'/g)) todo.push(`/phone${next}`);
      }
    }
    assert.ok(seen.size >= 11, [...seen].join(' '));
    const head = await get(bed, '/phone', '', 'HEAD');
    assert.equal(head.status, 200);
    assert.equal(head.body.length, 0);
    const root = await get(bed, '/');
    assert.deepEqual([root.status, root.headers.get('location')], [308, '/phone']);
  });

  for (const path of [
    '/phone/../daemon.ts',
    '/phone/..%2f..%2fdaemon.ts',
    '/phone/%2e%2e/daemon.ts',
    '/phone/....//daemon.ts',
    '/phone/files.ts',
    '/phone/tsconfig.json',
    '/phone/jssip.d.ts',
    '/phone//etc/passwd',
    '/phone?x=1',
    '/PHONE',
    '/favicon.ico',
    'https://edge.test/phone',
    '/__proto__',
    `/phone/${'a'.repeat(6000)}`,
  ])
    it(`${path.slice(0, 40)} is not there: 404, and the connection ends`, async () => {
      const talk = open(bed);
      talk.socket.write(`GET ${path} HTTP/1.1\r\nHost: edge.test\r\n\r\n`);
      await until('its end', () => talk.closed);
      assert.match(talk.bytes.toString(), /^HTTP\/1\.1 404 [^\0]*\r\nContent-Length: 0\r\n/);
      assert.deepEqual(refusals(bed), ['admission.page']);
    });

  for (const [what, text, status, rule] of [
    ['POST', 'POST /phone HTTP/1.1\r\nHost: e\r\nContent-Length: 0\r\n\r\n', 405, 'admission.page'],
    ['OPTIONS', 'OPTIONS /phone HTTP/1.1\r\nHost: e\r\n\r\n', 405, 'admission.page'],
    ['TRACE', 'TRACE /phone HTTP/1.1\r\nHost: e\r\n\r\n', 405, 'admission.page'],
    [
      'GET with a body',
      'GET /phone HTTP/1.1\r\nHost: e\r\nContent-Length: 5\r\n\r\nhello',
      400,
      'admission.page',
    ],
    [
      'GET with a body in chunks',
      'GET /phone HTTP/1.1\r\nHost: e\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
      400,
      'admission.page',
    ],
    ['no Host', 'GET /phone HTTP/1.1\r\n\r\n', 400, undefined],
    [
      'an upgrade from a foreign page',
      clientHandshake('edge.test', ['Origin: https://evil.example']),
      403,
      'admission.origin',
    ],
    [
      'an upgrade from plain HTTP of the same name',
      clientHandshake('edge.test', ['Origin: http://edge.test']),
      403,
      'admission.origin',
    ],
  ] as const)
    it(`${what} is refused with ${status}`, async () => {
      const answer = await ask(bed, text);
      assert.equal(answer.status, status);
      assert.ok(bed.events.every((event) => event.type !== 'flow.opened'));
      assert.deepEqual(refusals(bed), rule === undefined ? [] : [rule]);
    });

  it("the page's own WebSocket is let in without being listed, and only where there is a page", async () => {
    const handshake = clientHandshake('edge.test:8443', ['Origin: https://edge.test:8443']);
    const talk = open(bed);
    talk.socket.write(handshake);
    await until('the handshake', () => talk.bytes.includes('\r\n\r\n'));
    assert.match(talk.bytes.toString(), /^HTTP\/1\.1 101 /);
    const other = await ask(await bedOf({}, false), handshake);
    assert.equal(other.status, 403);
    const none = await get(await bedOf({}, false), '/phone');
    assert.equal(none.status, 426);
  });

  it('a request that does not end in admission.handshakeSeconds is ended, the second of a connection too', async () => {
    const bed = await bedOf({ settings: { handshakeSeconds: 1 } });
    const slow = open(bed);
    slow.socket.write('GET /phone HTTP/1.1\r\nHost: e');
    const second = open(bed);
    second.socket.write('GET /phone/page.css HTTP/1.1\r\nHost: e\r\n\r\n');
    await until('the first answer', () => second.bytes.includes('color-scheme'));
    second.socket.write('GET /phone HTTP/1.1\r\nHost: e');
    await until('their end', () => slow.closed && second.closed);
    assert.equal(slow.bytes.length, 0);
    assert.equal(bed.admission.connections, 0);
  });

  it('a connection that asks for nothing more is closed, and one that asks without end too', async () => {
    const idle = open(bed);
    idle.socket.write('GET /phone/icon.svg HTTP/1.1\r\nHost: e\r\n\r\n');
    const greedy = open(bed);
    greedy.socket.write('GET /phone/icon.svg HTTP/1.1\r\nHost: e\r\n\r\n'.repeat(100));
    await until('their end', () => idle.closed && greedy.closed);
    const answers = greedy.bytes.toString().split('HTTP/1.1 200 OK').length - 1;
    assert.equal(answers, 32);
  });
});

describe('what runs in the page', () => {
  it('SHA-256 (FIPS 180-4) is the one of OpenSSL for every length of the last block', () => {
    for (const length of [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000]) {
      const text = 'ä€x'.repeat(length).slice(0, length);
      assert.equal(sha256Hex(text), createHash('sha256').update(text).digest('hex'), String(length));
    }
  });

  const require = createRequire(import.meta.url);
  // Of its own: the class is changed.
  const taught = (): (new (credentials: unknown) => Auth) => {
    const type = require('jssip/lib/DigestAuthentication.js') as new (credentials: unknown) => Auth;
    const sub = class extends type {};
    teachSha256(sub as unknown as DigestClass, () => 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ');
    return sub;
  };
  interface Auth {
    authenticate(asked: unknown, challenge: unknown): boolean;
    get(name: 'ha1'): string;
    toString(): string;
  }
  const credentials = { username: 'Mufasa', password: 'Circle of Life' };

  it('RFC 7616 §3.9.1: the answer to a challenge of SHA-256 is the one printed there', () => {
    const auth = new (taught())(credentials);
    const challenge = {
      algorithm: 'SHA-256',
      realm: 'http-auth@example.org',
      nonce: '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v',
      qop: ['auth', 'auth-int'],
      opaque: 'FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS',
    };
    assert.ok(auth.authenticate({ method: 'GET', ruri: '/dir/index.html' }, challenge));
    assert.match(
      auth.toString(),
      /response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"/,
    );
    const later = { username: 'Mufasa', password: null, realm: challenge.realm, ha1: auth.get('ha1') };
    const second = new (taught())(later);
    assert.ok(second.authenticate({ method: 'GET', ruri: '/dir/index.html' }, challenge));
    assert.equal(second.toString(), auth.toString());
    for (const changed of [{ realm: 'other' }, { ha1: '0'.repeat(32) }, { ha1: null }])
      assert.equal(
        new (taught())({ ...later, ...changed }).authenticate({ method: 'GET', ruri: '/' }, challenge),
        false,
      );
    const { qop: _, ...without } = challenge;
    assert.equal(auth.authenticate({ method: 'GET', ruri: '/dir/index.html' }, without), false);
  });

  it("RFC 8760: JsSIP so taught satisfies the edge's own check, time after time", () => {
    const server = new DigestServer({ key: new Uint8Array(32), nonceLifetimeMs: 10_000, maxNonces: 10 });
    const realm = 'example.com';
    const source = '192.0.2.1';
    const [value = ''] = server.challenge({ realm, algorithms: ['SHA-256'], source, now: 0 });
    const params = parseAuthParams(value);
    assert.ok(params.ok);
    const read = (name: string): string | undefined => params.value.params.get(name);
    const challenge = {
      algorithm: read('algorithm'),
      realm: read('realm'),
      nonce: read('nonce'),
      opaque: read('opaque'),
      qop: read('qop')?.split(','),
    };
    const auth = new (taught())(credentials);
    const uri = 'sip:example.com';
    for (let times = 0; times < 3; times += 1) {
      assert.ok(auth.authenticate({ method: 'REGISTER', ruri: uri }, challenge));
      const verified = server.verify({
        authorization: auth.toString(),
        method: 'REGISTER',
        uri,
        source,
        now: 1,
        realms: [realm],
        lookup: (username, at, algorithm) =>
          algorithm === 'SHA-256'
            ? createHash('sha256').update(`${username}:${at}:Circle of Life`).digest()
            : undefined,
        body: new Uint8Array(),
      });
      assert.ok(verified.ok, JSON.stringify(verified));
    }
  });

  it('of several challenges that of SHA-256 is answered, wherever it stands', () => {
    for (const order of [
      ['SHA-256', 'SHA-512-256', 'MD5'],
      ['MD5', 'SHA-512-256', 'SHA-256'],
      ['MD5', 'SHA-256'],
    ]) {
      const type = class {
        readonly #headers = new Map<string, string>();
        getHeader(name: string) {
          return this.#headers.get(name);
        }
        setHeader(name: string, value: string) {
          this.#headers.set(name, value);
        }
      };
      keepSha256(type);
      const response = new type();
      for (const name of order)
        response.setHeader(
          'www-authenticate',
          `Digest realm="r", nonce="SHA-256", algorithm=${name}, qop="auth"`,
        );
      assert.match(response.getHeader('www-authenticate') ?? '', /algorithm=SHA-256,/);
      response.setHeader('Via', '1');
      response.setHeader('Via', '2');
      assert.equal(response.getHeader('Via'), '2');
    }
  });

  it('what the server says of protection is read with bounds, and nothing else is taken for it', () => {
    assert.deepEqual(readProtection('{"grade":"hop-by-hop","sentence":"S","sas":"abcd","x":1}'), {
      grade: 'hop-by-hop',
      sentence: 'S',
      sas: 'abcd',
      confirmed: false,
    });
    const long = readProtection(
      JSON.stringify({ grade: 'in-the-clear', sentence: 'x'.repeat(9999), sas: 'y'.repeat(999) }),
    );
    assert.deepEqual([long?.sentence.length, long?.sas?.length], [500, 64]);
    for (const body of [
      '',
      'null',
      '[]',
      '{"grade":"great","sentence":"S"}',
      '{"grade":"in-the-clear"}',
      '{',
    ])
      assert.equal(readProtection(body), undefined);
  });

  it('errors say what to do, and quote the server only in its own quotes', () => {
    assert.match(signInTrouble(401, ''), /password is wrong/);
    assert.match(callTrouble(404, ''), /no way to that name or number/);
    assert.match(callTrouble(488, 'SRTP is demanded'), /encryption.*The server says: SRTP is demanded$/);
    assert.equal(warningText('399 ringfence "plain RTP is refused"'), 'plain RTP is refused');
    assert.equal(warningText(undefined), '');
    assert.equal(warningText('399 x "'), '');
    assert.deepEqual([duration(7), duration(187), duration(3729)], ['0:07', '3:07', '1:02:09']);
  });
});
