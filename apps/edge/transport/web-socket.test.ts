import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import {
  clientFrame,
  clientHandshake,
  type Frame,
  ServerFrames,
} from '@ringfence/testkit/web-socket-frames.ts';
import {
  type Bed,
  openBed,
  sipRequest,
  TestAuthority,
  type TestCertificate,
  tlsMaterial,
  until,
} from './test-bed.ts';

const sockets: Socket[] = [];
const beds: Bed[] = [];
let authority: TestAuthority;
let own: TestCertificate;
let phone: TestCertificate;
before(async () => {
  authority = await TestAuthority.create('local');
  [own, phone] = await Promise.all([
    authority.issue('DNS:edge.test', 'IP:127.0.0.1'),
    authority.issue('DNS:phone.test'),
  ]);
});
after(async () => {
  for (const socket of sockets) socket.destroy();
  for (const bed of beds) await bed.transports.close();
  await authority.remove();
});

const page = 'https://phone.example.com';

const bedOf = async (
  listener: Partial<Parameters<typeof openBed>[0]['listeners'][number]> = {},
  options: Partial<Parameters<typeof openBed>[0]> = {},
): Promise<Bed> => {
  const bed = await openBed({
    listeners: [{ name: 'w', transport: 'ws', address: '127.0.0.1', port: 0, origins: [page], ...listener }],
    tls: tlsMaterial(() => own, [authority.cert]),
    ...options,
  });
  beds.push(bed);
  return bed;
};

interface Client {
  readonly socket: Socket;
  readonly frames: Frame[];
  readonly handshake: string | undefined;
  readonly closed: boolean;
  /** Text of the messages that came. */
  readonly texts: string[];
}

/** A connection on which nothing has been said yet. */
const plain = (bed: Bed, tls?: ConnectionOptions): Client => {
  const where = { port: bed.port('w'), host: '127.0.0.1' };
  const socket =
    tls === undefined
      ? connect(where)
      : connectTls({ ...where, ca: authority.cert, servername: 'edge.test', ...tls });
  sockets.push(socket);
  const parser = new ServerFrames();
  const state = { closed: false };
  const frames: Frame[] = [];
  socket.on('data', (chunk) => frames.push(...parser.push(chunk)));
  socket.on('error', () => undefined);
  socket.on('close', () => {
    state.closed = true;
  });
  return {
    socket,
    frames,
    get handshake() {
      return parser.handshake;
    },
    get closed() {
      return state.closed;
    },
    get texts() {
      return frames.filter((f) => f.opcode < 3).map((f) => Buffer.from(f.payload).toString());
    },
  };
};

const clientOf = async (bed: Bed, tls?: ConnectionOptions, more?: readonly string[]): Promise<Client> => {
  const client = plain(bed, tls);
  client.socket.write(clientHandshake('edge.test', more));
  await until('the handshake', () => client.handshake !== undefined);
  assert.match(client.handshake ?? '', /^HTTP\/1\.1 101 /);
  return client;
};

const refusals = (bed: Bed): string[] => {
  bed.admission.flush();
  return bed.events.flatMap((event) => (event.type === 'admission.refused' ? [event.rule] : []));
};

