import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AeadGcmTransform, rtcpNonce, rtpNonce } from './aead-gcm.ts';
import { aesCounterMode, counterBlock } from './aes-cm.ts';
import { deriveKey, label } from './key-derivation.ts';
import * as rfc3711 from './vectors/rfc3711-b.ts';
import * as rfc6188 from './vectors/rfc6188-7.ts';
import * as rfc7714 from './vectors/rfc7714-16-17.ts';

const none = new Uint8Array(0);
const same = (actual: Uint8Array | undefined, expected: Uint8Array) =>
  assert.equal(actual && Buffer.from(actual).toString('hex'), Buffer.from(expected).toString('hex'));

for (const [section, vector] of [
  ['RFC 3711 B.2: AES-128-CM keystream', rfc3711.keystream],
  ['RFC 6188 7.1: AES-256-CM keystream', rfc6188.keystream256],
] as const) {
  test(section, () => {
    const counter = counterBlock(vector.sessionSalt, 0, 0);
    same(counter, new Uint8Array([...vector.sessionSalt, 0, 0]));
    const keystream = aesCounterMode(vector.sessionKey, counter, new Uint8Array(0xff02 * 16));
    for (const [block, expected] of vector.blocks)
      same(keystream.subarray(block * 16, block * 16 + 16), expected);
  });
}

for (const [section, vector] of [
  ['RFC 3711 B.3: key derivation', rfc3711.keyDerivation],
  ['RFC 6188 7.2: key derivation of AES-256-CM', rfc6188.keyDerivation256],
] as const) {
  test(section, () => {
    const derive = (which: 0 | 1 | 2, length: number) =>
      deriveKey(vector.masterKey, vector.masterSalt, which, length);
    same(derive(label.rtpEncryption, vector.cipherKey.length), vector.cipherKey);
    same(derive(label.rtpSalt, vector.cipherSalt.length), vector.cipherSalt);
    same(derive(label.rtpAuthentication, vector.authenticationKey.length), vector.authenticationKey);
  });
}

test('RFC 7714 8.1 and 9.1: nonces as sections 16 and 17 print them', () => {
  same(rtpNonce(rfc7714.salt, 0x5501_a0b2, 0xf17b), rfc7714.rtpNonce);
  same(rtcpNonce(rfc7714.salt, 0x4d61_7273, rfc7714.rtcpIndex), rfc7714.rtcpNonce);
});

for (const [bits, key, srtp, srtcp, tagOnly] of [
  [128, rfc7714.key128, rfc7714.srtp128, rfc7714.srtcp128, rfc7714.srtcp128TagOnly],
  [256, rfc7714.key256, rfc7714.srtp256, rfc7714.srtcp256, rfc7714.srtcp256TagOnly],
] as const) {
  const keys = { encryption: key, authentication: none, salt: rfc7714.salt };
  const transform = new AeadGcmTransform({ rtp: keys, rtcp: keys });
  const [rtpSection, rtcpSection, tagSection] =
    bits === 128 ? ['16.1', '17.1', '17.3'] : ['16.2', '17.2', '17.4'];

  test(`RFC 7714 ${rtpSection}: SRTP AEAD_AES_${bits}_GCM`, () => {
    same(transform.protectRtp(rfc7714.rtp, 12, 0xf17b, none), srtp);
    same(transform.unprotectRtp(srtp, 12, 0xf17b, 0), rfc7714.rtp);
    assert.equal(transform.unprotectRtp(srtp, 12, 0xf17c, 0), undefined);
  });

  test(`RFC 7714 ${rtcpSection}: SRTCP AEAD_AES_${bits}_GCM`, () => {
    same(transform.protectRtcp(rfc7714.rtcp, rfc7714.rtcpIndex, none), srtcp);
    same(transform.unprotectRtcp(srtcp, rfc7714.rtcpIndex, true, 0), rfc7714.rtcp);
  });

  test(`RFC 7714 ${tagSection}: SRTCP AEAD_AES_${bits}_GCM, authenticated and not encrypted`, () => {
    same(transform.unprotectRtcp(tagOnly, rfc7714.rtcpIndex, false, 0), rfc7714.rtcp);
    const forged = Uint8Array.from(tagOnly);
    forged[20]! ^= 1;
    assert.equal(transform.unprotectRtcp(forged, rfc7714.rtcpIndex, false, 0), undefined);
  });
}
