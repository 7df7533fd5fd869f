import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  codecOf,
  direction,
  fmtpOf,
  maxptime,
  parseRtpMap,
  ptime,
  rtcp,
  rtcpMux,
  rtpMaps,
} from './attribute.ts';
import { commonFormats } from './offer-answer.ts';
import { parseSession } from './parse.ts';
import { rebuild } from './rewrite.ts';
import type { MediaDescription } from './session.ts';

/** A stream of those attributes, written as in SDP. */
const media = (...attributes: string[]): MediaDescription => ({
  media: 'audio',
  port: 4000,
  portCount: 1,
  protocol: 'RTP/AVP',
  formats: ['0', '96'],
  bandwidths: [],
  attributes: attributes.map((text) => {
    const colon = text.indexOf(':');
    return colon === -1 ? { name: text } : { name: text.slice(0, colon), value: text.slice(colon + 1) };
  }),
});

test('RFC 8866 6.6: rtpmap, with what breaks it', () => {
  assert.deepEqual(parseRtpMap('96 opus/48000/2'), {
    payloadType: 96,
    encoding: 'opus',
    clockRate: 48_000,
    parameters: '2',
  });
  assert.deepEqual(parseRtpMap('0  PCMU/8000 '), { payloadType: 0, encoding: 'PCMU', clockRate: 8000 });
  for (const bad of [
    '',
    '96',
    '96 opus',
    '128 a/1',
    'x a/1',
    '96 /8000',
    '96 a/',
    '96 a/0',
    '96 a/b',
    '96 a/8000/',
    '96 a b/8000',
    `96 ${'a'.repeat(65)}/1`,
  ])
    assert.equal(parseRtpMap(bad), undefined, bad);
});

test('RFC 3551 6: static types hold where no rtpmap says otherwise, and the first of two holds', () => {
  const stream = media('rtpmap:0 L16/16000', 'rtpmap:96 opus/48000', 'rtpmap:96 other/8000');
  assert.equal(codecOf(stream, '0')?.encoding, 'L16');
  assert.equal(codecOf(media(), '0')?.encoding, 'PCMU');
  assert.equal(codecOf(media(), '11')?.parameters, undefined);
  assert.equal(codecOf(media(), '10')?.parameters, '2');
  assert.equal(codecOf(stream, '96')?.encoding, 'opus');
  assert.equal(codecOf(stream, '9')?.encoding, 'G722');
  assert.equal(codecOf(stream, '97'), undefined);
  assert.equal(codecOf(stream, 't38'), undefined);
  assert.deepEqual(
    rtpMaps(stream).map(({ encoding }) => encoding),
    ['L16', 'opus'],
  );
});

test('RFC 8866 6.15: fmtp of its own format alone', () => {
  const stream = media('fmtp:9', 'fmtp:96 ', 'fmtp:96 a=b;c=d', 'fmtp:960 x');
  assert.equal(fmtpOf(stream, '96'), 'a=b;c=d');
  assert.equal(fmtpOf(stream, '9'), undefined);
});

test('RFC 8866 6.4 and 6.5: ptime and maxptime, nonsense counts as absent', () => {
  assert.equal(ptime(media('ptime:20')), 20);
  assert.equal(maxptime(media('maxptime: 60 ')), 60);
  for (const bad of ['ptime', 'ptime:', 'ptime:0', 'ptime:-20', 'ptime:2.5', 'ptime:1e3', 'ptime:99999'])
    assert.equal(ptime(media(bad)), undefined, bad);
});

test('RFC 8866 6.7: direction of the stream, else of the session, else sendrecv', () => {
  assert.equal(direction(media(), media()), 'sendrecv');
  assert.equal(direction(media('inactive'), media()), 'inactive');
  assert.equal(direction(media('inactive'), media('recvonly')), 'recvonly');
});

test('RFC 3605 2.1: a=rtcp with and without an address', () => {
  assert.deepEqual(rtcp(media('rtcp:53020')), { port: 53_020 });
  assert.deepEqual(rtcp(media('rtcp:53020 IN IP4 126.16.64.4')), { port: 53_020, address: '126.16.64.4' });
  assert.deepEqual(rtcp(media('rtcp:53020 IN IP6 2001:db8::1')), { port: 53_020, address: '2001:db8::1' });
  for (const bad of [
    'rtcp',
    'rtcp:',
    'rtcp:0',
    'rtcp:65536',
    'rtcp:1 IN',
    'rtcp:1 IN IP4',
    'rtcp:1 IN IP4 a b',
    'rtcp:1 XX IP4 a',
  ])
    assert.equal(rtcp(media(bad)), undefined, bad);
});

test('RFC 5761 5.1.1: a=rtcp-mux', () => {
  assert.ok(rtcpMux(media('rtcp-mux')));
  assert.ok(!rtcpMux(media('rtcp')));
});

test('ATTACKS S17: the largest descriptions of the dullest lines cost little', () => {
  const head = 'v=0\no=- 1 1 IN IP4 192.0.2.1\ns=-\nc=IN IP4 192.0.2.1\nt=0 0\n';
  const section = (line: (i: number) => string): string => {
    const formats = Array.from({ length: 64 }, (_, i) => i + 64).join(' ');
    return `m=audio 4000 RTP/AVP ${formats}\n${Array.from({ length: 256 }, (_, i) => `${line(i)}\n`).join('')}`;
  };
  const origin = { username: '-', sessionId: 1, version: 1, address: '192.0.2.9' };
  const bodies = [
    section((i) => `a=rtpmap:${i % 128} a/1`).repeat(3),
    section((i) => `a=fmtp:${i % 128} a`).repeat(3),
    section(() => 'a=crypto:1 AES_CM_128_HMAC_SHA1_80'),
    `a=x:${' '.repeat(16_000)}\n`,
    `m=audio 1 RTP/AVP 0\na=rtpmap:0 ${'a/'.repeat(7_000)}\n`,
    `m=audio 1 RTP/AVP 0\na=rtpmap:0${' '.repeat(15_000)}\n`,
  ];
  for (const body of bodies) {
    const input = new TextEncoder().encode(head + body);
    const before = process.cpuUsage();
    const result = parseSession(input);
    if (result.ok) {
      rebuild(result.value, { origin, media: () => ({ address: '192.0.2.9', port: 5000 }) });
      for (const stream of result.value.media) commonFormats(stream, stream);
    }
    const { user, system } = process.cpuUsage(before);
    // A few milliseconds here; quadratic work would take seconds.
    assert.ok(user + system < 250_000, `${user + system} us for ${body.slice(0, 40)}`);
  }
});
