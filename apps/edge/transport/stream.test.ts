import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { after, describe, it } from 'node:test';
import { type Bed, openBed, sipRequest, until } from './test-bed.ts';

const sockets: Socket[] = [];
const beds: Bed[] = [];
after(async () => {
  for (const socket of sockets) socket.destroy();
  for (const bed of beds) await bed.transports.close();
});

const bedOf = async (options: Partial<Parameters<typeof openBed>[0]> = {}): Promise<Bed> => {
  const bed = await openBed({
    listeners: [{ name: 't', transport: 'tcp', address: '127.0.0.1', port: 0 }],
    ...options,
  });
  beds.push(bed);
  return bed;
};

interface Peer {
  readonly socket: Socket;
  readonly received: string;
  readonly closed: boolean;
}

const peerOf = async (port: number, address = '127.0.0.1'): Promise<Peer> => {
  const socket = connect(port, address);
  sockets.push(socket);
  const state = { socket, received: '', closed: false };
  socket.on('error', () => undefined);
  socket.on('data', (chunk) => {
    state.received += chunk.toString('latin1');
  });
  socket.on('close', () => {
    state.closed = true;
  });
  await once(socket, 'connect');
  return state;
};

const reasons = (bed: Bed): string[] => bed.closed.map((c) => c.reason);

describe('RFC 5626 §4.4', () => {
  it('RFC 5626 §4.4: a kept flow is closed after the silence that its phone was told of, not by idleness', async () => {
    const bed = await bedOf({ settings: { idleSeconds: 5 } });
    const [silent, alive, old] = await Promise.all([0, 1, 2].map(() => peerOf(bed.port('t'))));
    for (const [i, peer] of [silent, alive, old].entries()) {
      peer?.socket.write(sipRequest('OPTIONS'));
      await until('its message', () => bed.messages.length === i + 1);
      // The last one has promised nothing.
      bed.transports.keep(bed.messages[i]?.flow.id ?? 0, true, i === 2 ? undefined : 150);
    }
    bed.advance(140_000);
    alive?.socket.write('\r\n\r\n');
    await until('the pong', () => alive?.received === '\r\n');
    assert.equal(bed.closed.length, 0);
    bed.advance(20_000);
    await until('its end', () => bed.closed.length === 1);
    assert.deepEqual(reasons(bed), ['no keepalive']);
    assert.equal(bed.closed[0]?.flow, bed.messages[0]?.flow);
  });
});

