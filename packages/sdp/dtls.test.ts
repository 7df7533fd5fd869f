import assert from 'node:assert/strict';
import { test } from 'node:test';
import { effectiveDirection } from './attribute.ts';
import { dtlsAttributes, parseFingerprint, serializeFingerprint } from './dtls.ts';
import { parseSession } from './parse.ts';

const sha256 =
  'sha-256 12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB:4A:AD';

const session = (lines: readonly string[], top: readonly string[] = [], address = '192.0.2.1') => {
  const text = [
    'v=0',
    'o=- 1 1 IN IP4 192.0.2.1',
    's=-',
    `c=IN IP4 ${address}`,
    't=0 0',
    ...top.map((line) => `a=${line}`),
    'm=audio 5004 UDP/TLS/RTP/SAVPF 0',
    ...lines.map((line) => `a=${line}`),
    '',
  ].join('\r\n');
  const parsed = parseSession(Buffer.from(text));
  assert.ok(parsed.ok);
  return parsed.value;
};

const read = (lines: readonly string[], top: readonly string[] = []) => {
  const described = session(lines, top);
  return dtlsAttributes(described, described.media[0]!);
};

test('RFC 8122 §5: a fingerprint is read and written, in capitals or not', () => {
  const fingerprint = parseFingerprint(sha256);
  assert.ok(fingerprint);
  assert.equal(fingerprint.hash, 'sha-256');
  assert.equal(fingerprint.value[0], 0x12);
  assert.equal(fingerprint.value[31], 0xad);
  assert.equal(serializeFingerprint(fingerprint), sha256);
  assert.deepEqual(parseFingerprint(sha256.toLowerCase()), fingerprint);
});

test('RFC 8122 §5: hashes that prove nothing, and lines that are no fingerprint, are not taken', () => {
  const octets = sha256.slice(8);
  for (const value of [
    'sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB',
    'md5 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B',
    `sha-512 ${octets}`,
    `sha-256 ${octets}:00`,
    `sha-256 ${octets.slice(3)}`,
    `sha-256 ${octets.replace('12', '1G')}`,
    `sha-256 ${octets.replaceAll(':', '-')}`,
    octets,
    'sha-256',
    '',
  ])
    assert.equal(parseFingerprint(value), undefined, value);
});

test("RFC 5763 §5, RFC 8842 §5.1: a stream's own lines go before those of the session", () => {
  const tlsId = 'abc3de65cddef001be82';
  assert.deepEqual(read([`fingerprint:${sha256}`, 'setup:active', `tls-id:${tlsId}`], ['setup:passive']), {
    fingerprints: [parseFingerprint(sha256)],
    setup: 'active',
    tlsId,
  });
  const above = read([], [`fingerprint:${sha256}`, 'setup:actpass']);
  assert.equal(above?.fingerprints.length, 1);
  assert.equal(above?.setup, 'actpass');
  assert.equal(above?.tlsId, undefined);
});

test('RFC 8122 §5: DTLS that nothing binds is told from no DTLS', () => {
  assert.equal(read(['setup:actpass']), undefined);
  const weak = 'fingerprint:sha-1 4A:AD:B9:B1:3F:82:18:3B:54:02:12:DF:3E:5D:49:6B:19:E5:7C:AB';
  assert.deepEqual(read([weak])?.fingerprints, []);
});

test('of many fingerprints eight are looked at', () => {
  assert.equal(read(Array.from({ length: 20 }, () => `fingerprint:${sha256}`))?.fingerprints.length, 8);
});

test('RFC 8842 §4: what is no tls-id is passed over', () => {
  for (const value of ['short', 'x'.repeat(256), 'abc3de65cddef001be8 2', 'abc3de65cddef001be82\u00e4'])
    assert.equal(read([`fingerprint:${sha256}`, `tls-id:${value}`])?.tlsId, undefined, value);
});

test('RFC 8840 §4.1.1: with ICE an address of zeros is no hold', () => {
  const waiting = session(['ice-ufrag:8hhY', 'sendrecv'], [], '0.0.0.0');
  assert.equal(effectiveDirection(waiting, waiting.media[0]!), 'sendrecv');
  const held = session(['sendrecv'], [], '0.0.0.0');
  assert.equal(effectiveDirection(held, held.media[0]!), 'sendonly');
});
