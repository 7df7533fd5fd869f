import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PairedStacks } from './paired-stacks.ts';

test('RFC 3261 §13, §15: a call over a perfect link', () => {
  const pair = new PairedStacks({ seed: 1 });
  pair.bob.onInvite = (call, now) => {
    pair.bob.ring(call, now);
    pair.time.after(2000, (later) => pair.bob.answer(call, later));
  };
  pair.alice.onAnswered = (call) => pair.time.after(5000, (later) => pair.alice.bye(call, later));
  const call = pair.alice.invite('bob', 0);
  pair.run();
  assert.equal(call.cause, 'bye-sent');
  assert.equal(pair.bob.over[0]?.cause, 'bye-received');
  assert.ok(pair.bob.over[0]?.acknowledged);
  assert.ok(pair.idle);
  // INVITE, 100, 180, 200, ACK, BYE, 200
  assert.equal(pair.link.delivered, 7);
});

test('RFC 3261 §9.1, §15: a CANCEL that crosses the 200 does not stop the call, a BYE ends it', () => {
  const pair = new PairedStacks({ seed: 2, delay: [100, 100] });
  pair.bob.onInvite = (call, now) => {
    pair.bob.ring(call, now);
    pair.time.at(1000, (later) => pair.bob.answer(call, later));
  };
  const call = pair.alice.invite('bob', 0);
  pair.time.at(1050, (now) => pair.alice.cancel(call, now));
  pair.run();
  assert.ok(call.answered && call.cause === 'cancel-lost');
  assert.equal(pair.bob.over[0]?.cause, 'bye-received');
  assert.ok(pair.idle);
});

test('RFC 3261 §9.1: a CANCEL asked for before any response goes out after the 100', () => {
  const pair = new PairedStacks({ seed: 3 });
  pair.bob.onInvite = () => {};
  const call = pair.alice.invite('bob', 0);
  pair.alice.cancel(call, 0);
  pair.run();
  assert.equal(call.cause, '487');
  assert.equal(pair.bob.over[0]?.cause, '487');
  // INVITE, 100, CANCEL, 200, 487, ACK
  assert.equal(pair.link.delivered, 6);
  assert.ok(pair.idle);
});

test('RFC 3261 §14.1: re-INVITEs that cross are both refused, then both get their turn', () => {
  const pair = new PairedStacks({ seed: 4, delay: [50, 50] });
  const call = pair.alice.invite('bob', 0);
  pair.time.at(1000, (now) => {
    pair.alice.reinvite(call, now);
    for (const other of pair.bob.calls.values()) pair.bob.reinvite(other, now);
  });
  pair.time.at(30_000, (now) => pair.alice.bye(call, now));
  pair.run();
  const other = pair.bob.over[0];
  assert.deepEqual([call.glares, other?.glares], [1, 1]);
  assert.deepEqual(call.renegotiated, { sent: 1, received: 1 });
  assert.deepEqual(other?.renegotiated, { sent: 1, received: 1 });
  assert.ok(pair.idle);
});

test('RFC 3261 §15: BYEs that cross end the call once on both sides', () => {
  const pair = new PairedStacks({ seed: 5, delay: [50, 50] });
  const call = pair.alice.invite('bob', 0);
  pair.time.at(1000, (now) => {
    pair.alice.bye(call, now);
    for (const other of pair.bob.calls.values()) pair.bob.bye(other, now);
  });
  pair.run();
  assert.deepEqual([pair.alice.over.length, pair.bob.over.length], [1, 1]);
  assert.ok(pair.idle);
});

test('RFC 3261 §13.3.1.4: a 2xx whose ACK never comes is repeated, then the call is ended', () => {
  const pair = new PairedStacks({ seed: 6 });
  const send = pair.alice.send;
  pair.alice.send = (bytes) => {
    if (!new TextDecoder().decode(bytes).startsWith('ACK ')) send(bytes);
  };
  const call = pair.alice.invite('bob', 0);
  pair.run();
  const other = pair.bob.over[0];
  assert.ok(other?.cause === 'no-ack' && !other.acknowledged);
  assert.equal(call.cause, 'bye-received');
  assert.ok(pair.idle);
});

test('RFC 3261 §17.1.1.2: nobody there', () => {
  const pair = new PairedStacks({ seed: 7, loss: 1 });
  const call = pair.alice.invite('bob', 0);
  pair.run();
  assert.equal(call.cause, 'timeout');
  assert.equal(pair.time.now <= 32_000, true);
  assert.equal(pair.link.lost, 7);
  assert.ok(pair.idle);
});
