import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errorCode } from './error-code.ts';
import { messageTypeOf } from './message/frame.ts';
import type { ZrtpOptions } from './options.ts';
import { decodePacket, encodePacket } from './packet.ts';
import type { RetainedSecrets } from './retained-secret.ts';
import { assertMirrored } from './testing/mirrored.ts';
import { End, type Middle, ZrtpPair } from './testing/pair.ts';

/** Changes the message of a packet and mends its CRC, as somebody on the path would. */
function altered(bytes: Uint8Array, change: (message: Uint8Array) => Uint8Array | undefined): Uint8Array {
  const packet = decodePacket(bytes);
  assert.ok(packet.ok);
  const message = change(packet.value.message) ?? packet.value.message;
  return encodePacket({ ...packet.value, message });
}

const typeOf = (bytes: Uint8Array): string => {
  const packet = decodePacket(bytes);
  return packet.ok ? messageTypeOf(packet.value.message) : '';
};

/** Changes one octet of each message of that type, from one end or both. */
const flipping =
  (type: string, at: number, from?: 'a' | 'b'): Middle =>
  (bytes, sender) =>
    typeOf(bytes) === type && (from === undefined || from === sender)
      ? [
          altered(bytes, (message) => {
            const place = at < 0 ? message.length + at : at;
            message[place]! ^= 1;
            return message;
          }),
        ]
      : [bytes];

/** A is made the initiator: B never commits. */
const oneWay = { b: { passive: true } } satisfies { b: Partial<ZrtpOptions> };

function run(
  middle: Middle,
  setting: { a?: Partial<ZrtpOptions>; b?: Partial<ZrtpOptions> } = oneWay,
): ZrtpPair {
  const pair = new ZrtpPair({ seed: 11, ...setting });
  pair.middle = middle;
  pair.start();
  pair.run();
  return pair;
}

/** Where in its message a field stands, and what both ends come to where somebody changes it on its way. */
const changes: readonly [what: string, type: string, at: number, code: number][] = [
  ['the algorithms of a Hello', 'Hello   ', 80, errorCode.helloMismatch],
  ['the MAC of a Hello', 'Hello   ', -1, errorCode.helloMismatch],
  ['hvi', 'Commit  ', 80, errorCode.software],
  ['the MAC of a Commit', 'Commit  ', -1, errorCode.software],
  ['the public value of DHPart1', 'DHPart1 ', 90, errorCode.badPublicValue],
  ['the public value of DHPart2', 'DHPart2 ', 90, errorCode.badCommitment],
  ['the MAC of DHPart1', 'DHPart1 ', -1, errorCode.badConfirm],
  ['the MAC of DHPart2', 'DHPart2 ', -1, errorCode.badCommitment],
  ['the secret IDs of DHPart1', 'DHPart1 ', 50, errorCode.badConfirm],
  ['the MAC of Confirm1', 'Confirm1', 12, errorCode.badConfirm],
  ['what Confirm1 encrypts', 'Confirm1', -1, errorCode.badConfirm],
  ['the MAC of Confirm2', 'Confirm2', 12, errorCode.badConfirm],
];

for (const [what, type, at, code] of changes)
  test(`RFC 6189 §8.1.1: somebody on the path changes ${what}, and neither end comes to keys`, () => {
    const pair = run(flipping(type, at), { ...oneWay, a: { algorithms: { keyAgreements: ['EC25'] } } });
    assert.ok(pair.a.secured === undefined && pair.b.secured === undefined, what);
    assert.ok(pair.a.failed && pair.b.failed, `${what}: ${pair.a.outcome} / ${pair.b.outcome}`);
    const codes = [pair.a.failed.code, pair.b.failed.code];
    // Who sends Confirm2 sees no more of it than that it is not acknowledged.
    const same = codes[0] === codes[1] || type === 'Confirm2';
    assert.ok(codes.includes(code) && same, `${what}: ${codes.map((one) => `0x${one.toString(16)}`)}`);
  });

for (const [what, type, at] of [
  ['H2', 'Commit  ', 14],
  ['H1 of DHPart1', 'DHPart1 ', 14],
  ['H1 of DHPart2', 'DHPart2 ', 14],
] as const)
  test(`RFC 6189 §9: a message with another ${what} counts for nothing, and the right one goes on`, () => {
    // The false message comes first, the true one right behind.
    const pair = run((bytes, from, now) =>
      typeOf(bytes) === type ? [...flipping(type, at)(bytes, from, now), bytes] : [bytes],
    );
    assertMirrored(pair);
    const told = [...pair.a.suspicions, ...pair.b.suspicions];
    assert.ok(told.includes('hash-image'), what);
  });

