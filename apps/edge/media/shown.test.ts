import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { HandshakeEvent } from '@ringfence/relay/handshake.ts';
import type { StreamState } from './leg.ts';
import { protectionOfStreams, showing } from './shown.ts';

const stream = (fields: Partial<StreamState>): StreamState => ({
  endpoint: { id: 1, address: '192.0.2.1', rtpPort: 20_000, rtcpPort: 20_001, keys: [] },
  mux: false,
  media: 'srtp',
  suite: 'AEAD_AES_256_GCM',
  tag: 1,
  receive: undefined,
  codec: 'PCMA',
  keying: 'sdes',
  ...fields,
});
const secured: HandshakeEvent = {
  kind: 'secured',
  endpoint: 1,
  by: 'dtls',
  version: 'DTLSv1.2',
  suite: 'AEAD_AES_128_GCM',
  group: 'X25519',
  cipher: 'ECDHE-ECDSA-AES128-GCM-SHA256',
  fingerprint: Uint8Array.of(0xab, 0xcd),
};
const unsecured: HandshakeEvent = {
  kind: 'unsecured',
  endpoint: 1,
  by: 'dtls',
  reason: 'fingerprint',
  detail: 'another certificate',
};

test('DTLS: nothing passes while keys are waited for; then what the handshake has shown; nothing once it failed', () => {
  const waiting = stream({ keying: 'dtls', suite: undefined });
  assert.deepEqual(protectionOfStreams([waiting], true), { protocol: 'none', awaiting: 'dtls' });
  const shown = showing({}, secured);
  assert.deepEqual(protectionOfStreams([{ ...waiting, shown }], false), {
    protocol: 'srtp',
    suite: 'AEAD_AES_128_GCM',
    keyExchange: 'dtls',
    keysExposed: false,
    dtls: {
      version: 'DTLSv1.2',
      cipher: 'ECDHE-ECDSA-AES128-GCM-SHA256',
      group: 'X25519',
      peerFingerprint: 'AB:CD',
    },
  });
  const failed = showing(shown, unsecured);
  assert.deepEqual(protectionOfStreams([{ ...waiting, shown: failed }], true), { protocol: 'none' });
  assert.equal(
    protectionOfStreams([{ ...waiting, shown: showing(failed, secured) }], true).keyExchange,
    'dtls',
  );
});

test('what an earlier handshake has shown is not told of keys that came by signalling since', () => {
  const now = protectionOfStreams([stream({ shown: showing({}, secured) })], false);
  assert.equal(now.keyExchange, 'sdes');
  assert.equal(now.keysExposed, true);
  assert.equal(now.dtls, undefined);
});

test('a leg is as well protected as the weakest of its streams; fax over UDPTL is not protected', () => {
  const safe = stream({});
  assert.equal(protectionOfStreams([safe, stream({ media: 'rtp' })], true).protocol, 'rtp');
  assert.equal(protectionOfStreams([safe, undefined, stream({ media: 'opaque' })], true).protocol, 'udptl');
  assert.equal(protectionOfStreams([undefined], true).protocol, 'none');
});

test('no retained secret of ZRTP is kept in what is shown (RFC 6189 §4.9)', () => {
  const zid = new Uint8Array(12).fill(7);
  const rs1 = new Uint8Array(32).fill(0x5a);
  const shown = showing(
    {},
    {
      ...secured,
      by: 'zrtp',
      version: 'ZRTP 1.10',
      group: 'DH3k',
      zrtp: {
        peerZid: zid,
        sas: 'k4ur',
        sasType: 'B32 ',
        continuity: 'new',
        verified: false,
        retained: { zid, rs1, verified: false },
      },
    },
  );
  assert.equal(shown.zrtp?.sas, 'k4ur');
  assert.equal(JSON.stringify(shown).includes('rs1'), false);
});
