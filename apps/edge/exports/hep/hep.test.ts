import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { callIdOf, maskMessage } from './mask.ts';
import { encodeHep, hepType } from './packet.ts';

const tshark = '/usr/bin/tshark';
const sdp =
  'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/SAVP 0\r\n' +
  'a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0\r\na=ice-pwd:asd88fgpdd777uzjYhagZg\r\n';
const invite = (extra = ''): string =>
  `INVITE sip:bob@example.test SIP/2.0\r\nVia: SIP/2.0/TLS 192.0.2.1:5061;branch=z9hG4bK1\r\nCall-ID: one@192.0.2.1\r\n${extra}Content-Type: application/sdp\r\nContent-Length: ${sdp.length}\r\n\r\n${sdp}`;
const mask = (text: string): string =>
  Buffer.from(maskMessage(Buffer.from(text, 'latin1'))).toString('latin1');

test('keys and credentials do not leave the edge, and lengths stay right', () => {
  const out = mask(
    invite(
      'Authorization: Digest username="alice", realm="example.test", nonce="n", uri="sip:bob@example.test",\r\n response="0123456789abcdef0123456789abcdef"\r\n',
    ),
  );
  for (const secret of ['c2VjcmV0', 'asd88fgp', '0123456789abcdef', 'response'])
    assert.ok(!out.includes(secret), `${secret} in\n${out}`);
  assert.match(out, /^Authorization: Digest masked\r$/m);
  assert.match(out, /^a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:(masked)+mask\r$/m);
  const body = out.slice(out.indexOf('\r\n\r\n') + 4);
  assert.equal(Number(/^Content-Length: (\d+)\r$/m.exec(out)?.[1]), body.length);
});

test('however it is written', () => {
  const secret = '0123456789abcdef';
  const hostile = [
    `AUTHORIZATION : Digest response="${secret}"\r\n`,
    `Proxy-Authorization\t:Digest x="1",\r\n\tresponse = "${secret}"\r\n`,
    `Authorization\u0001: Digest response="${secret}"\r\n`,
    `X-Copy: Digest RESPONSE \t= "${secret}"\r\n`,
    `Authorization: Bearer ${secret}\r\n`,
    `Authorization:Basic ${secret}\r\n`,
    `Authentication-Info: rspauth="${secret}"\r\n`,
    `Authorization: Digest a="1",\n response="${secret}"\n`,
  ];
  for (const line of hostile) assert.ok(!mask(invite(line)).includes(secret), line);
  const cryptos = [`a=crypto:1 X inline:${secret}`, ` a=CRYPTO:1 X inline:${secret}`, `b=inline:${secret}`];
  for (const line of cryptos) {
    const text = `INVITE sip:b@c SIP/2.0\r\nc: application/sdp\r\n\r\nv=0\r\n${line}\r\n`;
    assert.ok(!mask(text).includes(secret), line);
  }
});

test('tokens of push services (RFC 8599 §14) and passwords in URIs', () => {
  const contact =
    'Contact: <sip:alice@192.0.2.1:5061;pn-provider=apns;pn-prid=00fc13adff78512;pn-param=a.b>;expires=60\r\n';
  const out = mask(invite(contact));
  assert.match(
    out,
    /^Contact: <sip:alice@192\.0\.2\.1:5061;pn-provider=apns;pn-prid=masked;pn-param=masked>;expires=60\r$/m,
  );
  for (const uri of ['sip:alice:geheim@example.test', 'SIPS:alice:geheim@example.test;x=y']) {
    const line = mask(invite(`From: "sip:a@b" <${uri}>;tag=1, <${uri}>\r\n`));
    assert.doesNotMatch(line, /geheim/);
    assert.match(line, /alice:masked@example\.test/);
  }
  const plain = 'To: "sip" <sip:bob@example.test:5060>;tag=a:b@c\r\n';
  assert.ok(mask(invite(plain)).includes(plain));
});

test('pressed keys and texts of people are lengths alone', () => {
  const dtmf =
    'INFO sip:b@c SIP/2.0\r\nContent-Type: application/dtmf-relay\r\nContent-Length: 22\r\n\r\nSignal=4\r\nDuration=60';
  assert.match(mask(dtmf), /\r\n\r\n\[21 octets\]$|\r\n\r\n\[\d+ octets\]$/);
  const message = 'MESSAGE sip:b@c SIP/2.0\r\nContent-Type: text/plain\r\nl: 5\r\n\r\nhello';
  assert.equal(
    mask(message),
    'MESSAGE sip:b@c SIP/2.0\r\nContent-Type: text/plain\r\nl: 10\r\n\r\n[5 octets]',
  );
});

