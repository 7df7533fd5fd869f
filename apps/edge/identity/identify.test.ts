import assert from 'node:assert/strict';
import { BlockList } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { Directory } from '../routing/directory.ts';
import { registered } from '../testing/cast.ts';
import { trunk, user } from '../testing/objects.ts';
import { Phone } from '../testing/phone.ts';
import { World } from '../testing/world.ts';

const simple = (): World => new World({ objects: { users: [user('alice'), user('bob')] } });

test('digest credentials serve once: a replay from the same source is refused (S7, RFC 7616 §5.12)', async () => {
  const world = simple();
  const alice = await registered(world, { name: 'alice', address: '203.0.113.1', transport: 'tcp' });
  const sent = world.network.log.findLast(({ out, text }) => !out && text.includes('Authorization'))!.text;
  const again = sent.replace(/branch=\S+?;/, 'branch=z9hG4bKreplay;').replace(/CSeq: \d+/, 'CSeq: 77');
  alice.raw(again);
  await world.run(10);
  assert.match(world.sentTo('203.0.113.1').at(-1)!, /^SIP\/2\.0 401/);
  assert.equal(world.eventsOf('authentication.failed').at(-1)!.reason, 'replay');
});

test('digest credentials are good from one source, for one method and one URI (S7, CVE-2007-5469)', async () => {
  for (const change of [
    (text: string) => ({ text, address: '203.0.113.99' }),
    (text: string) => ({ text: text.replaceAll('REGISTER', 'OPTIONS'), address: '203.0.113.1' }),
    (text: string) => ({
      text: text.replace('sip:example.test SIP', 'sip:+882@example.test SIP'),
      address: '203.0.113.1',
    }),
  ]) {
    const world = simple();
    const alice = new Phone(world, { name: 'alice', address: '203.0.113.1', transport: 'tcp', port: 5071 });
    // The credentials are seen on the wire, but the request itself never arrives.
    const deliver = world.network.deliver;
    let seen = '';
    world.network.deliver = (flow, bytes, now) => {
      const text = Buffer.from(bytes).toString('latin1');
      if (text.includes('Authorization')) seen = text;
      else deliver(flow, bytes, now);
    };
    alice.ask(
      { ...alice.make('REGISTER', 'sip:example.test'), to: { uri: alice.uri('alice'), params: new Map() } },
      () => undefined,
    );
    await world.until(() => seen !== '');
    world.network.deliver = deliver;
    const { text, address } = change(seen);
    const thief = new Phone(world, { name: 'thief', address, transport: 'tcp', port: 5072 });
    thief.raw(text.replace(/branch=\S+?;/, 'branch=z9hG4bKthief;'));
    await world.run(10);
    const status = world.network.log.findLast(({ out, flow }) => out && flow.remote.port === 5072)!.text;
    assert.match(status, /^SIP\/2\.0 401/);
    assert.equal(world.edge.registrar.size, 0);
  }
});

test('credentials for another realm are no attempt at ours: challenged, and no failure is told (RFC 3261 §22.3)', async () => {
  const world = simple();
  const phone = new Phone(world, { name: 'alice', address: '203.0.113.1', transport: 'tcp' });
  phone.ask(
    phone.make('OPTIONS', 'sip:example.test', [
      [
        'Authorization',
        'Digest username="alice", realm="elsewhere", nonce="n", uri="sip:example.test", response="00", algorithm=MD5',
      ],
    ]),
    () => undefined,
    true,
  );
  await world.run(10);
  assert.match(world.sentTo('203.0.113.1').at(-1)!, /^SIP\/2\.0 401/);
  assert.equal(world.eventsOf('authentication.failed').length, 0);
});

