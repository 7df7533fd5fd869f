import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { corpusPath, needsCorpus } from '@ringfence/testkit/corpus.ts';
import { Bed } from './harness/bed.ts';
import {
  compose,
  type Fields,
  fieldsOf,
  requestText,
  statusOf,
  token,
  usualFields,
} from './harness/compose.ts';
import { processorMs, residentKib } from './harness/edge-process.ts';
import { pause, until } from './harness/waiting.ts';
import { openStream, openWire, type StreamWire, type Wire } from './harness/wire.ts';

let bed: Bed;
before(async () => {
  bed = await Bed.open(
    { users: [{ name: 'alice' }, { name: 'bob' }] },
    {
      listeners: [
        { name: 'udp', transport: 'udp', encryption: 'preferred' },
        { name: 'tcp', transport: 'tcp', encryption: 'preferred' },
        { name: 'tls', transport: 'tls', encryption: 'preferred' },
      ],
      more: { admission: '{ messageBytes: 8192, messageSeconds: 1, handshakeSeconds: 1 }' },
    },
  );
});
after(() => bed.close());

const udp = (): Promise<Wire> => openWire({ transport: 'udp', to: bed.edge.at('udp') });
const tcp = (): Promise<StreamWire> => openStream({ transport: 'tcp', to: bed.edge.at('tcp') });

/** The edge still answers what it has to answer. */
async function answers(): Promise<void> {
  for (const transport of ['udp', 'tcp'] as const) {
    const phone = await bed.phone('alice', transport);
    assert.equal((await phone.send('OPTIONS').final).status, 401);
    phone.close();
  }
}

/** Sends, then asks politely over the same socket: when that is answered, all before it has been dealt with. */
async function silence(wire: Wire, ...texts: readonly (string | Uint8Array)[]): Promise<void> {
  const began = wire.received.length;
  for (const text of texts) wire.send(text);
  const polite = request('OPTIONS', usualFields);
  wire.send(polite);
  await until('an answer to a telephone', () => wire.received.length > began);
  const answered = wire.received
    .slice(began)
    .map((bytes) => fieldsOf(Buffer.from(bytes).toString(), 'Call-ID')[0]);
  assert.deepEqual(answered, fieldsOf(polite, 'Call-ID'));
}

const request = (method: string, more: Fields, body = '', uri = 'sip:bob@system.test'): string =>
  requestText({
    method,
    uri,
    transport: 'UDP',
    sentBy: '127.0.0.1:5060',
    from: `<sip:alice@system.test>;tag=${token()}`,
    to: '<sip:bob@system.test>',
    more,
    body,
  });

/** Requests of many kinds, each once short and once long: nobody has proven anything in them. */
function* unproven(): Generator<readonly [name: string, text: string]> {
  const methods = ['INVITE', 'REGISTER', 'OPTIONS', 'BYE', 'CANCEL', 'ACK', 'MESSAGE', 'SUBSCRIBE', 'NOTIFY'];
  const credentials =
    'Digest username="alice",realm="system.test",nonce="n",uri="sip:bob@system.test",response="0",qop=auth,nc=00000001,cnonce="c",algorithm=SHA-256';
  const shapes: Record<string, Fields> = {
    bare: [],
    usual: usualFields,
    require: [['Require', 'nothing, that, anybody, knows']],
    credentials: [['Authorization', credentials]],
    'broken credentials': [['Authorization', 'Digest ,,,']],
    'foreign credentials': [['Authorization', credentials.replace('system.test', 'other.test')]],
    'bad contact': [['Contact', '*']],
    'body type': [
      ['Content-Type', 'text/html'],
      ['Authorization', credentials],
    ],
    'proxy require': [['Proxy-Require', 'a,b,c,d,e,f']],
  };
  for (const method of [...methods, 'PRACK', 'UPDATE', 'REFER', 'PUBLISH', 'INFO'])
    for (const [shape, more] of Object.entries(shapes)) {
      yield [`${method} ${shape}`, request(method, more)];
      yield [
        `${method} ${shape} in a dialog`,
        request(method, more).replace('To: <sip:bob@system.test>', 'To: <sip:bob@system.test>;tag=x'),
      ];
      yield [`${method} ${shape}, short`, short(request(method, more))];
    }
  const invite = request('INVITE', []);
  yield ['no Max-Forwards left', invite.replace('Max-Forwards: 70', 'Max-Forwards: 0')];
  yield ['another CSeq method', invite.replace(/CSeq: (\d+) INVITE/, 'CSeq: $1 BYE')];
  yield ['a CSeq too large', invite.replace(/CSeq: \d+/, 'CSeq: 99999999999')];
  yield ['SIP/7.0', invite.replace('SIP/2.0\r\n', 'SIP/7.0\r\n')];
  yield ['an unknown scheme', request('INVITE', [], '', 'http:x')];
  yield ['no Call-ID', invite.replace(/Call-ID: [^\r]+\r\n/, '')];
  yield ['two Froms', invite.replace('To: ', 'From: <sip:x@y>;tag=1\r\nTo: ')];
  yield ['a negative length', invite.replace('Content-Length: 0', 'Content-Length: -1')];
  yield ['a length too long', invite.replace('Content-Length: 0', 'Content-Length: 9999')];
  yield [
    'seventy Vias',
    invite.replace('Via: ', `${'Via: SIP/2.0/UDP h;branch=z9hG4bKx\r\n'.repeat(69)}Via: `),
  ];
  yield ['a name of 4000', request('INVITE', [], '', `sip:${'a'.repeat(4000)}@system.test`)];
  yield ['escapes', request('REGISTER', [], '', `sip:${'%41'.repeat(900)}@system.test`)];
}

