import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { after, describe, it } from 'node:test';
import { type Bed, openBed, sipRequest, tryBed, until } from './test-bed.ts';

const sockets: Socket[] = [];
const beds: Bed[] = [];
after(async () => {
  for (const socket of sockets) socket.close();
  for (const bed of beds) await bed.transports.close();
});

const bedOf = async (options: Parameters<typeof openBed>[0]): Promise<Bed> => {
  const bed = await openBed(options);
  beds.push(bed);
  return bed;
};

const peer = async (address: string): Promise<Socket> => {
  const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
  sockets.push(socket);
  socket.bind(0, address);
  await once(socket, 'listening');
  return socket;
};

describe('UDP', () => {
  it('RFC 3261 §18: carries messages both ways on many listeners of IPv4 and IPv6', async () => {
    const names = ['a', 'b', 'c', 'd'];
    const bed = await bedOf({
      listeners: names.map((name, i) => ({
        name,
        transport: 'udp',
        address: i % 2 === 0 ? '127.0.0.1' : '::1',
        port: 0,
      })),
    });
    bed.onMessage = (flow, _text, bytes) => bed.transports.send(flow, bytes);
    for (const { name, bound } of bed.transports.listeners) {
      const socket = await peer(bound.address);
      const text = sipRequest('OPTIONS', `Subject: ${name}\r\n`);
      const answer = once(socket, 'message');
      socket.send(text, bound.port, bound.address);
      const [bytes] = (await answer) as [Buffer];
      assert.equal(bytes.toString(), text);
      const got = bed.messages.at(-1)!;
      assert.equal(got.flow.listener, name);
      assert.equal(got.flow.reliable, false);
      assert.deepEqual(got.flow.remote, { address: bound.address, port: socket.address().port });
      assert.equal(
        got.flow.sentBy,
        bound.address.includes(':') ? `[::1]:${bound.port}` : `127.0.0.1:${bound.port}`,
      );
      assert.equal(bed.transports.flow(got.flow.id), got.flow);
      assert.equal(bed.transports.udpFlow(bound.address, socket.address().port, name), got.flow);
    }
  });

  it('tells one flow per remote address and port', async () => {
    const bed = await bedOf({ listeners: [{ name: 'u', transport: 'udp', address: '127.0.0.1', port: 0 }] });
    const peers = await Promise.all([peer('127.0.0.1'), peer('127.0.0.1'), peer('127.0.0.1')]);
    for (let round = 0; round < 3; round++) {
      for (const socket of peers) socket.send(sipRequest('OPTIONS'), bed.port('u'), '127.0.0.1');
    }
    await until('nine messages', () => bed.messages.length === 9);
    assert.equal(new Set(bed.messages.map((m) => m.flow.id)).size, 3);
    assert.equal(new Set(bed.messages.map((m) => m.flow)).size, 3);
  });

  it('answers neither keepalives, STUN, garbage nor scanners, and tells of nothing but counts', async () => {
    const bed = await bedOf({ listeners: [{ name: 'u', transport: 'udp', address: '127.0.0.1', port: 0 }] });
    const socket = await peer('127.0.0.1');
    let answers = 0;
    socket.on('message', () => answers++);
    const stun = Buffer.alloc(20);
    stun.writeUInt16BE(1, 0);
    stun.writeUInt32BE(0x2112a442, 4);
    const hostile: (string | Buffer)[] = [
      '\r\n\r\n',
      '\r\n',
      '\0\0\0\0',
      stun,
      '',
      'GET / HTTP/1.1\r\n\r\n',
      'options sip:x SIP/2.0\r\n\r\n',
      'SIP/1.0 200 OK\r\n\r\n',
      Buffer.alloc(1200, 0xff),
      sipRequest('OPTIONS', `X: ${'y'.repeat(17000)}\r\n`),
      sipRequest('SHUTDOWN'),
      sipRequest('OPTIONS', 'USER-AGENT :\r\n SIPVicious 1\r\n'),
      sipRequest('REGISTER', 'User-Agent: friendly-scanner\r\n'),
    ];
    for (const bytes of hostile) socket.send(bytes, bed.port('u'), '127.0.0.1');
    socket.send(sipRequest('OPTIONS'), bed.port('u'), '127.0.0.1');
    await until('the good one', () => bed.messages.length > 0);
    assert.equal(bed.messages.length, 1);
    assert.equal(answers, 0);
    bed.admission.flush();
    const rules = bed.events.flatMap((e) => (e.type === 'admission.refused' ? [`${e.rule} ${e.count}`] : []));
    assert.deepEqual(rules.sort(), [
      'admission.first-line 3',
      'admission.method 2',
      'admission.size 1',
      'admission.user-agent 2',
    ]);
  });

  it('writes the address that reaches the peer where the listener is bound to all', async () => {
    const bed = await bedOf({
      listeners: [
        { name: 'any4', transport: 'udp', address: '0.0.0.0', port: 0 },
        { name: 'any6', transport: 'udp', address: '::', port: 0 },
        { name: 'nat', transport: 'udp', address: '0.0.0.0', port: 0, publicAddress: 'sip.example.com' },
      ],
    });
    const four = bed.transports.udpFlow('127.0.0.1', 5060, 'any4')!;
    assert.deepEqual(four.local, { address: '127.0.0.1', port: bed.port('any4') });
    const six = bed.transports.udpFlow('::1', 5060, 'any6')!;
    assert.equal(six.sentBy, `[::1]:${bed.port('any6')}`);
    const far = bed.transports.udpFlow('192.0.2.77', 5060, 'any4')!;
    assert.notEqual(far.local.address, '0.0.0.0');
    assert.equal(
      bed.transports.udpFlow('192.0.2.77', 5060, 'nat')?.sentBy,
      `sip.example.com:${bed.port('nat')}`,
    );
    assert.equal(bed.transports.udpFlow('::1', 5060, 'any4'), undefined);
    assert.equal(bed.transports.udpFlow('example.com', 5060), undefined);
    assert.equal(bed.transports.udpFlow('192.0.2.1', 0), undefined);
  });

  it('IPv4 and IPv6 listeners of all addresses share a port', async () => {
    const first = await bedOf({
      listeners: [{ name: 'any4', transport: 'udp', address: '0.0.0.0', port: 0 }],
    });
    const both = await tryBed({
      listeners: [{ name: 'any6', transport: 'udp', address: '::', port: first.port('any4') }],
    });
    assert.ok(!Array.isArray(both));
    beds.push(both as Bed);
  });

  it('survives sending where nothing goes', async () => {
    const bed = await bedOf({ listeners: [{ name: 'u', transport: 'udp', address: '127.0.0.1', port: 0 }] });
    const flow = bed.transports.udpFlow('127.0.0.1', 9)!;
    for (let i = 0; i < 10; i++) bed.transports.send(flow, Buffer.from(sipRequest('OPTIONS')));
    const any = await bedOf({ listeners: [{ name: 'u', transport: 'udp', address: '0.0.0.0', port: 0 }] });
    for (const address of ['255.255.255.255', '192.0.2.1']) {
      any.transports.send(any.transports.udpFlow(address, 5060)!, Buffer.from('x'));
    }
    any.transports.send(any.transports.udpFlow('127.0.0.1', 9)!, Buffer.alloc(70_000));
    const socket = await peer('127.0.0.1');
    socket.send(sipRequest('OPTIONS'), any.port('u'), '127.0.0.1');
    await until('it still receives', () => any.messages.length === 1);
    await any.transports.close();
    assert.equal(any.transports.send(flow, Buffer.from('x')), true, "a flow of another node is that node's");
    assert.equal(any.transports.send(any.transports.udpFlow('192.0.2.1', 5060)!, Buffer.from('x')), false);
  });
});