test('an expired nonce is stale, not wrong (RFC 7616 §3.3)', async () => {
  const world = simple();
  const phone = new Phone(world, { name: 'alice', address: '203.0.113.1', transport: 'tcp' });
  const credentials = phone.credentials.bind(phone);
  let held: string | undefined;
  phone.credentials = (request, response) => {
    held ??= credentials(request, response);
    return undefined;
  };
  const request = phone.make('OPTIONS', 'sip:example.test');
  await phone.request(request);
  await world.run(301_000);
  const headers = request.headers.clone().add('Authorization', held!);
  const answered = await phone.request({ ...request, callId: 'other', headers });
  assert.ok(typeof answered !== 'string');
  assert.match(answered.headers.get('WWW-Authenticate')!, /stale=true/);
  assert.equal(world.eventsOf('authentication.failed').length, 0);
});

test('repetitions over UDP of a request with credentials get the answer of their transaction (RFC 3261 §17.2.2)', async () => {
  const world = simple();
  const phone = await registered(world, { name: 'alice', address: '203.0.113.1', transport: 'udp' });
  const sent = world.network.log.findLast(({ out, text }) => !out && text.includes('Authorization'))!.text;
  phone.raw(sent);
  await world.run(10);
  assert.match(world.sentTo('203.0.113.1').at(-1)!, /^SIP\/2\.0 200/);
});

const octet = fc.integer({ min: 0, max: 255 });
const address4 = fc.tuple(octet, octet, octet, octet).map((parts) => parts.join('.'));
const address6 = fc
  .array(fc.integer({ min: 0, max: 0xffff }), { minLength: 8, maxLength: 8 })
  .map((groups) => groups.map((group) => group.toString(16)).join(':'));
const range = fc.oneof(
  address4,
  address6,
  fc.tuple(address4, fc.integer({ min: 1, max: 32 })).map(([a, n]) => `${a}/${n}`),
  fc.tuple(address6, fc.integer({ min: 1, max: 128 })).map(([a, n]) => `${a}/${n}`),
);
const slip = fc.constantFrom(
  '',
  '/',
  '10.0.0.0/',
  '/0',
  '10.0.0.0/x',
  '10.0.0.0/33',
  '::/',
  'any',
  '*',
  '10.0.0',
  '10.0.0.0/-1',
  '10.0.0.0/ 8',
  '256.1.1.1',
  '10.0.0.0/1e1',
);

test('no address outside the ranges of a trunk is ever that trunk, and slips in a range let nobody in (S11)', () => {
  fc.assert(
    fc.property(
      fc.array(range, { maxLength: 4 }),
      fc.array(slip, { maxLength: 3 }),
      fc.oneof(address4, address6),
      (ranges, slips, who) => {
        const directory = new Directory(
          { users: [], trunks: [trunk('t', { addresses: [...slips, ...ranges] })], routes: [] },
          'example.test',
        );
        const list = new BlockList();
        for (const text of ranges) {
          const [address = '', prefix] = text.split('/');
          const family = address.includes(':') ? 'ipv6' : 'ipv4';
          list.addSubnet(
            address,
            prefix === undefined ? (family === 'ipv6' ? 128 : 32) : Number(prefix),
            family,
          );
        }
        const within = list.check(who, who.includes(':') ? 'ipv6' : 'ipv4');
        assert.equal(directory.trunkByAddress(who) !== undefined, within);
        for (const text of ranges) {
          const [address = ''] = text.split('/');
          assert.equal(directory.trunkByAddress(address)?.name, 't');
        }
      },
    ),
    { numRuns: 500 },
  );
});

test('two tenants with one carrier address: the domain that is asked for decides', () => {
  const addresses = ['192.0.2.1', '198.51.100.0/24'];
  const directory = new Directory(
    {
      users: [],
      trunks: [trunk('a', { addresses }), trunk('b', { domain: 'other.test', addresses })],
      routes: [],
    },
    'example.test',
  );
  for (const address of ['192.0.2.1', '198.51.100.7']) {
    assert.equal(directory.trunkByAddress(address, 'other.test')!.name, 'b');
    assert.equal(directory.trunkByAddress(address, 'example.test')!.name, 'a');
  }
});
