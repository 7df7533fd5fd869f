import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { startRelay } from './client.ts';
import type { EndpointConfig } from './contract.ts';
import type { RunningRelay } from './control.ts';
import { openAll, Phone, rtpPacket, statsOf, until } from './loopback.ts';

let relay: RunningRelay;
before(async () => {
  relay = await startRelay({ portRange: { from: 23_000, to: 23_999 }, threads: 1 });
});
after(async () => {
  Phone.closeAll();
  await relay.stop();
});

/** As far as a relay may look at it: header, magic cookie, preamble, length, type (RFC 6189 §5). */
function zrtpPacket(type: string, length = 40): Buffer {
  const packet = Buffer.alloc(12 + length + 4, 0xa5);
  packet.writeUInt16BE(0x1000, 0);
  packet.writeUInt32BE(0x5a525450, 4);
  packet.writeUInt16BE(0x505a, 12);
  packet.writeUInt16BE(length / 4, 14);
  packet.write(type.padEnd(8), 16, 'latin1');
  return packet;
}

const event = 101;

/** Two phones on plain RTP whose RTCP ends at the edge and who may be sent digits: all that a pass has to do without. */
async function call(zrtp: EndpointConfig['zrtp']) {
  const [a, b] = [await Phone.open(), await Phone.open()];
  const spec = (phone: Phone) =>
    ({
      local: '127.0.0.1',
      ports: 'pair',
      dscp: 0,
      suites: [],
      config: {
        media: 'rtp',
        remote: phone.remote,
        rtcp: 'end',
        telephoneEvent: event,
        ...(zrtp === undefined ? {} : { zrtp }),
      },
    }) as const;
  const [left, right] = await openAll(relay, [spec(a), spec(b)]);
  assert.ok(left && right);
  relay.link(left.id, right.id);
  await relay.flush();
  const toRight = (packet: Uint8Array) => a.rtp.send(packet, left.rtpPort, '127.0.0.1');
  const toLeft = (packet: Uint8Array) => b.rtp.send(packet, right.rtpPort, '127.0.0.1');
  return { a, b, left, right, toRight, toLeft };
}

const passing = { mode: 'pass', demanded: false } as const;

test('RFC 6189 §5: ZRTP goes from end to end untouched where it passes', async () => {
  const { a, b, toRight, toLeft } = await call(passing);
  const hello = zrtpPacket('Hello', 100);
  toRight(hello);
  await until(() => b.rtpReceived.length === 1, 'the Hello');
  assert.deepEqual(b.rtpReceived[0], hello);
  toLeft(zrtpPacket('HelloACK', 12));
  await until(() => a.rtpReceived.length === 1, 'the answer');
});

test('ZRTP is dropped where it is not to pass', async () => {
  const { b, left, toRight } = await call(undefined);
  toRight(zrtpPacket('Hello', 100));
  await until(async () => (await statsOf(relay, left.id)).dropped.malformed === 1, 'the drop');
  assert.equal(b.rtpReceived.length, 0);
});

test('RFC 6189 §4.6: from Confirm1 on no bit of media and RTCP changes, and none is added', async () => {
  const { a, b, left, right, toRight, toLeft } = await call(passing);
  // A stream that was continued under another SSRC before: the edge rewrites it.
  toRight(rtpPacket(10, 1));
  await until(() => b.rtpReceived.length === 1, 'voice');
  relay.configure(left.id, {
    media: 'rtp',
    remote: a.remote,
    rtcp: 'end',
    telephoneEvent: event,
    zrtp: passing,
  });
  await relay.flush();
  toRight(rtpPacket(500, 2));
  await until(() => b.rtpReceived.length === 2, 'voice of another source');
  assert.equal(b.rtpReceived[1]?.readUInt32BE(8), 1, 'rewritten as long as it is plain');

  toRight(zrtpPacket('Commit', 116));
  toLeft(zrtpPacket('Confirm1', 76));
  await until(() => b.rtpReceived.length === 3 && a.rtpReceived.length === 1, 'Commit and Confirm1');
  relay.press(right.id, '5', 100);
  await relay.flush();
  const sealed = [rtpPacket(501, 2), rtpPacket(502, 2, event), rtpPacket(9, 77)];
  for (const packet of sealed) toRight(packet);
  await until(() => b.rtpReceived.length === 6, 'SRTP of the ends');
  assert.deepEqual(
    b.rtpReceived.slice(3).map((packet) => packet.toString('hex')),
    sealed.map((packet) => Buffer.from(packet).toString('hex')),
  );
  // SRTCP: eight octets that any RTCP begins with, the rest noise.
  const control = Buffer.concat([Buffer.from([0x80, 201, 0, 1, 0, 0, 0, 2]), Buffer.alloc(22, 0x5c)]);
  a.rtcp.send(control, left.rtcpPort, '127.0.0.1');
  await until(() => b.rtcpReceived.some((packet) => packet.equals(control)), 'SRTCP');
  assert.ok(
    b.rtcpReceived.every((packet) => packet.equals(control)),
    'no report of ours goes into their stream',
  );
});

test('a party that talks with another one after a pass is relayed as any other', async () => {
  const { b, left, right, toRight, toLeft, a } = await call(passing);
  toLeft(zrtpPacket('Confirm1', 76));
  await until(() => a.rtpReceived.length === 1, 'Confirm1');
  toRight(rtpPacket(1, 5));
  await until(() => b.rtpReceived.length === 1, 'SRTP');
  const third = await Phone.open();
  const [other] = await openAll(relay, [
    {
      local: '127.0.0.1',
      ports: 'pair',
      dscp: 0,
      suites: [],
      config: { media: 'rtp', remote: third.remote, rtcp: 'end', zrtp: passing },
    },
  ]);
  assert.ok(other);
  relay.link(other.id, right.id);
  await relay.flush();
  third.rtp.send(rtpPacket(70, 6), other.rtpPort, '127.0.0.1');
  await until(() => b.rtpReceived.length === 2, 'voice of the third');
  relay.configure(other.id, { media: 'rtp', remote: third.remote, rtcp: 'end', zrtp: passing });
  await relay.flush();
  third.rtp.send(rtpPacket(700, 7), other.rtpPort, '127.0.0.1');
  await until(() => b.rtpReceived.length === 3, 'voice of another source');
  assert.equal(b.rtpReceived[2]?.readUInt32BE(8), 6, 'one stream again, whoever speaks');
  relay.unlink(left.id);
});
