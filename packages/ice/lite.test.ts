import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import { IceAgent, type IceAgentOptions, type IcePacket, type IceState } from './agent.ts';
import { hostCandidates, type IceBase, type IceCandidate, type IceCredentials } from './candidate.ts';
import { decodeStun } from './stun/decode.ts';
import { encodeStun } from './stun/encode.ts';
import { fingerprintOf, integrityOf, verifyIntegrity } from './stun/integrity.ts';
import type { ReadStun, StunAttributes, StunMessage, TransportAddress } from './stun/message.ts';

const local: IceCredentials = { ufrag: 'edge', password: 'the-password-of-the-edge'.replaceAll('-', '+') };
const peer: IceCredentials = { ufrag: 'phone', password: 'the+password+of+the+phone' };
const bases: IceBase[] = [
  { component: 1, address: '192.0.2.1', port: 30_000 },
  { component: 2, address: '192.0.2.1', port: 30_001 },
];
const phone: TransportAddress = { address: '198.51.100.7', port: 40_000 };
const natted: TransportAddress = { address: '203.0.113.9', port: 61_000 };
const key = (password: string) => new TextEncoder().encode(password);

class Bench {
  readonly random = new SeededRandom(7);
  readonly agent: IceAgent;
  readonly sent: IcePacket[] = [];
  readonly selected: [number, string | undefined][] = [];
  readonly states: IceState[] = [];

  constructor(options: Partial<IceAgentOptions> = {}) {
    this.agent = new IceAgent({
      mode: 'lite',
      local,
      components: bases.slice(0, 1),
      random: (octets) => this.random.bytes(octets),
      ...options,
    });
    this.agent.onSend = (packet) => this.sent.push(packet);
    this.agent.onSelected = (component, remote) =>
      this.selected.push([component, remote && `${remote.address}:${remote.port}`]);
    this.agent.onState = (state) => this.states.push(state);
  }

  remote(candidates: readonly IceCandidate[] = [], credentials = peer, now = 0): void {
    assert.ok(this.agent.setRemote({ ...credentials, lite: false, controlling: false, candidates }, now));
  }

  check(
    attributes: StunAttributes = {},
    rest: Partial<StunMessage> & { password?: string } = {},
  ): Uint8Array {
    return encodeStun(
      {
        class: 'request',
        method: 1,
        transactionId: this.random.bytes(12),
        attributes: {
          username: 'edge:phone',
          priority: 0x6e_ff_ff_ff,
          iceControlling: 5n,
          ...attributes,
        },
        ...rest,
      },
      { key: key(rest.password ?? local.password) },
    );
  }

  receive(bytes: Uint8Array, from = phone, now = 0, component: 1 | 2 = 1): string {
    return this.agent.receive(bytes, from, component, now);
  }

  /** The last answer, which verifies under our password. */
  answer(): ReadStun {
    const read = decodeStun(this.sent.at(-1)!.bytes);
    assert.ok(read.ok && verifyIntegrity(read.value, key(local.password)));
    return read.value;
  }
}

const host = (at: TransportAddress, component: 1 | 2 = 1, priority = 0x7e_ff_ff_ff): IceCandidate => ({
  foundation: '1',
  component,
  priority,
  kind: 'host',
  ...at,
});

test('RFC 8445 §7.3, §7.3.2: a lite agent answers a check with where it came from, and takes the nominated pair', () => {
  const bench = new Bench();
  bench.remote([host(phone)]);
  assert.deepEqual(bench.states, ['checking']);
  const check = bench.check();
  assert.equal(bench.receive(check), 'answered');
  const answer = bench.answer();
  assert.equal(answer.class, 'success');
  assert.deepEqual(answer.attributes, { mapped: phone });
  assert.deepEqual(answer.transactionId, check.subarray(8, 20));
  assert.deepEqual({ ...bench.sent[0], bytes: 0 }, { component: 1, ...phone, bytes: 0 });
  assert.ok(bench.sent[0]!.bytes.length <= check.length, 'an answer is no longer than its request');
  assert.deepEqual(bench.selected, []);
  bench.receive(bench.check({ useCandidate: true }));
  assert.deepEqual(bench.selected, [[1, '198.51.100.7:40000']]);
  assert.deepEqual(bench.states, ['checking', 'connected']);
  bench.receive(bench.check({ useCandidate: true }));
  assert.equal(bench.selected.length, 1);
});

