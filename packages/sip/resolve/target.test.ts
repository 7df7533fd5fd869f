import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import fc from 'fast-check';
import type { SipUri } from '../message/types.ts';
import { parseUri } from '../message/uri.ts';
import type { DialTransport } from '../transport/flow.ts';
import { addressFamily } from './numeric.ts';
import { type NaptrRecord, orderSrv, type SrvRecord } from './records.ts';
import { type ResolveOptions, TargetResolver } from './target.ts';

type Zone = Readonly<
  Record<string, readonly NaptrRecord[] | readonly SrvRecord[] | readonly string[] | 'fails'>
>;

const uri = (text: string): SipUri => {
  const parsed = parseUri(text);
  assert.ok(parsed.ok && (parsed.value.scheme === 'sip' || parsed.value.scheme === 'sips'));
  return parsed.value;
};

const srv = (priority: number, weight: number, port: number, target: string): SrvRecord => ({
  priority,
  weight,
  port,
  target,
});

const naptr = (order: number, preference: number, service: string, replacement: string): NaptrRecord => ({
  order,
  preference,
  flags: 's',
  service,
  regexp: '',
  replacement,
});

const all: readonly DialTransport[] = ['udp', 'tcp', 'tls'];

/** Resolves against a zone; candidates as `transport address:port`, or the reason of the failure. */
function resolve(text: string, zone: Zone, options: Partial<ResolveOptions> = {}) {
  const resolver = new TargetResolver(uri(text), {
    transports: all,
    random: () => 0,
    families: [4, 6],
    ...options,
  });
  const queries: string[] = [];
  for (let output = resolver.poll(); output !== undefined; output = resolver.poll()) {
    if (output.kind === 'resolved') {
      const lines = output.candidates.map((c) => `${c.transport} ${c.address}:${c.port}`);
      return { queries, found: lines, candidates: output.candidates };
    }
    if (output.kind === 'failed') return { queries, found: output.reason, candidates: [] };
    queries.push(`${output.type} ${output.name}`);
    const records = zone[`${output.type} ${output.name}`] ?? [];
    if (records === 'fails') resolver.fail(output.type, output.name);
    else resolver.answer({ type: output.type, name: output.name, records } as never);
  }
  throw new Error('neither resolved nor failed');
}

// The zone of the worked example in RFC 3263 §4.1 and §4.2.
const example: Zone = {
  'NAPTR example.com': [
    naptr(50, 50, 'SIPS+D2T', '_sips._tcp.example.com'),
    naptr(90, 50, 'SIP+D2T', '_sip._tcp.example.com'),
    naptr(100, 50, 'SIP+D2U', '_sip._udp.example.com'),
  ],
  'SRV _sip._tcp.example.com': [
    srv(0, 1, 5060, 'server1.example.com'),
    srv(0, 2, 5060, 'server2.example.com'),
  ],
  'SRV _sip._udp.example.com': [srv(0, 1, 5060, 'server1.example.com')],
  'SRV _sips._tcp.example.com': [srv(0, 1, 5061, 'server1.example.com')],
  'A server1.example.com': ['192.0.2.1'],
  'A server2.example.com': ['192.0.2.2'],
};

test('RFC 3263 §4.1: the example, a client with TCP and UDP that prefers TCP', () => {
  const { queries, found } = resolve('sip:user@example.com', example, {
    transports: ['tcp', 'udp'],
  });
  assert.deepEqual(found, ['tcp 192.0.2.1:5060', 'tcp 192.0.2.2:5060', 'udp 192.0.2.1:5060']);
  assert.deepEqual(queries.slice(0, 3), [
    'NAPTR example.com',
    'SRV _sip._tcp.example.com',
    'SRV _sip._udp.example.com',
  ]);
});

test('RFC 3263 §4.1: the order of the domain stands above ours', () => {
  const { found } = resolve('sip:user@example.com', example);
  assert.deepEqual(found.slice(0, 1), ['tls 192.0.2.1:5061']);
});

test('RFC 3263 §4.1: a sips URI gives TLS alone, whatever DNS says', () => {
  const { found, queries, candidates } = resolve('sips:user@example.com', example);
  assert.deepEqual(found, ['tls 192.0.2.1:5061']);
  assert.equal(candidates[0]?.serverName, 'example.com');
  assert.ok(!queries.includes('SRV _sip._udp.example.com'));
  const plain = { 'NAPTR example.com': [naptr(1, 1, 'SIP+D2U', '_sip._udp.example.com')] };
  assert.equal(resolve('sips:user@example.com', plain).found, 'not-found');
});

test('RFC 3263 §4.1: numeric hosts need no DNS', () => {
  assert.deepEqual(resolve('sip:192.0.2.9', {}), {
    queries: [],
    found: ['udp 192.0.2.9:5060'],
    candidates: [{ transport: 'udp', address: '192.0.2.9', port: 5060, serverName: '192.0.2.9' }],
  });
  assert.deepEqual(resolve('sips:192.0.2.9', {}).found, ['tls 192.0.2.9:5061']);
  assert.deepEqual(resolve('sip:[2001:db8::9]:5070;transport=tcp', {}).found, ['tcp 2001:db8::9:5070']);
});

