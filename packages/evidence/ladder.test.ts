import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressOctets, mostPayload, udpPacket } from './ip-packet.ts';
import { ladderOf } from './ladder.ts';
import { ladderSvg } from './ladder-svg.ts';
import { ladderText } from './ladder-text.ts';
import { type Captured, writePcap } from './pcap.ts';
import { plainText } from './plain-text.ts';

const edge = { address: '198.51.100.1', port: 5061 };
const alice = { address: '192.0.2.10', port: 40_000 };
const bob = { address: '2001:db8::20', port: 5060 };
const sdp =
  'v=0\r\no=- 1 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n';
const head = (first: string, cseq: string, more = ''): string =>
  [
    first,
    'Via: SIP/2.0/UDP 192.0.2.10:40000;branch=z9hG4bK1',
    'Max-Forwards: 70',
    'From: "Alice" <sip:alice@example.test>;tag=1',
    'To: <sip:bob@example.test>;tag=2',
    'Call-ID: one@192.0.2.10',
    `CSeq: 1 ${cseq}`,
    'Contact: <sip:alice@192.0.2.10>',
    `${more}Content-Length: `,
  ].join('\r\n');
const whole = (text: string, body = ''): Uint8Array => Buffer.from(`${text}${body.length}\r\n\r\n${body}`);
const message = (
  sent: boolean,
  peer: Captured['from'],
  bytes: Uint8Array,
  time = 0,
  transport = 'tls',
): Captured => ({
  time: 1_795_000_000_000 + time,
  from: sent ? edge : peer,
  to: sent ? peer : edge,
  transport,
  sent,
  bytes,
});
const call = [
  message(
    false,
    alice,
    whole(head('INVITE sip:bob@example.test SIP/2.0', 'INVITE', 'Content-Type: application/sdp\r\n'), sdp),
  ),
  message(
    true,
    bob,
    whole(head('INVITE sip:bob@[2001:db8::20] SIP/2.0', 'INVITE', 'Content-Type: application/sdp\r\n'), sdp),
    3,
    'udp',
  ),
  message(false, bob, whole(head('SIP/2.0 180 Ringing', 'INVITE')), 20, 'udp'),
  message(true, alice, whole(head('SIP/2.0 486 Busy Here', 'INVITE')), 25.5),
];

test('a ladder stands in letters: who spoke first on the left, the edge between, who was spoken to on the right', () => {
  const text = ladderText(ladderOf(call));
  const lines = text.split('\n').map((line) => line.trimEnd());
  assert.ok(lines.some((line) => /^ +192\.0\.2\.10:40000$/.test(line)));
  assert.ok(lines.some((line) => /\| +edge$/.test(line)));
  assert.match(text, /\|-+ INVITE bob@example\.test \+SDP -+>\|/);
  assert.match(text, /\|<-+ 486 Busy Here \(INVITE\) -+\|/);
  assert.match(text, /\(1\) one@192\.0\.2\.10/);
  assert.equal(ladderText(ladderOf([])), 'No message of it was kept.\n');
});

test('a ladder is bounded: arrows, peers, Call-IDs', () => {
  const many = Array.from({ length: 3000 }, (_, i) =>
    message(
      false,
      { address: `10.0.${i >> 8}.${i & 255}`, port: 1000 + i },
      whole(head('OPTIONS sip:x SIP/2.0', 'OPTIONS')),
      i,
    ),
  );
  const ladder = ladderOf(many);
  assert.equal(ladder.arrows.length, 400);
  assert.equal(ladder.left, 2600);
  assert.ok(ladder.parties.length <= 11);
  assert.ok(ladder.parties.some(({ name }) => name === 'all others'));
  assert.ok(ladderSvg(ladder, 'flood').length < 400_000);
  assert.match(ladderText(ladder), /2600 more messages are in the capture/);
  const ports = ladderOf(
    Array.from({ length: 40 }, (_, i) => message(false, { ...alice, port: i + 1 }, call[0]!.bytes)),
  );
  assert.deepEqual(
    ports.parties.map(({ name }) => name),
    ['192.0.2.10', 'edge'],
  );
});

const hostile = [
  '<script>alert(1)</script>',
  '"/><image href="https://evil.test/x" onload="x()"/>',
  "' onmouseover='x()",
  ']]><!ENTITY x SYSTEM "file:///etc/passwd">',
  '&lt;&#x3c;&amp;',
  '\u202egnp.exe\u202c',
  '\u0000\u001b[2J\u009b31m\ufffe\ud800',
  '{% raw %}</text></svg>',
];

