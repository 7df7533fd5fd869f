import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import { type AssociationOptions, NativeAssociation, NativeCertificate } from './dtls.ts';
import { dtlsSuites, type Fingerprint } from './handshake.ts';
import { hex } from './loopback.ts';

/** Associations joined in memory: nothing is sent, time is passed by hand as far as OpenSSL's timers let it. */
const ours = new NativeCertificate();
const theirs = new NativeCertificate();
const mtu = 1200;
const patienceMs = 20_000;

type Change = Partial<Omit<AssociationOptions, 'role'>>;

function pair(ofClient: Change = {}, ofServer: Change = {}): [NativeAssociation, NativeAssociation] {
  const timing = { retransmitMs: 5, giveUpMs: patienceMs, suites: dtlsSuites };
  return [
    new NativeAssociation({
      role: 'client',
      certificate: ours,
      fingerprints: [theirs.fingerprint],
      ...timing,
      ...ofClient,
    }),
    new NativeAssociation({
      role: 'server',
      certificate: theirs,
      fingerprints: [ours.fingerprint],
      ...timing,
      ...ofServer,
    }),
  ];
}

/** Exchanges without loss until both are silent; all that went over the wire. */
function exchange(client: NativeAssociation, server: NativeAssociation): Uint8Array[] {
  const wire: Uint8Array[] = [];
  let forServer = client.start();
  while (forServer.length > 0) {
    const forClient = forServer.flatMap((datagram) => server.receive(datagram));
    wire.push(...forServer, ...forClient);
    forServer = forClient.flatMap((datagram) => client.receive(datagram));
  }
  return wire;
}

for (const suite of dtlsSuites) {
  test(`RFC 5764 §4.2: ${suite}, the client's keys are the first of the exported block`, () => {
    const [client, server] = pair({ suites: [suite] });
    const wire = exchange(client, server);
    const [a, b] = [client.look(), server.look()];
    assert.deepEqual([a.state, b.state], ['secured', 'secured']);
    assert.equal(a.suite, suite);
    assert.equal(b.suite, suite);
    assert.equal(hex(a.sendKey), hex(b.receiveKey));
    assert.equal(hex(a.receiveKey), hex(b.sendKey));
    assert.notEqual(hex(a.sendKey), hex(a.receiveKey));
    assert.equal(hex(a.peer), hex(theirs.fingerprint.value));
    assert.equal(a.version, 'DTLSv1.2');
    assert.equal(a.group, 'X25519');
    assert.match(a.cipher, /^TLS_ECDHE_ECDSA_WITH_/);
    for (const { length } of wire) assert.ok(length <= mtu, `${length} octets`);
  });
}

test('RFC 5764 §4.1.2: the server takes the strongest suite of its own that the client offers', () => {
  const [client, server] = pair({ suites: ['AES_CM_128_HMAC_SHA1_80', 'AEAD_AES_128_GCM'] });
  exchange(client, server);
  assert.equal(client.look().suite, 'AEAD_AES_128_GCM');
});

test('RFC 5764 §4.1.2: without a suite in common there are no keys', () => {
  const [client, server] = pair({ suites: ['AEAD_AES_256_GCM'] }, { suites: ['AES_CM_128_HMAC_SHA1_80'] });
  exchange(client, server);
  for (const side of [client, server]) {
    assert.equal(side.look().failure, 'no-common-suite');
    assert.equal(side.look().sendKey.length, 0);
  }
});

const other = new NativeCertificate().fingerprint;

for (const role of ['client', 'server'] as const) {
  test(`RFC 5763 §6.7: a ${role} whose certificate is another gets an alert and no keys`, () => {
    const wrong = { fingerprints: [other] };
    const [client, server] = role === 'server' ? pair(wrong) : pair({}, wrong);
    exchange(client, server);
    const [deceived, caught] = role === 'server' ? [client, server] : [server, client];
    assert.equal(deceived.look().failure, 'fingerprint');
    assert.match(deceived.look().detail, /not the one that signalling named/);
    assert.equal(caught.look().failure, 'alert');
    assert.match(caught.look().detail, /bad certificate/);
    for (const side of [client, server])
      assert.equal(side.look().sendKey.length + side.look().receiveKey.length, 0);
  });
}

test('RFC 8122 §5: of several hashes the strongest decides, and one value of it is enough', () => {
  const sha512 = (fill: number): Fingerprint => ({ hash: 'sha-512', value: new Uint8Array(64).fill(fill) });
  const [deceived] = pair({ fingerprints: [theirs.fingerprint, sha512(1)] });
  exchange(deceived, pair()[1]);
  assert.equal(deceived.look().failure, 'fingerprint');
  const [client, server] = pair({ fingerprints: [other, theirs.fingerprint] });
  exchange(client, server);
  assert.equal(client.look().state, 'secured');
});

test('RFC 5246 §7.2.1: close_notify of either ends the association of the other', () => {
  const [client, server] = pair();
  exchange(client, server);
  for (const datagram of client.close()) server.receive(datagram);
  assert.equal(server.look().state, 'closed');
  assert.equal(server.look().sendKey.length, 0);
});