test('RFC 8445 §7.3.1.3: behind a NAT the pair is with where the check came from', () => {
  const bench = new Bench();
  bench.remote([host(phone)]);
  bench.receive(bench.check({ useCandidate: true }), natted);
  assert.deepEqual(bench.selected, [[1, '203.0.113.9:61000']]);
});

test('RFC 8445 §13: with two components both have their pair before the stream is connected', () => {
  const bench = new Bench({ components: bases });
  bench.remote([host(phone), host({ ...phone, port: 40_001 }, 2)]);
  bench.receive(bench.check({ useCandidate: true }));
  assert.equal(bench.agent.state, 'checking');
  bench.receive(bench.check({ useCandidate: true }), { ...phone, port: 40_001 }, 0, 2);
  assert.equal(bench.agent.state, 'connected');
  assert.deepEqual(bench.selected, [
    [1, '198.51.100.7:40000'],
    [2, '198.51.100.7:40001'],
  ]);
});

test('RFC 5245 §8.1.1.2: of pairs nominated aggressively the one of highest priority is used, in any order', () => {
  const other = { ...phone, address: '198.51.100.8' };
  for (const order of [
    [phone, other],
    [other, phone],
  ]) {
    const bench = new Bench();
    bench.remote([host(phone), host(other, 1, 0x10_00_00_00)]);
    for (const from of order) bench.receive(bench.check({ useCandidate: true }), from);
    assert.equal(bench.selected.at(-1)?.[1], '198.51.100.7:40000');
    // A peer that went to another network goes on there once the better pair is silent.
    bench.receive(bench.check({ useCandidate: true }), other, 7_000);
    assert.equal(bench.selected.at(-1)?.[1], '198.51.100.7:40000');
    bench.receive(bench.check({ useCandidate: true }), other, 7_501);
    assert.equal(bench.selected.at(-1)?.[1], '198.51.100.8:40000');
  }
});

test('RFC 8489 §9.1.3: a check that does not verify gets no answer and changes nothing', () => {
  const bench = new Bench();
  bench.remote([host(phone)]);
  const before = bench.agent.nextAt;
  const useCandidate = true;
  const cases: [Uint8Array, string][] = [
    [bench.check({ useCandidate }, { password: 'another+password+of+22' }), 'integrity'],
    [bench.check({ useCandidate }, { password: peer.password }), 'integrity'],
    [bench.check({ useCandidate, username: 'edge:other' }), 'username'],
    [bench.check({ useCandidate, username: 'phone:edge' }), 'username'],
    [bench.check({ useCandidate, username: 'edge' }), 'username'],
    [bench.check({ useCandidate }, { class: 'success' }), 'unexpected'],
    [bench.check({ useCandidate }, { class: 'error' }), 'unexpected'],
    [bench.check({ useCandidate }, { class: 'indication' }), 'indication'],
    [bench.check({ useCandidate }, { method: 3 }), 'malformed'],
    [new Uint8Array(20), 'malformed'],
  ];
  const whole = bench.check({ useCandidate });
  cases.push([whole.subarray(0, -8), 'malformed']);
  const noFingerprint = Uint8Array.from(whole.subarray(0, -8));
  new DataView(noFingerprint.buffer).setUint16(2, noFingerprint.length - 20);
  cases.push([noFingerprint, 'malformed']);
  for (const [bytes, verdict] of cases) assert.equal(bench.receive(bytes, natted, 5), verdict);
  assert.deepEqual(bench.sent, []);
  assert.deepEqual(bench.selected, []);
  assert.equal(bench.agent.nextAt, before);
});

test('RFC 8489 §6.3.1: what has to be understood and is not is refused with 420, and changes nothing', () => {
  const bench = new Bench();
  bench.remote([host(phone)]);
  const plain = bench.check({ useCandidate: true });
  // An attribute 0x7ffe in front, and integrity over it.
  const body = Buffer.concat([
    plain.subarray(0, 20),
    Uint8Array.of(0x7f, 0xfe, 0, 0),
    plain.subarray(20, -32),
  ]);
  body.writeUInt16BE(body.length - 20, 2);
  bench.receive(sealed(body));
  const answer = bench.answer();
  assert.equal(answer.attributes.error?.code, 420);
  assert.deepEqual(answer.attributes.unknownAttributes, [0x7ffe]);
  assert.deepEqual(bench.selected, []);
});

