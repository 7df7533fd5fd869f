import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import fc from 'fast-check';
import { addressText } from '../address.ts';
import * as vectors from '../vectors/rfc5769.ts';
import { decodeStun } from './decode.ts';
import { encodeStun } from './encode.ts';
import { fingerprintOf, verifyIntegrity } from './integrity.ts';
import type { ReadStun, StunMessage } from './message.ts';

const key = (text: string): Uint8Array => new TextEncoder().encode(text);
const read = (bytes: Uint8Array): ReadStun => {
  const result = decodeStun(bytes);
  assert.ok(result.ok, result.ok ? '' : result.error);
  return result.value;
};

test('RFC 5769 2.1: the sample request, and no octet of it can be changed', () => {
  const message = read(vectors.sampleRequest);
  assert.equal(message.class, 'request');
  assert.equal(message.method, 1);
  assert.deepEqual(message.attributes, {
    username: 'evtj:h6vY',
    priority: 0x6e0001ff,
    iceControlled: 0x932ff9b151263b36n,
  });
  assert.equal(Buffer.from(message.transactionId).toString('hex'), 'b7e7a701bc34d686fa87dfae');
  assert.ok(message.fingerprint && message.unknown.length === 0);
  assert.ok(verifyIntegrity(message, key(vectors.password)));
  assert.equal(verifyIntegrity(message, key(`${vectors.password}!`)), undefined);
  let changed = 0;
  for (let at = 0; at < vectors.sampleRequest.length; at += 1) {
    for (let bit = 0; bit < 8; bit += 1) {
      const bytes = Uint8Array.from(vectors.sampleRequest);
      bytes[at]! ^= 1 << bit;
      // Changed in its own type it is no FINGERPRINT any more, which ICE demands (RFC 8445 7.1.3).
      const result = decodeStun(bytes);
      assert.ok(!result.ok || !result.value.fingerprint, `octet ${at} bit ${bit}`);
      changed += 1;
    }
  }
  assert.equal(changed, 108 * 8);
});

test('RFC 5769 2.1: with FINGERPRINT mended no changed octet passes MESSAGE-INTEGRITY', () => {
  const last = vectors.sampleRequest.length - 8;
  let refused = 0;
  for (let at = 0; at < last; at += 1) {
    const bytes = Uint8Array.from(vectors.sampleRequest);
    bytes[at]! ^= 0x01;
    new DataView(bytes.buffer).setUint32(last + 4, fingerprintOf(bytes, last));
    const message = decodeStun(bytes);
    if (!message.ok || verifyIntegrity(message.value, key(vectors.password)) === undefined) refused += 1;
  }
  assert.equal(refused, last);
});

test('RFC 5769 2.2, 2.3: responses over IPv4 and IPv6', () => {
  const over4 = read(vectors.sampleIp4Response);
  assert.equal(over4.class, 'success');
  assert.deepEqual(over4.attributes.mapped, { address: '192.0.2.1', port: 32853 });
  assert.ok(verifyIntegrity(over4, key(vectors.password)));
  const over6 = read(vectors.sampleIp6Response);
  assert.deepEqual(over6.attributes.mapped, {
    address: '2001:db8:1234:5678:11:2233:4455:6677',
    port: 32853,
  });
  assert.ok(verifyIntegrity(over6, key(vectors.password)));
});

test('RFC 5769 2.4: long-term credential without FINGERPRINT', () => {
  const message = read(vectors.sampleLongTerm);
  assert.equal(message.fingerprint, false);
  assert.equal(message.attributes.username, 'マトリックス');
  const longTerm = createHash('md5').update('マトリックス:example.org:TheMatrIX').digest();
  assert.ok(verifyIntegrity(message, longTerm));
});

test('RFC 8489 B.1: MESSAGE-INTEGRITY-SHA256', () => {
  const message = read(vectors.sampleSha256);
  assert.deepEqual(message.unknown, []);
  const longTerm = createHash('sha256').update('マトリックス:example.org:TheMatrIX').digest();
  assert.ok(verifyIntegrity(message, longTerm));
  assert.equal(verifyIntegrity(message, longTerm.subarray(1)), undefined);
});