test('RFC 3263 §4.2: a port in the URI means addresses only', () => {
  const { queries, found } = resolve('sip:server1.example.com:5070', example);
  assert.deepEqual(queries, ['A server1.example.com', 'AAAA server1.example.com']);
  assert.deepEqual(found, ['udp 192.0.2.1:5070']);
});

test('RFC 3263 §4.1: a transport parameter means SRV for it, then addresses', () => {
  assert.deepEqual(resolve('sip:example.com;transport=udp', example).found, ['udp 192.0.2.1:5060']);
  const { queries, found } = resolve('sip:server2.example.com;transport=tcp', example);
  assert.deepEqual(found, ['tcp 192.0.2.2:5060']);
  assert.equal(queries[0], 'SRV _sip._tcp.server2.example.com');
  assert.deepEqual(resolve('sips:server2.example.com;transport=tcp', example).found, ['tls 192.0.2.2:5061']);
});

test('RFC 3263 §4.1: transports that are forbidden, unknown or lacking', () => {
  assert.equal(resolve('sips:example.com;transport=udp', example).found, 'unsupported-transport');
  assert.equal(resolve('sip:example.com;transport=sctp', example).found, 'unsupported-transport');
  assert.equal(resolve('sip:192.0.2.1', {}, { transports: ['tls'] }).found, 'unsupported-transport');
  assert.equal(resolve('sips:example.com', example, { transports: ['udp'] }).found, 'unsupported-transport');
});

test('RFC 3263 §4.1: without NAPTR, SRV of every transport; without SRV, the addresses', () => {
  const { 'NAPTR example.com': _, ...noNaptr } = example;
  const both = resolve('sip:example.com', noNaptr, { transports: ['udp', 'tcp'] });
  assert.equal(both.found[0], 'udp 192.0.2.1:5060');
  const only = resolve('sip:server2.example.com', example);
  assert.deepEqual(only.found, ['udp 192.0.2.2:5060']);
});

test('RFC 3263 §4.1: NAPTR records that are not for SIP, or are more than a name, are passed over', () => {
  const zone: Zone = {
    ...example,
    'NAPTR example.com': [
      naptr(1, 1, 'E2U+sip', 'evil.example'),
      { ...naptr(2, 1, 'SIP+D2U', '_sip._udp.evil.example'), flags: 'u' },
      { ...naptr(3, 1, 'SIP+D2U', '_sip._udp.evil.example'), regexp: '!.*!sip:evil!' },
      naptr(4, 1, 'sip+d2u', '_sip._udp.example.com.'),
    ],
  };
  assert.deepEqual(resolve('sip:example.com', zone).found, ['udp 192.0.2.1:5060']);
});

test('RFC 3263 §4.1: maddr is where to go, the host is what the certificate names', () => {
  const { found, candidates } = resolve('sips:example.com;maddr=192.0.2.44', {});
  assert.deepEqual(found, ['tls 192.0.2.44:5061']);
  assert.equal(candidates[0]?.serverName, 'example.com');
});

test('RFC 2782: a target of `.` means that the service is decidedly not there', () => {
  const zone: Zone = { 'SRV _sip._udp.example.com': [srv(0, 0, 0, '.')], 'A example.com': ['192.0.2.1'] };
  assert.equal(resolve('sip:example.com;transport=udp', zone).found, 'not-found');
});

test('RFC 3263 §4.3: DNS trouble is told apart from a name that is not there', () => {
  assert.equal(resolve('sip:nowhere.example', {}).found, 'not-found');
  const trouble: Zone = { 'A nowhere.example': 'fails', 'AAAA nowhere.example': 'fails' };
  assert.equal(resolve('sip:nowhere.example', trouble).found, 'unavailable');
});

test('RFC 3263 §4.2: AAAA and A, the preferred family first', () => {
  const zone: Zone = {
    'A both.example': ['192.0.2.1'],
    'AAAA both.example': ['2001:db8::1', 'not an address'],
  };
  const { found } = resolve('sip:both.example:5060', zone, { families: [6, 4] });
  assert.deepEqual(found, ['udp 2001:db8::1:5060', 'udp 192.0.2.1:5060']);
});

