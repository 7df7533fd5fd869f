import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { after, test } from 'node:test';
import fc from 'fast-check';
import { answerBinding } from './stun.ts';
import { type Bed, openBed, sipRequest, until } from './test-bed.ts';

const beds: Bed[] = [];
after(async () => {
  for (const bed of beds) await bed.transports.close();
});

const id = 'b7e7a701bc34d686fa87dfae';
const request = (attributes = '', id_ = id): Buffer => {
  const body = Buffer.from(attributes, 'hex');
  const head = Buffer.from(`000100002112a442${id_}`, 'hex');
  head.writeUInt16BE(body.length, 2);
  return Buffer.concat([head, body]);
};
const hex = (bytes: Uint8Array | undefined): string | undefined =>
  bytes === undefined ? undefined : Buffer.from(bytes).toString('hex');

test('RFC 5769 §2.2: XOR-MAPPED-ADDRESS of the sample IPv4 response', () => {
  assert.equal(
    hex(answerBinding(request(), { address: '192.0.2.1', port: 32853 })),
    `0101000c2112a442${id}002000080001a147e112a643`,
  );
});

test('RFC 5769 §2.3: XOR-MAPPED-ADDRESS of the sample IPv6 response', () => {
  const from = { address: '2001:db8:1234:5678:11:2233:4455:6677', port: 32853 };
  assert.equal(
    hex(answerBinding(request(), from)),
    `010100182112a442${id}002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9`,
  );
});

test('RFC 8489 §6.3: what is not a whole binding request, or demands more, gets no answer', () => {
  const from = { address: '192.0.2.1', port: 1 };
  const software = '80220004746573740';
  assert.ok(answerBinding(request(software.slice(0, -1)), from) !== undefined);
  for (const bad of [
    request().subarray(0, 19),
    Buffer.concat([request(), Buffer.alloc(4)]),
    Buffer.from(hex(request())!.replace('2112a442', '2112a443'), 'hex'),
    Buffer.from(hex(request())!.replace(/^0001/, '0101'), 'hex'),
    Buffer.from(hex(request())!.replace(/^0001/, '0111'), 'hex'),
    // USERNAME must be understood.
    request('0006000474657374'),
    request('8022ffff74657374'),
    request('8022'),
    request('80220400'.concat('00'.repeat(1024))),
  ])
    assert.equal(answerBinding(bad, from), undefined, bad.toString('hex').slice(0, 80));
});

test('arbitrary octets never throw, and no answer has more than 44', () => {
  let ran = 0;
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (tail) => {
      ran++;
      const bytes = Buffer.concat([request().subarray(0, 8), tail]);
      const answer = answerBinding(bytes, { address: '::1', port: 9 });
      assert.ok(answer === undefined || answer.length === 44);
    }),
    { numRuns: 1000 },
  );
  assert.equal(ran, 1000);
});

test('RFC 5626 §3.5.2: only a flow with a registration is answered, ten times a second at most', async () => {
  const bed = await openBed({
    listeners: [{ name: 'u', transport: 'udp', address: '127.0.0.1', port: 0 }],
  });
  beds.push(bed);
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  const answers: Buffer[] = [];
  socket.on('message', (bytes) => answers.push(bytes));
  const send = (bytes: Uint8Array): void => socket.send(bytes, bed.port('u'), '127.0.0.1');
  try {
    send(request());
    send(Buffer.from(sipRequest('OPTIONS')));
    await until('the message', () => bed.messages.length === 1);
    send(request());
    send(Buffer.from(sipRequest('OPTIONS')));
    await until('the next message', () => bed.messages.length === 2);
    assert.equal(answers.length, 0);

    bed.transports.keep(bed.messages[0]?.flow.id ?? 0, true);
    send(request());
    await until('the answer', () => answers.length === 1);
    const { port } = socket.address();
    assert.equal(hex(answers[0]), hex(answerBinding(request(), { address: '127.0.0.1', port })));
    for (let i = 0; i < 100; i++) send(request());
    send(Buffer.from(sipRequest('OPTIONS')));
    await until('the last message', () => bed.messages.length === 3);
    assert.ok(answers.length <= 10, String(answers.length));

    bed.transports.keep(bed.messages[0]?.flow.id ?? 0, false);
    bed.advance(2000);
    const before = answers.length;
    send(request());
    send(Buffer.from(sipRequest('OPTIONS')));
    await until('the end', () => bed.messages.length === 4);
    assert.equal(answers.length, before);
  } finally {
    socket.close();
  }
});