/** Compact forms, as short as RFC 3261 §7.3.3 lets it be. */
const short = (text: string): string =>
  text
    .replace('Via: ', 'v:')
    .replace('From: ', 'f:')
    .replace('To: ', 't:')
    .replace(/Call-ID: [^\r]+/, 'i:1')
    .replace('Contact: ', 'm:')
    .replace('Content-Length: ', 'l:')
    .replace('Max-Forwards: 70\r\n', '')
    .replace(/branch=[^;]+/, `branch=z9hG4bK${token().slice(0, 6)}`);

test('over UDP no unproven request draws more octets than it has, repetitions of the answer included', async () => {
  const wires: { readonly name: string; readonly size: number; readonly wire: Wire }[] = [];
  for (const [name, text] of unproven()) {
    const wire = await udp();
    const { port } = wire.local;
    const own = text.replace('127.0.0.1:5060', `127.0.0.1:${port}`);
    wires.push({ name, size: Buffer.byteLength(own), wire });
    wire.send(own);
    if (wires.length % 20 === 0) await pause(5);
  }
  // Timer G repeats the refusal of an INVITE after 0.5 and 1.5 s (RFC 3261 §17.2.1).
  await pause(2_200);
  const grown: string[] = [];
  let answered = 0;
  for (const { name, size, wire } of wires) {
    const back = wire.received.reduce((sum, bytes) => sum + bytes.length, 0);
    if (back > 0) answered += 1;
    if (back > size) grown.push(`${name}: ${size} octets drew ${back} in ${wire.received.length} answers`);
    wire.close();
  }
  assert.ok(wires.length > 380 && answered > 50, `${answered} of ${wires.length} were answered`);
  assert.deepEqual(grown, []);
  await answers();
});

for (const transport of ['udp', 'tcp', 'tls'] as const)
  test(`the scanners' User-Agents get no answer over ${transport}`, async () => {
    const from = bed.edge.events.length;
    const options = { transport, to: bed.edge.at(transport), from: '127.0.0.40' } as const;
    for (const agent of [
      'friendly-scanner',
      'sipvicious 0.3',
      'x SIPSAK y',
      'VaxSIPUserAgent/3.5',
      'pplsip',
    ]) {
      const wire = await openWire(options);
      await silence(
        wire,
        request('OPTIONS', [['User-Agent', agent]]),
        request('REGISTER', [['user-agent ', ` ${agent}`]]),
        request('INVITE', [['User-Agent', `nothing\r\n  ${agent}`]]),
      );
      wire.close();
    }
    const told = await bed.edge.event(
      'admission.refused',
      ({ rule, source }) => rule === 'admission.user-agent' && source === '127.0.0.40',
      transport === 'udp' ? from : 0,
    );
    assert.ok(Number(told.count) >= 1);
  });