const message = (attributes: StunMessage['attributes'], rest: Partial<StunMessage> = {}): StunMessage => ({
  class: 'request',
  method: 1,
  transactionId: new SeededRandom(1).bytes(12),
  attributes,
  ...rest,
});
const secret = key('a password of 22 chars');
/** A message with an attribute of our own making, integrity over it and FINGERPRINT. */
function withAttribute(type: number, value: Uint8Array, inside = true): Uint8Array {
  const plain = encodeStun(message({ username: 'u' }), { fingerprint: false });
  const padded = new Uint8Array(4 + Math.ceil(value.length / 4) * 4);
  new DataView(padded.buffer).setUint16(0, type);
  new DataView(padded.buffer).setUint16(2, value.length);
  padded.set(value, 4);
  if (!inside) {
    const whole = encodeStun(message({ username: 'u' }), { key: secret, fingerprint: false });
    return relength(Buffer.concat([whole, padded]));
  }
  return relength(Buffer.concat([plain, padded]));
}
function relength(bytes: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(bytes);
  new DataView(copy.buffer).setUint16(2, copy.length - 20);
  return copy;
}

test('RFC 8489 14.5: what follows MESSAGE-INTEGRITY is not read', () => {
  const forged = read(withAttribute(0x0025, new Uint8Array(0), false));
  assert.ok(verifyIntegrity(forged, secret));
  assert.equal(forged.attributes.useCandidate, undefined);
  assert.deepEqual(read(withAttribute(0x7fff, new Uint8Array(3), false)).unknown, []);
});

test('RFC 8489 9.1.3: each integrity that is there has to be right, and one has to be there', () => {
  assert.equal(verifyIntegrity(read(encodeStun(message({}))), secret), undefined);
  const sha256 = encodeStun(message({ username: 'a:b' }), { key: secret, integrity: 'sha256' });
  assert.ok(verifyIntegrity(read(sha256), secret));
  // A right SHA-1 does not save a wrong SHA-256 behind it.
  const right = encodeStun(message({ username: 'a:b' }), { key: secret, fingerprint: false });
  const both = Buffer.concat([right, Uint8Array.of(0x00, 0x1c, 0x00, 0x20), new Uint8Array(32)]);
  assert.equal(verifyIntegrity(read(relength(both)), secret), undefined);
});

test('RFC 8489 6.3.1: what has to be understood and is not is listed, what may be skipped is not', () => {
  assert.deepEqual(read(withAttribute(0x7ffe, new Uint8Array(5))).unknown, [0x7ffe]);
  assert.deepEqual(read(withAttribute(0x8ffe, new Uint8Array(5))).unknown, []);
});

test('RFC 8489 5, 14: lengths that are not those of their types are refused by name', () => {
  const wrong: [number, number][] = [
    [0x0024, 3],
    [0x0025, 1],
    [0x0029 + 0x8000, 7],
    [0x802a, 9],
    [0x0020, 7],
    [0x0009, 3],
    [0x000a, 1],
    [0x0008, 19],
    [0x001c, 16],
    [0x0006, 509],
    [0x8028, 3],
  ];
  for (const [type, length] of wrong) {
    const result = decodeStun(withAttribute(type, new Uint8Array(length)));
    assert.deepEqual(result, { ok: false, error: 'malformed' }, type.toString(16));
  }
  const good = encodeStun(message({}));
  const cases: [Uint8Array, string][] = [
    [new Uint8Array(0), 'not-stun'],
    [good.subarray(0, 19), 'not-stun'],
    [good.subarray(0, 24), 'not-stun'],
    [relength(good.subarray(0, 24)), 'malformed'],
    [Uint8Array.from(good, (octet, i) => (i === 4 ? 0 : octet)), 'not-stun'],
    [Uint8Array.from(good, (octet, i) => (i === 0 ? 0x80 : octet)), 'not-stun'],
    [relength(new Uint8Array([...good.subarray(0, 20), ...new Uint8Array(1500)])), 'limit'],
    [relength(new Uint8Array([...good.subarray(0, 20), ...new Uint8Array(33 * 4)])), 'limit'],
    [relength(new Uint8Array([...good, 0x80, 0x22, 0, 0])), 'malformed'],
    [relength(new Uint8Array([...good.subarray(0, 20), 0, 6, 0, 5, 1, 2, 3, 4])), 'malformed'],
  ];
  for (const [bytes, error] of cases) assert.deepEqual(decodeStun(bytes), { ok: false, error });
});