test('RFC 6189 §4.3: a man in the middle with values of his own makes the SAS differ, and is told by retained secrets', () => {
  let same = 0;
  const runs = 200;
  for (let seed = 1; seed <= runs; seed++) {
    const secret = (fill: number): RetainedSecrets => ({
      rs1: new Uint8Array(32).fill(fill),
      verified: true,
    });
    const known = seed % 2 === 0 ? { retained: () => secret(7) } : {};
    const left = new ZrtpPair({ seed, a: known });
    const right = new ZrtpPair({ seed: seed + 10_000, b: known });
    for (const pair of [left, right]) {
      pair.start();
      pair.run();
      assertMirrored(pair);
    }
    if (left.a.secured?.sas === right.b.secured?.sas) same++;
    for (const end of [left.a, right.b]) {
      assert.equal(end.secured?.continuity, seed % 2 === 0 ? 'mismatch' : 'new');
      if (seed % 2 !== 0) continue;
      assert.equal(end.secured?.verified, false);
      assert.equal(end.secured?.retained, undefined, 'nothing is kept before people have compared');
    }
  }
  // One in 2^20 by chance.
  assert.equal(same, 0);
});

test('RFC 6189 §4.1.2: algorithms taken out of a Hello on its way are no way to weaker ones', () => {
  const weaker: Middle = (bytes) =>
    typeOf(bytes) === 'Hello   '
      ? [
          altered(bytes, (message) => {
            // X255, EC25 and EC38 become names that nobody knows: DH3k would be left, then AES1 for AES3.
            const text = Buffer.from(message.buffer, message.byteOffset, message.length);
            for (const block of ['X255', 'EC25', 'EC38', 'AES3', 'GCM ', 'HS80']) {
              const place = text.indexOf(block);
              if (place > 0) text.write('none', place, 'latin1');
            }
            return undefined;
          }),
        ]
      : [bytes];
  const pair = run(weaker);
  assert.ok(pair.a.secured === undefined && pair.b.secured === undefined);
  assert.equal(pair.b.failed?.reason, 'authentication');
  assert.equal(pair.a.failed?.code, pair.b.failed?.code);
});

test('RFC 6189 §8.1: with the hash of signalling a changed Hello is not even looked at', () => {
  const pair = new ZrtpPair({ seed: 5 });
  const bound = new ZrtpPair({
    seed: 5,
    a: { helloHash: pair.b.session.helloHash },
    b: { helloHash: pair.a.session.helloHash },
  });
  assert.deepEqual(bound.a.session.helloHash, pair.a.session.helloHash, 'the seed makes the same Hellos');
  bound.middle = flipping('Hello   ', 80, 'b');
  bound.start();
  bound.run();
  assert.equal(bound.a.failed?.reason, 'hello-hash');
  assert.ok(bound.a.suspicions.includes('hello-hash'));
  assert.equal(bound.b.secured, undefined);
});

test('RFC 6189 §8.1: a Hello that is injected first costs nothing where signalling has named the right one', () => {
  const plain = new ZrtpPair({ seed: 6 });
  const pair = new ZrtpPair({ seed: 6, a: { helloHash: plain.b.session.helloHash } });
  const stranger = new End({ zid: new Uint8Array(12).fill(9), ssrc: 9, random: (n) => pair.random.bytes(n) });
  stranger.send = (bytes) => pair.deliver(pair.a, bytes, 0);
  pair.a.session.start(0);
  pair.a.drain();
  stranger.session.start(0);
  stranger.drain();
  pair.b.session.start(0);
  pair.b.drain();
  pair.run();
  assertMirrored(pair);
  assert.deepEqual(pair.a.suspicions, ['hello-hash']);
});

test('RFC 6189 §5: damaged, truncated and oversized packets, and other protocols, change nothing', () => {
  const noise: Middle = (bytes) => {
    const damaged = bytes.slice();
    damaged[damaged.length - 1]! ^= 1;
    const long = new Uint8Array(3000);
    long.set(bytes);
    return [
      damaged,
      bytes.subarray(0, bytes.length - 4),
      bytes.subarray(0, 5),
      long,
      Uint8Array.of(0x80, 0),
      bytes,
    ];
  };
  const pair = run(noise);
  assertMirrored(pair);
  assert.deepEqual([...pair.a.suspicions, ...pair.b.suspicions], []);
});