test('a message beyond admission.messageBytes is dropped: silence over UDP, the end of the connection over TCP', async () => {
  const large = request('OPTIONS', [['X-Filler', 'x'.repeat(9_000)]]);
  const datagram = await udp();
  await silence(datagram, large);
  const stream = await tcp();
  stream.send(large);
  await until('closed', () => stream.closed);
  assert.ok(stream.received.every((bytes) => statusOf(Buffer.from(bytes).toString()) >= 400));
  datagram.close();
  await answers();
});

test('what is no SIP gets no answer', async () => {
  const noise = [
    'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    '\0'.repeat(200),
    'INVITE\r\n\r\n',
    'SIP/2.0 200 OK\r\n\r\n',
    'SIP/2.0 401 Unauthorized\r\nVia: SIP/2.0/UDP x;branch=z9hG4bK1\r\nCSeq: 1 BYE\r\n\r\n',
    'M-SEARCH * HTTP/1.1\r\n\r\n',
    Buffer.from('000100002112a442000000000000000000000000', 'hex'),
    Buffer.from('16030100a5010000a10303', 'hex'),
    'ÿ'.repeat(400),
  ];
  for (const text of noise) {
    const wire = await udp();
    await silence(wire, text);
    const stream = await tcp();
    stream.send(text);
    await until('closed', () => stream.closed || stream.received.length > 0, 200).catch(() => undefined);
    assert.equal(stream.received.length, 0, String(text).slice(0, 30));
    wire.close();
    stream.close();
  }
  await answers();
});

test('a byte now and then: a message that does not end in admission.messageSeconds costs its connection', async () => {
  const stream = await tcp();
  const text = request('OPTIONS', usualFields);
  const began = performance.now();
  for (let i = 0; i < text.length && !stream.closed && performance.now() - began < 15_000; i += 1) {
    stream.send(text.slice(i, i + 1));
    await pause(25);
  }
  assert.ok(stream.closed, 'closed');
  assert.equal(stream.received.length, 0);
});

test('a TLS handshake that does not go on costs its connection', async () => {
  const stream = await openStream({ transport: 'tcp', to: bed.edge.at('tls') });
  stream.send(Buffer.from('16030100a5010000a10303', 'hex'));
  await until('closed', () => stream.closed);
});

test('S2: wrong Content-Length over TCP ends the connection, and nothing behind it is read as a message', async () => {
  const behind = request('OPTIONS', usualFields);
  for (const length of [
    '4294967296',
    '2147483648',
    '18446744073709551616',
    '-1',
    '+5',
    '0, 500',
    '0x10',
    '5 5',
    '1e3',
    'abc',
    '',
    '0\r\nContent-Length: 5',
    '5\r\nl: 0',
  ]) {
    for (const transport of ['tcp', 'tls'] as const) {
      const stream = await openStream({ transport, to: bed.edge.at(transport) });
      stream.send(
        `${request('OPTIONS', usualFields).replace('Content-Length: 0', `Content-Length: ${length}`)}${behind}`,
      );
      await until(`closed after Content-Length: ${JSON.stringify(length)}`, () => stream.closed);
      const statuses = stream.received.map((bytes) => statusOf(Buffer.from(bytes).toString()));
      assert.ok(statuses.length <= 1, JSON.stringify({ length, statuses }));
      for (const status of statuses)
        assert.ok(status === 400 || status === 413, JSON.stringify({ length, statuses }));
    }
  }
  const missing = await tcp();
  missing.send(`${request('OPTIONS', usualFields).replace('Content-Length: 0\r\n', '')}${behind}`);
  await until('closed without Content-Length', () => missing.closed);
  await answers();
});

test('S3: a declared length allocates nothing', async () => {
  const before = residentKib(bed.edge.pid);
  const streams: StreamWire[] = [];
  for (let i = 0; i < 60; i += 1) {
    const stream = await tcp();
    stream.send(request('INVITE', usualFields).replace('Content-Length: 0', 'Content-Length: 999999999'));
    streams.push(stream);
  }
  await until('all closed', () => streams.every((stream) => stream.closed));
  const grown = residentKib(bed.edge.pid) - before;
  assert.ok(grown < 40_000, `grew by ${grown} KiB`);
  await answers();
});

