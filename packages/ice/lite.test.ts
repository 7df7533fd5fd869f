import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import {
  probeBases as bases,
  hostOf as host,
  IceProbe,
  probeLocal as local,
  probePeer as peer,
  phone,
} from '@ringfence/testkit/ice-probe.ts';
import { hostCandidates } from './candidate.ts';
import { encodeStun } from './stun/encode.ts';
import { fingerprintOf, integrityOf } from './stun/integrity.ts';
import type { StunAttributes, TransportAddress } from './stun/message.ts';

const natted: TransportAddress = { address: '203.0.113.9', port: 61_000 };
const key = (password: string) => new TextEncoder().encode(password);

test('RFC 8445 §7.3, §7.3.2: a lite agent answers a check with where it came from, and takes the nominated pair', () => {
  const probe = new IceProbe();
  probe.remote([host(phone)]);
  assert.deepEqual(probe.states, ['checking']);
  const check = probe.check();
  assert.equal(probe.receive(check), 'answered');
  const answer = probe.answer();
  assert.equal(answer.class, 'success');
  assert.deepEqual(answer.attributes, { mapped: phone });
  assert.deepEqual(answer.transactionId, check.subarray(8, 20));
  assert.deepEqual({ ...probe.sent[0], bytes: 0 }, { component: 1, ...phone, bytes: 0 });
  assert.ok(probe.sent[0]!.bytes.length <= check.length, 'an answer is no longer than its request');
  assert.deepEqual(probe.selected, []);
  probe.receive(probe.check({ useCandidate: true }));
  assert.deepEqual(probe.selected, [[1, '198.51.100.7:40000']]);
  assert.deepEqual(probe.states, ['checking', 'connected']);
  probe.receive(probe.check({ useCandidate: true }));
  assert.equal(probe.selected.length, 1);
});

test('RFC 8445 §7.3.1.3: behind a NAT the pair is with where the check came from', () => {
  const probe = new IceProbe();
  probe.remote([host(phone)]);
  probe.receive(probe.check({ useCandidate: true }), natted);
  assert.deepEqual(probe.selected, [[1, '203.0.113.9:61000']]);
});

