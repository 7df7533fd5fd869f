import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import { InviteTurn, retryDelay } from './glare.ts';
import { maxForks, Uac2xx } from './invite-uac.ts';
import { Uas2xx } from './invite-uas.ts';

const run = (machine: Uas2xx, until: number): string[] => {
  const seen: string[] = [];
  while (machine.nextTimeout() <= until) {
    const now = machine.nextTimeout();
    machine.handleTimeout(now);
    const output = machine.poll();
    if (output !== undefined) seen.push(`${now} ${output}`);
  }
  return seen;
};

test('RFC 3261 §13.3.1.4: a 2xx is repeated after T1, doubling to T2, and given up after 64*T1', () => {
  const seen = run(new Uas2xx(1000), 1_000_000);
  const times = [500, 1500, 3500, 7500, 11500, 15500, 19500, 23500, 27500, 31500];
  assert.deepEqual(seen, [...times.map((at) => `${at + 1000} repeat`), '33000 gave-up']);
});

test('RFC 3261 §13.3.1.4: the ACK ends it', () => {
  const machine = new Uas2xx(0);
  assert.deepEqual(run(machine, 1600), ['500 repeat', '1500 repeat']);
  machine.acknowledged();
  assert.equal(machine.running, false);
  assert.equal(machine.nextTimeout(), Number.POSITIVE_INFINITY);
  machine.handleTimeout(100_000);
  assert.equal(machine.poll(), undefined);
});

test('RFC 3261 §13.3.1.4: other timer values, and a late call repeats once', () => {
  const machine = new Uas2xx(0, { T1: 100, T2: 200 });
  machine.handleTimeout(50);
  assert.equal(machine.poll(), undefined);
  machine.handleTimeout(1000);
  assert.equal(machine.poll(), 'repeat');
  assert.equal(machine.poll(), undefined);
  assert.equal(machine.nextTimeout(), 1200);
});

test('RFC 3261 §13.2.2.4: each fork has its ACK, for 64*T1, and there is an end to forks', () => {
  const acks = new Uac2xx(0);
  const ack = new Uint8Array(1);
  assert.equal(acks.ackFor('b1'), undefined);
  assert.ok(acks.remember('b1', ack));
  assert.equal(acks.ackFor('b1'), ack);
  for (let i = 1; i < maxForks; i++) assert.ok(acks.remember(`f${i}`, ack));
  assert.equal(acks.remember('one more', ack), false);
  assert.ok(acks.remember('b1', ack));
  acks.handleTimeout(31_999);
  assert.equal(acks.size, maxForks);
  assert.equal(acks.nextTimeout(), 32_000);
  acks.handleTimeout(32_000);
  assert.equal(acks.size, 0);
  assert.equal(acks.nextTimeout(), Number.POSITIVE_INFINITY);
});

test('RFC 3261 §14.1: the owner of the Call-ID waits 2.1 to 4 s, the other 0 to 2 s, in steps of 10 ms', () => {
  const random = new SeededRandom(3);
  for (let i = 0; i < 2000; i++) {
    const owner = retryDelay(true, () => random.next());
    const other = retryDelay(false, () => random.next());
    assert.ok(owner >= 2100 && owner <= 4000 && owner % 10 === 0);
    assert.ok(other >= 0 && other <= 2000 && other % 10 === 0);
  }
  assert.deepEqual([retryDelay(true, () => 0), retryDelay(true, () => 0.9999)], [2100, 4000]);
  assert.deepEqual([retryDelay(false, () => 0), retryDelay(false, () => 0.9999)], [0, 2000]);
});

test('RFC 3261 §14.2: an INVITE that crosses ours is 491, one before the last is answered is 500', () => {
  const turn = new InviteTurn();
  const zero = () => 0.99;
  assert.ok(turn.free);
  turn.sent();
  const crossing = turn.receive(zero);
  assert.ok(!crossing.ok && crossing.status === 491);
  turn.sentDone();
  assert.ok(turn.receive(zero).ok);
  assert.ok(!turn.free);
  const second = turn.receive(zero);
  assert.ok(!second.ok && second.status === 500 && second.headers?.get('retry-after') === '10');
  turn.receivedDone();
  assert.ok(turn.free);
});
