import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeHeader } from './entry.ts';
import { decodeParts, encodeParts, openPart, sealPart } from './sealed.ts';

const key = Buffer.alloc(32, 1);
const person = Buffer.alloc(16, 2);
const nonce = Buffer.alloc(12, 3);
const place = { ledger: 'aa'.repeat(16), sequence: 7 };

test('a part opens with its key in its entry, and nowhere else', () => {
  const part = sealPart(key, { ...place, person }, nonce, Buffer.from('alice'));
  const opened = openPart(key, place, part);
  assert.ok(opened.ok);
  assert.equal(Buffer.from(opened.value).toString(), 'alice');
  assert.ok(!openPart(Buffer.alloc(32, 9), place, part).ok);
  assert.ok(!openPart(key, { ...place, sequence: 8 }, part).ok);
  assert.ok(!openPart(key, { ...place, ledger: 'bb'.repeat(16) }, part).ok);
  assert.ok(!openPart(key, place, { ...part, person: Buffer.alloc(16, 4) }).ok);
  assert.ok(!openPart(key, place, { ...part, box: part.box.subarray(0, 20) }).ok);
  assert.ok(!Buffer.from(part.box).includes('alice'));
});

test('parts come back as they were written; what is cut off is refused', () => {
  const parts = [person, Buffer.alloc(16, 5)].map((who) =>
    sealPart(key, { ...place, person: who }, nonce, Buffer.from('data')),
  );
  const bytes = encodeParts(parts);
  const back = decodeParts(bytes);
  assert.ok(back.ok);
  assert.equal(back.value.length, 2);
  for (let length = 1; length < bytes.length; length++)
    if (length !== bytes.length / 2) assert.ok(!decodeParts(bytes.subarray(0, length)).ok);
});

test('any octets are read as a header or as parts, or refused, without an exception', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      decodeHeader(bytes);
      decodeParts(bytes);
    }),
    { numRuns: 500 },
  );
});
