import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as rfc3711 from '@ringfence/srtp/vectors/rfc3711-b.ts';
import * as rfc6188 from '@ringfence/srtp/vectors/rfc6188-7.ts';
import * as rfc7714 from '@ringfence/srtp/vectors/rfc7714-16-17.ts';
import {
  createSessionContext,
  deriveKeys,
  keystream,
  protectRtcp,
  protectRtp,
  unprotectRtcp,
  unprotectRtp,
} from './srtp.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const join = (...parts: Uint8Array[]): Uint8Array => Uint8Array.from(Buffer.concat(parts));
const noAuthentication = new Uint8Array(20);

for (const [section, suite, vector] of [
  ['RFC 3711 B.2: AES-128-CM keystream', 'AES_CM_128_HMAC_SHA1_80', rfc3711.keystream],
  ['RFC 6188 7.1: AES-256-CM keystream', 'AES_256_CM_HMAC_SHA1_80', rfc6188.keystream256],
] as const) {
  test(section, () => {
    const keys = join(vector.sessionKey, noAuthentication, vector.sessionSalt);
    const stream = keystream(suite, keys, 0, 0, 0xff02 * 16);
    for (const [block, expected] of vector.blocks) {
      assert.equal(hex(stream.subarray(block * 16, block * 16 + 16)), hex(expected));
    }
  });
}

for (const [section, suite, vector] of [
  ['RFC 3711 B.3: key derivation', 'AES_CM_128_HMAC_SHA1_80', rfc3711.keyDerivation],
  ['RFC 6188 7.2: key derivation of AES-256-CM', 'AES_256_CM_HMAC_SHA1_80', rfc6188.keyDerivation256],
] as const) {
  test(section, () => {
    const keys = deriveKeys(suite, join(vector.masterKey, vector.masterSalt), 'rtp');
    assert.equal(hex(keys.cipher), hex(vector.cipherKey));
    assert.equal(hex(keys.salt), hex(vector.cipherSalt));
    assert.equal(hex(keys.authentication), hex(vector.authenticationKey.subarray(0, 20)));
  });
}

for (const [suite, key, srtp, srtcp, tagOnly, sections] of [
  [
    'AEAD_AES_128_GCM',
    rfc7714.key128,
    rfc7714.srtp128,
    rfc7714.srtcp128,
    rfc7714.srtcp128TagOnly,
    ['16.1', '17.1', '17.3'],
  ],
  [
    'AEAD_AES_256_GCM',
    rfc7714.key256,
    rfc7714.srtp256,
    rfc7714.srtcp256,
    rfc7714.srtcp256TagOnly,
    ['16.2', '17.2', '17.4'],
  ],
] as const) {
  const keys = join(key, noAuthentication, rfc7714.salt);
  const context = (direction: 'send' | 'receive') => createSessionContext(suite, direction, keys, keys);
  const opened = (result: ReturnType<typeof unprotectRtp>) => (result.ok ? hex(result.value) : result.error);

  test(`RFC 7714 ${sections[0]}: SRTP ${suite}`, () => {
    assert.equal(opened(protectRtp(context('send'), rfc7714.rtp)), hex(srtp));
    assert.equal(opened(unprotectRtp(context('receive'), srtp)), hex(rfc7714.rtp));
  });

  test(`RFC 7714 ${sections[1]}: SRTCP ${suite}`, () => {
    const sender = context('send');
    sender.resume(1, 0, rfc7714.rtcpIndex);
    assert.equal(opened(protectRtcp(sender, rfc7714.rtcp)), hex(srtcp));
    assert.equal(opened(unprotectRtcp(context('receive'), srtcp)), hex(rfc7714.rtcp));
  });

  test(`RFC 7714 ${sections[2]}: SRTCP ${suite}, tag only`, () => {
    assert.equal(opened(unprotectRtcp(context('receive'), tagOnly)), hex(rfc7714.rtcp));
  });
}
