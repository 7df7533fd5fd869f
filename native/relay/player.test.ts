import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { SrtpContext } from '@ringfence/srtp/context.ts';
import type { Suite } from '@ringfence/srtp/suite.ts';
import { startRelay } from './client.ts';
import type { RelayEvent } from './contract.ts';
import type { RunningRelay } from './control.ts';
import { materialOf, openAll, Phone, rtpPacket, statsOf, unprotect, until } from './loopback.ts';

let relay: RunningRelay;
const told: RelayEvent[] = [];
before(async () => {
  relay = await startRelay({ portRange: { from: 24_000, to: 24_999 }, threads: 2, pollMs: 50 });
  relay.onEvent((event) => told.push(event));
});
after(async () => {
  Phone.closeAll();
  await relay.stop();
});

const suite: Suite = 'AEAD_AES_256_GCM';

/** Somebody on SRTP who is on hold, and somebody on plain RTP who holds. */
async function held() {
  const [a, b] = [await Phone.open(), await Phone.open()];
  const receive = { suite, material: materialOf(suite, 1) };
  const common = { local: '127.0.0.1', ports: 'pair', dscp: 0 } as const;
  const [left, right] = await openAll(relay, [
    {
      ...common,
      suites: [suite],
      config: { media: 'srtp', remote: a.remote, receive, send: { suite }, rtcp: 'end' },
    },
    { ...common, suites: [], config: { media: 'rtp', remote: b.remote, rtcp: 'end' } },
  ]);
  assert.ok(left && right);
  relay.link(left.id, right.id);
  await relay.flush();
  const receiving = new SrtpContext({ suite, material: left.keys[0]?.material ?? new Uint8Array() });
  return {
    a,
    b,
    left,
    right,
    sayB: (packet: Uint8Array) => b.rtp.send(packet, right.rtpPort, '127.0.0.1'),
    /** Packets in the order of arrival, opened. */
    heardByA: () => a.rtpReceived.splice(0).map((packet) => view(unprotect(receiving, packet))),
  };
}

const view = (packet: Uint8Array) => {
  const data = new DataView(packet.buffer, packet.byteOffset, packet.length);
  return {
    type: (packet[1] ?? 0) & 0x7f,
    marker: (packet[1] ?? 0) >= 0x80,
    sequence: data.getUint16(2),
    timestamp: data.getUint32(4),
    ssrc: data.getUint32(8),
    payload: Buffer.from(packet.subarray(12)),
  };
};

const frames = (count: number, length = 160): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => new Uint8Array(length).fill(i + 1));

test('a clip is heard in order as one stream with what came before, in place of the other side (RFC 3550 §5.1)', async () => {
  const { a, left, sayB, heardByA } = await held();
  for (let i = 0; i < 3; i++) sayB(rtpPacket(100 + i, 7, 0));
  await until(() => a.rtpReceived.length === 3, 'the voice of the other side');
  const before = heardByA();
  relay.keepClip?.(1, frames(10), 160);
  relay.play?.(left.id, 1, 0, false);
  await relay.flush();
  for (let i = 3; i < 6; i++) sayB(rtpPacket(100 + i, 7, 0));
  await until(() => told.some((event) => event.kind === 'played' && event.endpoint === left.id), 'the end');
  const played = heardByA();
  assert.deepEqual(
    played.map(({ payload }) => payload[0]),
    [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  );
  assert.ok(played.every(({ payload, type }) => payload.length === 160 && type === 0));
  assert.ok(played[0]?.marker);
  for (const [i, packet] of played.entries()) {
    assert.equal(packet.ssrc, before[0]?.ssrc);
    assert.equal(packet.sequence, 103 + i);
    if (i > 0) assert.equal(packet.timestamp - (played[i - 1]?.timestamp ?? 0), 160);
  }
  sayB(rtpPacket(200, 7, 0));
  await until(() => a.rtpReceived.length === 1, 'the voice again');
  const [voice] = heardByA();
  assert.equal(voice?.sequence, 113);
  assert.equal(voice?.ssrc, before[0]?.ssrc);
  assert.deepEqual(voice?.payload, Buffer.from(rtpPacket(200, 7, 0).subarray(12)));
});

test('music goes on from its end with its beginning, until it is hushed', async () => {
  const { a, left, sayB, heardByA } = await held();
  relay.keepClip?.(2, frames(3, 40), 960);
  relay.play?.(left.id, 2, 111, true);
  await until(() => a.rtpReceived.length >= 8, 'music');
  relay.hush?.(left.id);
  await relay.flush();
  const heard = heardByA();
  for (const [i, { payload, type, timestamp }] of heard.entries()) {
    assert.equal(payload[0], 1 + (i % 3));
    assert.equal(type, 111);
    if (i > 0) assert.equal((timestamp - (heard[i - 1]?.timestamp ?? 0)) >>> 0, 960);
  }
  sayB(rtpPacket(1, 9, 0));
  await until(() => a.rtpReceived.length > 0, 'the voice again');
  assert.equal(heardByA().at(-1)?.type, 0);
});

test('a clip that is larger than one message, replaced while it plays: whoever hears it hears it to its end', async () => {
  const { a, left, heardByA } = await held();
  relay.keepClip?.(3, frames(40, 1300), 160);
  relay.play?.(left.id, 3, 0, false);
  await until(() => a.rtpReceived.length >= 2, 'its beginning');
  relay.keepClip?.(3, frames(1, 10), 160);
  await until(() => told.some((event) => event.kind === 'played' && event.endpoint === left.id), 'its end');
  const heard = heardByA();
  assert.equal(heard.length, 40);
  assert.ok(heard.every(({ payload }) => payload.length === 1300));
});

test('what may not be heard waits; what is closed is not played to, and unknown clips and endpoints change nothing', async () => {
  const { a, left, right } = await held();
  relay.keepClip?.(4, frames(5), 160);
  relay.configure(left.id, { media: 'srtp', remote: a.remote, emit: false, send: { suite } });
  relay.play?.(left.id, 4, 0, true);
  relay.play?.(left.id + 77, 4, 0, true);
  relay.play?.(right.id, 99, 0, true);
  relay.hush?.(right.id);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(a.rtpReceived.length, 0);
  assert.equal((await statsOf(relay, left.id)).sent.packets, 0);
  relay.configure(left.id, { media: 'srtp', remote: a.remote, send: { suite } });
  await until(() => a.rtpReceived.length > 2, 'music');
  await relay.close([left.id, right.id]);
  const count = a.rtpReceived.length;
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.ok(a.rtpReceived.length <= count + 1);
});
