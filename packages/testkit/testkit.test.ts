import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { corpusFile, corpusPath, hasCorpus, needsCorpus } from './corpus.ts';
import { LossyLink } from './lossy-link.ts';
import { SeededRandom } from './random.ts';
import { VirtualTime } from './virtual-time.ts';

test('virtual time runs actions by time, then by order, and never backwards (property)', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(50), { maxLength: 60 }), (delays) => {
      const time = new VirtualTime(100);
      const ran: [at: number, order: number][] = [];
      delays.forEach((delay, order) => {
        time.after(delay, (now) => ran.push([now, order]));
      });
      time.runUntil(120);
      assert.ok(time.now === 120 && time.next > 120);
      time.runUntil(1000);
      assert.equal(ran.length, delays.length);
      for (const [at, order] of ran) assert.equal(at, 100 + (delays[order] as number));
      const sorted = [...ran].sort((a, b) => a[0] - b[0] || a[1] - b[1]);
      assert.deepEqual(ran, sorted);
    }),
  );
});

test('virtual time: actions may schedule and cancel others; a jump never passes over one', () => {
  const time = new VirtualTime();
  const ran: string[] = [];
  const cancel = time.after(20, () => ran.push('cancelled'));
  time.after(10, () => {
    cancel();
    time.after(0, () => ran.push('inner'));
  });
  assert.throws(() => time.jump(11), RangeError);
  time.jump(10);
  time.runUntil(100);
  assert.deepEqual(ran, ['inner']);
  assert.equal(time.next, Number.POSITIVE_INFINITY);
  assert.equal(time.step(), false);
});

test('seeded random: the same for the same seed, other for another, even', () => {
  const draw = (seed: number) => {
    const random = new SeededRandom(seed);
    return Array.from({ length: 20 }, () => random.integer(0, 9));
  };
  assert.deepEqual(draw(1), draw(1));
  assert.notDeepEqual(draw(1), draw(2));
  const random = new SeededRandom(5);
  const counts = new Array<number>(10).fill(0);
  for (let i = 0; i < 20_000; i++) {
    const digit = random.integer(0, 9);
    counts[digit] = (counts[digit] ?? 0) + 1;
  }
  for (const count of counts) assert.ok(Math.abs(count - 2000) < 200, `${count}`);
  assert.match(random.token(30), /^[0-9a-z]{30}$/);
  assert.equal(random.bytes(7).length, 7);
});

test('lossy link: loss and duplication come out as asked for, everything else arrives', () => {
  const time = new VirtualTime();
  const link = new LossyLink<number>(time, new SeededRandom(9), {
    loss: 0.25,
    duplication: 0.1,
    delay: [1, 40],
  });
  const seen: number[] = [];
  link.b.receive = (item) => seen.push(item);
  for (let i = 0; i < 4000; i++) time.at(i, () => link.a.send(i));
  time.runUntil(5000);
  assert.equal(link.flying, 0);
  assert.equal(seen.length, 4000 - link.lost + link.doubled);
  assert.ok(Math.abs(link.lost - 1000) < 120, `${link.lost}`);
  assert.ok(Math.abs(link.doubled - 300) < 80, `${link.doubled}`);
  assert.ok(
    seen.some((item, i) => i > 0 && item < (seen[i - 1] as number)),
    'nothing was reordered',
  );
});

test('lossy link: reliable means all of it, once, in order', () => {
  const time = new VirtualTime();
  const link = new LossyLink<number>(time, new SeededRandom(9), {
    loss: 0.5,
    delay: [1, 400],
    reliable: true,
  });
  const seen: number[] = [];
  link.a.receive = (item) => seen.push(item);
  for (let i = 0; i < 500; i++) time.at(i, () => link.b.send(i));
  time.runUntil(5000);
  assert.deepEqual(
    seen,
    Array.from({ length: 500 }, (_, i) => i),
  );
});

test('corpus: what is absent is skipped by name', () => {
  assert.equal(hasCorpus('no/such/thing'), false);
  assert.match(String(needsCorpus('no/such/thing').skip), /no\/such\/thing/);
  assert.match(corpusPath('sip'), /shared\/corpora\/sip$/);
});

test('corpus: files are read', needsCorpus('SOURCES.md'), () => {
  assert.ok(corpusFile('SOURCES.md').length > 0);
});
