import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRack, parseRseq, ReliableUac, ReliableUas } from './reliable-uas.ts';

test('RFC 3262 §3: repeated after T1, doubling, until 64*T1, then given up', () => {
  const machine = new ReliableUas(1000);
  assert.equal(machine.sent(0), 1000);
  const repeats: number[] = [];
  for (let now = machine.nextTimeout(); machine.waiting; now = machine.nextTimeout()) {
    machine.handleTimeout(now);
    if (machine.poll() === 'repeat') repeats.push(now);
    else assert.equal(now, 32_000);
  }
  assert.deepEqual(repeats, [500, 1500, 3500, 7500, 15_500, 31_500]);
  assert.equal(machine.nextTimeout(), Number.POSITIVE_INFINITY);
});

test('RFC 3262 §3: PRACK of that RSeq alone ends it; the next response has the next number', () => {
  const machine = new ReliableUas(7);
  machine.sent(0);
  assert.equal(machine.acknowledged(8), false);
  assert.equal(machine.acknowledged(7), true);
  assert.equal(machine.acknowledged(7), false);
  assert.equal(machine.sent(100), 8);
  machine.handleTimeout(600);
  assert.equal(machine.poll(), 'repeat');
  machine.stop();
  assert.equal(machine.poll(), undefined);
});

test('RFC 3262 §4: gaps and repetitions are neither acknowledged nor looked at', () => {
  const order = new ReliableUac();
  assert.deepEqual(
    [5, 5, 7, 6, 4, 7].map((rseq) => order.receive(rseq)),
    [true, false, false, true, false, true],
  );
});

test('RFC 3262 §7.1, §7.2: RSeq and RAck are read, and what is malformed is none', () => {
  assert.deepEqual(parseRack(' 776656 1 INVITE '), { rseq: 776656, cseq: 1, method: 'INVITE' });
  assert.deepEqual(parseRack('1\t 2  INVITE'), { rseq: 1, cseq: 2, method: 'INVITE' });
  for (const bad of ['', '1 2', '1 2 INVITE x', 'a 1 INVITE', '1 -1 INVITE', '99999999999 1 INVITE'])
    assert.equal(parseRack(bad), undefined, bad);
  assert.equal(parseRseq('4294967295'), 0xffffffff);
  for (const bad of ['0', '4294967296', 'x', '']) assert.equal(parseRseq(bad), undefined, bad);
});