/** Integrity and FINGERPRINT over raw octets, by the codec's own functions. */
function sealed(body: Buffer): Uint8Array {
  const empty = encodeStun(
    { class: 'request', method: 1, transactionId: body.subarray(8, 20), attributes: {} },
    { key: key(local.password), fingerprint: false },
  );
  const bytes = Buffer.concat([body, empty.subarray(20)]);
  bytes.set(integrityOf(bytes, body.length, 'sha1', key(local.password)), body.length + 4);
  const whole = Buffer.concat([bytes, Uint8Array.of(0x80, 0x28, 0, 4, 0, 0, 0, 0)]);
  whole.writeUInt16BE(whole.length - 20, 2);
  whole.writeUInt32BE(fingerprintOf(whole, bytes.length), bytes.length + 4);
  return whole;
}

test('RFC 8445 §7.3.1.1: one who thinks himself controlled too gets 487; one without PRIORITY gets 400', () => {
  const bench = new Bench();
  bench.remote([host(phone)]);
  const controlled: StunAttributes = {
    username: 'edge:phone',
    priority: 1,
    iceControlled: 2n ** 64n - 1n,
    useCandidate: true,
  };
  const bytes = encodeStun(
    { class: 'request', method: 1, transactionId: new Uint8Array(12), attributes: controlled },
    { key: key(local.password) },
  );
  bench.receive(bytes);
  assert.equal(bench.answer().attributes.error?.code, 487);
  bench.receive(
    encodeStun(
      {
        class: 'request',
        method: 1,
        transactionId: new Uint8Array(12),
        attributes: { username: 'edge:phone', useCandidate: true },
      },
      { key: key(local.password) },
    ),
  );
  assert.equal(bench.answer().attributes.error?.code, 400);
  assert.deepEqual(bench.selected, []);
});

test('a recorded check sent again from elsewhere makes no pair there; a retransmission is answered again', () => {
  const bench = new Bench();
  bench.remote([host(phone)]);
  const check = bench.check({ useCandidate: true });
  bench.receive(check);
  assert.equal(bench.receive(check), 'answered');
  const sent = bench.sent.length;
  for (let now = 0; now < 60_000; now += 5_000) {
    bench.receive(bench.check(), phone, now);
    assert.equal(bench.receive(check, natted, now), 'replay');
  }
  bench.receive(check, natted, 70_000);
  assert.deepEqual(bench.selected, [[1, '198.51.100.7:40000']]);
  assert.equal(bench.sent.filter(({ address }) => address === natted.address).length, 0);
  assert.ok(bench.sent.length > sent);
});

test('RFC 7675 §5.1: thirty seconds without a check of the peer, and nothing goes to it; its next check brings it back', () => {
  const bench = new Bench();
  bench.remote([host(phone)]);
  bench.receive(bench.check({ useCandidate: true }), phone, 1_000);
  assert.equal(bench.agent.nextAt, 31_000);
  bench.receive(bench.check(), phone, 6_000);
  assert.equal(bench.agent.nextAt, 36_000);
  bench.agent.tick(35_999);
  assert.equal(bench.agent.state, 'connected');
  bench.agent.tick(36_000);
  assert.equal(bench.agent.state, 'lost');
  assert.deepEqual(bench.selected.at(-1), [1, undefined]);
  assert.equal(bench.agent.nextAt, Number.POSITIVE_INFINITY);
  bench.receive(bench.check({ useCandidate: true }), phone, 40_000);
  assert.equal(bench.agent.state, 'connected');
  assert.deepEqual(bench.selected.at(-1), [1, '198.51.100.7:40000']);
});

test('RFC 8863 §4: nobody nominates, and after 39.5 s the stream has failed', () => {
  const bench = new Bench();
  bench.remote([], peer, 500);
  assert.equal(bench.agent.nextAt, 40_000);
  bench.agent.tick(39_999);
  assert.equal(bench.agent.state, 'checking');
  bench.agent.tick(40_000);
  assert.equal(bench.agent.state, 'failed');
  assert.equal(bench.agent.nextAt, Number.POSITIVE_INFINITY);
});

test('RFC 8445 §7.3: checks before the answer are answered, and nominate once signalling names their ufrag', () => {
  const bench = new Bench();
  bench.receive(bench.check({ useCandidate: true }));
  bench.receive(bench.check({ useCandidate: true, username: 'edge:thief' }), natted);
  assert.equal(bench.sent.length, 2);
  assert.deepEqual(bench.selected, []);
  bench.remote();
  assert.deepEqual(bench.selected, [[1, '198.51.100.7:40000']]);
  assert.equal(bench.agent.state, 'connected');
});

