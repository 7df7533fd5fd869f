import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { NonceMint } from './nonce.ts';

test('RFC 2104: the authenticator of a nonce is HMAC-SHA-256, cut to 16 octets (property)', () => {
  const text = fc.string({ maxLength: 300 });
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 16, maxLength: 100 }),
      text,
      text,
      fc.nat(),
      (key, realm, source, at) => {
        const mint = new NonceMint(key);
        const nonce = mint.make(realm, source, at, 7);
        const bytes = Buffer.from(nonce, 'base64url');
        const expected = createHmac('sha256', key)
          .update(bytes.subarray(0, 10))
          .update(`${realm}\n${source}`)
          .digest()
          .subarray(0, 16);
        assert.deepEqual(bytes.subarray(10), expected);
        assert.deepEqual(mint.open(realm, source, nonce), { at });
        assert.equal(mint.open(`${realm}x`, source, nonce), undefined);
      },
    ),
    { numRuns: 200 },
  );
});

test('RFC 7616 §3.3: nonces differ within one millisecond', () => {
  const mint = new NonceMint(new Uint8Array(32));
  assert.notEqual(mint.make('a', 'b', 5, 1), mint.make('a', 'b', 5, 2));
  assert.deepEqual(mint.open('a', 'b', mint.make('a', 'b', 5.7, 0xffff_ffff)), { at: 5 });
});
