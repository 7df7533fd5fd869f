import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TimerNode, TimerQueue } from './timer-queue.ts';

const intervals = [500, 1000, 4000, 32_000] as const;

test('timers fire like those of a plain list, whatever is started and stopped (property)', () => {
  const operation = fc.oneof(
    fc.record({
      kind: fc.constant('start' as const),
      node: fc.nat(9),
      interval: fc.constantFrom(...intervals),
    }),
    fc.record({ kind: fc.constant('stop' as const), node: fc.nat(9) }),
    fc.record({ kind: fc.constant('wait' as const), time: fc.nat(5000) }),
  );
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 100 }), (operations) => {
      const queue = new TimerQueue<number>();
      const nodes = Array.from({ length: 10 }, (_, i) => new TimerNode(i));
      const model = new Map<number, number>();
      let now = 0;
      for (const op of operations) {
        if (op.kind === 'start') {
          queue.start(nodes[op.node] as TimerNode<number>, op.interval, now);
          model.set(op.node, now + op.interval);
        } else if (op.kind === 'stop') {
          queue.stop(nodes[op.node] as TimerNode<number>);
          model.delete(op.node);
        } else {
          now += op.time;
          let last = 0;
          for (let node = queue.expire(now); node !== undefined; node = queue.expire(now)) {
            assert.equal(node.at, model.get(node.owner));
            assert.ok(node.at >= last && node.at <= now);
            last = node.at;
            model.delete(node.owner);
          }
        }
        assert.equal(queue.nextTimeout(), Math.min(...model.values(), Number.POSITIVE_INFINITY));
        assert.equal(queue.size, model.size);
        for (const node of nodes) assert.equal(node.running, model.has(node.owner));
      }
    }),
    { numRuns: 300 },
  );
});

test('a clock that runs backwards makes timers late, never lost', () => {
  const queue = new TimerQueue<string>();
  queue.start(new TimerNode('first'), 500, 1000);
  queue.start(new TimerNode('second'), 500, 900);
  assert.equal(queue.expire(1499), undefined);
  assert.equal(queue.expire(1500)?.owner, 'first');
  assert.equal(queue.expire(1500)?.owner, 'second');
});
