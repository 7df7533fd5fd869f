import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MisuseError } from '@ringfence/bytes/misuse.ts';
import { writeU16, writeU32 } from '@ringfence/bytes/reader.ts';
import type { Result } from '@ringfence/bytes/result.ts';
import fc from 'fast-check';
import { rtpHeaderLength, SrtpContext, type SrtpError, type SrtpOptions } from './context.ts';
import { type Suite, suiteParameters, suites } from './suite.ts';

const materialOf = (suite: Suite, seed = 1): Uint8Array => {
  const { masterKeyLength, masterSaltLength } = suiteParameters[suite];
  return Uint8Array.from({ length: masterKeyLength + masterSaltLength }, (_, i) => (i * 7 + seed) & 0xff);
};

const contextOf = (suite: Suite, options: Partial<SrtpOptions> = {}): SrtpContext =>
  new SrtpContext({ suite, material: materialOf(suite), ...options });

function rtp(
  sequence: number,
  payload: Uint8Array = Uint8Array.of(1, 2, 3, 4),
  ssrc = 0xcafe_babe,
): Uint8Array {
  const packet = new Uint8Array(12 + payload.length);
  packet[0] = 0x80;
  writeU16(packet, 2, sequence);
  writeU32(packet, 8, ssrc);
  packet.set(payload, 12);
  return packet;
}

function rtcp(ssrc = 0xcafe_babe): Uint8Array {
  const packet = new Uint8Array(28);
  packet.set([0x80, 200, 0, 6]);
  writeU32(packet, 4, ssrc);
  return packet;
}

const opened = (result: Result<Uint8Array, SrtpError>): Uint8Array => {
  assert.ok(result.ok, result.ok ? '' : result.error.code);
  return result.value;
};
const codeOf = (result: Result<Uint8Array, SrtpError>): string => (result.ok ? 'ok' : result.error.code);
const misuse = (code: string) => (error: unknown) => error instanceof MisuseError && error.code === code;

for (const suite of suites) {
  const { srtpTagLength, srtcpTagLength } = suiteParameters[suite];

  test(`${suite}: RTP and RTCP there and back, of the length that the suite says`, () => {
    const sender = contextOf(suite);
    const receiver = contextOf(suite);
    for (let sequence = 0; sequence < 5; sequence += 1) {
      const packet = rtp(sequence);
      const protectedPacket = opened(sender.protectRtp(packet));
      assert.equal(protectedPacket.length, packet.length + srtpTagLength);
      assert.notDeepEqual(protectedPacket.subarray(12, 16), packet.subarray(12));
      assert.deepEqual(Uint8Array.from(opened(receiver.unprotectRtp(protectedPacket))), packet);
      const report = opened(sender.protectRtcp(rtcp()));
      assert.equal(report.length, 28 + 4 + srtcpTagLength);
      assert.deepEqual(Uint8Array.from(opened(receiver.unprotectRtcp(report))), rtcp());
    }
  });

  test(`${suite}: MKI stands where RFC 3711 3.1 and 3.4, RFC 7714 8.2 and 9.2 put it, and must be ours`, () => {
    const mki = Uint8Array.of(0xa1, 0xb2, 0xc3);
    const sender = contextOf(suite, { mki });
    const packet = opened(sender.protectRtp(rtp(1)));
    const at = suite.startsWith('AEAD') ? packet.length - 3 : 12 + 4;
    assert.deepEqual(packet.slice(at, at + 3), mki);
    assert.deepEqual(Uint8Array.from(opened(contextOf(suite, { mki }).unprotectRtp(packet))), rtp(1));
    const other = contextOf(suite, { mki: Uint8Array.of(0xa1, 0xb2, 0xc4) });
    assert.equal(codeOf(other.unprotectRtp(packet)), 'mki');
    const report = opened(sender.protectRtcp(rtcp()));
    assert.deepEqual(Uint8Array.from(opened(contextOf(suite, { mki }).unprotectRtcp(report))), rtcp());
    assert.equal(codeOf(other.unprotectRtcp(report)), 'mki');
  });

  test(`${suite}: another key, a flipped bit anywhere, or a cut end do not authenticate and move nothing`, () => {
    const packet = opened(contextOf(suite).protectRtp(rtp(9)));
    const report = opened(contextOf(suite).protectRtcp(rtcp()));
    const stranger = new SrtpContext({ suite, material: materialOf(suite, 2) });
    assert.equal(codeOf(stranger.unprotectRtp(packet)), 'authentication');
    assert.equal(codeOf(stranger.unprotectRtcp(report)), 'authentication');
    const receiver = contextOf(suite);
    for (let bit = 0; bit < packet.length * 8; bit += 1) {
      const forged = Uint8Array.from(packet);
      forged[bit >> 3]! ^= 1 << (bit & 7);
      assert.notEqual(codeOf(receiver.unprotectRtp(forged)), 'ok', `bit ${bit}`);
    }
    for (let bit = 0; bit < report.length * 8; bit += 1) {
      const forged = Uint8Array.from(report);
      forged[bit >> 3]! ^= 1 << (bit & 7);
      assert.notEqual(codeOf(receiver.unprotectRtcp(forged)), 'ok', `bit ${bit}`);
    }
    for (let length = 0; length < packet.length; length += 1)
      assert.notEqual(codeOf(receiver.unprotectRtp(packet.subarray(0, length))), 'ok');
    for (let length = 0; length < report.length; length += 1)
      assert.notEqual(codeOf(receiver.unprotectRtcp(report.subarray(0, length))), 'ok');
    assert.deepEqual(receiver.indexes(0xcafe_babe), { sent: -1, received: -1 });
    assert.deepEqual(Uint8Array.from(opened(receiver.unprotectRtp(packet))), rtp(9));
    assert.equal(codeOf(receiver.unprotectRtp(packet)), 'replay');
    assert.deepEqual(Uint8Array.from(opened(receiver.unprotectRtcp(report))), rtcp());
    assert.equal(codeOf(receiver.unprotectRtcp(report)), 'replay');
  });

  test(`${suite}: RFC 3711 3.3.1 the rollover counter wraps, far into 48 bits, through loss and reordering`, () => {
    for (const rolloverCounter of [0, 1, 0x7fff_fffe, 0x8000_0000, 0xffff_fff0]) {
      const sender = contextOf(suite, { rolloverCounter });
      const receiver = contextOf(suite, { rolloverCounter });
      const sent: { plain: Uint8Array; wire: Uint8Array }[] = [];
      for (let step = 0; step < 12; step += 1) {
        const sequence = (0xfffa + step) & 0xffff;
        sent.push({ plain: rtp(sequence), wire: opened(sender.protectRtp(rtp(sequence))) });
      }
      for (const at of [0, 2, 1, 5, 7, 6, 4, 11, 8])
        assert.deepEqual(Uint8Array.from(opened(receiver.unprotectRtp(sent[at]!.wire))), sent[at]!.plain);
      assert.equal(receiver.indexes(0xcafe_babe).received, (rolloverCounter + 1) * 65_536 + 5);
      // The same numbers of another turn are other packets.
      const stale = contextOf(suite, { rolloverCounter: rolloverCounter + 2 });
      assert.equal(codeOf(stale.unprotectRtp(sent[0]!.wire)), 'authentication');
    }
  });
}

