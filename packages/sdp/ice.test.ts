import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import fc from 'fast-check';
import { iceAttributes, mostCandidates, parseCandidate, parseFragment, serializeCandidate } from './ice.ts';
import { parseSession } from './parse.ts';

const read = (lines: readonly string[], top: readonly string[] = []) => {
  const text = [
    'v=0',
    'o=- 1 1 IN IP4 192.0.2.1',
    's=-',
    'c=IN IP4 192.0.2.1',
    't=0 0',
    ...top.map((line) => `a=${line}`),
    'm=audio 5004 RTP/AVP 0',
    ...lines.map((line) => `a=${line}`),
    '',
  ].join('\r\n');
  const parsed = parseSession(Buffer.from(text));
  assert.ok(parsed.ok);
  return iceAttributes(parsed.value, parsed.value.media[0]!);
};

const credentials = ['ice-ufrag:8hhY', 'ice-pwd:asd88fgpdd777uzjYhagZg'];

test('RFC 8839 §5.1: a candidate is read and written', () => {
  const candidate = parseCandidate('1 1 UDP 2130706431 203.0.113.141 8998 typ host');
  assert.deepEqual(candidate, {
    foundation: '1',
    component: 1,
    priority: 2130706431,
    address: '203.0.113.141',
    port: 8998,
    kind: 'host',
  });
  assert.equal(serializeCandidate(candidate!), '1 1 UDP 2130706431 203.0.113.141 8998 typ host');
  const reflexive = '2 1 UDP 1694498815 192.0.2.3 45664 typ srflx raddr 203.0.113.141 rport 8998';
  assert.equal(parseCandidate(reflexive)?.kind, 'srflx');
  assert.equal(parseCandidate('H1 2 udp 1 2001:db8::1 9 typ relay generation 0')?.address, '2001:db8::1');
});

test('RFC 8839 §5.1: other transports, names and nonsense are no candidates', () => {
  for (const value of [
    '1 1 TCP 2130706431 203.0.113.141 9 typ host tcptype active',
    '1 1 UDP 2130706431 4f1c.local 8998 typ host',
    '1 3 UDP 2130706431 203.0.113.141 8998 typ host',
    '1 1 UDP 4294967296 203.0.113.141 8998 typ host',
    '1 1 UDP 0 203.0.113.141 8998 typ host',
    '1 1 UDP 1 203.0.113.141 0 typ host',
    '1 1 UDP 1 203.0.113.141 65536 typ host',
    '1 1 UDP 1 203.0.113.141 8998 typ other',
    '1 1 UDP 1 203.0.113.141 8998 host',
    `${'f'.repeat(33)} 1 UDP 1 203.0.113.141 8998 typ host`,
    '',
  ])
    assert.equal(parseCandidate(value), undefined, value);
});

test('RFC 8839 §4: credentials of the stream or of the session, lite, options', () => {
  assert.deepEqual(read(credentials), {
    ufrag: '8hhY',
    password: 'asd88fgpdd777uzjYhagZg',
    lite: false,
    trickle: false,
    candidates: [],
    ended: false,
  });
  const above = read([], [...credentials, 'ice-lite', 'ice-options:ice2 trickle']);
  assert.equal(above?.lite, true);
  assert.equal(above?.trickle, true);
  assert.equal(read([...credentials, 'end-of-candidates'])?.ended, true);
});

test('RFC 8839 §5.4: credentials that cannot be are no ICE', () => {
  assert.equal(read(['ice-ufrag:8hh', credentials[1]!]), undefined);
  assert.equal(read(['ice-ufrag:8hhY', 'ice-pwd:tooshort']), undefined);
  assert.equal(read(['ice-ufrag:8h hY', credentials[1]!]), undefined);
  assert.equal(read([`ice-ufrag:${'x'.repeat(256)}`, credentials[1]!]), undefined);
  assert.equal(read(['ice-ufrag:8hhY']), undefined);
});

