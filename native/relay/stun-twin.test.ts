import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeStun } from '@ringfence/ice/stun/decode.ts';
import { encodeStun } from '@ringfence/ice/stun/encode.ts';
import { fingerprintOf, verifyIntegrity } from '@ringfence/ice/stun/integrity.ts';
import { stunClasses } from '@ringfence/ice/stun/message.ts';
import * as vectors from '@ringfence/ice/vectors/rfc5769.ts';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import { native } from './native.ts';

const addon = native();
const key = (password: string): Uint8Array => new TextEncoder().encode(password);
const no = 0;
const wrong = 1;
const right = 2;

/** What the twin in `packages/ice` says of it, as far as the gate looks. */
function twin(bytes: Uint8Array, password: Uint8Array): number {
  const read = decodeStun(bytes);
  if (!read.ok || read.value.method !== 1 || !read.value.fingerprint) return no;
  return verifyIntegrity(read.value, password) ? right : wrong;
}

test('RFC 5769 2.1, 2.2, 2.3: the sample messages verify, and under no other password', () => {
  for (const bytes of [vectors.sampleRequest, vectors.sampleIp4Response, vectors.sampleIp6Response]) {
    assert.equal(addon.checkStun(bytes, key(vectors.password)), right);
    assert.equal(addon.checkStun(bytes, key(`${vectors.password}x`)), wrong);
    assert.equal(addon.checkStun(bytes, key('')), wrong);
  }
  // It has no FINGERPRINT.
  assert.equal(addon.checkStun(vectors.sampleLongTerm, key(vectors.password)), no);
});

test('RFC 8489 14.5 to 14.7: of 6,000 broken messages the gate lets none through that its twin refuses', () => {
  const random = new SeededRandom(3);
  const password = key('the+password+of+the+edge');
  const verdicts = [0, 0, 0];
  let executed = 0;
  for (; executed < 6_000; executed += 1) {
    const whole = encodeStun(
      {
        class: stunClasses[random.integer(0, 3)]!,
        method: 1,
        transactionId: random.bytes(12),
        attributes: {
          ...(random.integer(0, 3) > 0 ? { username: 'ours:theirs'.slice(0, random.integer(1, 11)) } : {}),
          ...(random.integer(0, 1) > 0 ? { priority: 5, iceControlling: 7n, useCandidate: true } : {}),
        },
      },
      {
        ...(random.integer(0, 5) > 0 ? { key: password } : {}),
        integrity: random.integer(0, 1) > 0 ? 'sha1' : 'sha256',
        fingerprint: random.integer(0, 9) > 0,
      },
    );
    const bytes = Uint8Array.from(whole.subarray(0, whole.length - (random.integer(0, 9) > 0 ? 0 : 4)));
    for (let left = random.integer(0, 2); left > 0; left -= 1)
      bytes[random.integer(0, bytes.length - 1)] = random.integer(0, 255);
    // Many with a right FINGERPRINT again: what lies behind that check is reached, too.
    if (random.integer(0, 1) > 0 && bytes.length >= 28)
      new DataView(bytes.buffer).setUint32(bytes.length - 4, fingerprintOf(bytes, bytes.length - 8));
    const verdict = addon.checkStun(bytes, password);
    verdicts[verdict]! += 1;
    const expected = twin(bytes, password);
    // The gate reads no attribute that it does not need: what is malformed in one of those, the agent refuses.
    if (expected === no) assert.ok(verdict !== right || decodeStun(bytes).ok === false, `case ${executed}`);
    else assert.equal(verdict, expected, `case ${executed}`);
  }
  assert.equal(executed, 6_000);
  assert.ok(
    verdicts.every((count) => count > 250),
    verdicts.join(),
  );
});
