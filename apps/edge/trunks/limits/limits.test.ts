import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import { VirtualTime } from '@ringfence/testkit/virtual-time.ts';
import { Counter } from './counter.ts';
import { Limits } from './limits.ts';

const made = () => {
  const time = new VirtualTime(0);
  const limits = new Limits({ now: () => time.now, after: (ms, run) => time.after(ms, run) });
  return { time, limits };
};
const pass = (time: VirtualTime, milliseconds: number): void => {
  const until = time.now + milliseconds;
  while (time.next <= until) time.step();
  time.jump(until);
};
const settle = (): Promise<void> => new Promise((done) => setImmediate(done));

test('a counter holds so many calls, and admits so many a second', () => {
  const counter = new Counter();
  const limit = { calls: 2, callsPerSecond: 4 };
  counter.take(limit, 0);
  assert.equal(counter.full(limit, 0), undefined);
  counter.take(limit, 0);
  assert.equal(counter.full(limit, 0), 'calls');
  counter.give();
  counter.take(limit, 0);
  counter.give();
  counter.take(limit, 0);
  counter.give();
  assert.equal(counter.full(limit, 0), 'rate');
  assert.equal(counter.wait(limit, 0), 250);
  assert.equal(counter.full(limit, 250), undefined);
  counter.give();
  counter.give();
  assert.equal(counter.calls, 0);
});

test('who waits is let in, in order, when a place becomes free; who waits too long is not', async () => {
  const { time, limits } = made();
  const limit = { calls: 1, queue: 2, queueSeconds: 3 };
  assert.equal(limits.takeTrunk('a', { key: 't', limit }, false), true);
  const granted: string[] = [];
  for (const call of ['b', 'c', 'd'])
    void limits.wait(call, 't', limit).then((yes) => granted.push(`${call} ${yes}`));
  await settle();
  assert.deepEqual(granted, ['d false']);
  limits.release('a');
  await settle();
  assert.deepEqual(granted, ['d false', 'b true']);
  // A newcomer does not overtake.
  assert.equal(limits.takeTrunk('e', { key: 't', limit }, false), false);
  pass(time, 3000);
  await settle();
  assert.deepEqual(granted, ['d false', 'b true', 'c false']);
  limits.release('b');
  assert.deepEqual(limits.usage(), []);
});

test('a queue behind a rate moves with the rate', async () => {
  const { time, limits } = made();
  const limit = { callsPerSecond: 2, queue: 10, queueSeconds: 5 };
  let granted = 0;
  for (let i = 0; i < 8; i += 1)
    void limits.wait(`c${i}`, 't', limit).then((yes) => {
      if (yes) granted += 1;
    });
  await settle();
  assert.equal(granted, 2);
  pass(time, 1000);
  await settle();
  assert.equal(granted, 4);
  pass(time, 2000);
  await settle();
  assert.equal(granted, 8);
});

test('whatever order calls begin, wait, go on and end in: never below zero or above the limit, zero at rest', async () => {
  for (let seed = 1; seed <= 40; seed += 1) {
    const { time, limits } = made();
    const random = new SeededRandom(seed);
    const limit = { calls: 3, callsPerSecond: 20, queue: 2, queueSeconds: 1 };
    const trunks = ['t1', 't2'] as const;
    const live = new Set<string>();
    let next = 0;
    for (let step = 0; step < 300; step += 1) {
      const action = random.integer(0, 5);
      const some = [...live][random.integer(0, Math.max(0, live.size - 1))];
      const key = random.pick(trunks);
      if (action <= 1) {
        next += 1;
        const call = `c${next}`;
        live.add(call);
        const claims = [{ key: 'user', limit: { calls: 1000 } }];
        if (limits.full(claims) === undefined) limits.take(call, claims);
        if (!limits.takeTrunk(call, { key, limit }, false)) void limits.wait(call, key, limit);
      } else if (action === 2 && some !== undefined) limits.leaveTrunk(some);
      else if (action === 3 && some !== undefined) {
        limits.release(some);
        limits.release(some);
        live.delete(some);
      } else if (action === 4) pass(time, random.integer(1, 400));
      else await settle();
      for (const report of limits.usage()) {
        assert.ok(report.calls >= 0);
        if (report.key !== 'user') assert.ok(report.calls <= 3, `seed ${seed}`);
        assert.ok(report.waiting <= 2);
      }
    }
    for (const call of live) limits.release(call);
    pass(time, 5000);
    await settle();
    assert.deepEqual(limits.usage(), [], `seed ${seed}`);
    limits.sweep();
  }
});