describe('TCP', () => {
  it('RFC 3261 §18: carries messages both ways on many listeners of IPv4 and IPv6', async () => {
    const bed = await bedOf({
      listeners: ['a', 'b', 'c', 'd'].map((name, i) => ({
        name,
        transport: 'tcp',
        address: i % 2 ? '::1' : '127.0.0.1',
        port: 0,
      })),
    });
    bed.onMessage = (flow, _text, bytes) => bed.transports.send(flow, Uint8Array.from(bytes));
    for (const { name, bound } of bed.transports.listeners) {
      const peer = await peerOf(bound.port, bound.address);
      const text = sipRequest('OPTIONS', `Subject: ${name}\r\n`, 'body');
      peer.socket.write(text);
      await until('the echo', () => peer.received === text);
      const { flow } = bed.messages.at(-1)!;
      assert.equal(flow.listener, name);
      assert.equal(flow.reliable, true);
      assert.equal(bed.transports.flow(flow.id), flow);
      assert.deepEqual(flow.remote, { address: bound.address, port: peer.socket.localPort });
      peer.socket.destroy();
      await until('it is closed', () => bed.transports.flow(flow.id) === undefined);
      assert.equal(bed.transports.send(flow, Buffer.from('x')), false);
    }
    assert.deepEqual(
      bed.events.map((e) => e.type).filter((t) => t.startsWith('flow')),
      Array(4).fill(['flow.opened', 'flow.closed']).flat(),
    );
    assert.equal(bed.admission.connections, 0);
  });

  it('RFC 5626 §3.5.1: answers a ping by CRLF, at most ten a second', async () => {
    const bed = await bedOf();
    const peer = await peerOf(bed.port('t'));
    peer.socket.write('\r\n\r\n');
    await until('the pong', () => peer.received === '\r\n');
    for (let i = 0; i < 100; i++) peer.socket.write('\r\n\r\n');
    peer.socket.write(sipRequest('OPTIONS'));
    await until('the message', () => bed.messages.length === 1);
    await until('pongs', () => peer.received.length === 20);
    assert.equal(peer.received.length, 20);
  });

  it('takes messages cut anywhere and several in one segment', async () => {
    const bed = await bedOf();
    const peer = await peerOf(bed.port('t'));
    const text = sipRequest('MESSAGE', '', 'x'.repeat(300));
    for (const piece of [
      text.slice(0, 7),
      text.slice(7, 200),
      text.slice(200) + text.repeat(60) + text.slice(0, 50),
      text.slice(50),
    ]) {
      peer.socket.write(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await until('all', () => bed.messages.length === 62);
    assert.ok(bed.messages.every((m) => m.text === text));
  });

  it('pipelined messages of one peer do not keep another waiting', async () => {
    const bed = await bedOf();
    const [busy, other] = [await peerOf(bed.port('t')), await peerOf(bed.port('t'))];
    busy.socket.write(sipRequest('OPTIONS').repeat(2000));
    await until('the first', () => bed.messages.length > 0);
    other.socket.write(sipRequest('OPTIONS', 'Subject: other\r\n'));
    await until('all', () => bed.messages.length === 2001, 20_000);
    const place = bed.messages.findIndex((m) => m.text.includes('Subject: other'));
    assert.ok(place < 1500, `it came as number ${place}`);
  });

  it('S2: contradictory and impossible lengths end the connection, with a 400 where one can be built', async () => {
    const bed = await bedOf();
    const good = sipRequest('OPTIONS');
    const lengths = [
      '4294967297',
      '-1',
      '2147483648',
      '99999999999999999999',
      '0\r\nContent-Length: 5',
      '1, 2',
      '5 5',
      '0x10',
      '',
    ];
    for (const length of lengths) {
      const peer = await peerOf(bed.port('t'));
      peer.socket.write(good.replace('Content-Length: 0', `Content-Length: ${length}`) + good);
      await until(`closed for ${length}`, () => peer.closed);
      assert.match(peer.received, /^SIP\/2\.0 4(00|13) /, length);
      assert.match(peer.received, /\r\nCall-ID: c@example\.com\r\n/);
      assert.equal(peer.received.split('SIP/2.0 4').length, 2, 'one answer alone');
    }
    const missing = await peerOf(bed.port('t'));
    missing.socket.write(good.replace('Content-Length: 0\r\n', ''));
    await until('closed without length', () => missing.closed);
    assert.equal(bed.messages.length, 0, 'nothing behind a broken frame is a message');
  });

  it('S3: nothing is allocated from a declared length', async () => {
    const bed = await bedOf();
    const peers = await Promise.all(Array.from({ length: 50 }, () => peerOf(bed.port('t'))));
    const before = process.memoryUsage();
    for (const { socket } of peers)
      socket.write(sipRequest('OPTIONS').replace('Content-Length: 0', 'Content-Length: 16000'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    const grown = process.memoryUsage().arrayBuffers - before.arrayBuffers;
    assert.ok(grown < 50 * 8192, `${grown} octets`);
  });

  it('garbage, endless headers and oversized bodies end the connection without a word', async () => {
    const bed = await bedOf({ settings: { messageBytes: 4096 } });
    const hostile = [
      '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n',
      `\n\n\n`,
      `OPTIONS sip:x SIP/2.0\r\nX: ${'y'.repeat(200_000)}`,
      `${'A'.repeat(100_000)}`,
    ];
    for (const text of hostile) {
      const peer = await peerOf(bed.port('t'));
      peer.socket.write(text, 'latin1');
      await until(`closed for ${text.slice(0, 20)}`, () => peer.closed);
      assert.equal(peer.received, '');
    }
    const large = await peerOf(bed.port('t'));
    large.socket.write(sipRequest('OPTIONS', '', 'x'.repeat(5000)));
    await until('closed for a large body', () => large.closed);
    assert.match(large.received, /^SIP\/2\.0 413 /);
    bed.admission.flush();
    assert.ok(
      bed.events.some((e) => e.type === 'admission.refused' && e.rule === 'admission.header-too-large'),
    );
  });

  it('S8: slow loris: a begun message must end in its time, whatever trickles in', async () => {
    const bed = await bedOf({ settings: { messageSeconds: 10 } });
    const peer = await peerOf(bed.port('t'));
    const text = sipRequest('OPTIONS');
    for (let second = 0; second < 12 && !peer.closed; second++) {
      peer.socket.write(text.slice(second * 5, second * 5 + 5));
      await new Promise((resolve) => setTimeout(resolve, 5));
      bed.advance(1000);
    }
    await until('closed', () => peer.closed);
    assert.deepEqual(reasons(bed), ['message not complete in time']);
    assert.equal(peer.received, '');
  });

  it('a lone CRLF is not a begun message', async () => {
    const bed = await bedOf({ settings: { messageSeconds: 10 } });
    const peer = await peerOf(bed.port('t'));
    peer.socket.write('\r\n');
    await until('the flow', () => bed.events.length > 0);
    bed.advance(60_000);
    await new Promise((resolve) => setTimeout(resolve, 1200));
    assert.equal(peer.closed, false);
    peer.socket.write(sipRequest('OPTIONS'));
    await until('the message', () => bed.messages.length === 1);
  });

  it('S8: silent connections are closed, kept ones are not', async () => {
    const bed = await bedOf({ settings: { idleSeconds: 30 } });
    const [idle, kept] = [await peerOf(bed.port('t')), await peerOf(bed.port('t'))];
    kept.socket.write(sipRequest('REGISTER'));
    await until('the message', () => bed.messages.length === 1);
    bed.transports.keep(bed.messages[0]!.flow.id, true);
    bed.advance(31_000);
    await until('idle closed', () => idle.closed);
    assert.deepEqual(reasons(bed), ['idle']);
    assert.equal(kept.closed, false);
    bed.transports.keep(bed.messages[0]!.flow.id, false);
    bed.advance(31_000);
    await until('the other too', () => kept.closed);
  });

  it('S8: a connection that brings no message is closed soon, unless its address is trusted', async () => {
    const bed = await bedOf({ settings: { firstMessageSeconds: 30 } });
    const [silent, active] = [await peerOf(bed.port('t')), await peerOf(bed.port('t'))];
    silent.socket.write('\r\n\r\n');
    active.socket.write(sipRequest('OPTIONS'));
    await until('the message', () => bed.messages.length === 1);
    bed.advance(31_000);
    await until('it is closed', () => silent.closed);
    assert.deepEqual(reasons(bed), ['no message in time']);
    assert.equal(active.closed, false);
  });

  it('S8: a flood of connections is bounded per source and in total', async () => {
    const bed = await bedOf({
      settings: { connectionsPerSource: 10, connections: 15, perSourcePerSecond: 1000 },
      admission: { exemptLoopback: false },
      listeners: [
        { name: 't', transport: 'tcp', address: '127.0.0.1', port: 0 },
        { name: 't6', transport: 'tcp', address: '::1', port: 0 },
      ],
    });
    let asked = 0;
    const flood = async (name: string, address: string): Promise<number> => {
      const tried = Array.from({ length: 100 }, () => peerOf(bed.port(name), address).catch(() => undefined));
      const peers = await Promise.all(tried);
      asked += 100;
      await until('all are decided', () => bed.admission.refused + bed.admission.connections === asked);
      const live = (): number => peers.filter((peer) => peer !== undefined && !peer.closed).length;
      await until('the refused know', () => live() <= bed.admission.connections);
      return bed.admission.connections;
    };
    assert.equal(await flood('t', '127.0.0.1'), 10);
    assert.equal(await flood('t6', '::1'), 14, 'a tenth is for trusted sources');
    for (const socket of sockets) socket.destroy();
    await until('all are gone', () => bed.admission.connections === 0);
    const again = await peerOf(bed.port('t'));
    again.socket.write(sipRequest('OPTIONS'));
    await until('there is room again', () => bed.messages.length === 1);
    bed.admission.flush();
    const rules = new Set(bed.events.flatMap((e) => (e.type === 'admission.refused' ? [e.rule] : [])));
    assert.deepEqual(rules, new Set(['admission.connections-per-source', 'admission.connections']));
  });

  it('a peer that does not read is closed when its queue is full', async () => {
    const bed = await bedOf();
    const peer = await peerOf(bed.port('t'));
    peer.socket.pause();
    peer.socket.write(sipRequest('OPTIONS'));
    await until('the message', () => bed.messages.length === 1);
    const { flow } = bed.messages[0]!;
    let sent = 0;
    while (sent < 20_000 && bed.transports.send(flow, Buffer.alloc(16_000))) {
      sent++;
      if (sent % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    assert.ok(sent < 20_000);
    assert.deepEqual(reasons(bed), ['peer does not read']);
    assert.equal(bed.transports.flow(flow.id), undefined);
  });

  it('S8: floods of messages are cut, and a peer that goes on is closed', async () => {
    const bed = await bedOf({ settings: { perSourcePerSecond: 20 }, admission: { exemptLoopback: false } });
    const peer = await peerOf(bed.port('t'));
    peer.socket.write(sipRequest('OPTIONS').repeat(500));
    await until('closed', () => peer.closed);
    assert.ok(bed.messages.length <= 40, `${bed.messages.length} came through`);
    assert.deepEqual(reasons(bed), ['refused too often']);
    assert.equal(peer.received, '');
  });

  it('opens connections, uses them again, and tells why it cannot', async () => {
    const bed = await bedOf();
    let accepted = 0;
    const server = createServer((socket) => {
      accepted++;
      sockets.push(socket);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as { port: number };
    const target = { transport: 'tcp', address: '127.0.0.1', port } as const;
    const [one, two] = await Promise.all([bed.transports.connect(target), bed.transports.connect(target)]);
    const three = await bed.transports.connect(target);
    assert.ok(one.ok && two.ok && three.ok);
    assert.equal(one.value, two.value);
    assert.equal(one.value, three.value);
    assert.equal(one.value.sentBy, `127.0.0.1:${bed.port('t')}`);
    assert.equal(one.value.listener, 't');
    await until('one connection', () => accepted === 1);
    sockets.at(-1)!.destroy();
    await until('it is gone', () => bed.transports.flow(one.value.id) === undefined);
    const four = await bed.transports.connect(target);
    assert.ok(four.ok && four.value.id !== one.value.id);
    server.close();
    sockets.at(-1)!.destroy();
    await until('nobody listens', () => bed.transports.flow(four.value.id) === undefined);
    const refused = await bed.transports.connect(target);
    assert.ok(!refused.ok && refused.error.code === 'ECONNREFUSED');
    const name = await bed.transports.connect({ ...target, address: 'example.com' });
    assert.ok(!name.ok && name.error.code === 'not-an-address');
  });
});
