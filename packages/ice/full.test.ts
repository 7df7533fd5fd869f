import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Nat } from '@ringfence/testkit/datagram-network.ts';
import { JoinedAgents } from '@ringfence/testkit/ice-ends.ts';
import { hostOf as host, IceProbe, phone, probeBases, probePeer } from '@ringfence/testkit/ice-probe.ts';
import { pairPriority } from './candidate.ts';
import { verifyIntegrity } from './stun/integrity.ts';

const other = { address: '198.51.100.8', port: 40_000 };
const third = { address: '198.51.100.9', port: 40_000 };
const low = 0x10_00_00_00;

const full = (rest: ConstructorParameters<typeof IceProbe>[0] = {}) =>
  new IceProbe({ mode: 'full', ...rest });

test('RFC 8445 §7.1: a check names both ends, its worth as a peer-reflexive candidate and the role', () => {
  const probe = full();
  probe.remote([host(phone)], { controlling: true });
  assert.equal(probe.asked.length, 1);
  const { packet, message } = probe.asked[0]!;
  assert.deepEqual([packet.address, packet.port, packet.component], [phone.address, phone.port, 1]);
  const { username, priority, iceControlling, iceControlled, useCandidate } = message.attributes;
  assert.equal(username, 'phone:edge');
  assert.equal(priority, 110 * 2 ** 24 + 65_535 * 2 ** 8 + 255);
  assert.ok(iceControlling !== undefined && iceControlled === undefined && useCandidate === undefined);
  assert.ok(message.fingerprint);
  assert.ok(verifyIntegrity(message, new TextEncoder().encode(probePeer.password)));
});

test('RFC 8489 §6.2.1, RFC 8445 §14.3: a check is sent seven times within 31.5 s and given up after 39.5 s', () => {
  const probe = full();
  probe.remote([host(phone)], { controlling: true });
  probe.pass(39_499);
  assert.deepEqual(
    probe.asked.map(({ at }) => at),
    [0, 500, 1_500, 3_500, 7_500, 15_500, 31_500],
  );
  assert.equal(new Set(probe.asked.map(({ message }) => String(message.transactionId))).size, 1);
  assert.equal(probe.agent.state, 'checking');
  probe.pass(39_500);
  assert.deepEqual(probe.states, ['checking', 'failed']);
  assert.equal(probe.agent.nextAt, Number.POSITIVE_INFINITY);
});

test('RFC 8445 §14.2: new checks leave 50 ms apart, the best first, and 100 of them at most', () => {
  const probe = full();
  const many = Array.from({ length: 300 }, (_, i) => ({
    ...host({ ...phone, port: 1_000 + i }, 1, 1_000 + i),
    foundation: `f${i}`,
  }));
  probe.remote(many, { controlling: true });
  probe.pass(6_000);
  const first = new Map<string, number>();
  for (const { message, at } of probe.asked)
    if (!first.has(String(message.transactionId))) first.set(String(message.transactionId), at);
  const times = [...first.values()];
  assert.equal(times.length, 100);
  assert.deepEqual(
    times,
    times.map((_, i) => i * 50),
  );
  // The list keeps what is worth most.
  const started = new Set(probe.asked.map(({ packet }) => packet.port));
  assert.deepEqual([Math.min(...started), Math.max(...started)], [1_200, 1_299]);
  assert.equal(probe.asked[0]?.packet.port, 1_299);
});

test('RFC 8445 §6.1.2.6: of one foundation one pair is checked first, the others once it has succeeded or failed', () => {
  const probe = full({ components: probeBases });
  probe.remote([host({ ...phone, port: 40_001 }, 2), host(phone), host(other, 1, low)], {
    controlling: true,
  });
  probe.pass(300);
  // All three are of foundation 1: component 1 of the highest priority is the one.
  assert.deepEqual(new Set(probe.asked.map(({ packet }) => packet.port)), new Set([40_000]));
  assert.equal(probe.asked[0]?.packet.address, phone.address);
  assert.equal(probe.asked.length, 1);
  probe.respond(probe.asked[0]!);
  probe.pass(500);
  assert.ok(probe.asked.some(({ packet }) => packet.component === 2));
  const alone = full();
  alone.remote([host(phone), host(other, 1, low)], { controlling: true });
  alone.respond(alone.asked[0]!, 500);
  alone.pass(100);
  assert.equal(alone.asked.at(-1)?.packet.address, other.address);
});

