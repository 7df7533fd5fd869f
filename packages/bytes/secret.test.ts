import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { Secret } from './secret.ts';

test('a secret prints as [redacted] however it is turned into text', () => {
  const secret = Secret.fromText('hunter2');
  for (const text of [
    String(secret),
    `${secret}`,
    JSON.stringify({ secret }),
    inspect(secret),
    inspect([secret]),
  ]) {
    assert.ok(text.includes('[redacted]'), text);
    assert.ok(!text.includes('hunter2'), text);
  }
  assert.deepEqual(Object.keys(secret), []);
  assert.equal(secret.revealText(), 'hunter2');
});

test('wiping overwrites the bytes in place', () => {
  const bytes = Uint8Array.of(1, 2, 3);
  new Secret(bytes).wipe();
  assert.deepEqual(bytes, new Uint8Array(3));
});