describe('RFC 7118 handshake', () => {
  it('RFC 7118 §4: the subprotocol sip is agreed, and nothing else', async () => {
    const bed = await bedOf();
    const client = plain(bed);
    client.socket.write(
      clientHandshake('edge.test', ['Sec-WebSocket-Extensions: permessage-deflate'], 'xmpp, sip'),
    );
    await until('the handshake', () => client.handshake !== undefined);
    assert.match(client.handshake ?? '', /^HTTP\/1\.1 101 /);
    assert.match(client.handshake ?? '', /\r\nSec-WebSocket-Protocol: sip\r\n/);
    // The key's answer of RFC 6455 §1.3.
    assert.match(client.handshake ?? '', /\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/);
    assert.doesNotMatch(client.handshake ?? '', /Extensions/);
    const opened = bed.events.find((event) => event.type === 'flow.opened');
    assert.equal(opened?.transport, 'ws');
  });

  for (const [what, text, answer, rule] of [
    ['no subprotocol', clientHandshake('e', [], ''), 400, 'admission.websocket'],
    ['another subprotocol', clientHandshake('e', [], 'sips, SIPX, xsip'), 400, 'admission.websocket'],
    [
      'an origin that is not listed',
      clientHandshake('e', ['Origin: https://evil.example']),
      403,
      'admission.origin',
    ],
    ['the origin null', clientHandshake('e', ['Origin: null']), 403, 'admission.origin'],
    [
      'two origins',
      clientHandshake('e', [`Origin: ${page}`, 'Origin: https://evil.example']),
      403,
      'admission.origin',
    ],
    ['a plain request', 'GET / HTTP/1.1\r\nHost: e\r\n\r\n', 426, 'admission.websocket'],
    ['an older version', clientHandshake('e').replace('13', '12'), 400, undefined],
    ['no key', clientHandshake('e').replace(/Sec-WebSocket-Key.*\r\n/, ''), 400, undefined],
    ['a POST', clientHandshake('e').replace('GET', 'POST'), 405, undefined],
  ] as const) {
    it(`${what} is refused with ${answer}, and no flow is made`, async () => {
      const bed = await bedOf();
      const client = plain(bed);
      client.socket.write(text);
      await until('the refusal', () => client.closed && bed.admission.connections === 0);
      assert.match(client.handshake ?? '', new RegExp(`^HTTP/1\\.1 ${answer} `));
      assert.equal(bed.events.filter((event) => event.type === 'flow.opened').length, 0);
      if (rule !== undefined) assert.deepEqual(refusals(bed), [rule]);
    });
  }

  it('a listed origin is let in', async () => {
    const bed = await bedOf();
    const client = await clientOf(bed, undefined, [`Origin: ${page}`]);
    client.socket.write(clientFrame(sipRequest('OPTIONS')));
    await until('the message', () => bed.messages.length === 1);
  });

  it('SIP without WebSocket, endless header fields and other noise end the connection', async () => {
    const bed = await bedOf();
    for (const noise of [
      sipRequest('OPTIONS'),
      `GET / HTTP/1.1\r\n${'X: y\r\n'.repeat(4000)}`,
      '\x16\x03\x01\x02\x00',
      `GET /${'a'.repeat(20_000)}`,
    ]) {
      const client = plain(bed);
      client.socket.write(noise);
      await until('its end', () => client.closed);
    }
    assert.ok(refusals(bed).includes('admission.handshake'));
    assert.equal(bed.messages.length, 0);
  });

  it('a handshake that does not end in admission.handshakeSeconds is ended', async () => {
    const bed = await bedOf({}, { settings: { handshakeSeconds: 1 } });
    const client = plain(bed);
    client.socket.write('GET / HTTP/1.1\r\n');
    await until('its end', () => client.closed);
    assert.deepEqual(refusals(bed), ['admission.handshake']);
    assert.equal(bed.admission.connections, 0);
  });

  it('connections of one source are bounded as those of TCP are', async () => {
    const bed = await bedOf(
      {},
      { settings: { connectionsPerSource: 3 }, admission: { exemptLoopback: false } },
    );
    const clients = await Promise.all([clientOf(bed), clientOf(bed), clientOf(bed)]);
    const fourth = plain(bed);
    await until('its end', () => fourth.closed);
    clients[0]?.socket.destroy();
    await until('a free place', () => bed.admission.connections === 2);
    await clientOf(bed);
  });
});