test('RFC 2782: priority first, then every order by weight at random', () => {
  const records = [
    srv(2, 100, 1, 'last'),
    srv(1, 0, 2, 'zero'),
    srv(1, 60, 3, 'sixty'),
    srv(1, 20, 4, 'twenty'),
  ];
  const random = new SeededRandom(7);
  const first = new Map<string, number>();
  for (let i = 0; i < 8000; i++) {
    const order = orderSrv(records, () => random.next());
    assert.equal(order.length, 4);
    assert.equal(order[3]?.target, 'last');
    const name = order[0]?.target ?? '';
    first.set(name, (first.get(name) ?? 0) + 1);
  }
  const share = (name: string) => (first.get(name) ?? 0) / 8000;
  assert.ok(Math.abs(share('sixty') - 60 / 81) < 0.02, `${share('sixty')}`);
  assert.ok(Math.abs(share('twenty') - 20 / 81) < 0.02, `${share('twenty')}`);
  assert.ok(share('zero') > 0 && share('zero') < 0.03, `${share('zero')}`);
});

test('RFC 2782: the running sum decides as written', () => {
  const records = [srv(0, 1, 1, 'a'), srv(0, 3, 2, 'b')];
  // A sum of 4 gives draws of 0 to 4; up to 1 falls to the first.
  const names = [0, 0.39, 0.41, 0.99].map((drawn) => orderSrv(records, () => drawn)[0]?.target);
  assert.deepEqual(names, ['a', 'a', 'b', 'b']);
});

test('S8: whatever DNS sends, queries and candidates are bounded (property)', () => {
  const many = fc.integer({ min: 0, max: 200 });
  fc.assert(
    fc.property(many, many, many, fc.boolean(), (services, targets, addresses, secure) => {
      const resolver = new TargetResolver(uri(secure ? 'sips:example.com' : 'sip:example.com'), {
        transports: all,
        random: () => 0.3,
      });
      let queries = 0;
      for (let output = resolver.poll(); ; output = resolver.poll()) {
        assert.ok(output !== undefined, 'neither resolved nor failed');
        if (output.kind === 'failed') break;
        if (output.kind === 'resolved') {
          assert.ok(output.candidates.length <= 32);
          assert.ok(!secure || output.candidates.every((candidate) => candidate.transport === 'tls'));
          break;
        }
        queries++;
        const { type, name } = output;
        if (type === 'NAPTR') {
          const records = Array.from({ length: services }, (_, i) =>
            naptr(i, 0, i % 2 ? 'SIPS+D2T' : 'SIP+D2U', `s${i}`),
          );
          resolver.answer({ type, name, records });
        } else if (type === 'SRV') {
          const records = Array.from({ length: targets }, (_, i) => srv(i % 3, i, 5060, `t${i}.${name}`));
          resolver.answer({ type, name, records });
        } else {
          const text = type === 'A' ? '192.0.2.1' : '2001:db8::1';
          resolver.answer({ type, name, records: Array.from({ length: addresses }, () => text) });
        }
      }
      assert.ok(queries <= 1 + 8 + 2 * 16, `${queries} queries`);
    }),
    { numRuns: 100 },
  );
});

test('RFC 3263 §4: answers in any order, unasked and repeated ones, end in one result (property)', () => {
  fc.assert(
    fc.property(fc.integer(), (seed) => {
      const random = new SeededRandom(seed);
      const resolver = new TargetResolver(uri('sip:example.com'), {
        transports: all,
        random: () => 0,
        families: [4],
      });
      const open: { type: string; name: string }[] = [];
      let results = 0;
      for (let i = 0; i < 200; i++) {
        const output = resolver.poll();
        if (output?.kind === 'query') open.push(output);
        else if (output !== undefined) results++;
        else if (open.length > 0) {
          const at = random.integer(0, open.length - 1);
          const { type, name } = random.chance(0.3) ? (open[at] as never) : (open.splice(at, 1)[0] as never);
          resolver.answer({ type, name, records: example[`${type} ${name}`] ?? [] } as never);
          resolver.answer({ type: 'A', name: 'unasked.example', records: ['192.0.2.66'] });
        }
      }
      assert.equal(results, 1);
    }),
    { numRuns: 100 },
  );
});

test('RFC 3261 §25.1: what is a numeric host', () => {
  for (const host of ['192.0.2.1', '0.0.0.0', '255.255.255.255']) assert.equal(addressFamily(host), 4, host);
  for (const host of ['::1', '2001:db8::1', '::ffff:192.0.2.1']) assert.equal(addressFamily(host), 6, host);
  for (const host of [
    '256.0.0.1',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.',
    'a.b.c.d',
    'example.com',
    ':',
    'g::1',
    '',
  ]) {
    assert.equal(addressFamily(host), undefined, host);
  }
});

test('RFC 7118 §5 and RFC 6761 §6.4: nobody is asked for names below invalid, and ws is no way to go', () => {
  for (const host of ['df7jal23ls0d.invalid', 'INVALID', 'a.invalid.'])
    assert.deepEqual(resolve(`sip:a@${host}`, {}), { queries: [], found: 'not-found', candidates: [] });
  assert.equal(resolve('sip:a@192.0.2.1;transport=ws', {}).found, 'unsupported-transport');
  assert.equal(resolve('sip:a@notinvalid.example', {}).queries.length > 0, true);
});
