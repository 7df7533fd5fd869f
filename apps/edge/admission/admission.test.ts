import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import type { EdgeEvent } from '../events/types.ts';
import { Admission, type AdmissionOptions, type AdmissionSettings } from './admission.ts';

const defaults: AdmissionSettings = {
  messageBytes: 4096,
  perSourcePerSecond: 10,
  perNetworkPerSecond: 1e9,
  perMethodPerSecond: 1e9,
  perListenerPerSecond: 1e9,
  unknownPerSecond: 1e9,
  busyPercent: 95,
  lateMilliseconds: 100,
  firstMessageSeconds: 30,
  connectionsPerSource: 4,
  connections: 6,
  idleSeconds: 900,
  messageSeconds: 10,
  handshakeSeconds: 10,
  blockedUserAgents: ['friendly-scanner', 'SIPVicious'],
  emergency: ['112', '911'],
};

const make = (options: Partial<AdmissionOptions> = {}, changes: Partial<AdmissionSettings> = {}) => {
  const events: Extract<EdgeEvent, { type: 'admission.refused' }>[] = [];
  const emit = (event: EdgeEvent): void => {
    if (event.type === 'admission.refused') events.push(event);
  };
  const admission = new Admission({ settings: { ...defaults, ...changes }, emit, seed: 7, ...options });
  const says = (address: string, text: string | Uint8Array, now = 1000): string =>
    admission.message('l', address, typeof text === 'string' ? Buffer.from(text, 'latin1') : text, now)
      ?.rule ?? 'in';
  return { admission, events, says };
};

const request = (method = 'OPTIONS', headers = ''): string =>
  `${method} sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKx\r\n${headers}Content-Length: 0\r\n\r\n`;
const address4 = (n: number): string =>
  `${(n >>> 24) & 255}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}`;

describe('admission: first look', () => {
  it('lets requests and responses in, drops what is neither', () => {
    const { says } = make({}, { perSourcePerSecond: 1000 });
    for (const good of [request(), request('INVITE'), 'SIP/2.0 200 OK\r\n\r\n', 'SIP/2.0 699 \r\n\r\n'])
      assert.equal(says('192.0.2.1', good), 'in');
    const bad = [
      '',
      ' ',
      'O',
      'OPTIONS',
      'OPTIONS ',
      'OPTIONS  sip:x',
      'options sip:x SIP/2.0',
      'SIP/2.0',
      'SIP/2.0 2',
      'SIP/2.0 000 x\r\n',
      'SIP/2.0 700 x\r\n',
      'SIP/3.0 200 OK\r\n',
      '\x16\x03\x01',
      '{"a":1}',
      '\0'.repeat(30),
      `${'A'.repeat(33)} x`,
      'OPT\rIONS sip:x',
      'ÖPTIONS sip:x',
    ];
    for (const text of bad)
      assert.match(says('192.0.2.1', text), /^admission\.(first-line|stun)$/, JSON.stringify(text));
    for (const method of ['GET', 'HELP', 'OPTION', 'OPTIONSS'])
      assert.equal(says('192.0.2.1', request(method)), 'admission.method');
  });

  it('STUN is dropped without being counted', () => {
    const { admission, says } = make();
    const stun = new Uint8Array(28);
    stun[1] = 1;
    assert.equal(says('192.0.2.1', stun), 'admission.stun');
    assert.equal(admission.refused, 0);
  });

  it('scanners are known by their User-Agent, however it is written', () => {
    const { says } = make({}, { perSourcePerSecond: 1000 });
    const marked = [
      'User-Agent: friendly-scanner\r\n',
      'USER-AGENT:x SipVicious y\r\n',
      'user-agent \t :\r\n\tfoo\r\n  FRIENDLY-SCANNER\r\n',
      'User-Agent: ok\r\nUser-Agent: sipvicious\r\n',
      'User-agent:sipvicious\n',
    ];
    for (const headers of marked)
      assert.equal(says('192.0.2.1', request('OPTIONS', headers)), 'admission.user-agent', headers);
    const clean = [
      'User-Agent: Phone 1.0\r\n',
      'X-User-Agent: sipvicious\r\n',
      'Subject: friendly-scanner\r\n',
      'User-Agents: sipvicious\r\n',
    ];
    for (const headers of clean) assert.equal(says('192.0.2.1', request('OPTIONS', headers)), 'in', headers);
    assert.equal(
      says('192.0.2.1', `${request('MESSAGE')}\r\nUser-Agent: sipvicious\r\n`),
      'in',
      'a body is no header',
    );
  });

  it('trusted sources are not judged by method or User-Agent, the core is', () => {
    const { admission, says } = make();
    admission.trust('192.0.2.1', 'trunk');
    assert.equal(says('192.0.2.1', request('FOO', 'User-Agent: sipvicious\r\n')), 'in');
    admission.distrust('192.0.2.1', 'trunk');
    assert.equal(says('192.0.2.1', request('FOO')), 'admission.method');
  });

  it('size is bounded', () => {
    const { says } = make();
    assert.equal(says('192.0.2.1', request('OPTIONS', `X: ${'y'.repeat(4096)}\r\n`)), 'admission.size');
  });

  it('S17: no octets make it slow or throw', () => {
    const { admission } = make({}, { messageBytes: 65535, perSourcePerSecond: 1e9 });
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), fc.ipV4(), (bytes, source) => {
        admission.message('l', source, bytes, 1);
      }),
      { numRuns: 2000 },
    );
    for (const piece of [
      '\nUser-Agent',
      '\nUser-Agent:',
      '\nUser-Agent: f',
      '\n ',
      'User-Agent \t',
      '\r\n',
    ]) {
      const bytes = Buffer.from(`OPTIONS sip:x SIP/2.0\r\nX: y${piece.repeat(65000 / piece.length)}`);
      const from = performance.now();
      for (let i = 0; i < 20; i++) admission.message('l', '192.0.2.1', bytes, i);
      assert.ok((performance.now() - from) / 20 < 25, `${piece} takes long`);
    }
  });
});