test('a packet of our own that comes back changes nothing', () => {
  const pair = new ZrtpPair({ seed: 12 });
  pair.middle = (bytes, from, now) => {
    pair.time.at(now + 3, (later) => pair.deliver(pair[from], bytes, later));
    return [bytes];
  };
  pair.start();
  pair.run();
  assertMirrored(pair);
  assert.ok(pair.a.suspicions.every((what) => what === 'reflected'));
  assert.ok(pair.a.suspicions.length > 0);
});

test('every packet of an exchange, played again later, changes nothing and is answered a bounded number of times', () => {
  const pair = new ZrtpPair({ seed: 13 });
  const heard: Uint8Array[] = [];
  pair.middle = (bytes, from) => {
    if (from === 'a') heard.push(bytes);
    return [bytes];
  };
  pair.start();
  pair.run();
  assertMirrored(pair);
  const before = pair.b.sent;
  const state = pair.b.session.state;
  for (let round = 0; round < 300; round++) for (const bytes of heard) pair.deliver(pair.b, bytes);
  assert.equal(pair.b.session.state, state);
  assert.equal(pair.b.told.filter((output) => output.kind === 'secured').length, 1);
  assert.ok(pair.b.sent - before <= 300, `${pair.b.sent - before} answers`);
});

test('a Hello of another call does not take the place of the one that is there', () => {
  const pair = new ZrtpPair({ seed: 14 });
  pair.start();
  pair.run();
  const other = new ZrtpPair({ seed: 15 });
  other.a.send = (bytes) => pair.deliver(pair.b, bytes);
  other.a.session.start(pair.time.now);
  other.a.drain();
  assert.deepEqual(pair.b.suspicions, ['other-hello']);
  assert.equal(pair.b.session.state, 'secure');
});

for (const [name, change, code] of [
  ['its own ZID', { zid: true }, errorCode.equalZids],
  ['its own SSRC', { ssrc: true }, errorCode.ssrcCollision],
] as const)
  test(`RFC 6189 §5.9: a peer with ${name} is refused with an Error`, () => {
    const zid = new Uint8Array(12).fill(3);
    const pair = new ZrtpPair({
      seed: 16,
      a: { zid, ssrc: 5 },
      b: { ...('zid' in change && { zid }), ...('ssrc' in change && { ssrc: 5 }) },
    });
    pair.start();
    pair.run();
    assert.deepEqual([pair.a.failed?.code, pair.b.failed?.code], [code, code]);
  });

test('RFC 6189 §4.7.1: a forged Error ends nothing while the exchange goes on', () => {
  const pair = new ZrtpPair({ seed: 17, delay: [20, 20] });
  pair.start();
  const forger = new End({ zid: new Uint8Array(12), ssrc: 99, random: (n) => pair.random.bytes(n) });
  const forged = encodePacket({
    sequence: 1,
    ssrc: 0xbbbb,
    message: Uint8Array.from(Buffer.from('505a00044572726f7220202000000010', 'hex')),
  });
  for (let at = 5; at < 400; at += 10) pair.time.at(at, (now) => pair.deliver(pair.a, forged, now));
  assert.equal(forger.sent, 0);
  pair.run();
  assertMirrored(pair);
});

test('silence in each state: whoever waits gives up in time, and keeps no timer', () => {
  for (const [last, from] of [
    ['Hello   ', 'b'],
    ['HelloACK', 'b'],
    ['Commit  ', 'a'],
    ['DHPart1 ', 'b'],
    ['DHPart2 ', 'a'],
    ['Confirm1', 'b'],
    ['Confirm2', 'a'],
    ['Conf2ACK', 'b'],
  ] as const) {
    let silent = false;
    const pair = run((bytes, sender) => {
      // From the first of these on nothing of that end comes through any more.
      if (sender === from && typeOf(bytes) === last) silent = true;
      return silent && sender === from ? [] : [bytes];
    });
    for (const end of [pair.a, pair.b]) {
      const over = end.secured ?? end.failed ?? end.told.find((output) => output.kind === 'no-peer');
      assert.ok(over, `${last}: ${end.outcome}`);
    }
    assert.equal(pair.a.secured, undefined, last);
  }
});
