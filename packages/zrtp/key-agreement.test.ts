import assert from 'node:assert/strict';
import { createECDH, getDiffieHellman } from 'node:crypto';
import { test } from 'node:test';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import { dhTypes } from './algorithm.ts';
import { makeKeyPair } from './key-agreement.ts';
import { publicValueLength } from './message/dh-part.ts';

const seeded = (seed: number) => {
  const random = new SeededRandom(seed);
  return (length: number): Uint8Array => random.bytes(length);
};
const bytes = (hex: string): Uint8Array => Uint8Array.from(Buffer.from(hex, 'hex'));
const fixed = (hex: string) => (): Uint8Array => bytes(hex);

for (const type of dhTypes)
  test(`RFC 6189 §5.1.5: ${type}: both ends agree, and values have the length of the table`, () => {
    const [a, b] = [makeKeyPair(type, seeded(1)), makeKeyPair(type, seeded(2))];
    assert.equal(a.publicValue.length, publicValueLength[type]);
    const result = a.agree(b.publicValue);
    assert.ok(result);
    assert.deepEqual(b.agree(a.publicValue), result);
    const expected =
      type === 'EC25' || type === 'EC38' ? publicValueLength[type] / 2 : publicValueLength[type];
    assert.equal(result.length, expected);
    for (const length of [0, 1, a.publicValue.length - 1, a.publicValue.length + 1])
      assert.equal(a.agree(new Uint8Array(length).fill(9)), undefined);
    a.wipe();
  });

for (const [type, name] of [
  ['DH3k', 'modp15'],
  ['DH2k', 'modp14'],
] as const)
  test(`RFC 6189 §4.4.1.1: ${type}: 0, 1, p-1, p and what is above are refused, 2 and p-2 are in range`, () => {
    const prime = BigInt(`0x${getDiffieHellman(name).getPrime('hex')}`);
    const length = publicValueLength[type];
    const value = (number: bigint): Uint8Array => bytes(number.toString(16).padStart(length * 2, '0'));
    const pair = makeKeyPair(type, seeded(3));
    for (const bad of [0n, 1n, prime - 1n, prime, prime + 1n, (1n << BigInt(length * 8)) - 1n])
      assert.equal(pair.agree(value(bad)), undefined, bad.toString(16).slice(-8));
    assert.ok(pair.agree(value(2n)) ?? pair.agree(value(prime - 2n)));
  });

test('RFC 6189 §4.4.1.1: leading zeros of a public value and of a result are kept', () => {
  let zeros = 0;
  for (let seed = 1; seed <= 300 && zeros === 0; seed++) {
    const pair = makeKeyPair('DH2k', seeded(seed));
    assert.equal(pair.publicValue.length, 256);
    if (pair.publicValue[0] !== 0) continue;
    zeros++;
    const other = makeKeyPair('DH2k', seeded(seed + 1000));
    assert.deepEqual(pair.agree(other.publicValue), other.agree(pair.publicValue));
  }
  assert.equal(zeros, 1, 'one in 256 begins with a zero');
});

for (const [type, curve] of [
  ['EC25', 'prime256v1'],
  ['EC38', 'secp384r1'],
] as const)
  test(`RFC 6189 §5.1.5: ${type}: a point that is not on the curve is refused`, () => {
    const pair = makeKeyPair(type, seeded(4));
    const other = createECDH(curve);
    other.generateKeys();
    const point = Uint8Array.from(other.getPublicKey().subarray(1));
    assert.ok(pair.agree(point));
    for (const at of [0, point.length / 2, point.length - 1]) {
      const off = point.slice();
      off[at]! ^= 1;
      assert.equal(pair.agree(off), undefined);
    }
    assert.equal(pair.agree(new Uint8Array(point.length)), undefined);
  });

test('RFC 7748 §6.1: X25519 as its vectors have it', () => {
  const alice = makeKeyPair(
    'X255',
    fixed('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a'),
  );
  const bob = makeKeyPair('X255', fixed('5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb'));
  const hex = (value: Uint8Array | undefined): string => Buffer.from(value ?? []).toString('hex');
  assert.equal(hex(alice.publicValue), '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a');
  assert.equal(hex(bob.publicValue), 'de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f');
  assert.equal(
    hex(alice.agree(bob.publicValue)),
    '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742',
  );
});

test('RFC 7748 §6.1: a point of small order is refused', () => {
  const pair = makeKeyPair('X255', seeded(5));
  for (const small of ['00'.repeat(32), `01${'00'.repeat(31)}`, `ecffffff${'ff'.repeat(27)}7f`])
    assert.equal(pair.agree(bytes(small)), undefined);
});