test('RFC 3711 3.3.1: 300,000 packets cross four wraps', () => {
  const sender = contextOf('AES_CM_128_HMAC_SHA1_80');
  const receiver = contextOf('AES_CM_128_HMAC_SHA1_80');
  // Every 97th packet arrives: far less than half the sequence space is lost at once.
  for (let index = 0; index < 300_000; index += 97)
    opened(receiver.unprotectRtp(opened(sender.protectRtp(rtp(index & 0xffff)))));
  assert.equal(receiver.indexes(0xcafe_babe).received, 299_924);
});

test('RFC 3711 9.2: at the last index the key is spent', () => {
  const options = { rolloverCounter: 0xffff_ffff };
  const sender = contextOf('AEAD_AES_128_GCM', options);
  const receiver = contextOf('AEAD_AES_128_GCM', options);
  opened(receiver.unprotectRtp(opened(sender.protectRtp(rtp(0xffff)))));
  assert.equal(codeOf(sender.protectRtp(rtp(0))), 'exhausted');
  const foreign = contextOf('AEAD_AES_128_GCM');
  assert.equal(codeOf(receiver.unprotectRtp(opened(foreign.protectRtp(rtp(0))))), 'exhausted');
});

test('RFC 3711 9.2: a lifetime counts the packets of all streams, forged ones not', () => {
  const sender = contextOf('AES_CM_128_HMAC_SHA1_80', { lifetime: 2 });
  const receiver = contextOf('AES_CM_128_HMAC_SHA1_80', { lifetime: 1 });
  const first = opened(sender.protectRtp(rtp(1)));
  const second = opened(sender.protectRtp(rtp(1, undefined, 5)));
  assert.equal(codeOf(sender.protectRtcp(rtcp())), 'exhausted');
  const forged = Uint8Array.from(first);
  forged[13]! ^= 1;
  assert.equal(codeOf(receiver.unprotectRtp(forged)), 'authentication');
  opened(receiver.unprotectRtp(first));
  assert.equal(codeOf(receiver.unprotectRtp(second)), 'exhausted');
});

test('RFC 3711 9.1: one number is never protected twice under one key', () => {
  const sender = contextOf('AES_CM_128_HMAC_SHA1_80');
  opened(sender.protectRtp(rtp(7)));
  assert.equal(codeOf(sender.protectRtp(rtp(7, Uint8Array.of(9)))), 'replay');
  opened(sender.protectRtp(rtp(6)));
  opened(sender.protectRtp(rtp(500)));
  assert.equal(codeOf(sender.protectRtp(rtp(372))), 'replay');
});