test('of many candidates no more than 32 are looked at', () => {
  const many = Array.from({ length: 100 }, (_, i) => `candidate:1 1 UDP 1 192.0.2.${i} 9 typ host`);
  assert.equal(read([...credentials, ...many])?.candidates.length, mostCandidates);
});

test('RFC 8840 §9: a fragment with candidates', () => {
  const fragment = parseFragment(
    Buffer.from(
      'a=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=ice-ufrag:8hhY\r\nm=audio 9 RTP/AVP 0\r\na=mid:1\r\n' +
        'a=candidate:1 1 UDP 2130706432 2001:db8:a0b:12f0::1 5000 typ host\r\na=end-of-candidates\r\n' +
        'm=audio 9 RTP/AVP 0\r\na=mid:2\r\na=candidate:1 1 UDP 1 192.0.2.1 5000 typ host\r\n',
    ),
  );
  assert.equal(fragment?.ufrag, '8hhY');
  assert.equal(fragment?.mid, '1');
  assert.equal(fragment?.candidates.length, 1);
  assert.equal(fragment?.ended, true);
  assert.equal(parseFragment(new Uint8Array(9000)), undefined);
});

test('property: a candidate that is written reads as it was', () => {
  const text = fc
    .array(fc.constantFrom(...'aZ09+/'), { minLength: 1, maxLength: 32 })
    .map((all) => all.join(''));
  const address = fc.oneof(
    fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255)).map((octets) => octets.join('.')),
    fc.constantFrom('2001:db8::1', '::1', 'fe80::1:2'),
  );
  fc.assert(
    fc.property(
      text,
      fc.constantFrom(1, 2),
      fc.integer({ min: 1, max: 2 ** 31 - 1 }),
      address,
      fc.integer({ min: 1, max: 65_535 }),
      fc.constantFrom('host', 'srflx', 'prflx', 'relay'),
      (foundation, component, priority, at, port, kind) => {
        const candidate = { foundation, component, priority, address: at, port, kind } as const;
        assert.deepEqual(parseCandidate(serializeCandidate(candidate)), candidate);
      },
    ),
    { numRuns: 300 },
  );
});

test('fuzz: 20,000 bent candidates and fragments give a value each, and no more than 32 candidates', () => {
  const random = new SeededRandom(8839);
  const line = '1 1 UDP 2130706431 203.0.113.141 8998 typ host raddr 10.0.0.1 rport 5';
  const fragment = `a=ice-ufrag:8hhY\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\nm=audio 9 RTP/AVP 0\r\na=mid:1\r\na=candidate:${line}\r\na=end-of-candidates\r\n`;
  const alphabet = '\0\r\n\t =:/.-+09azAZ\u00e4\u2028';
  let taken = 0;
  let refused = 0;
  for (let run = 0; run < 20_000; run += 1) {
    const characters = [...(run % 2 === 0 ? line : fragment.repeat(random.integer(1, 40)))];
    for (let i = random.integer(1, 4); i > 0; i -= 1)
      characters[random.integer(0, characters.length - 1)] =
        alphabet[random.integer(0, alphabet.length - 1)]!;
    const text = characters.join('').slice(0, random.chance(0.2) ? random.integer(0, 90) : undefined);
    if (run % 2 === 0) {
      const candidate = parseCandidate(text);
      if (candidate === undefined) refused += 1;
      else {
        taken += 1;
        // Nothing but what is on the list: it can be written into a line of ours.
        assert.match(
          serializeCandidate(candidate),
          /^[A-Za-z0-9+/]{1,32} [12] UDP \d+ [0-9a-fA-F.:]+ \d+ typ [a-z]+$/,
        );
      }
    } else {
      const read = parseFragment(Buffer.from(text));
      if (read === undefined) refused += 1;
      else {
        taken += 1;
        assert.ok(read.candidates.length <= mostCandidates);
      }
    }
  }
  assert.equal(taken + refused, 20_000);
  assert.ok(taken > 1_000 && refused > 1_000, `${taken} ${refused}`);
});
