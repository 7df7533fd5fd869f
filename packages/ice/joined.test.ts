import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Nat, type NatKind, natKinds } from '@ringfence/testkit/datagram-network.ts';
import { isTraversable, JoinedAgents } from '@ringfence/testkit/ice-ends.ts';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import type { IceMode } from './agent.ts';

type Modes = readonly [IceMode, IceMode];

const natOf = (kind: NatKind | undefined, address: string) =>
  kind === undefined ? undefined : new Nat(address, kind);

test('RFC 8445 §8.1.1: two full agents without loss are connected after two round trips and the pacing of checks', () => {
  const joined = new JoinedAgents({ seed: 1, delay: [10, 10] });
  joined.start();
  assert.ok(joined.runConnected());
  assert.ok(joined.alice.connectedAt! - 1_000 <= 50 + 2 * 20, `${joined.alice.connectedAt! - 1_000} ms`);
  assert.ok(joined.mediaFlows(1));
  assert.deepEqual(joined.alice.states, ['checking', 'connected']);
  assert.deepEqual(joined.bob.states, ['checking', 'connected']);
});

test('RFC 8445 §2.5: full against lite and lite against full, whoever offers; a lite agent makes the checks where the peer is lite', () => {
  for (const modes of [
    ['full', 'lite'],
    ['lite', 'full'],
  ] as const) {
    const joined = new JoinedAgents({ seed: 2, modes, components: 2 });
    joined.start();
    assert.ok(joined.runConnected(), modes.join());
    assert.ok(joined.mediaFlows(1) && joined.mediaFlows(2));
  }
});

test('NATs of four kinds on either side: connected wherever holes can be punched, failed elsewhere (RFC 5128 §3.3)', () => {
  const kinds = [undefined, ...natKinds];
  let connected = 0;
  for (const a of kinds) {
    for (const b of kinds) {
      const joined = new JoinedAgents({
        seed: 3,
        nats: [natOf(a, '203.0.113.1'), natOf(b, '203.0.113.2')],
      });
      joined.start();
      const done = joined.runConnected();
      assert.equal(done, isTraversable(a, b), `${a} ${b}: ${joined.alice.states} ${joined.bob.states}`);
      if (done) {
        connected += 1;
        assert.ok(joined.mediaFlows(1), `${a} ${b}`);
      } else {
        // RFC 8863 §4: not before 39.5 s.
        assert.ok(joined.time.now >= 40_500);
      }
    }
  }
  assert.equal(connected, 22);
});

test('600 calls by seed: loss to 30 %, duplication, reordering, NATs, modes, trickling, one or two components', () => {
  const modes: [Modes, ...Modes[]] = [
    ['full', 'full'],
    ['full', 'lite'],
    ['lite', 'full'],
  ];
  let connected = 0;
  const times: number[] = [];
  for (let seed = 1; seed <= 600; seed += 1) {
    const random = new SeededRandom(seed * 7919);
    const pair = random.pick(modes);
    // Who only answers has a public address, RFC 8445 §2.5.
    const kinds = pair.map((mode) =>
      mode === 'full' && random.chance(0.6) ? random.pick([...natKinds]) : undefined,
    ) as [NatKind | undefined, NatKind | undefined];
    const components = random.chance(0.3) ? 2 : 1;
    const joined = new JoinedAgents({
      seed,
      modes: pair,
      components,
      nats: [natOf(kinds[0], '203.0.113.1'), natOf(kinds[1], '203.0.113.2')],
      loss: random.next() * 0.3,
      duplication: random.next() * 0.2,
      delay: [1, random.integer(1, 120)],
    });
    const signalling = random.pick(['trickled', 'late', 'at once', 'at once']);
    if (signalling === 'trickled') {
      // First nothing, then one by one, RFC 8838.
      joined.tell(joined.bob, joined.alice, { candidates: [], trickle: true });
      joined.tell(joined.alice, joined.bob, { candidates: [], trickle: true });
      for (const [end, other] of [
        [joined.alice, joined.bob],
        [joined.bob, joined.alice],
      ] as const) {
        for (const candidate of other.candidates())
          joined.time.after(random.integer(0, 400), (now) => end.agent.addCandidates([candidate], now));
        joined.time.after(500, (now) => end.agent.endOfCandidates(now));
      }
    } else if (signalling === 'late') {
      // The answer is late: checks come before it.
      joined.tell(joined.bob, joined.alice);
      joined.time.after(random.integer(0, 500), () => joined.tell(joined.alice, joined.bob));
    } else joined.start();
    const expected = isTraversable(kinds[0], kinds[1]);
    const done = joined.runConnected(150_000);
    const about = `seed ${seed} ${pair} ${kinds} ${components} ${signalling} ${joined.alice.states} ${joined.bob.states}`;
    if (!expected) {
      assert.ok(!done, about);
      continue;
    }
    assert.ok(done, about);
    connected += 1;
    times.push(joined.alice.connectedAt! - 1_000);
    // What is under way settles: a controlled agent may change to a better pair.
    joined.network.conditions = { delay: [5, 5] };
    joined.run(joined.time.now + 3_000);
    for (const { component } of joined.alice.bases) assert.ok(joined.mediaFlows(component), about);
  }
  times.sort((a, b) => a - b);
  assert.ok(connected > 450, `${connected}`);
  assert.ok(times[times.length >> 1]! < 1_000, `median ${times[times.length >> 1]} ms`);
});
