import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import fc from 'fast-check';
import { ReceiverStatistics } from './statistics.ts';

const clockRate = 8000;

/** Feeds numbers in 20 ms steps without any jitter. */
function feed(
  numbers: readonly number[],
  statistics = new ReceiverStatistics({ clockRate }),
): ReceiverStatistics {
  for (const [i, sequence] of numbers.entries()) statistics.receive(sequence & 0xffff, i * 160, i * 20_000);
  return statistics;
}

test('RFC 3550 A.3: loss, repetition and reordering are told apart', () => {
  const { jitterMs, ...all } = feed([10, 11, 13, 12, 12, 13, 17]).snapshot();
  assert.deepEqual(all, {
    received: 7,
    expected: 8,
    lost: 1,
    highest: 17,
    reordered: 1,
    duplicates: 2,
    restarts: 0,
    jitter: 0,
  });
  assert.equal(jitterMs, 0);
});

test('RFC 3550 A.1: the sequence number wraps, also when it begins at 0 or at the wrap', () => {
  for (const first of [0, 1, 65_530, 65_535]) {
    const numbers = Array.from({ length: 20 }, (_, i) => first + i);
    const { expected, lost, highest } = feed(numbers).snapshot();
    assert.deepEqual([expected, lost, highest], [20, 0, first + 19], `${first}`);
  }
});

test('RFC 3550 A.1: one packet from afar is not counted, two in a row begin anew', () => {
  const statistics = feed([1, 2, 3, 30_000, 4, 5]);
  assert.deepEqual([statistics.snapshot().received, statistics.snapshot().restarts], [5, 0]);
  feed([40_000, 40_001, 40_002], statistics);
  const { received, expected, lost, restarts } = statistics.snapshot();
  assert.deepEqual([received, expected, lost, restarts], [7, 7, 0, 1]);
});

test('RFC 3550 A.1: probation asks for packets in sequence', () => {
  const statistics = new ReceiverStatistics({ clockRate, probation: 2 });
  assert.deepEqual(
    [5, 9, 10, 11].map((sequence, i) => statistics.receive(sequence, i * 160, i * 20_000)),
    [false, false, true, true],
  );
  assert.deepEqual([statistics.snapshot().received, statistics.snapshot().expected], [2, 2]);
});

test('RFC 3550 A.3: fraction lost is of the interval since the last report', () => {
  const statistics = feed([0, 1, 2, 3]);
  assert.equal(statistics.fractionLost(), 0);
  feed([5, 7], statistics);
  assert.equal(statistics.fractionLost(), 128);
  assert.equal(statistics.fractionLost(), 0);
  feed([7, 7], statistics);
  assert.equal(statistics.fractionLost(), 0);
});

test('RFC 3550 A.8: jitter in integers, step by step', () => {
  const statistics = new ReceiverStatistics({ clockRate });
  // Arrivals 20 ms apart but for 10 ms too much and too little in turn: 80 units of 125 us each time.
  let scaled = 0;
  for (let i = 0; i < 200; i += 1) {
    statistics.receive(i, i * 160, i * 20_000 + (i % 2) * 10_000);
    if (i > 0) scaled += 80 - ((scaled + 8) >> 4);
    assert.equal(statistics.snapshot().jitter, scaled >> 4);
  }
  // The integer filter settles one unit below the mean.
  assert.equal(statistics.snapshot().jitter, 79);
  assert.equal(statistics.snapshot().jitterMs, 79 / 8);
});

test('RFC 3550 A.8: a timestamp that wraps is no jitter', () => {
  const statistics = new ReceiverStatistics({ clockRate });
  for (let i = 0; i < 10; i += 1)
    statistics.receive(i, (0xffff_fe00 + i * 160) >>> 0, 3_600_000_000_000 + i * 20_000);
  assert.equal(statistics.snapshot().jitter, 0);
});

test('a clock rate of nothing is misuse', () => {
  for (const rate of [0, -1, 0.5, Number.NaN])
    assert.throws(
      () => new ReceiverStatistics({ clockRate: rate }),
      (error: unknown) => error instanceof MisuseError && error.code === 'rtp-clock',
    );
});

test('property: of packets shuffled within 50, dropped and repeated, all are accounted for', () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 0xffff }),
      fc.array(fc.tuple(fc.integer({ min: 0, max: 9 }), fc.nat({ max: 40 })), {
        minLength: 2,
        maxLength: 300,
      }),
      (first, plan) => {
        const order: { sequence: number; at: number }[] = [];
        for (const [i, [fate, delay]] of plan.entries()) {
          // The first and the last arrive, and the first before all others.
          const edge = i === 0 || i === plan.length - 1;
          if (fate === 0 && !edge) continue;
          order.push({ sequence: i, at: i === 0 ? -1 : i + (edge ? 0 : delay) });
          if (fate === 1 && i !== 0) order.push({ sequence: i, at: i + delay + 1 });
        }
        order.sort((a, b) => a.at - b.at);
        const { received, expected, duplicates, lost } = feed(
          order.map(({ sequence }) => first + sequence),
        ).snapshot();
        const distinct = new Set(order.map(({ sequence }) => sequence)).size;
        assert.equal(received, order.length);
        assert.equal(expected, plan.length);
        assert.equal(duplicates, order.length - distinct);
        assert.equal(lost, plan.length - order.length);
      },
    ),
    { numRuns: 300 },
  );
});