test('what peers write is text in the picture and nothing else', () => {
  for (const evil of hostile) {
    const bytes = Buffer.from(
      `INVITE sip:${evil.replaceAll(' ', '')}@x SIP/2.0\r\nCall-ID: ${evil}\r\nCSeq: 1 ${evil}\r\nFrom: "${evil}" <sip:a@b>\r\n\r\n`,
    );
    const status = Buffer.from(`SIP/2.0 999 ${evil}\r\nCall-ID: ${evil}\r\nCSeq: 1 ${evil}\r\n\r\n`);
    const ladder = ladderOf([
      message(false, { address: evil, port: 1 }, bytes, 0, evil),
      message(true, alice, status),
    ]);
    const svg = ladderSvg(ladder, evil);
    checkXml(svg);
    // every element and attribute is one of ours
    const elements = [...svg.matchAll(/<([a-z]+)[ >]/g)].map(([, name]) => name);
    for (const name of elements)
      assert.ok(['svg', 'title', 'rect', 'text', 'line', 'polygon'].includes(name!), name);
    assert.equal(elements.length, svg.split('<').length - 1 - svg.split('</').length + 1, 'no other markup');
    for (const [tag] of svg.matchAll(/<[^<>]*>/g)) assert.doesNotMatch(tag, /href|\son|style|url/);
    for (const made of [svg, ladderText(ladder)])
      for (const character of made)
        if (character !== '\n') assert.equal(plainText(character, 1), character, JSON.stringify(character));
  }
});

/** Tags are closed in their order, and nothing but text stands between them. */
function checkXml(svg: string): void {
  const open: string[] = [];
  for (const [, close, name, empty] of svg.matchAll(/<(\/?)([a-z]+)[^<>]*?(\/?)>/g)) {
    if (close === '/') assert.equal(open.pop(), name);
    else if (empty !== '/') open.push(name!);
  }
  assert.deepEqual(open, []);
  assert.doesNotMatch(svg.replaceAll(/<[^<>]*>/g, ''), /[<>]|&(?!amp;|lt;|gt;|quot;|#39;)/);
}

test('any octets make a ladder and a capture (fuzz)', () => {
  let cases = 0;
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.uint8Array({ maxLength: 300 }), fc.boolean(), fc.string()), { maxLength: 8 }),
      (given) => {
        cases += 1;
        const messages = given.map(([bytes, sent, address], i) =>
          message(sent, { address, port: i * 7000 }, bytes),
        );
        const ladder = ladderOf(messages);
        checkXml(ladderSvg(ladder, 'x'));
        ladderText(ladder);
        assert.ok(writePcap(messages).length >= 24);
      },
    ),
    { numRuns: 500, seed: 7 },
  );
  assert.equal(cases, 500);
});

test('addresses as octets: IPv4, IPv6, mapped, zones, and what is none', () => {
  const hex = (text: string): string => Buffer.from(addressOctets(text)).toString('hex');
  assert.equal(hex('192.0.2.1'), 'c0000201');
  assert.equal(hex('::1'), `${'00'.repeat(15)}01`);
  assert.equal(hex('fe80::1%eth0'), `fe80${'00'.repeat(13)}01`);
  assert.equal(hex('::ffff:192.0.2.1'), `${'00'.repeat(10)}ffffc0000201`);
  assert.equal(hex('2001:db8:1:2:3:4:5:6'), '20010db8000100020003000400050006');
  for (const none of ['', 'x', '1.2.3', '256.1.1.1']) assert.equal(hex(none), '00000000', none);
  for (const none of ['::1::2', ':', '1:2', 'x::']) assert.equal(hex(none), '00'.repeat(16), none);
  assert.equal(udpPacket(alice, edge, Buffer.alloc(70_000)).length, 28 + mostPayload);
});

const tshark = '/usr/bin/tshark';
test('tshark reads the capture as SIP, message by message, without malformed marks', {
  skip: existsSync(tshark) ? false : 'tshark is not installed',
}, () => {
  const folder = mkdtempSync(join(tmpdir(), 'ringfence-pcap-'));
  try {
    const file = join(folder, 'messages.pcap');
    writeFileSync(file, writePcap(call));
    const options = ['-o', 'ip.check_checksum:TRUE', '-o', 'udp.check_checksum:TRUE'];
    const read = (...more: string[]): string =>
      execFileSync(tshark, ['-r', file, ...options, ...more], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
        timeout: 60_000,
      });
    const fields = ['ip.src', 'ipv6.dst', 'sip.Method', 'sip.Status-Code', 'frame.time_epoch'].flatMap(
      (one) => ['-e', one],
    );
    const rows = read('-Y', 'sip', '-T', 'fields', '-E', 'separator=;', ...fields)
      .trim()
      .split('\n');
    assert.equal(rows.length, call.length);
    assert.match(rows[0]!, /^192\.0\.2\.10;;INVITE;;1795000000\.000000/);
    assert.match(rows[1]!, /;2001:db8::20;INVITE;/);
    assert.match(rows[3]!, /;486;1795000000\.025500/);
    const verbose = read('-V');
    assert.doesNotMatch(verbose, /Malformed|Checksum.*\[incorrect|Expert Info \((?:Error|Warning)/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