test('RFC 8445 §8.1.1: the best pair is nominated at once; a worse one only after better ones had 100 ms', () => {
  const candidates = [
    { ...host(phone), foundation: 'a' },
    { ...host(other, 1, low), foundation: 'b' },
  ];
  const best = full();
  best.remote(candidates, { controlling: true });
  best.pass(20);
  assert.equal(best.respond(best.asked[0]!), 'response');
  assert.deepEqual(best.valid, ['198.51.100.7:40000']);
  best.pass(50);
  assert.equal(best.asked.at(-1)?.message.attributes.useCandidate, true);
  assert.deepEqual(best.selected, []);
  best.respond(best.asked.at(-1)!);
  assert.deepEqual(best.selected, [[1, '198.51.100.7:40000']]);
  assert.deepEqual(best.states, ['checking', 'connected']);

  const worse = full();
  worse.remote(candidates, { controlling: true });
  worse.pass(60);
  worse.respond(worse.asked[1]!);
  worse.pass(159);
  assert.ok(worse.asked.every(({ message }) => message.attributes.useCandidate === undefined));
  worse.pass(160);
  const nomination = worse.asked.at(-1)!;
  assert.ok(nomination.message.attributes.useCandidate && nomination.packet.address === other.address);
});

test('RFC 8445 §8.1.1: where a nomination comes to nothing the next best pair is nominated, and of one pair it is tried twice', () => {
  const probe = full();
  probe.remote(
    [
      { ...host(phone), foundation: 'a' },
      { ...host(other, 1, low), foundation: 'b' },
    ],
    {
      controlling: true,
    },
  );
  probe.pass(60);
  probe.respond(probe.asked[1]!);
  probe.respond(probe.asked[0]!);
  probe.pass(100);
  assert.equal(probe.asked.at(-1)?.packet.address, phone.address);
  probe.respond(probe.asked.at(-1)!, 500);
  probe.pass(200);
  assert.equal(probe.asked.at(-1)?.packet.address, other.address);
  probe.respond(probe.asked.at(-1)!, 500);
  probe.pass(300);
  assert.equal(probe.asked.at(-1)?.message.attributes.useCandidate, undefined, 'checked anew');
  probe.respond(probe.asked.at(-1)!);
  probe.pass(400);
  probe.respond(probe.asked.at(-1)!);
  assert.deepEqual(probe.selected, [[1, '198.51.100.8:40000']]);
});

test('RFC 8445 §7.3.1.4, §7.3.1.5: a controlled agent checks back, and takes the pair once both have agreed', () => {
  const probe = full();
  probe.remote([host(third)]);
  // Unknown to us: a peer-reflexive candidate. Nominated at once, as aggressive peers do.
  probe.receive(probe.check({ useCandidate: true }));
  assert.deepEqual(probe.selected, []);
  probe.pass(50);
  const back = probe.asked.at(-1)!;
  assert.deepEqual([back.packet.address, back.packet.port], [phone.address, phone.port]);
  assert.notEqual(back.message.attributes.iceControlled, undefined);
  probe.respond(back);
  assert.deepEqual(probe.selected, [[1, '198.51.100.7:40000']]);
  // The other way round: valid first, nominated later.
  const patient = full();
  patient.remote([host(phone)]);
  patient.respond(patient.asked[0]!);
  assert.deepEqual(patient.selected, []);
  patient.receive(patient.check({ useCandidate: true }));
  assert.deepEqual(patient.selected, [[1, '198.51.100.7:40000']]);
});

test('RFC 5245 §8.1.1.2: a peer that nominates whatever it checks is followed to the best pair, in any order', () => {
  for (const order of [
    [phone, other, third],
    [third, other, phone],
    [other, phone, third],
  ]) {
    const probe = full();
    probe.remote([host(phone), host(other, 1, low * 2), host(third, 1, low)]);
    for (const from of order) {
      probe.receive(probe.check({ useCandidate: true }), from);
      probe.pass(probe.now + 60);
      const back = probe.asked.findLast(({ packet }) => packet.address === from.address);
      if (back !== undefined) probe.respond(back);
    }
    assert.equal(probe.selected.at(-1)?.[1], '198.51.100.7:40000', JSON.stringify(order));
  }
});

test('RFC 7675 §5.1: consent is asked for every 4 to 6 s, each time anew, never again, and lost after 30 s', () => {
  const probe = full();
  probe.remote([host(phone)], { lite: true, controlling: true });
  probe.respond(probe.asked[0]!);
  probe.pass(50);
  probe.respond(probe.asked[1]!);
  assert.equal(probe.agent.state, 'connected');
  const begun = probe.asked.length;
  for (let seen = begun; probe.now < 600_000; ) {
    probe.pass(probe.agent.nextAt);
    for (; seen < probe.asked.length; seen += 1) probe.respond(probe.asked[seen]!);
  }
  assert.equal(probe.agent.state, 'connected');
  const consents = probe.asked.slice(begun);
  const pauses = consents.slice(1).map(({ at }, i) => at - consents[i]!.at);
  assert.ok(pauses.length >= 99 && pauses.length <= 151, `${pauses.length}`);
  assert.ok(Math.min(...pauses) >= 4_000 && Math.max(...pauses) <= 6_000);
  assert.ok(Math.max(...pauses) - Math.min(...pauses) > 1_000, 'they are spread');
  assert.equal(new Set(consents.map(({ message }) => String(message.transactionId))).size, consents.length);
  // From now on nobody answers.
  const last = probe.now;
  probe.pass(last + 29_999);
  assert.equal(probe.agent.state, 'connected');
  probe.pass(last + 30_001);
  assert.equal(probe.agent.state, 'lost');
  assert.deepEqual(probe.selected.at(-1), [1, undefined]);
  const asked = probe.asked.length;
  assert.equal(
    probe.respond(probe.asked.at(-1)!),
    'unexpected',
    'an answer that is late does not bring it back',
  );
  probe.pass(last + 300_000);
  assert.equal(probe.asked.length, asked, 'and nothing is sent any more');
});

