import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DatagramAddress } from '@ringfence/testkit/datagram-network.ts';
import { JoinedAgents } from '@ringfence/testkit/ice-ends.ts';
import { hostOf as host, IceProbe, phone } from '@ringfence/testkit/ice-probe.ts';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import { decodeStun } from './stun/decode.ts';

const attacker = { address: '203.0.113.66', port: 6_666 };
const full = () => new IceProbe({ mode: 'full' });
const key = '+++an+attacker+guesses+++';

/** What can be seen of an agent. */
const seenOf = ({ agent, sent, selected, valid, states }: IceProbe) =>
  JSON.stringify([agent.state, agent.pairCount, agent.nextAt, sent.length, selected, valid, states]);

test('RFC 8489 §9.1.3: what does not verify changes nothing at a full agent, in either role', () => {
  for (const controlling of [true, false]) {
    const probe = full();
    probe.remote([host(phone)], { controlling });
    const asked = probe.asked[0]!;
    const before = seenOf(probe);
    const useCandidate = true;
    for (const from of [phone, attacker]) {
      assert.equal(probe.receive(probe.check({ useCandidate }, { password: key }), from), 'integrity');
      assert.equal(probe.receive(probe.check({ useCandidate, username: 'edge:nobody' }), from), 'username');
      const conflict = { iceControlling: 2n ** 64n - 1n, iceControlled: 2n ** 64n - 1n };
      assert.equal(probe.receive(probe.check(conflict, { password: key }), from), 'integrity');
    }
    assert.equal(probe.receive(probe.response(asked, undefined, key)), 'integrity');
    for (const error of [400, 401, 403, 487, 500])
      assert.equal(probe.receive(probe.response(asked, error, key)), 'integrity');
    assert.equal(seenOf(probe), before);
    assert.equal(probe.respond(asked), 'response');
  }
});

test('RFC 8445 §7.2.5.2.1: a response counts from where its request went alone, and one of another transaction never', () => {
  const probe = full();
  probe.remote([host(phone)], { controlling: true });
  const asked = probe.asked[0]!;
  const before = seenOf(probe);
  const right = probe.response(asked);
  for (const from of [attacker, { ...phone, port: 1 }, { ...attacker, port: phone.port }])
    assert.equal(probe.receive(right, from), 'unexpected');
  const foreign = { ...asked, message: { ...asked.message, transactionId: probe.random.bytes(12) } };
  assert.equal(probe.respond(foreign), 'unexpected');
  assert.equal(seenOf(probe), before);
  assert.equal(probe.receive(right), 'response', 'the true one still counts');
  assert.deepEqual(probe.valid, ['198.51.100.7:40000']);
  assert.equal(probe.receive(right), 'unexpected', 'and once');
});

test('RFC 7675 §5.1: responses that are repeated or late do not keep consent alive', () => {
  const probe = full();
  probe.remote([host(phone)], { lite: true, controlling: true });
  probe.respond(probe.asked[0]!);
  probe.pass(50);
  probe.respond(probe.asked[1]!);
  probe.pass(6_060);
  const consent = probe.asked.at(-1)!;
  const answer = probe.response(consent);
  assert.equal(probe.receive(answer), 'response');
  const until = probe.now + 30_000;
  while (probe.now < until - 1_000) {
    probe.pass(probe.now + 1_000);
    assert.equal(probe.receive(answer), 'unexpected');
    assert.equal(probe.receive(probe.response(probe.asked.at(-1)!), attacker), 'unexpected');
    assert.notEqual(probe.receive(probe.response(probe.asked.at(-1)!, undefined, key)), 'response');
    // An error is no consent.
    probe.respond(probe.asked.at(-1)!, 403);
  }
  probe.pass(until);
  assert.equal(probe.agent.state, 'lost');
});