const shapesOfParserFaults = (): string[] => {
  const invite = (change: (text: string) => string, body = ''): string =>
    change(request('INVITE', [['Content-Type', 'application/sdp']], body));
  const same = (text: string): string => text;
  const sdp = (line: string): string =>
    `v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n${line}`;
  return [
    invite((text) => text.replace(/Via: [^\r]+/, 'Via: ,')),
    invite((text) => text.replace(/Via: [^\r]+/, 'Via: SIP/2.0/UDP')),
    invite((text) => text.replace(/Via: [^\r]+/, 'Via: SIP/2.0/UDP [::1')),
    invite((text) => text.replace(/Via: [^\r]+/, `Via: SIP/2.0/UDP ${'a,'.repeat(500)}`)),
    invite((text) => text.replace(/To: [^\r]+/, 'To: "')),
    invite((text) => text.replace(/To: [^\r]+/, 'To: <<<<<<sip:')),
    invite((text) => text.replace(/To: [^\r]+/, 'To: sip:x;=;;;=')),
    invite((text) => text.replace(/From: [^\r]+/, 'From: "\\')),
    invite((text) => text.replace('sip:bob@system.test SIP', 'sip:@@@:::; SIP')),
    invite((text) => text.replace('sip:bob@system.test SIP', 'sip:[::ffff:1.2.3.4.5]:99999 SIP')),
    invite((text) => text.replace('sip:bob@system.test SIP', 'tel:; SIP')),
    invite((text) => text.replace('sip:bob@system.test SIP', 'sip:%00%0d%0aVia:@x SIP')),
    invite((text) => text.replace('\r\n\r\n', '')),
    invite((text) => text.replaceAll('\r\n', '\r')),
    invite((text) => text.replaceAll('\r\n', '\n')),
    invite((text) => text.replace(/CSeq: [^\r]+/, 'CSeq: INVITE')),
    invite((text) => text.replace(/CSeq: [^\r]+/, 'CSeq: 1')),
    invite((text) => text.replace(/Call-ID: [^\r]+/, 'Call-ID: ')),
    invite((text) => text.replace('Content-Type: application/sdp', `Content-Type: ${'a'.repeat(1100)}/b`)),
    invite((text) =>
      text.replace('Content-Type: application/sdp', 'Content-Type: multipart/mixed;boundary=""'),
    ),
    invite((text) =>
      text.replace('Content-Type: application/sdp', `Authorization: Digest ${'a="b",'.repeat(300)}`),
    ),
    invite((text) => text.replace('Content-Type: application/sdp', 'Authorization: Digest username="\\')),
    invite((text) => text.replace('Content-Type: application/sdp', `Contact: ${'<sip:a>,'.repeat(400)}`)),
    invite((text) => text.replace('Content-Type: application/sdp', `Route: ${'<sip:a;lr>,'.repeat(400)}`)),
    invite(same, 'v=0'),
    invite(same, 'v'),
    invite(same, sdp('b=')),
    invite(same, sdp('b=AS')),
    invite(same, sdp('a=crypto:')),
    invite(same, sdp('a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:|||')),
    invite(same, sdp('a=rtpmap:')),
    invite(same, sdp(`a=${'x:'.repeat(2000)}`)),
    invite(same, sdp('m=audio 70000 RTP/AVP 300\r\nm=\r\nm=audio\r\n').repeat(20)),
    invite(same, sdp('c=IN IP4 \r\nc=IN IP6 :::\r\nc=\r\n')),
  ];
};

test('S4: what has crashed other parsers crashes nothing here, neither before nor after the sender is proven', async () => {
  const alice = await bed.registered('alice', 'tcp');
  const shapes = shapesOfParserFaults();
  assert.ok(shapes.length > 30);
  for (const text of shapes) {
    const datagram = await udp();
    datagram.send(text);
    const stream = await tcp();
    stream.send(text);
    await pause(3);
    datagram.close();
    stream.close();
    // The same body once more, with a password that holds.
    const at = text.indexOf('\r\n\r\n');
    const body = at < 0 ? '' : text.slice(at + 4);
    if (body === '') continue;
    const { answer, leg } = await alice.call('bob', body);
    assert.equal(leg, undefined);
    assert.ok(answer.status >= 400 && answer.status < 500, `${answer.status} for ${JSON.stringify(body)}`);
  }
  await answers();
});