describe('RFC 7118 messages', () => {
  it('RFC 7118 §5: one message in each frame, text or binary, and both ways over the same flow', async () => {
    const bed = await bedOf();
    bed.onMessage = (flow, _text, bytes) => bed.transports.send(flow, Uint8Array.from(bytes));
    const client = await clientOf(bed);
    const first = sipRequest('OPTIONS', 'Subject: eins\r\n');
    const second = sipRequest('OPTIONS', 'Subject: zwei\r\n').replace('Content-Length: 0\r\n', '');
    client.socket.write(Buffer.concat([clientFrame(first, 1), clientFrame(second, 2)]));
    await until('the echoes', () => client.texts.length === 2);
    assert.deepEqual(client.texts, [first, second]);
    const [flow] = bed.messages.map((message) => message.flow);
    assert.equal(flow?.transport, 'ws');
    assert.equal(flow?.reliable, true);
    assert.equal(bed.transports.flow(flow?.id ?? 0), flow);
  });

  it('RFC 7118 §5: the client that comes with Node, which is not the library of the server, gets along', async () => {
    const bed = await bedOf();
    bed.onMessage = (flow, _text, bytes) => bed.transports.send(flow, Uint8Array.from(bytes));
    const client = new WebSocket(`ws://127.0.0.1:${bed.port('w')}`, 'sip');
    await once(client, 'open');
    assert.equal(client.protocol, 'sip');
    const text = sipRequest('OPTIONS', 'Subject: grün\r\n');
    client.send(text);
    const [event] = await once(client, 'message');
    assert.equal(event.data, text);
    client.close();
    await until('its end', () => bed.closed.length === 1);
  });

  it('RFC 7118 §5.2: what is not UTF-8 is sent in a binary frame', async () => {
    const bed = await bedOf();
    bed.onMessage = (flow, text) =>
      bed.transports.send(
        flow,
        Buffer.from(text.includes('binary') ? 'ä\xff' : 'ä', text.includes('binary') ? 'latin1' : 'utf8'),
      );
    const client = await clientOf(bed);
    client.socket.write(clientFrame(sipRequest('OPTIONS')));
    client.socket.write(clientFrame(sipRequest('OPTIONS', 'Subject: binary\r\n')));
    await until('the answers', () => client.frames.length === 2);
    assert.deepEqual(
      client.frames.map(({ opcode, payload }) => [opcode, Buffer.from(payload).toString('latin1')]),
      [
        [1, '\xc3\xa4'],
        [2, '\xe4\xff'],
      ],
    );
  });

  it('RFC 6455 §5.4: a message in pieces is put together, with a ping in between', async () => {
    const bed = await bedOf();
    const client = await clientOf(bed);
    const text = sipRequest('OPTIONS');
    client.socket.write(clientFrame(text.slice(0, 40), 1, false));
    client.socket.write(clientFrame('are you there', 9));
    client.socket.write(clientFrame(text.slice(40), 0));
    await until('the message', () => bed.messages.length === 1);
    assert.equal(bed.messages[0]?.text, text);
    await until('the pong', () => client.frames.length === 1);
    assert.equal(client.frames[0]?.opcode, 10);
    assert.equal(Buffer.from(client.frames[0]?.payload ?? '').toString(), 'are you there');
  });

  for (const [what, frames] of [
    ['declared larger than admission.messageBytes', () => [clientFrame('x'.repeat(20_000)).subarray(0, 8)]],
    [
      'declared as 2^62 octets long',
      () => [Buffer.from([0x81, 0xff, 0x40, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4])],
    ],
    [
      'larger in pieces',
      () => Array.from({ length: 3 }, (_, i) => clientFrame('x'.repeat(6000), i === 0 ? 1 : 0, false)),
    ],
    [
      'of too many pieces',
      () => Array.from({ length: 80 }, (_, i) => clientFrame('x', i === 0 ? 1 : 0, false)),
    ],
    ['without a mask', () => [Buffer.from([0x81, 0x01, 0x41])]],
    ['of text that is not UTF-8', () => [clientFrame(Buffer.from([0xff, 0xfe]), 1)]],
    ['with reserved bits', () => [Buffer.from([0xf1, 0x80, 0, 0, 0, 0])]],
    ['with an unknown opcode', () => [clientFrame('x', 3)]],
  ] as const) {
    it(`RFC 6455 §5, §7.1.7, S3: a frame ${what} ends the connection`, async () => {
      const bed = await bedOf();
      const client = await clientOf(bed);
      for (const frame of frames()) client.socket.write(frame);
      await until('its end', () => bed.closed.length === 1);
      assert.match(bed.closed[0]?.reason ?? '', /^error WS_ERR/);
      assert.deepEqual(refusals(bed), ['admission.websocket']);
      assert.equal(bed.messages.length, 0);
      await until('the socket', () => client.closed && bed.admission.connections === 0);
    });
  }

  it('admission sees every frame: what is no SIP is dropped, and too much of it ends the connection', async () => {
    const bed = await bedOf();
    const client = await clientOf(bed);
    for (let i = 0; i < 100; i++) client.socket.write(clientFrame('GET / HTTP/1.1\r\n\r\n'));
    await until('its end', () => bed.closed.length === 1);
    assert.equal(bed.closed[0]?.reason, 'refused too often');
    assert.equal(bed.messages.length, 0);
  });
});

