import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Outbox, RefusedBatch, type Sender } from './outbox.ts';

/** A receiver that can go away. */
class Receiver implements Sender {
  readonly got: string[] = [];
  problem: Error | undefined;
  batches = 0;
  closed = false;

  send(batch: readonly Uint8Array[]): Promise<void> {
    this.batches += 1;
    if (this.problem !== undefined) return Promise.reject(this.problem);
    this.got.push(...batch.map((item) => Buffer.from(item).toString()));
    return Promise.resolve();
  }

  close(): void {
    this.closed = true;
  }
}

const made = (receiver: Receiver, most: number, mostBytes?: number) => {
  const told: string[] = [];
  const outbox = new Outbox({
    sender: receiver,
    most,
    ...(mostBytes === undefined ? {} : { mostBytes }),
    gatherMs: 0,
    onFailing: (why) => told.push(`failing: ${why}`),
    onRecovered: (lost) => told.push(`recovered: ${lost}`),
  });
  return { outbox, told };
};
const push = (outbox: Outbox, from: number, to: number): void => {
  for (let i = from; i <= to; i += 1) outbox.push(Buffer.from(`${i} `));
};
const turns = async (
  t: { mock: { timers: { tick(ms: number): void } } },
  milliseconds: number,
): Promise<void> => {
  for (let i = 0; i < 20; i += 1) {
    t.mock.timers.tick(milliseconds / 20);
    await new Promise((resolve) => setImmediate(resolve));
  }
};

test('everything arrives in order, also what came while the receiver was away', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const receiver = new Receiver();
  const { outbox, told } = made(receiver, 1_000);
  push(outbox, 1, 3);
  await turns(t, 100);
  receiver.problem = new Error('gone');
  push(outbox, 4, 600);
  await turns(t, 5_000);
  assert.equal(receiver.got.length, 3);
  assert.deepEqual(told, ['failing: gone']);
  const attempts = receiver.batches;
  assert.ok(attempts <= 6, `${attempts} attempts in five seconds`);
  receiver.problem = undefined;
  push(outbox, 601, 700);
  await turns(t, 40_000);
  assert.deepEqual(
    receiver.got.map(Number),
    Array.from({ length: 700 }, (_, i) => i + 1),
  );
  assert.deepEqual(told, ['failing: gone', 'recovered: 0']);
});

test('the bound pushes out the oldest, and the receiver is told how many are missing', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const receiver = new Receiver();
  receiver.problem = new Error('gone');
  const { outbox, told } = made(receiver, 100);
  push(outbox, 1, 1_000);
  await turns(t, 10_000);
  assert.equal(outbox.size, 100);
  receiver.problem = undefined;
  await turns(t, 40_000);
  assert.deepEqual(
    receiver.got.map(Number),
    Array.from({ length: 100 }, (_, i) => 901 + i),
  );
  assert.deepEqual(told, ['failing: gone', 'recovered: 900']);
});

test('octets are bounded too', () => {
  const { outbox } = made(new Receiver(), 1_000_000, 10_000);
  for (let i = 0; i < 100; i += 1) outbox.push(Buffer.alloc(1_000));
  assert.equal(outbox.size, 10);
});

test('a batch that the receiver will never take is counted as lost and does not hold up the rest', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const receiver = new Receiver();
  receiver.problem = new RefusedBatch('400');
  const { outbox, told } = made(receiver, 100);
  push(outbox, 1, 5);
  await turns(t, 100);
  receiver.problem = undefined;
  push(outbox, 6, 7);
  await turns(t, 5_000);
  assert.deepEqual(receiver.got.map(Number), [6, 7]);
  assert.deepEqual(told, ['failing: 400', 'recovered: 5']);
});

test('at the end what waits is handed over', async () => {
  const receiver = new Receiver();
  const { outbox } = made(receiver, 10_000);
  push(outbox, 1, 1_200);
  await outbox.stop();
  assert.equal(receiver.got.length, 1_200);
  assert.ok(receiver.closed);
});