test('RFC 8445 §9: after a restart media stays on the old pair until the new credentials have nominated one', () => {
  const bench = new Bench();
  bench.remote([host(phone)]);
  bench.receive(bench.check({ useCandidate: true }));
  const renewed = { ufrag: 'edge2', password: 'another+password+of+edge' };
  bench.agent.restart(renewed);
  bench.remote([host(natted)], { ufrag: 'phone2', password: 'another+password+of+phone' }, 100);
  assert.equal(bench.agent.state, 'checking');
  assert.equal(bench.receive(bench.check(), phone, 200), 'answered', 'old checks are answered still');
  assert.equal(bench.selected.length, 1);
  const again = bench.check({ username: 'edge2:phone2', useCandidate: true }, { password: renewed.password });
  assert.equal(bench.receive(again, natted, 300), 'answered');
  assert.deepEqual(bench.selected.at(-1), [1, '203.0.113.9:61000']);
  assert.equal(bench.agent.state, 'connected');
  assert.equal(bench.receive(bench.check(), phone, 400), 'username', 'the old credentials are gone');
});

test('a peer that floods from many ports makes 16 pairs, and the one in use is never among those that go', () => {
  const bench = new Bench();
  bench.remote([host(phone)]);
  bench.receive(bench.check({ useCandidate: true }), natted);
  for (let port = 1; port <= 1_000; port += 1) {
    bench.receive(bench.check(port % 2 === 0 ? { useCandidate: true } : {}), { ...phone, port }, port);
    assert.ok(bench.agent.pairCount <= 17);
  }
  assert.equal(bench.agent.pairCount, 17);
  assert.equal(bench.sent.length, 1_001);
  assert.deepEqual(bench.selected, [[1, '203.0.113.9:61000']]);
  // The peer has moved in earnest: the bound is no wall.
  bench.receive(bench.check({ useCandidate: true }), { ...phone, port: 2_000 }, 9_000);
  assert.deepEqual(bench.selected.at(-1), [1, '198.51.100.7:2000']);
});

test('candidates beyond 100, and those that no datagram may go to, make no pairs', () => {
  const bench = new Bench();
  const many = Array.from({ length: 500 }, (_, i) => host({ ...phone, port: 1_000 + i }, 1, 1_000 + i));
  bench.remote(many);
  assert.equal(bench.agent.pairCount, 100);
  const none = new Bench();
  const addresses = ['0.0.0.0', '0.1.2.3', '224.0.0.1', '255.255.255.255', 'phone.local', '2001:db8::1', ''];
  none.remote([
    ...addresses.map((address) => host({ address, port: 4_000 })),
    host({ ...phone, port: 0 }),
    host(phone, 2),
    host(phone, 1, 0),
    host(phone, 1, Number.NaN),
  ]);
  assert.equal(none.agent.pairCount, 0);
});

test('what was verified before is not verified again; credentials and bases are checked', () => {
  const bench = new Bench({ dangerousVerifiedBefore: true });
  bench.remote([host(phone)]);
  assert.equal(bench.receive(bench.check({}, { password: 'some+other+password+of' })), 'answered');
  const misuse = (code: string) => (error: unknown) => error instanceof MisuseError && error.code === code;
  assert.throws(
    () => new Bench({ local: { ufrag: 'abc', password: peer.password } }),
    misuse('ice-credentials'),
  );
  assert.throws(() => new Bench({ components: bases.slice(1) }), misuse('ice-components'));
  assert.throws(
    () => new Bench({ components: [{ component: 1, address: 'edge.example', port: 1 }] }),
    misuse('ice-base'),
  );
  assert.equal(
    bench.agent.setRemote(
      { ufrag: 'a b', password: 'x', lite: false, controlling: false, candidates: [] },
      0,
    ),
    false,
  );
});

test('RFC 8445 §5.1.2.1: priorities of host candidates', () => {
  assert.deepEqual(hostCandidates(bases), [
    { foundation: '1', component: 1, priority: 2130706431, address: '192.0.2.1', port: 30_000, kind: 'host' },
    { foundation: '1', component: 2, priority: 2130706430, address: '192.0.2.1', port: 30_001, kind: 'host' },
  ]);
});