test('bytes that are no SIP pass without harm', () => {
  for (const text of ['', '\0', '\r\n\r\n', ':', 'x'.repeat(70_000), '\n\n\n', ' \n \n'])
    assert.equal(typeof mask(text), 'string');
  assert.equal(callIdOf(Buffer.from(invite())), 'one@192.0.2.1');
  assert.equal(callIdOf(Buffer.from('INVITE x SIP/2.0\r\ni : two\r\n\r\n')), 'two');
  assert.equal(callIdOf(Buffer.from('\r\nCall-ID: no\r\n')), '');
});

test('a HEP3 packet has its chunks, in IPv4 and IPv6', () => {
  const packet = encodeHep({
    type: hepType.sip,
    protocol: 'udp',
    source: { address: '192.0.2.1', port: 5060 },
    destination: { address: '198.51.100.2', port: 5061 },
    time: 1_700_000_000_250,
    captureId: 2001,
    key: Buffer.from('key'),
    correlation: 'one@192.0.2.1',
    payload: Buffer.from('SIP'),
  });
  const hex = Buffer.from(packet).toString('hex');
  assert.equal(Buffer.from(packet.subarray(0, 4)).toString(), 'HEP3');
  assert.equal(Buffer.from(packet).readUInt16BE(4), packet.length);
  for (const chunk of [
    '0000000100' + '0702', // family
    '0000000200' + '0711',
    '0000000300' + '0ac0000201',
    '0000000400' + '0ac6336402',
    '0000000700' + '0813c4',
    '0000000800' + '0813c5',
    '0000000900' + '0a6553f100',
    '0000000a00' + '0a0003d090', // 250,000 microseconds
    '0000000b00' + '0701',
    '0000000c00' + '0a000007d1',
    '0000000e00' + '096b6579',
    '0000000f00' + '09534950',
  ])
    assert.ok(hex.includes(chunk), `${chunk} in ${hex}`);
  const six = Buffer.from(
    encodeHep({
      type: hepType.sip,
      protocol: 'tcp',
      source: { address: '2001:db8::1', port: 1 },
      destination: { address: '::ffff:192.0.2.1', port: 2 },
      time: 0,
      captureId: 0,
      payload: Buffer.alloc(0),
    }),
  ).toString('hex');
  assert.ok(six.includes('000000050016' + '20010db8000000000000000000000001'), six);
  assert.ok(six.includes('000000060016' + '00000000000000000000ffffc0000201'), six);
});

test('tshark reads what a masked message carries', {
  skip: existsSync(tshark) ? false : 'tshark is not installed',
}, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-hep-'));
  try {
    const file = join(folder, 'sip.pcap');
    writeFileSync(file, capture(Buffer.from(maskMessage(Buffer.from(invite()))), 5060));
    const text = execFileSync(tshark, ['-r', file, '-V'], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      timeout: 60_000,
    });
    assert.match(text, /Request-Line: INVITE sip:bob@example\.test SIP\/2\.0/);
    assert.match(text, /Media Attribute \(a\): crypto:1 AES_CM_128_HMAC_SHA1_80 inline:masked/);
    assert.doesNotMatch(text, /Malformed Packet/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

/** A capture file of one datagram. */
function capture(payload: Buffer, port: number): Buffer {
  const head = Buffer.alloc(24);
  head.writeUInt32LE(0xa1b2c3d4, 0);
  head.writeUInt16LE(2, 4);
  head.writeUInt16LE(4, 6);
  head.writeUInt32LE(65_535, 16);
  head.writeUInt32LE(101, 20); // raw IP
  const packet = Buffer.alloc(28 + payload.length);
  packet[0] = 0x45;
  packet.writeUInt16BE(packet.length, 2);
  packet[8] = 64;
  packet[9] = 17;
  packet.set([127, 0, 0, 1, 127, 0, 0, 1], 12);
  packet.writeUInt16BE(40_000, 20);
  packet.writeUInt16BE(port, 22);
  packet.writeUInt16BE(8 + payload.length, 24);
  payload.copy(packet, 28);
  const record = Buffer.alloc(16);
  record.writeUInt32LE(packet.length, 8);
  record.writeUInt32LE(packet.length, 12);
  return Buffer.concat([head, record, packet]);
}
