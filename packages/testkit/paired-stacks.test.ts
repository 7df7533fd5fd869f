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
