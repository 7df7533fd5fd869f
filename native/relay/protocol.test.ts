import assert from 'node:assert/strict';
import { isIP } from 'node:net';
import { test } from 'node:test';
import { SeededRandom } from '@ringfence/testkit/random.ts';
import { readEvent, type WireEvent, writeEvent } from './protocol/events.ts';
import { FrameReader, FrameWriter, frameTypes, headerLength, longestFrame } from './protocol/frames.ts';
import { formatHost, parseHost } from './protocol/host.ts';
import { readOpened, readStats } from './protocol/replies.ts';

const hex = (bytes: Uint8Array | undefined): string | undefined =>
  bytes && Buffer.from(bytes).toString('hex');

test('RFC 4291 2.2, RFC 5952: addresses', () => {
  assert.equal(hex(parseHost('192.0.2.255')), 'c00002ff');
  assert.equal(hex(parseHost('::')), '0'.repeat(32));
  assert.equal(hex(parseHost('2001:db8::8a2e:370:7334')), '20010db8000000000000' + '8a2e03707334');
  assert.equal(hex(parseHost('::ffff:192.0.2.1')), '00000000000000000000ffffc0000201');
  for (const text of ['::', '::1', '2001:db8::1', '2001:db8:0:1:1:1:1:1', '1::', '10.0.0.1']) {
    assert.equal(formatHost(parseHost(text) ?? new Uint8Array(4)), text);
  }
});

test('10,000 texts are addresses exactly where Node says so', () => {
  const random = new SeededRandom(5);
  let executed = 0;
  for (; executed < 10_000; executed++) {
    const text = Array.from(
      { length: random.integer(0, 18) },
      () => '0123456789af:.:.:g'[random.integer(0, 17)],
    ).join('');
    assert.equal(parseHost(text) !== undefined, isIP(text) !== 0, JSON.stringify(text));
  }
  assert.equal(executed, 10_000);
});

test('events come back as they were written', () => {
  const events: WireEvent[] = [
    { kind: 'learned', endpoint: 7, address: '2001:db8::1', port: 4000 },
    { kind: 'refused', endpoint: 0xffff_ffff, reason: 'replay', count: 2 ** 40 },
    { kind: 'one-way', endpoint: 1, silentMs: 5000 },
    { kind: 'key-exhausted', endpoint: 3 },
    { kind: 'ice', endpoint: 4, state: 'connected', remote: { address: '::1', port: 9 } },
    { kind: 'ice', endpoint: 4, state: 'lost' },
    { kind: 'unsecured', endpoint: 5, by: 'dtls', reason: 'fingerprint', detail: 'sha-256' },
    {
      kind: 'zrtp-passed',
      endpoint: 6,
      zid: new Uint8Array(12).fill(1),
      helloMatches: true,
      confirmed: false,
    },
    {
      kind: 'zrtp-passed',
      endpoint: 6,
      zid: new Uint8Array(12),
      helloMatches: undefined,
      confirmed: true,
    },
    {
      kind: 'secured',
      endpoint: 7,
      by: 'dtls',
      version: 'DTLSv1.2',
      suite: 'AEAD_AES_256_GCM',
      group: 'X25519',
      cipher: 'ECDHE-ECDSA-AES256-GCM-SHA384',
      fingerprint: new Uint8Array(32).fill(3),
    },
    {
      kind: 'secured',
      endpoint: 8,
      by: 'zrtp',
      version: 'ZRTP 1.10',
      suite: 'AES_CM_128_HMAC_SHA1_80',
      group: 'EC38',
      cipher: 'S384 AES3 HS80',
      zrtp: {
        peerZid: new Uint8Array(12).fill(4),
        sas: 'topmost Istanbul',
        sasType: 'B256',
        continuity: 'mismatch',
        verified: false,
        enrolled: true,
        relayed: 'spearhead Yucatan',
        retained: {
          zid: new Uint8Array(12).fill(4),
          rs1: new Uint8Array(32).fill(5),
          rs2: new Uint8Array(32).fill(6),
          pbx: new Uint8Array(32).fill(7),
          verified: true,
        },
      },
    },
  ];
  const frames = new FrameWriter(1);
  for (const event of events) writeEvent(frames, event);
  const reader = new FrameReader();
  const bytes = frames.take();
  const back: (WireEvent | undefined)[] = [];
  // One octet a read: every cut there can be.
  for (const octet of bytes) {
    reader.buffer[0] = octet;
    assert.ok(reader.feed(1, (_type, _request, body) => back.push(readEvent(body))));
  }
  assert.deepEqual(back, events);
});

test('what a reader has handed out, or keeps no longer, is overwritten', () => {
  const secret = Buffer.from('a key that must not stay');
  const frames = new FrameWriter();
  frames.begin(frameTypes.reply, 1);
  frames.bytes(secret);
  frames.end();
  const bytes = frames.take();
  const reader = new FrameReader();
  const bodies: Uint8Array[] = [];
  for (const cut of [bytes.length, 3, headerLength + 5]) {
    for (const part of [bytes.subarray(0, cut), bytes.subarray(cut)]) {
      reader.buffer.set(part);
      reader.feed(part.length, (_type, _request, body) => {
        assert.equal(hex(body), hex(secret));
        bodies.push(body);
      });
      assert.ok(!reader.buffer.includes(secret.subarray(0, 5)));
    }
  }
  assert.equal(bodies.length, 3);
  for (const body of bodies) assert.ok(body.every((octet) => octet === 0));
});

test('a frame that cannot be ends the connection', () => {
  for (const length of [0, 4, longestFrame + 1, 0xffff_ffff]) {
    const reader = new FrameReader();
    reader.buffer.writeUInt32BE(length);
    assert.equal(
      reader.feed(4, () => assert.fail('no frame')),
      false,
    );
  }
});

test('20,000 random bodies are read without an exception', () => {
  const random = new SeededRandom(9);
  let executed = 0;
  for (let i = 0; i < 5000; i++) {
    const body = Uint8Array.from({ length: random.integer(0, 200) }, () => random.integer(0, 255));
    readEvent(body);
    readStats(body);
    readOpened(body, [{ local: '127.0.0.1', ports: 'pair', dscp: 46, suites: [] }]);
    const reader = new FrameReader();
    reader.buffer.set(body);
    reader.feed(body.length, () => {});
    executed += 4;
  }
  assert.equal(executed, 20_000);
});