describe('RFC 7118 §6 keepalive and time', () => {
  it('a silent peer is pinged; one that does not answer is gone within a minute', async () => {
    const bed = await bedOf();
    const client = await clientOf(bed);
    await until('the flow', () => bed.events.some(({ type }) => type === 'flow.opened'));
    bed.advance(31_000);
    await until('the ping', () => client.frames.some(({ opcode }) => opcode === 9));
    client.socket.write(clientFrame('', 10));
    await new Promise((resolve) => setTimeout(resolve, 50));
    bed.advance(31_000);
    await until('the next', () => client.frames.filter(({ opcode }) => opcode === 9).length === 2);
    assert.equal(bed.closed.length, 0);
    bed.advance(31_000);
    await until('its end', () => bed.closed.length === 1);
    assert.equal(bed.closed[0]?.reason, 'no answer to a keepalive');
    await until('the close frame', () => client.frames.some(({ opcode }) => opcode === 8));
  });

  it('RFC 5626 §4.4.1: CRLFCRLF in a frame is answered by CRLF, ten times a second at most; CRLF is not', async () => {
    const bed = await bedOf();
    const client = await clientOf(bed);
    client.socket.write(clientFrame('\r\n'));
    for (let i = 0; i < 50; i++) client.socket.write(clientFrame('\r\n\r\n'));
    for (let i = 0; i < 50; i++) client.socket.write(clientFrame('', 9));
    client.socket.write(clientFrame(sipRequest('OPTIONS')));
    await until('the message', () => bed.messages.length === 1);
    assert.deepEqual(client.texts, Array(client.texts.length).fill('\r\n'));
    assert.ok(client.frames.length >= 10 && client.frames.length <= 20, String(client.frames.length));
  });

  it('a begun message must end in admission.messageSeconds, and silence ends unregistered flows', async () => {
    const bed = await bedOf({}, { settings: { idleSeconds: 5 } });
    const slow = await clientOf(bed);
    slow.socket.write(clientFrame(sipRequest('OPTIONS')).subarray(0, 100));
    await new Promise((resolve) => setTimeout(resolve, 50));
    bed.advance(10_500);
    await until('its end', () => bed.closed.length === 1);
    assert.equal(bed.closed[0]?.reason, 'message not complete in time');
    const idle = await clientOf(bed);
    const kept = await clientOf(bed);
    kept.socket.write(clientFrame(sipRequest('OPTIONS')));
    await until('the message', () => bed.messages.length === 1);
    bed.transports.keep(bed.messages[0]?.flow.id ?? 0, true);
    bed.advance(6000);
    await until('its end', () => bed.closed.length === 2);
    assert.equal(bed.closed[1]?.reason, 'idle');
    await until('the socket', () => idle.closed);
    assert.equal(kept.closed, false);
  });

  it('a peer that does not read is closed, and what waits for it stays bounded', async () => {
    const bed = await bedOf();
    const client = await clientOf(bed);
    client.socket.write(clientFrame(sipRequest('OPTIONS')));
    await until('the message', () => bed.messages.length === 1);
    client.socket.pause();
    const { flow } = bed.messages[0]!;
    const bytes = Buffer.alloc(16_000, 'x');
    let sent = 0;
    while (sent < 2000 && bed.transports.send(flow, bytes)) sent++;
    assert.ok(sent < 2000);
    assert.equal(bed.closed[0]?.reason, 'peer does not read');
    assert.equal(bed.transports.flow(flow.id), undefined);
  });

  it('the close of the peer is told at once', async () => {
    const bed = await bedOf();
    const client = await clientOf(bed);
    client.socket.write(clientFrame(Buffer.from([0x03, 0xe8]), 8));
    await until('its end', () => bed.closed.length === 1);
    await until('the socket', () => client.closed);
  });
});

describe('RFC 7118 secure WebSocket', () => {
  it('TLS facts are those of the connection', async () => {
    const bed = await bedOf({ transport: 'wss', clientCertificate: 'optional' });
    const client = await clientOf(bed, { cert: phone.cert, key: phone.key });
    client.socket.write(clientFrame(sipRequest('OPTIONS')));
    await until('the message', () => bed.messages.length === 1);
    const { flow } = bed.messages[0]!;
    assert.equal(flow.transport, 'wss');
    assert.equal(flow.tls?.version, 'TLSv1.3');
    assert.equal(flow.tls?.group, 'X25519MLKEM768');
    assert.deepEqual(flow.tls?.peerNames, ['phone.test']);
  });

  it('clientCertificate: required lets nobody in without one', async () => {
    const bed = await bedOf({ transport: 'wss', clientCertificate: 'required' });
    const client = plain(bed, {});
    client.socket.write(clientHandshake('edge.test'));
    await until('its end', () => client.closed);
    assert.equal(client.handshake, undefined);
  });

  it('a TLS handshake is not enough: the WebSocket one has its time too', async () => {
    const bed = await bedOf({ transport: 'wss' }, { settings: { handshakeSeconds: 1 } });
    const client = plain(bed, {});
    await once(client.socket, 'secureConnect');
    await until('its end', () => client.closed);
    assert.equal(bed.admission.connections, 0);
  });
});