test('RFC 8445 §7.3.1.5: USE-CANDIDATE selects nothing that has not answered, and nothing where we control', () => {
  const controlled = full();
  controlled.remote([host(phone)]);
  for (let port = 1; port <= 50; port += 1)
    controlled.receive(controlled.check({ useCandidate: true }), { ...attacker, port });
  controlled.pass(20_000);
  assert.deepEqual(controlled.selected, []);
  assert.deepEqual(controlled.valid, []);
  const controlling = full();
  controlling.remote([host(phone)], { controlling: true });
  controlling.receive(
    controlling.check({ useCandidate: true, iceControlling: undefined, iceControlled: 1n }),
    attacker,
  );
  controlling.pass(100);
  const back = controlling.asked.find(({ packet }) => packet.address === attacker.address)!;
  controlling.respond(back);
  assert.deepEqual(controlling.selected, []);
  // It may be the best that there is, but then it is we who say so.
  controlling.pass(300);
  assert.ok(
    controlling.asked.some(
      ({ message, packet }) => message.attributes.useCandidate && packet.address === attacker.address,
    ),
  );
});

test('a peer that floods with addresses: 16 pairs of them, one check in 50 ms, and memory that stays', () => {
  for (const controlling of [true, false]) {
    const probe = full();
    probe.remote([host(phone)], { controlling });
    const roles = controlling ? { iceControlling: undefined, iceControlled: 1n } : {};
    let most = 0;
    for (let i = 0; i < 3_000; i += 1) {
      probe.now = i;
      const from = { address: `203.0.113.${i % 250}`, port: 1 + i };
      assert.equal(
        probe.receive(probe.check({ ...roles, ...(i % 2 ? { useCandidate: true as const } : {}) }), from),
        'answered',
      );
      most = Math.max(most, probe.agent.pairCount);
    }
    assert.equal(most, 17);
    // New checks are 50 ms apart; what is sent again of them is bounded by the pairs.
    const transactions = new Set(probe.asked.map(({ message }) => String(message.transactionId)));
    assert.ok(transactions.size <= 3_000 / 50 + 1, `${transactions.size}`);
    assert.ok(probe.asked.length <= transactions.size * 3, `${probe.asked.length}`);
    // The peer itself is found all the same.
    const from = probe.asked.findLast(({ packet }) => packet.address === phone.address);
    assert.ok(from);
    assert.equal(probe.respond(from), 'response');
    assert.deepEqual(probe.valid, ['198.51.100.7:40000']);
  }
});

test('RFC 8445 §7.3.1.1: both control, or neither: one round and they agree, with loss, 200 seeds', () => {
  for (let seed = 1; seed <= 200; seed += 1) {
    const joined = new JoinedAgents({ seed, loss: (seed % 4) * 0.08, duplication: 0.1, delay: [1, 90] });
    const controlling = seed % 2 === 0;
    joined.tell(joined.bob, joined.alice, { controlling });
    joined.tell(joined.alice, joined.bob, { controlling });
    assert.ok(joined.runConnected(), `seed ${seed} ${controlling}`);
    joined.network.conditions = { delay: [5, 5] };
    joined.run(joined.time.now + 2_000);
    assert.ok(joined.mediaFlows(1), `seed ${seed}`);
  }
});

test('RFC 8445 §7.3.1.1: a storm of role conflicts ends after eight changes, and a replayed one makes none', () => {
  const probe = full();
  probe.remote([host(phone)]);
  const roleOf = () =>
    probe.asked.at(-1)?.message.attributes.iceControlling === undefined ? 'controlled' : 'controlling';
  // The peer claims our own role each time, with the tie-breaker that makes us give way.
  const claim = () =>
    roleOf() === 'controlling'
      ? probe.check({ iceControlling: 2n ** 64n - 1n })
      : probe.check({ iceControlling: undefined, iceControlled: 0n });
  let changes = 0;
  for (let i = 0; i < 60; i += 1) {
    const before = roleOf();
    probe.receive(claim());
    probe.pass(probe.now + 100);
    if (roleOf() !== before) changes += 1;
  }
  assert.equal(changes, 8);
  assert.equal(probe.answer().attributes.error?.code ?? 487, 487);

  const replayed = full();
  replayed.remote([host(phone)]);
  const conflict = replayed.check({ iceControlling: undefined, iceControlled: 0n });
  replayed.receive(conflict);
  replayed.pass(100);
  assert.notEqual(replayed.asked.at(-1)?.message.attributes.iceControlling, undefined);
  // By answers of 487 the same bound holds; a check in the role that we have left says nothing more of it.
  const stale = replayed.asked[0]!;
  replayed.respond(stale, 487);
  replayed.respond(stale, 487);
  replayed.receive(conflict);
  replayed.pass(200);
  assert.notEqual(replayed.asked.at(-1)?.message.attributes.iceControlling, undefined);
});