test('RFC 8445 §13: with two components both have their pair before the stream is connected', () => {
  const probe = new IceProbe({ components: bases });
  probe.remote([host(phone), host({ ...phone, port: 40_001 }, 2)]);
  probe.receive(probe.check({ useCandidate: true }));
  assert.equal(probe.agent.state, 'checking');
  probe.receive(probe.check({ useCandidate: true }), { ...phone, port: 40_001 }, 2);
  assert.equal(probe.agent.state, 'connected');
  assert.deepEqual(probe.selected, [
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
    const probe = new IceProbe();
    probe.remote([host(phone), host(other, 1, 0x10_00_00_00)]);
    for (const from of order) probe.receive(probe.check({ useCandidate: true }), from);
    assert.equal(probe.selected.at(-1)?.[1], '198.51.100.7:40000');
    // A peer that went to another network goes on there once the better pair is silent.
    probe.now = 7_000;
    probe.receive(probe.check({ useCandidate: true }), other);
    assert.equal(probe.selected.at(-1)?.[1], '198.51.100.7:40000');
    probe.now = 7_501;
    probe.receive(probe.check({ useCandidate: true }), other);
    assert.equal(probe.selected.at(-1)?.[1], '198.51.100.8:40000');
  }
});

test('RFC 8489 §9.1.3: a check that does not verify gets no answer and changes nothing', () => {
  const probe = new IceProbe();
  probe.remote([host(phone)]);
  const before = probe.agent.nextAt;
  const useCandidate = true;
  const cases: [Uint8Array, string][] = [
    [probe.check({ useCandidate }, { password: 'another+password+of+22' }), 'integrity'],
    [probe.check({ useCandidate }, { password: peer.password }), 'integrity'],
    [probe.check({ useCandidate, username: 'edge:other' }), 'username'],
    [probe.check({ useCandidate, username: 'phone:edge' }), 'username'],
    [probe.check({ useCandidate, username: 'edge' }), 'username'],
    [probe.check({ useCandidate }, { class: 'success' }), 'unexpected'],
    [probe.check({ useCandidate }, { class: 'error' }), 'unexpected'],
    [probe.check({ useCandidate }, { class: 'indication' }), 'indication'],
    [probe.check({ useCandidate }, { method: 3 }), 'malformed'],
    [new Uint8Array(20), 'malformed'],
  ];
  const whole = probe.check({ useCandidate });
  cases.push([whole.subarray(0, -8), 'malformed']);
  const noFingerprint = Uint8Array.from(whole.subarray(0, -8));
  new DataView(noFingerprint.buffer).setUint16(2, noFingerprint.length - 20);
  cases.push([noFingerprint, 'malformed']);
  for (const [bytes, verdict] of cases) assert.equal(probe.receive(bytes, natted), verdict);
  assert.deepEqual(probe.sent, []);
  assert.deepEqual(probe.selected, []);
  assert.equal(probe.agent.nextAt, before);
});

test('RFC 8489 §6.3.1: what has to be understood and is not is refused with 420, and changes nothing', () => {
  const probe = new IceProbe();
  probe.remote([host(phone)]);
  const plain = probe.check({ useCandidate: true });
  // An attribute 0x7ffe in front, and integrity over it.
  const body = Buffer.concat([
    plain.subarray(0, 20),
    Uint8Array.of(0x7f, 0xfe, 0, 0),
    plain.subarray(20, -32),
  ]);
  body.writeUInt16BE(body.length - 20, 2);
  probe.receive(sealed(body));
  const answer = probe.answer();
  assert.equal(answer.attributes.error?.code, 420);
  assert.deepEqual(answer.attributes.unknownAttributes, [0x7ffe]);
  assert.deepEqual(probe.selected, []);
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
  const probe = new IceProbe();
  probe.remote([host(phone)]);
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
  probe.receive(bytes);
  assert.equal(probe.answer().attributes.error?.code, 487);
  probe.receive(
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
  assert.equal(probe.answer().attributes.error?.code, 400);
  assert.deepEqual(probe.selected, []);
});

test('a recorded check sent again from elsewhere makes no pair there; a retransmission is answered again', () => {
  const probe = new IceProbe();
  probe.remote([host(phone)]);
  const check = probe.check({ useCandidate: true });
  probe.receive(check);
  assert.equal(probe.receive(check), 'answered');
  const sent = probe.sent.length;
  for (let now = 0; now < 60_000; now += 5_000) {
    probe.now = now;
    probe.receive(probe.check());
    assert.equal(probe.receive(check, natted), 'replay');
  }
  probe.now = 70_000;
  probe.receive(check, natted);
  assert.deepEqual(probe.selected, [[1, '198.51.100.7:40000']]);
  assert.equal(probe.sent.filter(({ address }) => address === natted.address).length, 0);
  assert.ok(probe.sent.length > sent);
});

test('RFC 7675 §5.1: thirty seconds without a check of the peer, and nothing goes to it; its next check brings it back', () => {
  const probe = new IceProbe();
  probe.remote([host(phone)]);
  probe.now = 1_000;
  probe.receive(probe.check({ useCandidate: true }));
  assert.equal(probe.agent.nextAt, 31_000);
  probe.now = 6_000;
  probe.receive(probe.check());
  assert.equal(probe.agent.nextAt, 36_000);
  probe.agent.tick(35_999);
  assert.equal(probe.agent.state, 'connected');
  probe.agent.tick(36_000);
  assert.equal(probe.agent.state, 'lost');
  assert.deepEqual(probe.selected.at(-1), [1, undefined]);
  assert.equal(probe.agent.nextAt, Number.POSITIVE_INFINITY);
  probe.now = 40_000;
  probe.receive(probe.check({ useCandidate: true }));
  assert.equal(probe.agent.state, 'connected');
  assert.deepEqual(probe.selected.at(-1), [1, '198.51.100.7:40000']);
});

test('RFC 8863 §4: nobody nominates, and after 39.5 s the stream has failed', () => {
  const probe = new IceProbe();
  probe.now = 500;
  probe.remote();
  assert.equal(probe.agent.nextAt, 40_000);
  probe.agent.tick(39_999);
  assert.equal(probe.agent.state, 'checking');
  probe.agent.tick(40_000);
  assert.equal(probe.agent.state, 'failed');
  assert.equal(probe.agent.nextAt, Number.POSITIVE_INFINITY);
});

test('RFC 8445 §7.3: checks before the answer are answered, and nominate once signalling names their ufrag', () => {
  const probe = new IceProbe();
  probe.receive(probe.check({ useCandidate: true }));
  probe.receive(probe.check({ useCandidate: true, username: 'edge:thief' }), natted);
  assert.equal(probe.sent.length, 2);
  assert.deepEqual(probe.selected, []);
  probe.remote();
  assert.deepEqual(probe.selected, [[1, '198.51.100.7:40000']]);
  assert.equal(probe.agent.state, 'connected');
});

test('RFC 8445 §9: after a restart media stays on the old pair until the new credentials have nominated one', () => {
  const probe = new IceProbe();
  probe.remote([host(phone)]);
  probe.receive(probe.check({ useCandidate: true }));
  const renewed = { ufrag: 'edge2', password: 'another+password+of+edge' };
  probe.agent.restart(renewed);
  probe.remote([host(natted)], { ufrag: 'phone2', password: 'another+password+of+phone' });
  assert.equal(probe.agent.state, 'checking');
  assert.equal(probe.receive(probe.check()), 'answered', 'old checks are answered still');
  assert.equal(probe.selected.length, 1);
  const again = probe.check({ username: 'edge2:phone2', useCandidate: true }, { password: renewed.password });
  assert.equal(probe.receive(again, natted), 'answered');
  assert.deepEqual(probe.selected.at(-1), [1, '203.0.113.9:61000']);
  assert.equal(probe.agent.state, 'connected');
  assert.equal(probe.receive(probe.check()), 'username', 'the old credentials are gone');
});

test('a peer that floods from many ports makes 16 pairs, and the one in use is never among those that go', () => {
  const probe = new IceProbe();
  probe.remote([host(phone)]);
  probe.receive(probe.check({ useCandidate: true }), natted);
  for (let port = 1; port <= 1_000; port += 1) {
    probe.receive(probe.check(port % 2 === 0 ? { useCandidate: true } : {}), { ...phone, port });
    assert.ok(probe.agent.pairCount <= 17);
  }
  assert.equal(probe.agent.pairCount, 17);
  assert.equal(probe.sent.length, 1_001);
  assert.deepEqual(probe.selected, [[1, '203.0.113.9:61000']]);
  // The peer has moved in earnest: the bound is no wall.
  probe.now = 9_000;
  probe.receive(probe.check({ useCandidate: true }), { ...phone, port: 2_000 });
  assert.deepEqual(probe.selected.at(-1), [1, '198.51.100.7:2000']);
});

test('candidates beyond 100, and those that no datagram may go to, make no pairs', () => {
  const probe = new IceProbe();
  const many = Array.from({ length: 500 }, (_, i) => host({ ...phone, port: 1_000 + i }, 1, 1_000 + i));
  probe.remote(many);
  assert.equal(probe.agent.pairCount, 100);
  const none = new IceProbe();
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
  const probe = new IceProbe({ dangerousVerifiedBefore: true });
  probe.remote([host(phone)]);
  assert.equal(probe.receive(probe.check({}, { password: 'some+other+password+of' })), 'answered');
  const misuse = (code: string) => (error: unknown) => error instanceof MisuseError && error.code === code;
  assert.throws(
    () => new IceProbe({ local: { ufrag: 'abc', password: peer.password } }),
    misuse('ice-credentials'),
  );
  assert.throws(() => new IceProbe({ components: bases.slice(1) }), misuse('ice-components'));
  assert.throws(
    () => new IceProbe({ components: [{ component: 1, address: 'edge.example', port: 1 }] }),
    misuse('ice-base'),
  );
  assert.equal(
    probe.agent.setRemote(
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
