import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import { test } from 'node:test';
import { generatePassword, passwordWeakness } from './password.ts';
import { pinWeakness } from './pin.ts';

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

for (const [password, least, weak] of [
  ['tuesday2024', 3, true],
  ['abcd1234efgh', 3, true],
  ['correct horse battery staple', 4, false],
  ['geheim-sehr-9', 3, false],
  ['Gx8#kq2L', 3, true],
  ['Gx8#kq2L', 2, false],
] as const)
  test(`${password} is ${weak ? '' : 'not '}refused where strength ${least} is demanded`, () => {
    const weakness = passwordWeakness(password, ['alice'], least);
    assert.equal(weakness?.startsWith('would be guessed soon') ?? false, weak, weakness);
  });

test('names of the account make a password no stronger', () => {
  const password = 'Hollowbrook-2471';
  assert.equal(passwordWeakness(password, ['alice'], 3), undefined);
  assert.match(passwordWeakness(password, ['alice', 'hollowbrook'], 3) ?? '', /guessed soon/);
});

for (const [pin, weak] of [
  ['1234', true],
  ['4321', true],
  ['0000', true],
  ['2580', true],
  ['1987', true],
  ['101', true],
  ['1011', true],
  ['101101', true],
  ['4567', true],
  ['7373', true],
  ['12a4', true],
  ['7392', false],
  ['830517', false],
] as const)
  test(`PIN ${pin} of extension 1011, +4930124567, is ${weak ? 'weak' : 'good'}`, () => {
    assert.equal(pinWeakness(pin, ['1011', '+4930124567']) !== undefined, weak);
  });