/** Joins the two over a network that loses, doubles and reorders, until both are secured. */
async function throughLoss(random: SeededRandom, loss: number): Promise<number> {
  const [client, server] = pair();
  const queue: { to: NativeAssociation; datagram: Uint8Array }[] = [];
  const put = (to: NativeAssociation, datagrams: readonly Uint8Array[]): void => {
    for (const datagram of datagrams) {
      if (random.chance(loss)) continue;
      const copies = random.chance(0.2) ? 2 : 1;
      for (let i = 0; i < copies; i += 1)
        queue.splice(random.chance(0.3) ? 0 : queue.length, 0, { to, datagram });
    }
  };
  const end = performance.now() + patienceMs;
  let delivered = 0;
  put(server, client.start());
  while (client.look().state !== 'secured' || server.look().state !== 'secured') {
    assert.ok(performance.now() < end, `${client.look().detail} ${server.look().detail}`);
    const next = queue.shift();
    if (next) {
      delivered += 1;
      put(next.to === client ? server : client, next.to.receive(next.datagram));
      continue;
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
    put(server, client.passTime());
    put(client, server.passTime());
    for (const side of [client, server]) assert.notEqual(side.look().state, 'failed', side.look().detail);
  }
  assert.equal(hex(client.look().sendKey), hex(server.look().receiveKey));
  return delivered;
}

test('RFC 6347 §4.2.4: 20 handshakes through a network that loses a third, doubles a fifth and reorders', async () => {
  const random = new SeededRandom(11);
  for (let i = 0; i < 20; i += 1) assert.ok((await throughLoss(random, 0.33)) >= 4);
});

test('RFC 6347 §4.2.4: a lost last flight is sent again when the peer repeats its own', async () => {
  const [client, server] = pair();
  const flight = client.start().flatMap((datagram) => server.receive(datagram));
  const last = flight.flatMap((datagram) => client.receive(datagram)).flatMap((one) => server.receive(one));
  assert.equal(server.look().state, 'secured');
  assert.ok(last.length > 0);
  let again: Uint8Array[] = [];
  while (again.length === 0) {
    await new Promise((resolve) => setTimeout(resolve, 2));
    again = client.passTime();
  }
  const answer = again.flatMap((datagram) => server.receive(datagram));
  for (const datagram of answer) client.receive(datagram);
  assert.equal(client.look().state, 'secured');
});

test('a peer that is silent in any state is given up', async () => {
  for (let heard = 0; heard < 2; heard += 1) {
    const [client, server] = pair({ giveUpMs: 60 }, { giveUpMs: 60 });
    const hello = client.start();
    if (heard === 1) for (const datagram of hello) server.receive(datagram);
    const end = performance.now() + patienceMs;
    while (client.look().state === 'handshaking' || server.look().state === 'handshaking') {
      assert.ok(performance.now() < end);
      await new Promise((resolve) => setTimeout(resolve, 5));
      client.passTime();
      server.passTime();
    }
    assert.equal(client.look().failure, 'timeout');
    assert.equal(server.look().failure, 'timeout');
  }
});

/** A handshake message of epoch 0 in fragments. */
function fragment(number: number, type: number, length: number, from: number, octets: number): Uint8Array {
  const record = Buffer.alloc(25 + octets);
  record.set([22, 0xfe, 0xfd]);
  record.writeUIntBE(number, 5, 6);
  record.writeUInt16BE(12 + octets, 11);
  record[13] = type;
  record.writeUIntBE(length, 14, 3);
  record.writeUIntBE(from, 19, 3);
  record.writeUIntBE(octets, 22, 3);
  return record;
}

test('RFC 6347 §4.2.3: messages come whole or in fragments, in any order', () => {
  const [client, server] = pair();
  const hello = client.start()[0]!;
  const body = hello.subarray(25);
  const half = body.length >> 1;
  const pieces = [
    [half, body.length - half],
    [0, half],
  ] as const;
  let answered: Uint8Array[] = [];
  for (const [i, [from, length]] of pieces.entries()) {
    const piece = fragment(i, 1, body.length, from, length);
    piece.set(body.subarray(from, from + length), 25);
    piece.set(hello.subarray(17, 19), 17);
    answered = server.receive(piece);
  }
  assert.ok(answered.length > 0, 'the server has put it together');
});

test('fragments without end and messages of giants end the handshake, not the memory', () => {
  const server = pair()[1];
  let taken = 0;
  for (let i = 0; i < 5000 && server.look().state === 'handshaking'; i += 1) {
    server.receive(fragment(i, 1, i % 2 === 0 ? 0xffffff : 16_000, (i * 997) % 15_000, 1000));
    taken += 1;
  }
  assert.ok(taken <= 131_072 / 1000, `${taken} of them`);
  const view = server.look();
  assert.equal(view.state, 'failed');
  assert.equal(view.failure, 'protocol');
});

test('3,000 mutated datagrams in every state bring no keys that the two do not share', () => {
  const random = new SeededRandom(29);
  let executed = 0;
  let secured = 0;
  for (let round = 0; executed < 3000; round += 1) {
    const [client, server] = pair();
    let forServer = client.start();
    const honest = round % 4;
    for (let flight = 0; flight < 4 && forServer.length > 0; flight += 1) {
      const send = (to: NativeAssociation, datagrams: readonly Uint8Array[]) =>
        datagrams.flatMap((datagram) => {
          const bad = Uint8Array.from(datagram).subarray(0, random.integer(1, datagram.length));
          for (let i = random.integer(1, 6); i > 0; i -= 1)
            bad[random.integer(0, bad.length - 1)] = random.integer(0, 255);
          // The header that says what it is stays, most of the time.
          if (random.chance(0.7)) bad.set(datagram.subarray(0, Math.min(13, bad.length)));
          executed += 1;
          const answers = flight >= honest ? to.receive(bad) : [];
          return [...answers, ...to.receive(datagram)];
        });
      const forClient = send(server, forServer);
      forServer = send(client, forClient);
    }
    const [a, b] = [client.look(), server.look()];
    if (a.state !== 'secured' || b.state !== 'secured') continue;
    secured += 1;
    assert.equal(hex(a.sendKey), hex(b.receiveKey));
    assert.equal(hex(a.receiveKey), hex(b.sendKey));
  }
  assert.ok(executed >= 3000);
  assert.ok(secured > 0, 'some survive');
});
