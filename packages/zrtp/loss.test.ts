import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DhType } from './algorithm.ts';
import { assertMirrored } from './testing/mirrored.ts';
import { ZrtpPair } from './testing/pair.ts';

const seeds = 1000;

test(`RFC 6189 §6: ${seeds} exchanges with loss, reordering and duplication end alike on both sides`, () => {
  const kinds: readonly [DhType, ...DhType[]] = ['X255', 'X255', 'X255', 'EC25', 'EC38'];
  const count = { secured: 0, failed: 0, initiatorA: 0, repeated: 0 };
  for (let seed = 1; seed <= seeds; seed++) {
    const algorithms = { keyAgreements: [kinds[seed % kinds.length]!] };
    const pair = new ZrtpPair({
      seed,
      loss: (seed % 5) * 0.08,
      duplication: (seed % 3) * 0.1,
      delay: [5, 5 + (seed % 4) * 60],
      a: { algorithms },
      b: { algorithms },
    });
    if (seed % 7 === 0) {
      // One end hears of the call later.
      pair.a.session.start(0);
      pair.a.drain();
      pair.time.at(700, (now) => {
        pair.b.session.start(now);
        pair.b.drain();
      });
    } else pair.start();
    pair.run();
    const name = `seed ${seed}: ${pair.a.outcome} / ${pair.b.outcome}`;
    if (pair.a.secured && pair.b.secured) {
      assertMirrored(pair, name);
      count.secured++;
      if (pair.a.secured.role === 'initiator') count.initiatorA++;
    } else {
      assert.ok(pair.a.failed && pair.b.failed, name);
      assert.equal(pair.a.failed.code, pair.b.failed.code, name);
      count.failed++;
    }
    assert.deepEqual([...pair.a.suspicions, ...pair.b.suspicions], [], name);
    assert.ok(pair.a.sent < 150 && pair.b.sent < 150, `${name}: ${pair.a.sent} and ${pair.b.sent} packets`);
    if (pair.a.sent + pair.b.sent > 12) count.repeated++;
  }
  assert.ok(count.secured >= seeds * 0.99, JSON.stringify(count));
  assert.ok(count.initiatorA > seeds * 0.4 && count.initiatorA < seeds * 0.6, JSON.stringify(count));
  assert.ok(count.repeated > seeds / 3, JSON.stringify(count));
});

test('RFC 6189 §6: a link that is cut at any moment ends in a timeout on both sides, or as it had ended before', () => {
  for (let cut = 0; cut <= 400; cut += 5) {
    const pair = new ZrtpPair({ seed: 3, delay: [20, 20] });
    pair.start();
    pair.time.at(cut, () => {
      pair.link.conditions = { loss: 1 };
    });
    pair.run();
    for (const end of [pair.a, pair.b]) {
      const timedOut = end.failed?.reason === 'timeout' && end.failed.code === 0xb0;
      const nobody = end.told.some((output) => output.kind === 'no-peer');
      assert.ok(end.secured || timedOut || nobody, `cut at ${cut} ms: ${end.outcome}`);
      assert.ok(end.session.nextAt === Number.POSITIVE_INFINITY, `cut at ${cut} ms: timers go on`);
    }
  }
});