for (const folder of [
  'sip/rfc4475',
  'sip/rfc4475-variants',
  'sip/rfc5118',
  'sip/nist-torture',
  'fuzz-seeds/pjsip-fuzz-sip',
])
  test(`S4: every message of ${folder} over UDP and TCP`, needsCorpus(folder), async () => {
    const files = readdirSync(corpusPath(folder)).filter(
      (name) => !name.endsWith('.json') && !name.endsWith('.md'),
    );
    assert.ok(files.length > 0);
    const wire = await udp();
    for (const [index, name] of files.slice(0, 400).entries()) {
      const bytes = readFileSync(join(corpusPath(folder), name));
      wire.send(bytes.subarray(0, 60_000));
      const stream = await tcp();
      stream.send(bytes);
      if (index % 10 === 0) await pause(5);
      setTimeout(() => stream.close(), 50).unref();
    }
    await pause(80);
    wire.close();
    assert.ok(bed.edge.alive);
    assert.deepEqual(
      bed.edge.ofType('edge.error').filter(({ where }) => where !== 'listener udp'),
      [],
    );
    await answers();
  });

test('S17: no text keeps the edge busy: none of these takes 25 ms of processor time', async () => {
  const long = 7_000;
  const fill = (unit: string): string => unit.repeat(Math.floor(long / unit.length));
  const alice = await bed.registered('alice', 'tcp');
  const wire = await udp();
  const shapes: string[] = [];
  for (const unit of [
    'a',
    ' ',
    '\t',
    ',',
    ';',
    '"',
    '\\"',
    '<',
    '>',
    '%',
    '%41',
    '=',
    '(',
    ')(',
    'a=b;',
    '\r\n ',
    ':',
    '.',
    '-',
    '@',
    '[',
    '0',
  ])
    for (const name of [
      'Via',
      'To',
      'Contact',
      'Authorization',
      'Accept',
      'User-Agent',
      'Content-Type',
      'Route',
      'Call-Info',
    ])
      shapes.push(
        name === 'Via' || name === 'To'
          ? request('INVITE', []).replace(new RegExp(`${name}: [^\r]+`), `${name}: ${fill(unit)}`)
          : request('INVITE', [[name, fill(unit)]]),
      );
  assert.ok(shapes.length > 190);
  let slowest = { ms: 0, text: '' };
  for (const text of shapes) {
    const began = processorMs(bed.edge.pid);
    for (let i = 0; i < 4; i += 1) wire.send(text);
    assert.equal((await alice.send('OPTIONS').final).status, 401);
    const ms = (processorMs(bed.edge.pid) - began) / 4;
    if (ms > slowest.ms) slowest = { ms, text: text.slice(0, 120) };
  }
  wire.close();
  assert.ok(slowest.ms < 25, `${slowest.ms} ms of processor time for ${slowest.text}`);
});

test('S8: connections that say nothing, and INVITEs that nobody acknowledges, leave nothing behind', async () => {
  const before = residentKib(bed.edge.pid);
  const streams: StreamWire[] = [];
  for (let i = 0; i < 200; i += 1) {
    const stream = await tcp();
    stream.send(compose('INVITE sip:bob@system.test SIP/2.0', [['Via', 'SIP/2.0/TCP x']]).slice(0, 40));
    streams.push(stream);
  }
  await until('all closed', () => streams.every((stream) => stream.closed));
  const wire = await udp();
  for (let i = 0; i < 3_000; i += 1) {
    wire.send(request('INVITE', usualFields));
    if (i % 100 === 0) await pause(5);
  }
  await pause(100);
  wire.close();
  const grown = residentKib(bed.edge.pid) - before;
  // Most of it is the thread that makes the evidence of the incident that this is.
  assert.ok(grown < 140_000, `grew by ${grown} KiB`);
  await answers();
});