test('RFC 7675 §5.1: two agents keep each other for an hour, and lose each other within 36 s of a cut', () => {
  const joined = new JoinedAgents({ seed: 11, loss: 0.1, delay: [5, 80] });
  joined.start();
  assert.ok(joined.runConnected());
  joined.run(3_600_000);
  assert.deepEqual([joined.alice.agent.state, joined.bob.agent.state], ['connected', 'connected']);
  joined.network.conditions = { loss: 1 };
  joined.run(3_636_000);
  assert.deepEqual([joined.alice.agent.state, joined.bob.agent.state], ['lost', 'lost']);
  assert.ok(!joined.alice.sendMedia(1) && !joined.bob.sendMedia(1));
});

test('RFC 8445 §7.3.1.3: a NAT forgets its bindings, and a lite agent follows its peer to the new port', () => {
  const nat = new Nat('203.0.113.1', 'port-restricted');
  const joined = new JoinedAgents({ seed: 4, modes: ['full', 'lite'], nats: [nat, undefined] });
  joined.start();
  assert.ok(joined.runConnected());
  const before = joined.bob.selected.get(1)?.port;
  nat.reboot();
  joined.run(joined.time.now + 20_000);
  assert.notEqual(joined.bob.selected.get(1)?.port, before);
  assert.deepEqual([joined.alice.agent.state, joined.bob.agent.state], ['connected', 'connected']);
  assert.ok(joined.mediaFlows(1));
});

test('RFC 8445 §9: a restart finds a pair anew while media goes on, with loss, 50 seeds', () => {
  for (let seed = 1; seed <= 50; seed += 1) {
    const joined = new JoinedAgents({
      seed,
      loss: 0.2,
      delay: [5, 60],
      modes: ['full', seed % 2 ? 'full' : 'lite'],
    });
    joined.start();
    assert.ok(joined.runConnected(), `seed ${seed}`);
    for (const end of [joined.alice, joined.bob]) {
      end.credentials = end.newCredentials();
      end.agent.restart(end.credentials);
    }
    joined.tell(joined.bob, joined.alice);
    joined.run(joined.time.now + 30);
    joined.tell(joined.alice, joined.bob);
    assert.deepEqual([joined.alice.agent.state, joined.bob.agent.state], ['checking', 'checking']);
    assert.ok(joined.alice.sendMedia(1) && joined.bob.sendMedia(1), 'by the pair from before');
    assert.ok(joined.runConnected(), `seed ${seed} after the restart`);
    assert.ok(joined.mediaFlows(1));
  }
});

test('RFC 8838 §11: candidates that come one by one, with or without an end, and a stream that has none fails later', () => {
  const probe = full();
  probe.remote([], { controlling: true, trickle: true });
  probe.pass(10_000);
  assert.equal(probe.asked.length, 0);
  probe.agent.addCandidates([host(phone)], probe.now);
  assert.equal(probe.asked.length, 1);
  const never = full();
  never.remote([], { controlling: true, trickle: true });
  never.pass(78_999);
  assert.equal(never.agent.state, 'checking');
  never.pass(79_000);
  assert.equal(never.agent.state, 'failed');
  const ended = full();
  ended.remote([], { controlling: true, trickle: true });
  ended.agent.endOfCandidates(5);
  ended.pass(39_500);
  assert.equal(ended.agent.state, 'failed');
});

test('RFC 8838 §11.4: a candidate that a check has shown before is not paired twice when it is signalled', () => {
  const probe = full();
  probe.remote([], { controlling: true, trickle: true });
  probe.receive(probe.check({ iceControlling: undefined, iceControlled: 1n }));
  assert.equal(probe.agent.pairCount, 1);
  probe.agent.addCandidates([host(phone), host(phone)], probe.now);
  assert.equal(probe.agent.pairCount, 1);
});

test('RFC 8445 §6.1.2.3: priority of pairs, the same at both ends and another one for each order', () => {
  assert.equal(pairPriority(1, 2), 2n ** 32n + 4n);
  assert.equal(pairPriority(2, 1), 2n ** 32n + 5n);
  assert.equal(pairPriority(2 ** 31 - 1, 2 ** 31 - 1), (2n ** 31n - 1n) * (2n ** 32n + 2n));
});
