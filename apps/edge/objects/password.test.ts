import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { test } from 'node:test';
import { generatePassword, passwordWeakness } from './password.ts';

const random = (bytes: Uint8Array) => void randomFillSync(bytes);

test('a made password has 20 characters that are not mistaken for others, and is never weak', () => {
  const seen = new Set<string>();
  for (let i = 0; i < 1000; i++) {
    const password = generatePassword(random);
    assert.match(password, /^[a-km-np-zA-HJ-NP-Z2-9]{20}$/);
    assert.equal(passwordWeakness(password, ['alice', 'example.com']), undefined);
    seen.add(password);
  }
  assert.equal(seen.size, 1000);
});

test('bytes that would favour some characters are thrown away', () => {
  let calls = 0;
  const password = generatePassword((bytes) => bytes.fill(calls++ === 0 ? 255 : 0));
  assert.equal(password, 'a'.repeat(20));
  assert.equal(calls, 2);
});

for (const password of [
  '',
  'short',
  'password',
  'PASSWORD1',
  'changeme!',
  'alice123',
  'aliceAlice',
  '12345678901',
  'aaaaaaaa',
  'zyxwvuts',
  'asdfghjkl',
  'qwertyuiop',
]) {
  test(`weak: ${password}`, () => {
    assert.notEqual(passwordWeakness(password, ['alice']), undefined);
  });
}

test('a sentence of four words is not weak', () => {
  assert.equal(passwordWeakness('correct horse battery staple', ['alice']), undefined);
});
