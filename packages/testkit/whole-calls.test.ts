import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AgentCall } from './agent-call.ts';
import { PairedStacks, type PairOptions } from './paired-stacks.ts';
import type { UserAgent } from './user-agent.ts';

/** What a seed makes the two sides do. */
interface Story {
  readonly pair: PairedStacks;
  readonly call: AgentCall;
}

function tell(options: PairOptions): Story {
  const pair = new PairedStacks(options);
  const { alice, bob, random, time } = pair;
  const ringAfter = random.integer(0, 300);
  const decideAfter = random.integer(0, 4000);
  const fate = random.pick(['answer', 'answer', 'answer', 'reject', 'never']);
  bob.onInvite = (call) => {
    time.after(ringAfter, (now) => bob.ring(call, now));
    if (fate === 'answer') time.after(decideAfter, (now) => bob.answer(call, now));
    if (fate === 'reject')
      time.after(decideAfter, (now) => bob.reject(call, random.pick([486, 603, 302]), now));
  };
  const up = (agent: UserAgent) => (call: AgentCall) => {
    const times = random.integer(0, 2);
    for (let i = 0; i < times; i++) {
      time.after(random.integer(200, 3000), (now) => agent.reinvite(call, now));
    }
    if (random.chance(0.6)) time.after(random.integer(0, 20_000), (now) => agent.bye(call, now));
  };
  alice.onAnswered = up(alice);
  bob.onAnswered = up(bob);
  const call = alice.invite('bob', 0);
  if (random.chance(0.3)) time.after(random.integer(0, 5000), (now) => alice.cancel(call, now));
  // Somebody has to hang up in the end.
  time.at(60_000, (now) => alice.bye(call, now));
  time.at(61_000, (now) => {
    for (const other of bob.calls.values()) bob.bye(other, now);
  });
  return { pair, call };
}

function agree({ pair, call }: Story, seed: number): void {
  const name = `seed ${seed}`;
  assert.ok(pair.idle, `${name}: something is left over`);
  assert.equal(call.state, 'ended', name);
  const other = pair.bob.over[0];
  assert.ok(pair.bob.over.length <= 1, `${name}: one INVITE, one call`);
  if (call.answered) assert.ok(other?.answered, `${name}: answered at one side only`);
  if (other?.acknowledged === true) assert.ok(call.answered, `${name}: an ACK out of nowhere`);
  if (other?.answered === true && !call.answered) {
    assert.ok(['no-ack', 'bye-sent'].includes(other.cause), `${name}: ${other.cause}`);
  }
  if (other !== undefined) {
    assert.ok(call.renegotiated.sent <= other.renegotiated.received, name);
    assert.ok(other.renegotiated.sent <= call.renegotiated.received, name);
  }
  if (!call.answered && /^[3-6]/.test(call.cause))
    assert.equal(other?.cause, call.cause, `${name}: other refusals`);
}

const weathers: readonly (readonly [string, Omit<PairOptions, 'seed'>])[] = [
  ['without loss', { delay: [5, 50] }],
  ['with loss, reordering and duplication', { loss: 0.2, duplication: 0.2, delay: [1, 1500] }],
  ['with heavy loss', { loss: 0.35, duplication: 0.05, delay: [1, 300] }],
  ['over a reliable transport', { reliable: true, delay: [1, 400] }],
];

for (const [weather, conditions] of weathers) {
  test(`RFC 3261 §9, §12-15, §17: 1,000 whole calls ${weather} end in agreement`, () => {
    const seen = { answered: 0, cancelled: 0, renegotiated: 0, glares: 0 };
    for (let seed = 1; seed <= 1000; seed++) {
      const story = tell({ seed, ...conditions });
      story.pair.run();
      agree(story, seed);
      if (story.call.answered) seen.answered++;
      if (story.call.cause === '487') seen.cancelled++;
      seen.renegotiated += story.call.renegotiated.sent + story.call.renegotiated.received;
      seen.glares += story.call.glares + (story.pair.bob.over[0]?.glares ?? 0);
    }
    // The seeds have to reach every part of the story, or the test proves nothing.
    assert.ok(seen.answered > 300, JSON.stringify(seen));
    assert.ok(seen.cancelled > 50, JSON.stringify(seen));
    assert.ok(seen.renegotiated > 200, JSON.stringify(seen));
    assert.ok(seen.glares > 5, JSON.stringify(seen));
  });
}