test('RFC 3711 3.4: SRTCP begins with index 0, E flag set; in the clear only where that was allowed', () => {
  const suite = 'AES_CM_128_HMAC_SHA1_80';
  const report = opened(contextOf(suite).protectRtcp(rtcp()));
  assert.deepEqual(report.slice(28, 32), Uint8Array.of(0x80, 0, 0, 0));
  const cleared = Uint8Array.from(report);
  cleared[28] = 0;
  assert.equal(codeOf(contextOf(suite).unprotectRtcp(cleared)), 'unencrypted');
  assert.equal(
    codeOf(contextOf(suite, { dangerousUnencryptedRtcp: true }).unprotectRtcp(cleared)),
    'authentication',
  );
});

test('streams are bounded, and only an authentic packet takes a place', () => {
  const sender = contextOf('AES_CM_128_HMAC_SHA1_80', { streams: 1000 });
  const receiver = contextOf('AES_CM_128_HMAC_SHA1_80', { streams: 2 });
  for (let ssrc = 0; ssrc < 100; ssrc += 1) {
    const forged = Uint8Array.from(opened(sender.protectRtp(rtp(1, undefined, 1000 + ssrc))));
    forged[14]! ^= 1;
    assert.equal(codeOf(receiver.unprotectRtp(forged)), 'authentication');
  }
  for (const ssrc of [1, 2])
    opened(receiver.unprotectRtp(opened(sender.protectRtp(rtp(1, undefined, ssrc)))));
  assert.equal(codeOf(receiver.unprotectRtp(opened(sender.protectRtp(rtp(1, undefined, 3))))), 'streams');
  opened(receiver.unprotectRtp(opened(sender.protectRtp(rtp(2, undefined, 1)))));
});

test('RFC 3550 5.1: CSRCs and a header extension stay in the clear and are authenticated', () => {
  const header = Uint8Array.of(
    0x92,
    0x0f,
    0x12,
    0x38,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
    0,
    1,
    0xe2,
    0x40,
    0,
    0,
    0xb2,
    0x6e,
  );
  const packet = new Uint8Array([...header, 0xbe, 0xde, 0, 1, 0x51, 0, 2, 0, 0xab, 0xab]);
  assert.equal(rtpHeaderLength(packet), 28);
  for (const suite of suites) {
    const wire = opened(contextOf(suite).protectRtp(packet));
    assert.deepEqual(wire.slice(0, 28), packet.slice(0, 28));
    assert.deepEqual(Uint8Array.from(opened(contextOf(suite).unprotectRtp(wire))), packet);
  }
  assert.equal(rtpHeaderLength(packet.subarray(0, 27)), undefined);
  assert.equal(rtpHeaderLength(packet.subarray(0, 22)), undefined);
});

test('keys that do not fit are misuse, and so is any use after wiping', () => {
  const material = new Uint8Array(30);
  assert.throws(() => new SrtpContext({ suite: 'AEAD_AES_128_GCM', material }), misuse('srtp-key'));
  const suite = 'AES_CM_128_HMAC_SHA1_80';
  assert.throws(() => new SrtpContext({ suite, material, mki: new Uint8Array(0) }), misuse('srtp-key'));
  assert.throws(() => new SrtpContext({ suite, material, window: 63 }), misuse('srtp-window'));
  assert.throws(() => new SrtpContext({ suite, material, rolloverCounter: 2 ** 32 }), misuse('srtp-key'));
  const context = new SrtpContext({ suite, material });
  context.wipe();
  assert.throws(() => context.protectRtp(rtp(1)), misuse('srtp-wiped'));
  assert.throws(() => context.unprotectRtcp(rtcp()), misuse('srtp-wiped'));
});

test('property: arbitrary bytes never throw and never authenticate', () => {
  const receivers = suites.map((suite) => contextOf(suite));
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, versioned) => {
      if (versioned && bytes.length > 0) bytes[0] = 0x80 | (bytes[0]! & 0x3f);
      for (const receiver of receivers) {
        assert.equal(receiver.unprotectRtp(bytes).ok, false);
        assert.equal(receiver.unprotectRtcp(bytes).ok, false);
      }
    }),
    { numRuns: 500 },
  );
});

test('property: any payload, any order within the window, comes back bit-exact and once', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...suites),
      fc.integer({ min: 0, max: 0xffff }),
      fc.array(fc.uint8Array({ maxLength: 64 }), { minLength: 1, maxLength: 20 }),
      fc.array(fc.nat({ max: 19 }), { maxLength: 40 }),
      (suite, first, payloads, order) => {
        const sender = contextOf(suite, { rolloverCounter: 3 });
        const receiver = contextOf(suite, { rolloverCounter: 3 });
        const plain = payloads.map((payload, i) => rtp((first + i) & 0xffff, payload));
        const wire = plain.map((packet) => opened(sender.protectRtp(packet)));
        opened(receiver.unprotectRtp(wire[0]!));
        const seen = new Set([0]);
        for (const at of order) {
          if (at >= wire.length) continue;
          const result = receiver.unprotectRtp(wire[at]!);
          if (seen.has(at)) assert.equal(codeOf(result), 'replay');
          else assert.deepEqual(Uint8Array.from(opened(result)), plain[at]);
          seen.add(at);
        }
      },
    ),
    { numRuns: 150 },
  );
});