test('RFC 8489 14: of two attributes of one type the first holds', () => {
  const twice = new Uint8Array([
    ...encodeStun(message({ priority: 7 }), { fingerprint: false }),
    0,
    0x24,
    0,
    4,
    0,
    0,
    0,
    9,
  ]);
  assert.equal(read(relength(twice)).attributes.priority, 7);
});

test('what does not fit is misuse', () => {
  const misuse = (error: unknown) => error instanceof MisuseError && error.code === 'stun-encode';
  assert.throws(() => encodeStun(message({}, { method: 0x1000 })), misuse);
  assert.throws(() => encodeStun(message({}, { transactionId: new Uint8Array(11) })), misuse);
  assert.throws(() => encodeStun(message({ username: 'x'.repeat(509) })), misuse);
  assert.throws(() => encodeStun(message({ mapped: { address: 'example.org', port: 1 } })), misuse);
  assert.throws(() => encodeStun(message({ error: { code: 299, reason: '' } })), misuse);
});

const address = fc.oneof(
  fc.uint8Array({ minLength: 4, maxLength: 4 }).map(addressText),
  fc.uint8Array({ minLength: 16, maxLength: 16 }).map(addressText),
);
const attributes: fc.Arbitrary<StunMessage['attributes']> = fc.record(
  {
    username: fc.string({ maxLength: 120, unit: 'grapheme' }),
    priority: fc.integer({ min: 1, max: 0xffff_ffff }),
    useCandidate: fc.constant(true as const),
    iceControlling: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    iceControlled: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
    mapped: fc.record({ address, port: fc.integer({ min: 0, max: 65_535 }) }, { noNullPrototype: true }),
    error: fc.record(
      {
        code: fc.integer({ min: 300, max: 699 }),
        reason: fc.string({ maxLength: 100, unit: 'grapheme-ascii' }),
      },
      { noNullPrototype: true },
    ),
    unknownAttributes: fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 16 }),
  },
  { requiredKeys: [], noNullPrototype: true },
);

test('property: what is written reads as it was, and verifies under its key alone', () => {
  fc.assert(
    fc.property(
      attributes,
      fc.constantFrom('request', 'indication', 'success', 'error'),
      fc.integer({ min: 0, max: 0xfff }),
      fc.constantFrom('sha1', 'sha256'),
      fc.boolean(),
      (said, kind, method, integrity, fingerprint) => {
        const written = encodeStun(message(said, { class: kind, method }), {
          key: secret,
          integrity,
          fingerprint,
        });
        const back = read(written);
        assert.deepEqual(back.attributes, said);
        assert.equal(back.class, kind);
        assert.equal(back.method, method);
        assert.equal(back.fingerprint, fingerprint);
        assert.ok(verifyIntegrity(back, secret));
        assert.equal(verifyIntegrity(back, key('another')), undefined);
      },
    ),
    { numRuns: 300 },
  );
});

test('fuzz: 40,000 datagrams, random and mutated, give a value each', () => {
  const random = new SeededRandom(42);
  const seeds = Object.values(vectors).filter((vector) => typeof vector !== 'string');
  let read = 0;
  let refused = 0;
  for (let run = 0; run < 40_000; run += 1) {
    let bytes: Uint8Array;
    if (run % 4 === 0) {
      bytes = random.bytes(random.integer(0, 200));
    } else {
      bytes = Uint8Array.from(seeds[run % seeds.length]!);
      for (let i = random.integer(1, 4); i > 0; i -= 1)
        bytes[random.integer(0, bytes.length - 1)] = random.integer(0, 255);
      if (random.chance(0.5)) bytes = bytes.subarray(0, random.integer(0, bytes.length));
      // The length is mended, so that reading gets beyond the header.
      if (bytes.length >= 20 && random.chance(0.8)) bytes = relength(bytes.subarray(0, bytes.length & ~3));
    }
    const result = decodeStun(bytes);
    if (!result.ok) refused += 1;
    else {
      read += 1;
      verifyIntegrity(result.value, secret);
    }
  }
  assert.equal(read + refused, 40_000);
  assert.ok(read > 1_000 && refused > 10_000, `${read} ${refused}`);
});