describe('admission: rates', () => {
  it('each source has its rate, at once and per second', () => {
    const { says } = make();
    const burst = (source: string, now: number): number => {
      let count = 0;
      for (let i = 0; i < 50; i++) if (says(source, request(), now) === 'in') count++;
      return count;
    };
    assert.equal(burst('192.0.2.1', 1000), 10);
    assert.equal(burst('192.0.2.2', 1000), 10);
    assert.equal(burst('192.0.2.1', 1500), 5);
    assert.equal(burst('192.0.2.1', 60_000), 10);
  });

  it('an IPv6 /64 is one source, its neighbours are others', () => {
    const { says } = make();
    let count = 0;
    for (let i = 1; i <= 100; i++) if (says(`2001:db8:1:2::${i.toString(16)}`, request()) === 'in') count++;
    assert.equal(count, 10);
    assert.equal(says('2001:db8:1:2:ffff:1:2:3', request()), 'admission.rate');
    assert.equal(says('2001:db8:1:3::1', request()), 'in');
  });

  it('loopback has no rate, trusted or not', () => {
    const { admission, says } = make();
    admission.trust('127.0.0.1', 'trunk');
    for (let i = 0; i < 20_000; i++) assert.equal(says(i & 1 ? '127.0.0.1' : '::1', request()), 'in');
  });

  it('trusted sources have ten times as much, until their trust ends', () => {
    const { admission, says } = make();
    admission.trust('192.0.2.1', 'registered', 5000, 1000);
    let count = 0;
    for (let i = 0; i < 500; i++) if (says('192.0.2.1', request()) === 'in') count++;
    assert.equal(count, 100);
    assert.equal(says('192.0.2.1', request()), 'admission.rate-trusted');
    assert.equal(admission.isTrusted('192.0.2.1', 4999), true);
    assert.equal(admission.isTrusted('192.0.2.1', 5000), false);
    count = 0;
    for (let i = 0; i < 500; i++) if (says('192.0.2.1', request(), 6000) === 'in') count++;
    assert.equal(count, 10);
  });

  it('by default a phone is trusted for an hour, a trunk without end', () => {
    const { admission, says } = make();
    says('192.0.2.9', request(), 5000);
    admission.trust('192.0.2.1', 'registered');
    admission.trust('192.0.2.2', 'trunk');
    assert.equal(admission.isTrusted('192.0.2.1', 5000 + 3_599_999), true);
    assert.equal(admission.isTrusted('192.0.2.1', 5000 + 3_600_000), false);
    assert.equal(admission.isTrusted('192.0.2.2', 1e15), true);
  });

  it('a clock that is put back shuts nobody out', () => {
    const { admission, says } = make();
    admission.trust('192.0.2.2', 'trunk');
    for (let i = 0; i < 50; i++)
      for (const source of ['192.0.2.1', '192.0.2.2']) says(source, request(), 5_000_000);
    for (const source of ['192.0.2.1', '192.0.2.2', '192.0.2.3'])
      assert.equal(says(source, request(), 1_000_000), 'in');
    let count = 0;
    for (let i = 0; i < 50; i++) if (says('192.0.2.1', request(), 1_000_000) === 'in') count++;
    assert.equal(count, 9);
  });

  it('all unknown sources together have a ceiling, which trusted ones do not feel', () => {
    const { admission, says } = make({}, { unknownPerSecond: 100 });
    admission.trust('198.51.100.1', 'trunk');
    let count = 0;
    for (let i = 0; i < 1000; i++) if (says(address4(0x0a000000 + i * 7919), request()) === 'in') count++;
    assert.equal(count, 100);
    assert.equal(says('192.0.2.1', request()), 'admission.ceiling');
    assert.equal(says('198.51.100.1', request()), 'in');
  });

  it('emergency first: INVITEs to emergency numbers from trusted sources pass every rate', () => {
    const { admission, says } = make();
    admission.trust('192.0.2.1', 'registered', 1e9, 1000);
    for (let i = 0; i < 200; i++) says('192.0.2.1', request());
    for (const uri of [
      'sip:911@example.com',
      'sip:112@example.com;user=phone',
      'tel:911',
      'sips:1-1-2@x',
      'tel:112;phone-context=+1',
      'urn:service:sos.police',
      'SIP:911:pw@x',
    ]) {
      assert.equal(says('192.0.2.1', `INVITE ${uri} SIP/2.0\r\n\r\n`), 'in', uri);
      assert.notEqual(says('192.0.2.1', `OPTIONS ${uri} SIP/2.0\r\n\r\n`), 'in', uri);
    }
    for (const uri of ['sip:9112@example.com', 'sip:1911@x', 'sip:911', 'tel:+911x', 'sip:bob@911']) {
      assert.equal(says('192.0.2.1', `INVITE ${uri}SIP/2.0\r\n\r\n`), 'admission.rate-trusted', uri);
    }
    for (let i = 0; i < 200; i++) says('203.0.113.1', request());
    assert.equal(
      says('203.0.113.1', 'INVITE sip:911@x SIP/2.0\r\n\r\n'),
      'admission.rate',
      'not from the unknown',
    );
  });

  it("bounded memory: a million sources cost nothing and do not clear an abuser's record", () => {
    const { admission } = make({}, { perSourcePerSecond: 100, perNetworkPerSecond: 2000 });
    const bytes = Buffer.from(request());
    const abuser = '203.0.113.66';
    const at = (now: number): boolean => admission.message('l', abuser, bytes, now) === undefined;
    for (let i = 0; i < 200; i++) at(1000);
    assert.equal(at(1000), false);
    const before = process.memoryUsage();
    let refused = 0;
    for (let i = 0; i < 1_000_000; i++) {
      // Spread over ten seconds, as a flood is; the abuser goes on meanwhile.
      const now = 1000 + i / 100;
      if (admission.message('l', address4(Math.imul(i, 2654435761)), bytes, now) !== undefined) refused++;
    }
    const after = process.memoryUsage();
    assert.ok(after.rss - before.rss < 40e6, `resident memory grew by ${after.rss - before.rss}`);
    assert.ok(refused < 1000, `${refused} innocent messages were refused`);
    let late = 0;
    for (let i = 0; i < 1000; i++) if (at(11_000)) late++;
    assert.ok(late <= 100, `${late} of the abuser came through`);
  });

  it('property: no source ever gets more than its burst and rate, whatever others do', () => {
    const step = fc.record({ source: fc.nat(40), after: fc.nat(400) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), fc.integer(), (steps, seed) => {
        const { says } = make({ seed });
        const passed = new Map<number, number[]>();
        let now = 5;
        for (const { source, after } of steps) {
          now += after;
          if (says(address4(0xc0000200 + source), request(), now) === 'in')
            passed.set(source, [...(passed.get(source) ?? []), now]);
        }
        for (const times of passed.values()) {
          for (let i = 0; i < times.length; i++) {
            for (let j = i; j < times.length; j++)
              assert.ok(j - i + 1 <= 10 + (times[j]! - times[i]!) / 100 + 0.01);
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe('admission: connections and events', () => {
  it('connections are bounded per source and in total, opening them has a rate, trusted ones have more', () => {
    const { admission } = make();
    const opens = (address: string, now = 1000): string =>
      admission.connection('l', address, now)?.rule ?? 'in';
    for (let i = 0; i < 4; i++) assert.equal(opens(`2001:db8::${i}`), 'in');
    assert.equal(opens('2001:db8::ffff'), 'admission.connections-per-source');
    assert.equal(opens('192.0.2.1'), 'in');
    assert.equal(opens('192.0.2.2'), 'in');
    assert.equal(opens('127.0.0.1'), 'admission.connections');
    admission.connectionClosed('2001:db8::3');
    assert.equal(admission.connections, 5);
    assert.equal(opens('2001:db8::ffff'), 'in');
    for (let i = 0; i < 20; i++) admission.connectionClosed('2001:db8::1');
    assert.equal(admission.connections, 2, 'never below what is open');
    for (let i = 0; i < 12; i++)
      if (opens('198.51.100.1') === 'in') admission.connectionClosed('198.51.100.1');
    assert.equal(opens('198.51.100.1'), 'admission.rate');
  });

  it('all unknown sources together open connections at a bounded rate, and leave room for trusted ones', () => {
    const { admission } = make(
      { unknownConnectionsPerSecond: 20 },
      { connections: 100, connectionsPerSource: 1 },
    );
    const opens = (n: number, now: number): string =>
      admission.connection('l', address4(0xc6336400 + n), now)?.rule ?? 'in';
    const first = Array.from({ length: 50 }, (_, i) => opens(i, 1000));
    assert.equal(first.filter((rule) => rule === 'in').length, 20);
    assert.equal(first.at(-1), 'admission.connection-rate');
    for (let i = 50; i < 200; i++) opens(i, 1000 + i * 1000);
    assert.equal(admission.connections, 90);
    assert.equal(opens(201, 1e6), 'admission.connections');
    admission.trust('192.0.2.1', 'registered', 1e9, 1e6);
    for (let i = 0; i < 10; i++) assert.equal(admission.connection('l', '192.0.2.1', 1e6), undefined);
    assert.equal(admission.connection('l', '192.0.2.1', 1e6)?.rule, 'admission.connections');
  });

  it('refusals are told of once per source, rule and ten seconds, and of many sources together', () => {
    const { admission, events, says } = make();
    for (let i = 0; i < 500; i++) says('203.0.113.5', 'garbage', 1000 + i);
    assert.equal(events.length, 0);
    says('203.0.113.5', 'garbage', 11_001);
    assert.deepEqual(events, [
      {
        type: 'admission.refused',
        source: '203.0.113.5',
        listener: 'l',
        rule: 'admission.first-line',
        count: 500,
        threshold: 0,
      },
    ]);
    for (let i = 0; i < 10_000; i++) says(`2001:db8:${(i % 5000).toString(16)}::1`, 'garbage', 12_000);
    admission.flush();
    assert.ok(events.length <= 1 + 256 + 1);
    assert.equal(
      events.reduce((sum, e) => sum + e.count, 0),
      10_501,
    );
    assert.equal(events.at(-1)?.source, '*');
    assert.equal(events[2]?.source, '2001:db8:0:0::/64');
    assert.equal(admission.refused, 10_501);
  });

  it('a refusal explains itself with evidence and threshold', () => {
    const { admission } = make();
    let refusal: ReturnType<typeof admission.message>;
    for (let i = 0; i < 11; i++)
      refusal = admission.message('l', '2001:db8::1', Buffer.from(request()), 1000);
    assert.deepEqual(admission.reason(refusal!, '2001:db8::1'), {
      rule: 'admission.rate',
      text: 'The source sends more than admission.perSourcePerSecond.',
      evidence: { source: '2001:db8:0:0::/64', connections: 0 },
      threshold: 10,
    });
  });

  it('new settings are taken while running, trust stays', () => {
    const { admission, says } = make();
    admission.trust('192.0.2.1', 'trunk');
    admission.configure(
      { ...defaults, perSourcePerSecond: 20, messageBytes: 1024, blockedUserAgents: [] },
      1000,
    );
    assert.equal(admission.isTrusted('192.0.2.1', 1e12), true);
    assert.equal(says('192.0.2.9', request('OPTIONS', 'User-Agent: sipvicious\r\n')), 'in');
    assert.equal(says('192.0.2.9', request('OPTIONS', `X: ${'y'.repeat(1024)}\r\n`)), 'admission.size');
    let count = 0;
    for (let i = 0; i < 100; i++) if (says('192.0.2.8', request()) === 'in') count++;
    assert.equal(count, 20);
  });
});