test('an attacker on the way repeats, bends and redirects all that he sees: 150 calls connect, with each other alone', () => {
  let injected = 0;
  for (let seed = 1; seed <= 150; seed += 1) {
    const joined = new JoinedAgents({
      seed,
      modes: seed % 3 === 0 ? ['full', 'lite'] : ['full', 'full'],
      loss: 0.05,
      delay: [5, 40],
    });
    const random = new SeededRandom(seed + 5_000);
    const caught: { bytes: Uint8Array; from: DatagramAddress; to: DatagramAddress }[] = [];
    const forged = new Set<Uint8Array>();
    joined.network.onWay = (bytes, from, to) => {
      if (forged.has(bytes) || joined.time.now > 8_000) return false;
      if (caught.length < 40) caught.push({ bytes, from, to });
      for (let i = 0; i < 2; i += 1) {
        const old = random.pick(caught as [(typeof caught)[0], ...typeof caught]);
        const bent = Uint8Array.from(old.bytes);
        if (random.chance(0.6)) bent[random.integer(0, bent.length - 1)]! ^= 1 << random.integer(0, 7);
        forged.add(bent);
        // From the attacker's place, or as if from the peer's.
        joined.network.inject(
          random.chance(0.5) ? { ...attacker, port: random.integer(1, 9) } : old.from,
          old.to,
          bent,
        );
        injected += 1;
      }
      return false;
    };
    joined.start();
    assert.ok(joined.runConnected(), `seed ${seed} ${joined.alice.states} ${joined.bob.states}`);
    joined.run(9_000);
    assert.ok(joined.mediaFlows(1), `seed ${seed}`);
    for (const end of [joined.alice, joined.bob])
      assert.notEqual(end.selected.get(1)?.address, attacker.address);
  }
  assert.ok(injected > 1_500, `${injected}`);
});

test('an attacker in front of a lite agent repeats a nomination from elsewhere, first of all: the peer gets its call back', () => {
  const joined = new JoinedAgents({ seed: 5, modes: ['full', 'lite'] });
  let stolen: Uint8Array | undefined;
  // He holds the first nomination back and sends it from his own place.
  joined.network.onWay = (bytes, from, to) => {
    const read = decodeStun(bytes);
    if (stolen !== undefined || !read.ok || read.value.attributes.useCandidate !== true) return false;
    stolen = bytes;
    joined.network.inject(attacker, to, bytes);
    return from.address !== attacker.address;
  };
  joined.start();
  joined.run(30_000);
  assert.ok(stolen);
  assert.deepEqual([joined.alice.agent.state, joined.bob.agent.state], ['connected', 'connected']);
  assert.equal(joined.bob.selected.get(1)?.address, joined.alice.bases[0]?.address);
  assert.ok(joined.mediaFlows(1));
});

test('fuzz: 20,000 datagrams at an agent in the middle of its checks, each with a verdict, none with an effect', () => {
  const probe = full();
  probe.remote([host(phone)], { controlling: true });
  const asked = probe.asked[0]!;
  const seeds = [
    probe.check(),
    probe.check({ useCandidate: true }),
    probe.response(asked),
    probe.response(asked, 487),
  ];
  const before = seenOf(probe);
  const random = new SeededRandom(99);
  let executed = 0;
  for (let run = 0; run < 20_000; run += 1) {
    const bytes = Uint8Array.from(seeds[run % seeds.length]!);
    for (let i = random.integer(1, 3); i > 0; i -= 1)
      bytes[random.integer(0, bytes.length - 1)]! ^= 1 << random.integer(0, 7);
    const cut = random.chance(0.2) ? bytes.subarray(0, random.integer(0, bytes.length)) : bytes;
    if (seeds.some((seed) => Buffer.compare(seed, cut) === 0)) continue;
    const verdict = probe.receive(cut, random.chance(0.5) ? phone : attacker);
    assert.notEqual(verdict, 'answered');
    assert.notEqual(verdict, 'response');
    executed += 1;
  }
  assert.ok(executed > 19_900, `${executed}`);
  assert.equal(seenOf(probe), before);
});
